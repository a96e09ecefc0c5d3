//! Containers with a name, made by flags alone: each flag, looked at from inside.

use std::fs;

use cofferdam_tests::{cgroup, json, parse};

use crate::{Classic, Running, STAYS, entries};

/// A container with a name; its state is below a root of the test's.
struct Named<'t>(Classic<'t>);

impl<'t> Named<'t> {
    fn new(t: &'t cofferdam_tests::Test) -> Self {
        Self(Classic::new(t))
    }

    fn words(&self, command: &str, flags: &[&str]) -> Vec<String> {
        let (root, rootfs) = (self.0.t.dir.join("run"), self.0.bundle.rootfs());
        let mut words = vec!["--root".into(), root.display().to_string(), command.into()];
        words.extend(["--id".into(), self.0.bundle.id.clone()]);
        if ["exec", "config", "convert"].contains(&command) {
            words.extend(["--rootfs".into(), rootfs.display().to_string()]);
        }
        words.extend(flags.iter().map(|&flag| flag.to_owned()));
        words
    }

    #[track_caller]
    fn run(&self, command: &str, flags: &[&str]) -> cofferdam_tests::Output {
        let words = self.words(command, flags);
        self.0.run(&words.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// Runs a script in a new container.
    #[track_caller]
    fn sh(&self, flags: &[&str], script: &str) -> cofferdam_tests::Output {
        let out = self.run("exec", &[flags, &["sh", "-c", script]].concat());
        assert_eq!(self.left(), Vec::<std::path::PathBuf>::new(), "left behind by {out}");
        out
    }

    #[track_caller]
    fn says(&self, flags: &[&str], script: &str, expected: &str) {
        assert_eq!(self.sh(flags, script).ok(), expected, "{flags:?}");
    }

    fn left(&self) -> Vec<std::path::PathBuf> {
        let mut left = self.0.left();
        left.extend(entries(&self.0.t.dir.join("run")));
        left
    }

    fn start(&self) -> Running {
        let words = self.words("exec", &["sh", "-c", STAYS]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let state = self.0.t.dir.join("run").join(&self.0.bundle.id).join("state.json");
        let running = Running::of(self.0.command(&words).spawn().expect("nsinit starts"), &state);
        // It is completed once the program runs.
        let complete = || fs::read_to_string(&state).is_ok_and(|text| text.contains("init_process_pid"));
        cofferdam_tests::wait_until("the state of a name", complete);
        running
    }
}

cofferdam_tests::own! {
    fn a_container_with_a_name_needs_no_configuration(t) {
        let n = Named::new(t);
        let out = n.sh(&[], "hostname; echo $PATH; cat /proc/self/cgroup; id -u; exit 5");
        assert_eq!(out.code, 5, "{out}");
        let lines: Vec<_> = out.stdout.lines().collect();
        assert_eq!(lines[0], "nsinit");
        assert!(lines[1].starts_with("/usr/local/sbin:"), "{out}");
        assert!(lines.iter().any(|line| line.ends_with(&format!("/nsinit/{}", n.0.bundle.id))), "{out}");
    }

    fn without_systemd_the_cgroups_are_made_all_the_same(t) {
        t.need(!fs::exists("/run/systemd/system").unwrap(), "it is about a host without systemd")?;
        let n = Named::new(t);
        let out = n.sh(&["--systemd"], "cat /proc/self/cgroup");
        assert!(out.ok().contains(&n.0.bundle.id) && out.stderr.contains("does not run systemd"), "{out}");
    }

    fn a_name_is_entered_with_what_it_was_started_with(t) {
        let n = Named::new(t);
        let running = n.start();
        let out = n.run("exec", &["sh", "-c", "echo $PATH; grep CapEff /proc/self/status; grep CapEff /proc/1/status"]);
        let lines: Vec<_> = out.ok().lines().collect();
        assert_eq!((lines[0].is_empty(), lines[1]), (false, lines[2]), "{out}");
        let out = n.run("exec", &["--read-only", "true"]);
        assert!(out.ok().is_empty() && out.stderr.contains("runs already"), "{out}");
        let state = parse(n.run("state", &[]).ok());
        assert_eq!(state["id"], n.0.bundle.id.as_str());
        assert_eq!(state["config"]["rootfs"], n.0.bundle.rootfs().to_str().unwrap());
        let pid = state["init_process_pid"].as_i64().unwrap();
        assert_eq!(state["namespace_paths"]["NEWNET"], format!("/proc/{pid}/ns/net").as_str());
        assert!(state.get("core").is_none() && state.get("init_pid").is_none(), "{state}");
        let stats = parse(n.run("stats", &[]).ok());
        assert!(stats["CgroupStats"]["cpu_stats"]["cpu_usage"]["total_usage"].as_u64().unwrap() > 0);
        n.run("pause", &[]).ok();
        n.run("unpause", &[]).ok();
        assert_eq!(running.end(), 9);
        assert!(n.left().is_empty(), "{:?}", n.left());
    }

    fn flags_of_the_root_and_mounts(t) {
        let n = Named::new(t);
        n.says(&["--read-only"], "touch /x 2>/dev/null || echo refused", "refused\n");
        n.says(&[], "touch /x && echo done", "done\n");
        fs::create_dir_all(t.dir.join("shown")).unwrap();
        fs::write(t.dir.join("shown/file"), "seen\n").unwrap();
        let shown = t.dir.join("shown").display().to_string();
        let (rw, ro) = (format!("{shown}:/data"), format!("{shown}:/mnt:ro"));
        let script = "cat /mnt/file; echo new > /data/file; cat /mnt/file; touch /mnt/x 2>/dev/null || echo ro";
        n.says(&["--bind", &rw, "--bind", &ro], script, "seen\nnew\nro\n");
        n.says(&["--tmpfs", "/var"], "grep -c ' /var tmpfs rw,nosuid,nodev,noexec' /proc/mounts", "1\n");
        n.says(&["--cgroup"], "ls /sys/fs/cgroup | grep -c -E '^(memory|cgroup.procs)$'", "1\n");
    }

    fn flags_of_limits(t) {
        let n = Named::new(t);
        let path = format!("/nsinit/{}", n.0.bundle.id);
        let limit = |flags: &[&str], controller: &str, v1: &str, v2: &str| {
            let words = n.words("exec", &[flags, &["sh", "-c", STAYS]].concat());
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let state = t.dir.join("run").join(&n.0.bundle.id).join("state.json");
            let running = Running::of(n.0.command(&words).spawn().unwrap(), &state);
            let value = cgroup::read(&path, controller, v1, v2);
            assert_eq!(running.end(), 9);
            value
        };
        let memory = ["--memory-limit", "67108864", "--memory-swap", "100663296"];
        assert_eq!(limit(&memory, "memory", "memory.limit_in_bytes", "memory.max"), "67108864");
        if cgroup::has_v1("memory") {
            assert_eq!(limit(&memory, "memory", "memory.memsw.limit_in_bytes", ""), "100663296");
            let swappiness = ["--memory-swappiness", "7"];
            assert_eq!(limit(&swappiness, "memory", "memory.swappiness", ""), "7");
        }
        if cgroup::has_v1("cpu") {
            assert_eq!(limit(&["--cpushares", "512"], "cpu", "cpu.shares", ""), "512");
        }
        assert_eq!(limit(&["--cpuset-cpus", "0"], "cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
        assert_eq!(limit(&["--cpuset-mems", "0"], "cpuset", "cpuset.mems", "cpuset.mems"), "0");
    }

    fn flags_of_namespaces(t) {
        let n = Named::new(t);
        let own = |kind: &str| fs::read_link(format!("/proc/self/ns/{kind}")).unwrap().display().to_string() + "\n";
        for (flag, kind) in [("--ipc", "ipc"), ("--net", "net"), ("--pid", "pid"), ("--uts", "uts"), ("--mnt", "mnt")] {
            let script = format!("readlink /proc/self/ns/{kind}");
            assert_ne!(n.sh(&[], &script).ok(), own(kind), "{flag} is private unless said");
            assert_ne!(n.sh(&[flag, "private"], &script).ok(), own(kind), "{flag} private");
            if kind != "mnt" {
                assert_eq!(n.sh(&[flag, "host"], &script).ok(), own(kind), "{flag} host");
            }
        }
        let out = n.sh(&["--mnt", "host"], "true");
        assert!(out.refused().contains("/namespaces"), "{out}");
        n.says(&["--hostname", "box"], "hostname", "box\n");
        // One that is joined by its path.
        let other = Named::new(t);
        let running = other.start();
        let state = parse(other.run("state", &[]).ok());
        let says = |flags: &[&str], script: &str, expected: &str| {
            let out = n.run("exec", &[flags, &["sh", "-c", script]].concat());
            assert_eq!(out.ok(), expected, "{flags:?}");
        };
        for (flag, name, kind) in [("--net", "NEWNET", "net"), ("--ipc", "NEWIPC", "ipc"), ("--uts", "NEWUTS", "uts")] {
            let path = state["namespace_paths"][name].as_str().unwrap();
            let joined = fs::read_link(path).unwrap().display().to_string() + "\n";
            says(&[flag, path], &format!("readlink /proc/self/ns/{kind}"), &joined);
        }
        assert_eq!(running.end(), 9);
        assert!(n.sh(&["--net", "/no/such"], "true").refused().contains("/no/such"));
    }

    fn flags_of_rights(t) {
        let n = Named::new(t);
        let set = |flags: &[&str]| {
            let out = n.sh(flags, "grep CapBnd /proc/self/status | cut -f2");
            u64::from_str_radix(out.ok().trim(), 16).unwrap().count_ones()
        };
        assert_eq!([set(&[]), set(&["--security", "high"])], [14, 3]);
        assert_eq!([set(&["--security", "medium"]), set(&["--security", "low"])], [11, 12]);
        n.says(&["--security", "low"], "grep Seccomp: /proc/self/status; chroot / true && echo chroot", "Seccomp:\t2\nchroot\n");
        n.says(&["--security", "medium"], "chroot / true 2>/dev/null || echo refused; ulimit -n", "refused\n1024\n");
        n.says(&["--security", "high"], "chmod 700 /tmp 2>/dev/null || echo refused", "refused\n");
        assert!(n.sh(&["--security", "paranoid"], "true").refused().contains("high, medium, low"));
        n.says(&["--sysctl", "kernel.shmmax=4242"], "cat /proc/sys/kernel/shmmax", "4242\n");
        assert!(n.sh(&["--sysctl", "x"], "true").refused().contains("/sysctl/0"));
        n.says(&["--groups", "2000", "--groups", "77"], "id -G", "0 77 2000\n");
        let out = n.sh(&["--apparmor-profile", "no-such-profile"], "true");
        assert!(out.code != 0 || !fs::exists("/sys/kernel/security/apparmor").unwrap(), "{out}");
        for flag in ["--process-label", "--mount-label"] {
            let out = n.sh(&[flag, "system_u:object_r:x_t:s0"], "true");
            assert!(out.code != 0 || fs::exists("/sys/fs/selinux/enforce").unwrap(), "{out}");
        }
    }

    fn a_user_namespace_shows_root_another_user(t) {
        let n = Named::new(t);
        let script = "id -u; head -n 1 /proc/self/uid_map | tr -s ' '";
        n.says(&["--userns-root-uid", "1000"], script, "0\n 0 1000 1\n");
    }

    fn the_parents_death_signal_is_the_one_that_is_named(t) {
        let n = Named::new(t);
        let script = format!("trap 'echo told > /tmp/told; exit' USR1; {STAYS}");
        let words = n.words("exec", &["--parent-death-signal", "10", "sh", "-c", &script]);
        let words: Vec<_> = words.iter().map(String::as_str).collect();
        let dir = t.dir.join("run").join(&n.0.bundle.id);
        let mut running = Running::of(n.0.command(&words).spawn().unwrap(), &dir.join("state.json"));
        // SIGUSR1 is caught: bit 9.
        let script = r"case $(grep SigCgt /proc/1/status) in *[2367abef]??) echo set;; esac";
        cofferdam_tests::wait_until("a trap", || n.run("exec", &["sh", "-c", script]).stdout == "set\n");
        running.signal(rustix::process::Signal::KILL);
        running.nsinit.wait().unwrap();
        let told = n.0.bundle.rootfs().join("tmp/told");
        cofferdam_tests::wait_until("the signal", || told.exists());
        // The next one of that name cleans up.
        assert_eq!(n.sh(&[], "exit 3").code, 3);
    }

    fn a_veth_device_is_put_on_a_bridge(t) {
        let n = Named::new(t);
        t.network_view();
        t.host("ip link add cdtbr0 type bridge && ip address add 10.77.0.1/24 dev cdtbr0 && ip link set cdtbr0 up");
        let flags =
            ["--veth-bridge", "cdtbr0", "--veth-address", "10.77.0.2/24", "--veth-gateway", "10.77.0.1", "--veth-mtu", "1400"];
        let script = "ip -o address show dev eth0; ip route; ip link show eth0 | grep -c 'mtu 1400'";
        let out = n.sh(&flags, script);
        assert!(out.ok().contains("inet 10.77.0.2/24"), "{out}");
        assert!(out.stdout.contains("default via 10.77.0.1 dev eth0"), "{out}");
        assert!(out.stdout.ends_with("1\n"), "{out}");
        assert_eq!(t.host("ip -o link show master cdtbr0"), "", "the pair is gone");
        let out = n.sh(&["--veth-bridge", "cdtbr0", "--veth-address", "10.77.0.2.3"], "true");
        assert!(out.refused().contains("/networks/1/address"), "{out}");
        assert_eq!(t.host("ip -o link show master cdtbr0"), "", "nothing is left");
    }

    fn config_writes_what_exec_reads(t) {
        let n = Named::new(t);
        let file = t.dir.join("made.json").display().to_string();
        let root = t.dir.join("run").display().to_string();
        n.run("config", &["--hostname", "made", "--file", &file]).ok();
        let printed = parse(n.run("config", &["--hostname", "made"]).ok());
        assert_eq!(printed, crate::read_json(file.as_ref()));
        assert_eq!(printed["hostname"], "made");
        let out = n.0.run(&["--root", &root, "exec", "--config", &file, "hostname"]);
        assert_eq!(out.ok(), "made\n");
        let out = n.0.run(&["exec", "--config", &file, "--read-only", "true"]);
        assert!(out.refused().contains("says how the container is made"), "{out}");
        let words = ["--root", &root, "exec", "--config", &file, "--security", "high"];
        let out = n.0.run(&[&words[..], &["sh", "-c", "grep Seccomp: /proc/self/status"]].concat());
        assert_eq!(out.ok(), "Seccomp:\t2\n");
        let mut c = Classic::new(t);
        c.set("tty", json!(true)).write();
        assert_eq!(parse(c.run(&["config"]).ok())["hostname"], "koye");
    }
}
