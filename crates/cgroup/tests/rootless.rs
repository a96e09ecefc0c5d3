//! A caller that may not make cgroups.

mod common;

#[allow(clippy::unwrap_used, clippy::print_stdout)] // it is a helper outside of #[test]
mod inner {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    /// Whether this process is the user without rights; otherwise the test is run again as one.
    pub(super) fn as_nobody(test: &str) -> bool {
        if !super::common::is_root() {
            return true;
        }
        // The build directory may be closed to others.
        let dir = std::env::temp_dir().join(format!("cofferdam-test-{}-{test}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let program = dir.join("test");
        // Not by this process: a child of another test's would hold the file open for writing (ETXTBSY).
        let copied = Command::new("cp").arg(std::env::current_exe().unwrap()).arg(&program).status().unwrap();
        assert!(copied.success());
        let mut command = Command::new(&program);
        command.args(["--exact", test, "--nocapture"]).current_dir("/").uid(65534).gid(65534);
        let output = command.output();
        std::fs::remove_dir_all(&dir).unwrap();
        let output = output.unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        println!("{text}");
        false
    }
}

use cofferdam_cgroup::{Cgroup, Hierarchies, PlanOptions, plan};

/// Whether this user's place in the hierarchies is closed to it, as the tests expect.
#[allow(clippy::unwrap_used, clippy::print_stdout)] // it is a helper outside of #[test]
fn closed(hierarchies: &Hierarchies) -> bool {
    let options = PlanOptions { rootless: true, ..Default::default() };
    let plan = plan(hierarchies, None, "cofferdam-probe", &Default::default(), &options).unwrap();
    let open = Cgroup::create(&plan).unwrap().dirs().len();
    if open > 0 {
        println!("skipped: this user may make cgroups");
    }
    open == 0
}

#[test]
fn without_limits_a_container_has_no_cgroups_and_everything_still_works() {
    if !inner::as_nobody("without_limits_a_container_has_no_cgroups_and_everything_still_works") {
        return;
    }
    let hierarchies = Hierarchies::detect().unwrap();
    if !closed(&hierarchies) {
        return;
    }
    let options = PlanOptions { rootless: true, ..Default::default() };
    let plan = plan(&hierarchies, None, "id", &Default::default(), &options).unwrap();
    let cgroup = Cgroup::create(&plan).unwrap();
    assert!(cgroup.dirs().is_empty());
    cgroup.apply_limits().unwrap();
    cgroup.join(std::process::id()).unwrap();
    assert!(cgroup.tasks().unwrap().is_empty());
    assert!(cgroup.pids(true).unwrap().is_empty() && !cgroup.is_frozen().unwrap());
    cgroup.kill(9).unwrap();
    cgroup.stats().unwrap();
    assert!(cgroup.freeze().unwrap_err().hint.is_some());
    cgroup.delete().unwrap();
}

#[test]
fn a_limit_or_a_path_is_refused_with_its_field_and_a_hint() {
    if !inner::as_nobody("a_limit_or_a_path_is_refused_with_its_field_and_a_hint") {
        return;
    }
    let hierarchies = Hierarchies::detect().unwrap();
    if !closed(&hierarchies) {
        return;
    }
    let options = PlanOptions { rootless: true, ..Default::default() };
    let limit = serde_json::from_str(r#"{"pids":{"limit":5}}"#).unwrap();
    let limited = plan(&hierarchies, None, "id", &limit, &options).unwrap();
    let error = Cgroup::create(&limited).unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/linux/resources/pids/limit"), "{error}");
    assert!(error.to_string().contains("Delegate=yes"), "{error}");
    let named = plan(&hierarchies, Some("/x"), "id", &Default::default(), &options).unwrap();
    let error = Cgroup::create(&named).unwrap_err();
    assert_eq!(error.pointer.as_deref(), Some("/linux/cgroupsPath"), "{error}");
    assert_eq!(error.errno, Some(13), "{error}");
}
