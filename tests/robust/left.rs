//! What a container has left on the host, found without asking the runtime. Called by the tests of this target.

use std::fs;
use std::path::Path;

use cofferdam_tests::{Test, cgroup, mountinfo};

/// Processes whose standard output or error is a file of the test: whatever the runtime starts inherits them.
pub(crate) fn processes(dir: &Path) -> Vec<String> {
    let own = std::process::id().to_string();
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|e| e.file_name().into_string().ok());
    let pids = pids.filter(|p| *p != own && p.bytes().all(|b| b.is_ascii_digit()));
    pids.filter(|pid| {
        let opened = |fd| fs::read_link(format!("/proc/{pid}/fd/{fd}")).is_ok_and(|l| l.starts_with(dir));
        opened(1) || opened(2)
    })
    .collect()
}

/// Processes of the runtime's that are in the test's network, whatever their output is.
fn services(t: &Test) -> Vec<String> {
    let namespace = Path::new(t.host("readlink /proc/self/ns/net").trim()).to_owned();
    let program = fs::canonicalize(&t.runtime.path).expect("the command");
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = pids.filter_map(|e| e.file_name().into_string().ok());
    pids.filter(|pid| {
        let link = |name: &str| fs::read_link(format!("/proc/{pid}/{name}")).ok();
        link("ns/net").is_some_and(|net| net == namespace) && link("exe").is_some_and(|exe| exe == program)
    })
    .collect()
}

/// Everything of a container, or of all whose cgroups have one of these names.
pub(crate) fn everything(t: &Test, names: &[String]) -> Vec<String> {
    let mut left: Vec<String> = processes(&t.dir).iter().map(|p| format!("process {p}")).collect();
    for name in names {
        left.extend(cgroup::all_named(name).iter().map(|d| format!("cgroup {}", d.display())));
    }
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let mounts = mountinfo::read(&text).into_iter().filter(|m| Path::new(&m.point).starts_with(&t.dir));
    left.extend(mounts.map(|m| format!("mount {}", m.point)));
    let state = fs::read_dir(t.dir.join("state")).into_iter().flatten().flatten();
    left.extend(state.map(|e| format!("state {}", e.path().display())));
    if t.has_network_view() {
        // Loopback is all that such a host had.
        let found = t.host(
            "ip -o link | grep -v ': lo:' || true; find /run/cofferdam -mindepth 2 2>/dev/null || true
             if command -v nft >/dev/null; then nft list tables; fi",
        );
        left.extend(found.lines().map(|line| format!("network {line}")));
        left.extend(services(t).into_iter().map(|pid| format!("service {pid}")));
    }
    left
}

/// Nothing is left, at the latest in ten seconds: processes end when they end.
#[track_caller]
pub(crate) fn nothing(t: &Test, names: &[String], after: &str) {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let left = everything(t, names);
        if left.is_empty() {
            return;
        }
        assert!(std::time::Instant::now() < end, "left behind after {after}: {left:#?}");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
