//! `exec` starts a container: the configuration, the status, the streams.

use std::fs;

use cofferdam_tests::json;

use crate::{Classic, Running, STAYS};

cofferdam_tests::own! {
    fn the_status_is_the_programs_or_128_and_its_signal(t) {
        let mut c = Classic::new(t);
        c.write();
        for code in [0, 1, 42, 255] {
            assert_eq!(c.sh(&[], &format!("exit {code}")).code, code);
        }
        // The first process of a PID namespace can be killed by others only.
        c.set("namespaces", json!({"NEWNS": true, "NEWUTS": true})).write();
        for (signal, number) in [("KILL", 9), ("TERM", 15)] {
            assert_eq!(c.sh(&[], &format!("kill -{signal} $$")).code, 128 + number);
        }
    }

    fn it_is_the_container_of_its_configuration(t) {
        let c = Classic::new(t);
        c.write();
        let out = c.sh(&[], "hostname; echo $$; env; id -u; cat /proc/1/cgroup");
        let lines: Vec<_> = out.ok().lines().collect();
        assert_eq!(lines[..2], ["koye", "1"]);
        assert!(lines.contains(&"HOME=/home") && lines.contains(&"0"), "{out}");
        assert!(lines.iter().any(|line| line.ends_with(&c.bundle.id)), "{out}");
    }

    fn the_data_path_is_looked_at_before_this_directory(t) {
        let (c, mut other) = (Classic::new(t), Classic::new(t));
        c.write();
        other.set("hostname", json!("other")).write();
        let mut command = c.command(&["exec", "hostname"]);
        assert_eq!(t.finish(command.env("data_path", &other.data)).ok(), "other\n");
        assert_eq!(t.finish(&mut command).ok(), "other\n");
        assert_eq!(c.run(&["exec", "hostname"]).ok(), "koye\n");
        fs::remove_file(other.data.join("container.json")).unwrap();
        let out = t.finish(&mut command);
        assert!(out.refused().contains("container.json"), "{out}");
    }

    fn all_that_is_wrong_is_told_at_once_whoever_finds_it(t) {
        let mut c = Classic::new(t);
        // The user's files, the translation and the core.
        c.set("user", json!("nosuch")).set("capabilities", json!(["FLY"])).set("hostname", json!("h".repeat(65))).write();
        let out = c.sh(&[], "true");
        for place in ["/user: ", "/capabilities/0: ", "/hostname: "] {
            assert_eq!(out.refused().matches(place).count(), 1, "{out}");
        }
        c.set("capabilities", json!([])).set("hostname", json!("short")).write();
        assert!(c.sh(&[], "true").refused().contains("nosuch"), "{out}");
        assert!(c.left().is_empty(), "{:?}", c.left());
    }

    fn under_the_name_nsinit_it_is_the_same_command(t) {
        let c = Classic::new(t);
        c.write();
        let out = t.finish(&mut c.named("nsinit", &["exec", "sh", "-c", "hostname; exit 5"]));
        assert_eq!((out.code, out.stdout.as_str()), (5, "koye\n"), "{out}");
        assert!(c.left().is_empty(), "{:?}", c.left());
        let out = t.finish(&mut c.named("nsinit", &["frob"]));
        assert_eq!(out.code, 3, "{out}");
        assert!(t.finish(&mut c.named("nsinit", &["--help"])).ok().contains("unpause"));
    }

    fn flags_change_the_process(t) {
        let c = Classic::new(t);
        c.write();
        let flags = ["--user", "alice", "--cwd", "/tmp", "--env", "A=1", "--env", "HOME=/x"];
        let out = c.sh(&flags, "id; pwd; echo $A $HOME $PATH");
        let expected = "uid=1000(alice) gid=1000(alice) groups=2000(extra)\n/tmp\n1 /x /bin\n";
        assert_eq!(out.ok(), expected);
    }

    fn a_configuration_inside_the_root_keeps_its_state_outside(t) {
        let mut c = Classic::new(t);
        let root = c.bundle.rootfs();
        c.data.clone_from(&root);
        c.write();
        let kept = t.dir.join("run");
        let mut command = c.command(&["--root"]);
        command.arg(&kept).args(["exec", "--config", "container.json", "sh", "-c", "ls /state.json; hostname"]);
        assert_eq!(t.finish(&mut command).stdout, "koye\n");
        let out = c.run(&["exec", "sh", "-c", "ls -a /; exit 4"]);
        assert_eq!((out.code, out.stdout.contains("state.json")), (4, false), "{out}");
        // The place of states is made when it is first needed; somebody else's may be there.
        let _ = fs::remove_dir("/run/nsinit");
    }

    fn input_output_and_error_are_the_callers(t) {
        let c = Classic::new(t);
        c.write();
        fs::write(t.dir.join("in"), "typed").unwrap();
        let mut command = c.command(&["exec", "sh", "-c", "cat; echo err >&2"]);
        let out = t.finish(command.stdin(fs::File::open(t.dir.join("in")).unwrap()));
        assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (0, "typed", "err\n"));
    }

    fn the_log_is_where_the_variable_or_the_flag_says(t) {
        let c = Classic::new(t);
        c.write();
        let (first, second) = (t.dir.join("first.log"), t.dir.join("second.log"));
        let mut command = c.command(&["exec", "no-such-program"]);
        assert!(t.finish(command.env("log", &first)).code != 0);
        let mut command = c.command(&["--debug", "--log-file"]);
        let command = command.arg(&second).args(["exec", "true"]).env("log", &first);
        t.finish(command).ok();
        let debug = fs::read_to_string(&second).unwrap();
        assert!(debug.contains("level=debug"), "{debug}");
    }

    fn init_is_for_who_makes_the_namespaces_by_himself(t) {
        let c = Classic::new(t);
        c.write();
        fs::write(t.dir.join("networks"), "{}").unwrap();
        let script = "exec 3<\"$1\"; shift; exec \"$@\"";
        let unshare = |pipe: &str| {
            let mut command = t.command("/usr/bin/unshare".as_ref());
            command.args(["-m", "-p", "-u", "-i", "--fork", "--", "sh", "-c", script, "sh"]);
            command.arg(t.dir.join("networks")).arg(&t.runtime.path).args(["nsinit", "init", "sh", "-c"]);
            command.arg("hostname; echo $$; exit 4").current_dir(c.bundle.rootfs());
            t.finish(command.env("pipe", pipe).env("data_path", &c.data))
        };
        let out = unshare("3");
        assert_eq!((out.code, out.stdout.as_str()), (4, "koye\n1\n"), "{out}");
        assert!(unshare("99").refused().contains("EBADF"));
        assert!(unshare("x").refused().contains("number of a descriptor"));
        assert!(c.run(&["init", "true"]).refused().contains("hint: to start a container, use exec"));
    }

    fn networks_are_in_the_state_and_go_with_the_container(t) {
        let mut c = Classic::new(t);
        t.network_view();
        t.host("ip link add cdtbr1 type bridge && ip address add 10.78.0.1/24 dev cdtbr1 && ip link set cdtbr1 up");
        let veth = json!({"type": "veth", "bridge": "cdtbr1", "veth_prefix": "vc", "address": "10.78.0.2/24",
            "gateway": "10.78.0.1", "mtu": 1400});
        let all = json!({"NEWNS": true, "NEWPID": true, "NEWUTS": true, "NEWNET": true});
        c.set("namespaces", all).set("networks", json!([{"type": "loopback"}, veth])).write();
        // The view of another namespace begins at its root.
        let command = |words: &[&str]| {
            let mut command = c.command(&[&["exec"], words].concat());
            command.env("data_path", &c.data);
            command
        };
        let mut stays = command(&["sh", "-c", STAYS]);
        let mut running = Running::of(stays.spawn().unwrap(), &c.data.join("state.json"));
        let state = c.state();
        let network = &state["network_state"];
        assert_eq!(network["veth_child"], "eth0", "{state}");
        let host = network["veth_host"].as_str().unwrap();
        assert!(t.host("ip -o link show master cdtbr1").contains(host));
        let out = t.finish(&mut command(&["--func", "ip"]));
        assert!(out.ok().contains("eth0") && out.stdout.contains("10.78.0.2/24") && out.stdout.contains("1400"), "{out}");
        // Killed: the pair goes with the container's end, and the next one has the bridge again.
        running.signal(rustix::process::Signal::KILL);
        running.nsinit.wait().unwrap();
        let gone = || t.host("ip -o link show master cdtbr1").is_empty();
        cofferdam_tests::wait_until("the pair's end", gone);
        let out = t.finish(&mut command(&["ip", "route"]));
        assert!(out.ok().contains("default via 10.78.0.1 dev eth0"), "{out}");
        assert!(c.left().is_empty(), "{:?}", c.left());
        assert!(gone(), "nothing is left");
    }
}
