//! Cgroup directories as a version 1 and a version 2 host had them, laid out in a directory of this test's own.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use cofferdam_cgroup::{Cgroup, SavedCgroup};
use cofferdam_nsinit::stats::Measurement;

/// Linux 6.18, a tree for each controller, without hugetlb.
pub(crate) const V1: &str = include_str!("../recorded/v1.txt");
/// Linux 6.1, one tree.
pub(crate) const V2: &str = include_str!("../recorded/v2.txt");

/// A recording on disk; dropped, it is gone.
pub(crate) struct Recorded {
    pub(crate) dir: PathBuf,
    paths: BTreeMap<String, PathBuf>,
}

impl Recorded {
    pub(crate) fn new(recording: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("nsinit-recorded-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let dir = std::env::temp_dir().join(name);
        fs::create_dir(&dir).unwrap();
        let mut paths = BTreeMap::new();
        for file in recording.split("=== ").skip(1) {
            let (name, content) = file.split_once('\n').unwrap();
            // "memory/memory.stat" of version 1, "memory.stat" of version 2.
            let controller = name.split_once('/').map_or("", |(controller, _)| controller);
            fs::create_dir_all(dir.join(controller)).unwrap();
            fs::write(dir.join(name), content).unwrap();
            paths.insert(controller.to_owned(), dir.join(controller));
        }
        Self { dir, paths }
    }

    pub(crate) fn without(self, file: &str) -> Self {
        fs::remove_file(self.dir.join(file)).unwrap();
        self
    }

    pub(crate) fn measure(&self) -> Measurement {
        let cgroup = Cgroup::load(SavedCgroup::from_paths(&self.paths));
        Measurement { usage: cgroup.usage().unwrap(), interfaces: None }
    }
}

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn every_number_of_version_1_is_in_its_unit() {
    let usage = Recorded::new(V1).measure().usage;
    assert_eq!(usage.cpu.total, Some(426_352_865));
    // Ticks of a hundredth of a second.
    assert_eq!((usage.cpu.user, usage.cpu.kernel), (Some(340_000_000), Some(80_000_000)));
    assert_eq!(usage.cpu.by_cpu, Some(vec![25_377_266, 400_975_599]));
    assert_eq!(usage.cpu.by_cpu_kernel, Some(vec![8_000_000, 88_000_000]));
    let throttling = usage.cpu.throttling.unwrap();
    assert_eq!((throttling.periods, throttling.throttled_periods), (23, 20));
    assert_eq!(throttling.throttled_time, 1_573_176_125);
    let memory = &usage.memory;
    assert_eq!((memory.usage.used, memory.usage.peak), (Some(17_055_744), Some(33_554_432)));
    assert_eq!((memory.usage.bound(), memory.usage.refused), (Some(33_554_432), Some(4358)));
    assert_eq!((memory.cache, memory.swap), (Some(16_674_816), Some(0)));
    assert_eq!((memory.with_swap.peak, memory.with_swap.bound()), (Some(34_304_000), None));
    assert_eq!((memory.kernel.used, memory.kernel.peak), (Some(139_264), Some(1_069_056)));
    let bytes: Vec<_> = usage.io.bytes.iter().flatten().map(|e| (e.op.as_str(), e.value)).collect();
    assert_eq!(bytes[..2], [("Read", 41_082_880), ("Write", 11_538_432)]);
    assert_eq!((usage.tasks.current, usage.tasks.limit, usage.tasks.refused), (Some(0), Some(20), Some(0)));
}

#[test]
fn every_number_of_version_2_is_in_its_unit() {
    let usage = Recorded::new(V2).measure().usage;
    assert_eq!(usage.cpu.total, Some(3_237_760_000), "microseconds in the file");
    assert_eq!((usage.cpu.user, usage.cpu.kernel), (Some(420_995_000), Some(2_816_765_000)));
    let throttling = usage.cpu.throttling.unwrap();
    assert_eq!((throttling.periods, throttling.throttled_periods), (161, 161));
    assert_eq!(throttling.throttled_time, 15_789_817_000);
    let memory = &usage.memory;
    assert_eq!((memory.usage.used, memory.usage.peak), (Some(32_092_160), Some(33_554_432)));
    assert_eq!((memory.usage.bound(), memory.usage.refused), (Some(33_554_432), Some(158)));
    assert_eq!((memory.cache, memory.swap), (Some(25_186_304), Some(0)));
    assert_eq!((memory.with_swap.used, memory.with_swap.bound()), (Some(32_092_160), None));
    assert_eq!(memory.kernel.used, Some(1_273_856));
    let of = |list: &Option<Vec<cofferdam_cgroup::BlkioEntry>>| {
        let entry = |e: &cofferdam_cgroup::BlkioEntry| (e.major, e.minor, e.op.clone(), e.value);
        list.iter().flatten().map(entry).collect::<Vec<_>>()
    };
    let [read, write] = ["Read", "Write"].map(String::from);
    assert_eq!(of(&usage.io.bytes), [(259, 0, read.clone(), 229_376), (259, 0, write.clone(), 62_922_752)]);
    assert_eq!(of(&usage.io.operations), [(259, 0, read, 10), (259, 0, write, 133)]);
    assert_eq!((usage.tasks.current, usage.tasks.limit, usage.tasks.refused), (Some(4), Some(20), Some(0)));
    let sizes: Vec<_> = usage.hugetlb.unwrap().into_keys().collect();
    assert_eq!(sizes, ["1GB", "2MB"]);
}

#[test]
fn what_a_version_does_not_count_is_absent() {
    let v1 = Recorded::new(V1).measure().usage;
    assert!(v1.hugetlb.is_none(), "no controller");
    assert!(v1.cpu.pressure.is_none() && v1.memory.pressure.is_none());
    assert!(v1.io.queued.is_none() && v1.io.time.is_none() && v1.io.sectors.is_none());
    let v2 = Recorded::new(V2).measure().usage;
    assert!(v2.cpu.by_cpu.is_none() && v2.cpu.by_cpu_kernel.is_none() && v2.cpuset.is_none());
    assert!(v2.memory.with_swap.peak.is_none() && v2.memory.with_swap.refused.is_none());
    assert!(v2.memory.kernel.peak.is_none() && v2.memory.kernel_tcp.used.is_none());
    assert!(v2.io.queued.is_none() && v2.io.service_time.is_none() && v2.io.sectors.is_none());
    assert_eq!(v2.hugetlb.unwrap()["2MB"].peak, None);
}

#[test]
fn what_an_older_kernel_does_not_keep_is_absent() {
    // Before Linux 5.19, 5.18 and 5.2.
    let old = Recorded::new(V2).without("memory.peak").without("memory.events.local");
    let stat = fs::read_to_string(old.dir.join("memory.stat")).unwrap().replace("kernel 1273856\n", "");
    fs::write(old.dir.join("memory.stat"), stat).unwrap();
    let memory = old.measure().usage.memory;
    assert_eq!((memory.usage.peak, memory.kernel.used), (None, None));
    assert_eq!(memory.usage.refused, Some(158), "memory.events has it too");
    // A kernel without accounting of swap.
    let without = Recorded::new(V2).without("memory.swap.current").without("memory.swap.max");
    let memory = without.measure().usage.memory;
    assert_eq!((memory.swap, memory.with_swap.used, memory.with_swap.limit), (None, None, None));
}

#[test]
fn a_controller_that_is_not_enabled_counts_nothing() {
    // As in a hybrid tree, or where a rootless user was given no controllers.
    let bare = "=== cgroup.procs\n1\n2\n3\n=== cpu.stat\nusage_usec 5\nuser_usec 3\nsystem_usec 2\n";
    let usage = Recorded::new(bare).measure().usage;
    assert_eq!((usage.cpu.total, usage.cpu.throttling), (Some(5000), None));
    assert_eq!((usage.tasks.current, usage.tasks.processes), (None, Some(3)));
    assert!(usage.memory.version.is_none() && usage.io.bytes.is_none() && usage.hugetlb.is_none());
}

#[test]
fn runcs_form_of_the_same_recordings_has_zeros() {
    let stats = |recording| cofferdam_cgroup::Stats::from(Recorded::new(recording).measure().usage);
    let (v1, v2) = (stats(V1), stats(V2));
    assert_eq!((v1.memory.usage.failcnt, v1.memory.kernel.usage), (4358, 139_264));
    assert_eq!((v2.memory.usage.failcnt, v2.memory.kernel.usage), (0, 0));
    assert_eq!((v2.memory.swap.usage, v2.memory.usage.usage), (32_092_160, 32_092_160));
    assert_eq!((v1.hugetlb.len(), v2.hugetlb.len()), (0, 2));
    // Without swap the sum is the memory alone, as runc has it.
    let without = Recorded::new(V2).without("memory.swap.current").without("memory.swap.max").measure();
    assert_eq!(cofferdam_cgroup::Stats::from(without.usage).memory.swap.usage, 32_092_160);
}
