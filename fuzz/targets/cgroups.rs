//! Any mountinfo, any /proc/self/cgroup, any resources: a plan or reasons.
//!
//! Mountinfo, cgroup file, cgroupsPath and resources, with a line of `--` between them.
#![no_main]

use cofferdam_cgroup::{CgroupDir, Hierarchies, PlanOptions, plan, plan_update};
use cofferdam_oci::Resources;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(4, "\n--\n");
    let mut part = || parts.next().unwrap_or_default();
    let (mountinfo, own, path, json) = (part(), part(), part(), part());
    let hierarchies = Hierarchies::parse(mountinfo.as_bytes(), own.as_bytes());
    let resources: Resources = cofferdam_oci::parse(json.as_bytes()).unwrap_or_default();
    for rootless in [false, true] {
        let options = PlanOptions { rootless, ignore_v1_only: rootless, ..PlanOptions::default() };
        match plan(&hierarchies, Some(path).filter(|p| !p.is_empty()), "fuzz", &resources, &options) {
            Err(rejects) => cofferdam_fuzz::assert_reasons(&rejects),
            Ok(planned) => {
                // The kernel writes absolute paths only.
                let real = |dir: &&CgroupDir| dir.mount_point.is_absolute() && dir.mount_root.is_absolute();
                for dir in planned.dirs.iter().filter(real) {
                    let climbs = |c| matches!(c, std::path::Component::ParentDir);
                    let inside = dir.path.strip_prefix(&dir.mount_point).unwrap();
                    assert!(!inside.components().any(climbs), "{dir:?} climbs out of its tree");
                }
                if let Err(rejects) = plan_update(&planned.dirs, &resources) {
                    cofferdam_fuzz::assert_reasons(&rejects);
                }
            }
        }
    }
});
