//! Configurations by nsinit's create flags and security profiles. Needs no rights.
#![allow(clippy::unwrap_used)] // helpers outside of #[test]

use cofferdam_nsinit::{Config, ExecUser, Generation, NamespaceType, Security, Template, spec};
use cofferdam_oci::Pointer;
use cofferdam_plan::{HostFacts, Options, plan_init};
use cofferdam_seccomp::interpret::{SeccompData, run};

fn config(flags: &Template) -> Config {
    flags.config("/srv/box".as_ref()).unwrap()
}

/// What is planned, so that what a configuration asks for can be obeyed.
#[track_caller]
fn planned(config: &Config) -> cofferdam_plan::InitPlan {
    let mut config = config.clone();
    config.environment = cofferdam_nsinit::standard_environment();
    let spec = spec(&config, &ExecUser::default(), &["sh".into()]).unwrap();
    let options = Options { bundle: "/srv".into(), id: "box".into(), ..Options::default() };
    plan_init(&spec, &HostFacts::typical(), &options).unwrap()
}

#[test]
fn the_standard_configuration_is_that_of_v2() {
    let config = config(&Template::default());
    assert_eq!((config.generation, config.root_fs.as_str()), (Generation::V2, "/srv/box"));
    assert_eq!((config.hostname.as_str(), config.parent_death_signal), ("nsinit", Some(9)));
    let kinds: Vec<_> = config.namespaces.iter().map(|one| one.kind.name()).collect();
    assert_eq!(kinds, ["NEWNS", "NEWUTS", "NEWIPC", "NEWPID", "NEWNET"]);
    let cgroups = config.cgroups.as_ref().unwrap();
    assert_eq!((cgroups.path().as_deref(), cgroups.allowed_devices.len()), (Some("/nsinit/box"), 14));
    assert_eq!(config.networks.len(), 1);
    let plan = planned(&config);
    let targets: Vec<_> = plan.mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/proc", "/dev", "/dev/shm", "/dev/mqueue", "/dev/pts", "/sys"]);
    assert_eq!(plan.process.caps.bounding, 0xa804_25fb);
    // It is written in the form of v2 and means the same when it is read.
    let text = serde_json::to_string(&config.to_v2()).unwrap();
    assert_eq!(Config::parse(text.as_bytes()).unwrap(), config);
}

#[test]
fn every_flag_is_found_in_the_configuration() {
    let flags = Template {
        cgroup: true,
        read_only: true,
        cpushares: 512,
        memory_limit: 1 << 26,
        memory_swap: -1,
        memory_swappiness: Some(10),
        parent_death_signal: Some(15),
        apparmor_profile: "box".into(),
        cpuset_mems: "0".into(),
        hostname: "koye".into(),
        ipc: "host".into(),
        pid: "/proc/7/ns/pid".into(),
        mount_label: "a:b:c:s0".into(),
        process_label: "a:b:d:s0".into(),
        rootfs: "/srv/other".into(),
        veth_mtu: 1400,
        veth_address: "10.0.0.2/24".into(),
        veth_bridge: "br0".into(),
        veth_gateway: "10.0.0.1".into(),
        bind: vec!["/srv/a:/a".into(), "/srv/b:/b:ro".into(), "/srv/c:/c:rw".into()],
        sysctl: vec!["net.ipv4.ip_forward=1".into(), "kernel.domainname=a=b".into()],
        tmpfs: vec!["/tmp".into()],
        groups: vec!["5".into(), "audio".into()],
        ..Template::default()
    };
    let config = config(&flags);
    let own = config.mount_config.as_ref().unwrap();
    assert!(own.readonly_fs && own.mount_label == "a:b:c:s0");
    let mounts: Vec<_> = own
        .mounts
        .iter()
        .skip(6)
        .map(|m| (m.kind.as_str(), m.destination.as_str(), m.flags.unwrap()))
        .collect();
    assert_eq!(
        mounts,
        [
            ("bind", "/a", 0x5000),
            ("bind", "/b", 0x5001),
            ("bind", "/c", 0x5000),
            ("tmpfs", "/tmp", 14),
            ("cgroup", "/sys/fs/cgroup", 0),
        ]
    );
    let cgroups = config.cgroups.as_ref().unwrap();
    assert_eq!((cgroups.cpu_shares, cgroups.memory, cgroups.memory_swap), (512, 1 << 26, -1));
    assert_eq!((cgroups.cpuset_mems.as_str(), cgroups.memory_swappiness), ("0", Some(10)));
    let texts = [&config.hostname, &config.root_fs, &config.apparmor_profile, &config.process_label];
    assert_eq!(texts.map(String::as_str), ["koye", "/srv/other", "box", "a:b:d:s0"]);
    assert_eq!((config.parent_death_signal, config.additional_groups.len()), (Some(15), 2));
    assert_eq!(config.system_properties["kernel.domainname"], "a=b");
    assert!(!config.namespaces.contains(NamespaceType::Ipc));
    let joined: Vec<_> = config.namespaces.iter().filter(|one| !one.path.is_empty()).collect();
    assert_eq!((joined.len(), joined[0].path.as_str()), (1, "/proc/7/ns/pid"));
    let veth = &config.networks[1];
    let texts = [&veth.kind, &veth.name, &veth.address, &veth.gateway];
    assert_eq!((texts.map(String::as_str), veth.mtu), (["veth", "eth0", "10.0.0.2/24", "10.0.0.1"], 1400));
}

