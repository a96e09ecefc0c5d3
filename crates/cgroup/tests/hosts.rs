//! Kinds of hosts, as their `/proc/self/mountinfo` and `/proc/self/cgroup` look.

use std::path::Path;

use cofferdam_cgroup::{Hierarchies, Mode, PlanOptions, plan};

fn controllers(h: &Hierarchies) -> Vec<String> {
    h.v1.iter().map(|v| v.name.clone().unwrap_or_else(|| v.controllers.join(","))).collect()
}

const V1: &[u8] = b"\
22 27 0:20 / /sys rw,nosuid shared:7 - sysfs sysfs rw
27 1 259:1 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p1 rw
30 22 0:25 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,mode=755
31 30 0:26 / /sys/fs/cgroup/systemd rw,nosuid shared:10 - cgroup cgroup rw,xattr,release_agent=/lib/systemd/agent,name=systemd
34 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct
35 30 0:30 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid shared:16 - cgroup cgroup rw,net_cls,net_prio
36 30 0:31 / /sys/fs/cgroup/devices rw,nosuid shared:17 - cgroup cgroup rw,devices
37 30 0:32 / /sys/fs/cgroup/cpuset rw,nosuid shared:18 - cgroup cgroup rw,cpuset,clone_children
";
const V1_OWN: &[u8] = b"\
5:cpuset:/
4:devices:/system.slice/docker.service
3:net_cls,net_prio:/
2:cpu,cpuacct:/system.slice/docker.service
1:name=systemd:/system.slice/docker.service
";

#[test]
fn co_mounted_controllers_are_one_hierarchy() {
    let h = Hierarchies::parse(V1, V1_OWN);
    assert_eq!(h.mode, Mode::V1);
    assert_eq!(controllers(&h), ["systemd", "cpu,cpuacct", "net_cls,net_prio", "devices", "cpuset"]);
    let plan = plan(&h, Some("/x"), "id", &Default::default(), &PlanOptions::default()).unwrap();
    let dirs: Vec<_> = plan.dirs.iter().map(|d| d.path.to_str().unwrap()).collect();
    assert_eq!(dirs.len(), 5);
    assert_eq!(dirs.iter().filter(|d| d.contains("cpu,cpuacct")).count(), 1);
    assert_eq!(plan.dirs[0].controllers, ["name=systemd"]);
}

#[test]
fn the_callers_cgroup_is_known_in_each_hierarchy() {
    let h = Hierarchies::parse(V1, V1_OWN);
    let own = h.v1_with("cpuacct").unwrap().own_dir();
    assert_eq!(own, Path::new("/sys/fs/cgroup/cpu,cpuacct/system.slice/docker.service"));
    assert_eq!(h.v1_with("cpuset").unwrap().own_dir(), Path::new("/sys/fs/cgroup/cpuset"));
    assert!(h.v1_with("memory").is_none());
}

#[test]
fn a_tree_beside_version_1_is_hybrid() {
    let mut mounts = V1.to_vec();
    mounts.extend_from_slice(
        b"41 30 0:37 / /sys/fs/cgroup/unified rw shared:20 - cgroup2 cgroup2 rw,nsdelegate\n",
    );
    let h = Hierarchies::parse(&mounts, b"0::/init.scope\n");
    assert_eq!(h.mode, Mode::Hybrid);
    let plan = plan(&h, None, "id", &Default::default(), &PlanOptions::default()).unwrap();
    assert_eq!(plan.dirs.last().unwrap().path, Path::new("/sys/fs/cgroup/unified/id"));
    assert!(plan.devices.is_none(), "version 1 has the devices");
}

#[test]
fn a_pure_version_2_host_has_one_directory() {
    let mounts = b"\
30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n\
99 30 0:26 / /var/lib/containers/x/sys/fs/cgroup ro - cgroup2 cgroup rw\n";
    let h = Hierarchies::parse(mounts, b"0::/user.slice/user-1000.slice/session-1.scope\n");
    assert_eq!(h.mode, Mode::V2);
    let plan = plan(&h, None, "id", &Default::default(), &PlanOptions::default()).unwrap();
    assert_eq!(plan.dirs.len(), 1);
    assert_eq!(plan.dirs[0].path, Path::new("/sys/fs/cgroup/user.slice/user-1000.slice/id"));
    assert!(plan.devices.is_some());
}

#[test]
fn a_mount_elsewhere_does_not_replace_the_usual_one() {
    let mounts = b"\
50 23 0:26 /docker/abc /var/lib/docker/abc/cpu rw - cgroup cgroup rw,cpu\n\
51 23 0:26 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
52 23 0:26 /docker/def /var/lib/docker/def/cpu rw - cgroup cgroup rw,cpu\n";
    let h = Hierarchies::parse(mounts, b"1:cpu:/\n");
    assert_eq!(h.v1.len(), 1);
    assert_eq!(h.v1[0].mount_point, Path::new("/sys/fs/cgroup/cpu"));
}

#[test]
fn inside_a_container_without_a_cgroup_namespace_paths_count_from_what_is_mounted() {
    let mounts = b"50 23 0:26 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n\
                   51 23 0:27 /docker/abc /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n";
    let h = Hierarchies::parse(mounts, b"2:devices:/docker/abc\n1:cpu:/docker/abc/deeper\n");
    let plan = plan(&h, None, "id", &Default::default(), &PlanOptions::default()).unwrap();
    let dirs: Vec<_> = plan.dirs.iter().map(|d| d.path.to_str().unwrap()).collect();
    assert_eq!(dirs, ["/sys/fs/cgroup/cpu/deeper/id", "/sys/fs/cgroup/devices/id"]);
}

#[test]
fn a_mount_point_with_a_blank_is_found() {
    let h = Hierarchies::parse(b"50 23 0:26 / /my\\040cgroups rw - cgroup2 none rw\n", b"0::/\n");
    assert_eq!(h.v2.unwrap().mount_point, Path::new("/my cgroups"));
}

#[test]
fn nonsense_is_no_hierarchy() {
    let h = Hierarchies::parse(b"\xff\xfe x\n\n1 2\n", b"garbage\n");
    assert!(h.v1.is_empty() && h.v2.is_none());
}
