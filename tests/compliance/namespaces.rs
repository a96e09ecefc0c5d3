//! `linux.namespaces`, id maps, time offsets, sysctl, personality, network devices.

use cofferdam_tests::{Test, View, facts, json};

const KINDS: [(&str, &str); 8] = [
    ("pid", "pid"),
    ("network", "net"),
    ("mount", "mnt"),
    ("ipc", "ipc"),
    ("uts", "uts"),
    ("user", "user"),
    ("cgroup", "cgroup"),
    ("time", "time"),
];

/// A process on the host that holds namespaces of its own; `flags` are those of unshare(1).
struct Holder(std::process::Child);

impl Holder {
    fn new(flags: &[&str]) -> Self {
        use std::io::{BufRead, BufReader};
        use std::process::{Command, Stdio};
        let mut command = Command::new("unshare");
        command.args(flags).args(["sh", "-c", "echo ready && exec cat >/dev/null"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Self(child)
    }

    fn path(&self, name: &str) -> String {
        format!("/proc/{}/ns/{name}", self.0.id())
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn link(path: &str) -> String {
    std::fs::read_link(path).map(|p| p.display().to_string()).unwrap_or_default()
}

/// The namespace of this kind in which the container's process is, given what is configured.
fn seen(t: &Test, kinds: &[&str], name: &str) -> String {
    let mut b = t.bundle();
    let list: Vec<_> = kinds.iter().map(|k| json!({"type": k})).collect();
    b.set("/linux/namespaces", json!(list));
    if kinds.contains(&"user") {
        b.set("/linux/namespaces", json!(list.iter().filter(|n| n["type"] != "user").collect::<Vec<_>>()));
        b.user_namespace();
    }
    b.args(&["readlink", &format!("/proc/self/ns/{name}")]).run().ok().trim().to_owned()
}

fn joined(t: &Test, kind: &str, name: &str, flags: &[&str]) {
    let holder = Holder::new(flags);
    let mut b = t.bundle();
    b.join(kind, &holder.path(name));
    let out = b.args(&["readlink", &format!("/proc/self/ns/{name}")]).run();
    assert_eq!(out.ok().trim(), link(&holder.path(name)), "{kind}");
}

facts! {
    fn a_configured_namespace_is_new(t) {
        for (kind, name) in KINDS {
            if kind == "time" || kind == "user" {
                continue;
            }
            let all: &[&str] = if kind == "mount" { &["mount"] } else { &["mount", kind] };
            assert_ne!(seen(t, all, name), link(&format!("/proc/self/ns/{name}")), "{kind}");
        }
    }

    fn a_user_namespace_is_new(t) {
        assert_ne!(seen(t, &["pid", "mount", "user"], "user"), link("/proc/self/ns/user"));
    }

    fn a_time_namespace_is_new(t) {
        assert_ne!(seen(t, &["pid", "mount", "time"], "time"), link("/proc/self/ns/time"));
    }

    fn a_namespace_that_is_not_configured_is_the_runtimes(t) {
        for (kind, name) in KINDS {
            if kind != "mount" {
                assert_eq!(seen(t, &["mount"], name), link(&format!("/proc/self/ns/{name}")), "{kind}");
            }
        }
    }

    fn an_unknown_namespace_is_refused(t) {
        t.bundle().args(&["true"]).namespace("sideways").run().refused();
    }

    fn a_namespace_that_is_given_twice_is_refused(t) {
        t.bundle().args(&["true"]).namespace("uts").run().refused();
    }

    fn a_network_namespace_is_joined_by_its_path(t) {
        joined(t, "network", "net", &["--net"]);
    }

    fn an_ipc_namespace_is_joined_by_its_path(t) {
        joined(t, "ipc", "ipc", &["--ipc"]);
    }

    fn a_uts_namespace_is_joined_by_its_path(t) {
        joined(t, "uts", "uts", &["--uts"]);
    }

    fn a_cgroup_namespace_is_joined_by_its_path(t) {
        joined(t, "cgroup", "cgroup", &["--cgroup"]);
    }

    fn a_pid_namespace_is_joined_by_its_path(t) {
        let holder = Holder::new(&["--pid", "--fork", "--kill-child"]);
        let mut b = t.bundle();
        let path = holder.path("pid_for_children");
        b.join("pid", &path);
        let out = b.args(&["readlink", "/proc/self/ns/pid"]).run();
        assert_eq!(out.ok().trim(), link(&path));
    }

    fn a_time_namespace_is_joined_by_its_path(t) {
        let holder = Holder::new(&["--time", "--monotonic", "500000"]);
        let mut b = t.bundle();
        let path = holder.path("time_for_children");
        b.join("time", &path);
        let out = b.args(&["readlink", "/proc/self/ns/time"]).run();
        assert_eq!(out.ok().trim(), link(&path));
    }

    fn a_user_namespace_is_joined_by_its_path(t) {
        let holder = Holder::new(&["--user"]);
        for map in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{}/{map}", holder.0.id()), "0 100000 65536").unwrap();
        }
        let mut b = t.bundle();
        t.host(&format!("chown -h 100000:100000 {0} {0}/*", b.rootfs().display()));
        b.join("user", &holder.path("user"));
        let out = b.args(&["sh", "-c", "readlink /proc/self/ns/user; cat /proc/self/uid_map"]).run();
        assert_eq!(out.ok().lines().next().unwrap_or_default(), link(&holder.path("user")));
        assert!(out.stdout.split_whitespace().any(|w| w == "100000"), "{out}");
    }

    fn a_joined_namespace_need_not_belong_to_the_joined_user_namespace(t) {
        let (user, ipc) = (Holder::new(&["--user"]), Holder::new(&["--ipc"]));
        for map in ["uid_map", "gid_map"] {
            std::fs::write(format!("/proc/{}/{map}", user.0.id()), "0 100000 65536").unwrap();
        }
        let mut b = t.bundle();
        t.host(&format!("chown -h 100000:100000 {0} {0}/*", b.rootfs().display()));
        b.join("user", &user.path("user")).join("ipc", &ipc.path("ipc"));
        let out = b.args(&["sh", "-c", "readlink /proc/self/ns/user; readlink /proc/self/ns/ipc"]).run();
        let links = out.ok().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(links, [link(&user.path("user")), link(&ipc.path("ipc"))]);
    }

    fn a_mount_namespace_is_joined_by_its_path(t) {
        let holder = Holder::new(&["--mount", "--propagation", "private"]);
        let mut b = t.bundle();
        b.join("mount", &holder.path("mnt"));
        let out = b.args(&["readlink", "/proc/self/ns/mnt"]).run();
        // What becomes of the root in a namespace of someone else is not said; a new one instead is wrong.
        let refused = out.code != 0 && !out.stderr.is_empty();
        assert!(refused || out.stdout.trim() == link(&holder.path("mnt")), "{out}");
    }

    fn a_path_of_another_kind_of_namespace_is_refused(t) {
        let holder = Holder::new(&["--net"]);
        t.bundle().args(&["true"]).join("uts", &holder.path("net")).run().refused();
    }

    fn a_namespace_path_that_is_missing_is_refused(t) {
        t.bundle().args(&["true"]).join("network", "/no/such/namespace").run().refused();
    }

    fn uid_and_gid_mappings_are_those_of_the_user_namespace(t) {
        let mut b = t.script("cat /proc/self/uid_map; echo; cat /proc/self/gid_map");
        b.user_namespace();
        b.set("/linux/uidMappings", json!([
            {"containerID": 0, "hostID": 100_000, "size": 1000}, {"containerID": 1000, "hostID": 300_000, "size": 7},
        ]));
        b.set("/linux/gidMappings", json!([{"containerID": 0, "hostID": 100_000, "size": 65536},
            {"containerID": 70000, "hostID": 400_000, "size": 9}]));
        let out = b.run();
        let words: Vec<&str> = out.ok().split_whitespace().collect();
        assert_eq!(words, ["0", "100000", "1000", "1000", "300000", "7", "0", "100000", "65536", "70000", "400000", "9"]);
    }

    fn root_of_a_user_namespace_is_another_user_on_the_host(t) {
        let mut b = t.bundle();
        let c = b.user_namespace().start();
        let status = std::fs::read_to_string(format!("/proc/{}/status", c.pid())).unwrap();
        assert!(status.contains("Uid:\t100000\t100000\t100000\t100000"), "{status}");
        assert_eq!(c.exec(&[], &["id", "-u"]).ok(), "0\n");
    }

    fn a_user_of_a_user_namespace_can_be_any_that_is_mapped(t) {
        let mut b = t.bundle();
        b.user_namespace().set("/process/user", json!({"uid": 1000, "gid": 1001, "additionalGids": [5]}));
        let f = b.facts();
        assert_eq!((f.number("uid"), f.number("gid"), f.get("groups")), (1000, 1001, "5"));
    }

    fn maps_without_a_user_namespace_are_refused(t) {
        let mut b = t.bundle();
        b.set("/linux/uidMappings", json!([{"containerID": 0, "hostID": 100_000, "size": 10}]));
        b.args(&["true"]).run().refused();
    }

    fn everything_works_in_a_user_namespace_with_all_namespaces(t) {
        let mut b = t.bundle();
        b.user_namespace().namespace("network").namespace("cgroup");
        b.mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev", "ro"]);
        b.mount("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]);
        b.set("/hostname", "inside").set("/linux/maskedPaths", json!(["/proc/interrupts"]));
        b.set("/linux/readonlyPaths", json!(["/proc/sys"])).set("/root/readonly", true);
        let out = b.args(&["sh", "-c", "hostname; echo x >/dev/null && ls -l /dev/null | cut -c1"]).run();
        assert_eq!(out.ok(), "inside\nc\n");
    }

    fn time_offsets_are_those_of_the_clocks(t) {
        let mut b = t.script("cat /proc/self/timens_offsets; probe facts");
        b.namespace("time");
        b.set("/linux/timeOffsets", json!({
            "monotonic": {"secs": 172_800, "nanosecs": 500_000_000}, "boottime": {"secs": 604_800, "nanosecs": 7},
        }));
        let out = b.run();
        let lines: Vec<Vec<&str>> = out.ok().lines().take(2).map(|l| l.split_whitespace().collect()).collect();
        assert_eq!(lines, [["monotonic", "172800", "500000000"], ["boottime", "604800", "7"]]);
        let f = cofferdam_tests::Facts::read(&out.stdout);
        assert!(f.number("monotonic") > 172_800 && f.number("boottime") > 604_800);
    }

    fn time_offsets_without_a_time_namespace_are_refused(t) {
        t.bundle().args(&["true"]).set("/linux/timeOffsets", json!({"monotonic": {"secs": 9}})).run().refused();
    }

    fn sysctls_are_written_in_the_containers_namespaces(t) {
        let mut b = t.script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni /proc/sys/fs/mqueue/msg_max");
        b.namespace("network");
        b.set("/linux/sysctl", json!({
            "net.ipv4.ip_forward": "1", "kernel.shmmni": "4000", "fs.mqueue.msg_max": "13",
        }));
        assert_eq!(b.run().ok(), "1\n4000\n13\n");
    }

    fn a_sysctl_with_slashes_is_the_same(t) {
        let mut b = t.script("cat /proc/sys/kernel/shmmni");
        assert_eq!(b.set("/linux/sysctl", json!({"kernel/shmmni": "3999"})).run().ok(), "3999\n");
    }

    fn a_sysctl_of_the_host_is_refused(t) {
        t.bundle().args(&["true"]).set("/linux/sysctl", json!({"vm.swappiness": "59"})).run().refused();
        let without_own_network = json!({"net.ipv4.ip_forward": "1"});
        t.bundle().args(&["true"]).set("/linux/sysctl", without_own_network).run().refused();
    }

    fn the_personality_is_the_configured_one(t) {
        let mut b = t.bundle();
        let f = b.set("/linux/personality", json!({"domain": "LINUX32"})).facts();
        assert_eq!((f.get("personality"), f.get("machine")), ("0x8", "i686"));
        assert_eq!(b.set("/linux/personality", json!({"domain": "LINUX"})).facts().get("personality"), "0");
    }

    fn a_personality_is_not_dropped_by_exec(t) {
        let mut b = t.bundle();
        let c = b.set("/linux/personality", json!({"domain": "LINUX32"})).start();
        assert_eq!(c.exec_facts(&[]).get("personality"), "0x8");
    }

    fn a_personality_flag_is_not_ignored(t) {
        let mut b = t.bundle();
        b.set("/linux/personality", json!({"domain": "LINUX", "flags": ["ADDR_NO_RANDOMIZE"]}));
        let out = b.args(&["probe", "facts"]).run();
        let f = cofferdam_tests::Facts::read(&out.stdout);
        assert!(out.code != 0 || f.get("personality") == "0x40000", "{out}");
    }

    fn an_unknown_personality_is_refused(t) {
        t.bundle().args(&["true"]).set("/linux/personality", json!({"domain": "PLAN9"})).run().refused();
    }

    fn net_devices_are_moved_under_their_new_name(t) {
        t.network_view();
        t.host("ip link add cdt0 type veth peer name cdt1; ip link add cdt2 type veth peer name cdt3");
        t.host("ip addr add 10.9.8.7/24 dev cdt0");
        let mut b = t.script("ip addr show eth9; ip link show cdt2");
        b.namespace("network").set("/linux/netDevices", json!({"cdt0": {"name": "eth9"}, "cdt2": {}}));
        let out = b.run();
        assert!(out.ok().contains("eth9") && out.stdout.contains("10.9.8.7/24"), "{out}");
        assert!(out.stdout.contains("cdt2"), "{out}");
    }

    fn a_net_device_that_is_missing_is_refused(t) {
        let mut b = t.bundle();
        b.namespace("network").set("/linux/netDevices", json!({"cdtnone": {"name": "eth9"}}));
        b.args(&["true"]).run().refused();
    }

    fn net_devices_need_an_own_network_namespace(t) {
        t.network_view();
        t.host("ip link add cdt0 type veth peer name cdt1");
        t.bundle().args(&["true"]).set("/linux/netDevices", json!({"cdt0": {"name": "eth9"}})).run().refused();
    }

    fn a_new_network_namespace_has_its_loopback_up(t) {
        let mut b = t.script("ip link show lo");
        let out = b.namespace("network").run();
        assert!(out.ok().contains("UP"), "{out}");
    }

    fn the_view_of_the_test_is_not_the_containers(t) {
        let view: &View = t.view();
        let mut b = t.bundle();
        let inside = b.args(&["readlink", "/proc/self/ns/mnt"]).run().ok().trim().to_owned();
        assert_ne!(inside, link(&format!("/proc/{}/ns/mnt", view.pid())));
    }
}