#[test]
fn a_root_of_another_user_leaves_all_others_themselves() {
    let config = config(&Template { userns_root_uid: 1000, ..Template::default() });
    assert!(config.namespaces.contains(NamespaceType::User));
    let host = |id: u32| config.uid_mappings.iter().find_map(|map| map.host(id));
    assert_eq!((host(0), host(1), host(999), host(1000)), (Some(1000), Some(1), Some(999), None));
    assert_eq!((host(1001), host(i32::MAX.unsigned_abs())), (Some(1001), Some(i32::MAX.unsigned_abs())));
    assert_eq!(config.uid_mappings, config.gid_mappings);
    assert!(planned(&config).id_maps.is_some());
    // Next to root there is nobody between them.
    let next = Template { userns_root_uid: 1, ..Template::default() }.config("/srv/box".as_ref()).unwrap();
    assert_eq!(next.uid_mappings.len(), 2);
    planned(&next);
}

#[test]
fn every_flag_that_means_nothing_is_told() {
    let flags = Template {
        bind: vec!["/a".into(), "/a:/b".into(), "/a:/b:maybe".into()],
        sysctl: vec!["novalue".into()],
        ..Template::default()
    };
    let wrong = flags.config("/srv/box".as_ref()).unwrap_err();
    let at: Vec<_> = wrong.iter().map(|reject| reject.pointer.as_str()).collect();
    assert_eq!(at, ["/sysctl/0", "/bind/0", "/bind/2"]);
}

#[test]
fn the_profiles_refuse_what_theirs_refused() {
    let refused = |profile| {
        let config = config(&Template { security: Some(profile), ..Template::default() });
        let plan = planned(&config);
        assert!(plan.process.no_new_privs && plan.process.rlimits[0].soft == 1024);
        let spec = spec(&config, &ExecUser::default(), &["sh".into()]).unwrap();
        let filter = spec.linux.unwrap().seccomp.unwrap();
        let answer = |name: &str, argument: u64| {
            let arch = cofferdam_seccomp::Arch::native().unwrap();
            let filter = cofferdam_seccomp::compile(&filter, &Pointer::root(), arch).unwrap();
            let number = arch.call_number(name).unwrap();
            let data = SeccompData::new(arch, number, [argument, 0, 0, 0, 0, 0]);
            run(&filter, &data)
        };
        const EPERM: u32 = 0x0005_0001;
        let calls = ["mount", "unshare", "chroot", "sethostname", "unlink", "chmod", "capset", "getpid"];
        let calls: Vec<_> = calls.into_iter().filter(|name| answer(name, 0) == EPERM).collect();
        assert_eq!(answer("clone", 0x1000_0011), EPERM);
        assert_ne!(answer("clone", 0x11), EPERM);
        (plan.process.caps.bounding.count_ones(), calls)
    };
    assert_eq!(refused(Security::Low), (12, vec!["mount", "unshare"]));
    assert_eq!(refused(Security::Medium), (11, vec!["mount", "unshare", "chroot", "sethostname"]));
    let all = vec!["mount", "unshare", "chroot", "sethostname", "unlink", "chmod", "capset"];
    assert_eq!(refused(Security::High), (3, all));
    for name in ["low", "medium", "high"] {
        assert_eq!(name.parse::<Security>().unwrap().name(), name);
    }
}
