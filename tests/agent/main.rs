//! The agent with each runtime: containers whose calls it answers, what it refuses, and what they see when it is
//! killed, started again, or told another policy.

mod crowded;
mod killed;
mod learned;
mod limits;
mod outside;
mod rules;
mod served;

use cofferdam_tests::{facts, wait_until};

use served::{Agent, calls};

const POLICY: &str = r#"
[[rule]]
name = "scratch"
syscalls = ["mount", "umount2"]
action = "mount"
file_systems = ["tmpfs", "proc"]
need_cap_admin = false

[[rule]]
name = "devices"
syscalls = ["mknod", "mknodat"]
action = "mknod"
devices = ["c 1:3"]

[[rule]]
name = "directories"
syscalls = ["mkdir", "mkdirat"]
action = "mkdir"
suffix = "-made"

[[rule]]
name = "frozen"
syscalls = ["reboot"]
action = "freeze"

[[rule]]
name = "killed"
syscalls = ["swapoff"]
action = "kill"

[[rule]]
name = "owners"
syscalls = ["chown", "fchownat", "lchown"]
action = "chown"
uids = ["1000-1999"]
gids = [7]

[[rule]]
name = "only root"
syscalls = ["sync"]
user = { uid = 0 }
action = "return"

[default]
action = "errno"
errno = "EXDEV"
"#;

facts! {
    fn a_container_mounts_tmpfs_and_proc_and_nothing_else(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let script = "mount -t tmpfs -o size=64k,noexec scratch /mnt && mount -t proc p /data && \
            grep -E ' (/mnt|/data) ' /proc/self/mountinfo | cut -d' ' -f5- ; \
            mount -t sysfs s /home || echo refused; mount -o bind /etc /home || echo refused; \
            umount /mnt && echo off; umount -l /dev || echo kept";
        let mut bundle = t.script(script);
        calls(&mut bundle, &agent, &["mount", "umount2"]);
        let out = bundle.run();
        let lines: Vec<&str> = out.ok().lines().collect();
        let [tmpfs, proc, rest @ ..] = &lines[..] else { panic!("{out}") };
        assert!(tmpfs.starts_with("/mnt rw,noexec,") && tmpfs.ends_with("- tmpfs scratch rw,size=64k"), "{tmpfs}");
        assert!(proc.starts_with("/data rw,") && proc.contains("- proc p rw"), "{proc}");
        // /dev is a tmpfs, too.
        assert_eq!(rest, ["refused", "refused", "off", "kept"], "{out}");
        assert!(agent.log().contains("it was mounted by the runtime"), "{}", agent.log());
        assert!(agent.log().contains("sysfs is not on the list"), "{}", agent.log());
    }

    fn a_device_of_the_list_is_made_and_another_is_refused(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let script = "umask 077; mknod /tmp/null c 1 3 && echo x > /tmp/null && stat -c '%t:%T %a %u' /tmp/null; \
            mknod /tmp/zero c 1 5 || echo refused; mknod /tmp/disk b 1 3 || echo refused; \
            mknod /tmp/fifo p && stat -c %F /tmp/fifo; mknod /none/null c 1 3 || echo nowhere; ls /tmp";
        let mut bundle = t.script(script);
        calls(&mut bundle, &agent, &["mknod", "mknodat"]);
        assert_eq!(bundle.run().ok().trim(), "1:3 600 0\nrefused\nrefused\nfifo\nnowhere\nfifo\nnull");
    }

    fn a_directory_gets_another_name(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("umask 027; cd /tmp; mkdir one; mkdir /tmp/two/; stat -c '%n %a' *; mkdir /a/b || echo no");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        assert_eq!(bundle.run().ok().trim(), "one-made 750\ntwo-made 750\nno");
    }

    fn an_unprivileged_user_gets_no_further_than_its_rights(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("mkdir /tmp/mine /etc/theirs; mknod /etc/null c 1 3; sync; ls /etc | grep -E 'theirs|null'; stat -c '%u %n' /tmp/*");
        bundle.set("/process/user/uid", 1000).set("/process/user/gid", 1000);
        t.host(&format!("chmod 777 {}/tmp", bundle.rootfs().display()));
        calls(&mut bundle, &agent, &["mkdir", "mkdirat", "mknod", "mknodat", "sync"]);
        let out = bundle.run();
        assert_eq!(out.stdout.trim(), "1000 /tmp/mine-made", "{out}");
        // The rule for sync is about root.
        assert!(agent.log().contains("answer=EXDEV"), "{}", agent.log());
    }

    fn owners_are_changed_within_limits(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("cd /tmp; touch a b c; ln -s /etc/passwd link; chown 1500:7 a; chown 1501 a; \
            chown 0 b; chown 1000:8 c; chown 1001 /etc/passwd link; chown -h 1002 link; \
            stat -c '%u:%g' a b c link /etc/passwd");
        bundle.set("/process/user/uid", 1000).set("/process/user/gid", 1000);
        t.host(&format!("chmod 777 {}/tmp", bundle.rootfs().display()));
        calls(&mut bundle, &agent, &["chown", "fchownat", "lchown"]);
        let out = bundle.run();
        // What belongs to others cannot be taken, by whatever name.
        assert_eq!(out.stdout.trim(), "1501:7\n1000:1000\n1000:1000\n1002:1000\n0:0", "{out}\n{}", agent.log());
    }

    fn a_container_that_calls_what_is_forbidden_is_frozen(t) {
        let agent = Agent::start(t, POLICY, &[]);
        // reboot(2) with a wrong magic number, should it ever reach the kernel.
        let mut bundle = t.bundle();
        bundle.args(&["sh", "-c", "probe call 169 1 2; echo went on; sleep 60"]);
        calls(&mut bundle, &agent, &["reboot"]);
        let container = bundle.start();
        wait_until("it is frozen", || container.status() == "paused");
        // On version 1 it may be let go for a moment while it is being frozen.
        wait_until("it goes on", || container.verb("resume", &[]).code == 0);
        container.wait_output("went on\n");
        assert!(container.stdout().contains("errno=EPERM"), "{}", container.stdout());
        container.kill("KILL").ok();
    }

    fn a_container_that_calls_what_is_forbidden_is_killed(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("sleep 60 & probe call 168 0; echo went on");
        calls(&mut bundle, &agent, &["swapoff"]);
        let out = bundle.run();
        assert_eq!((out.code, out.stdout.as_str()), (137, ""), "{out}");
        assert!(agent.log().contains("the container was killed"), "{}", agent.log());
    }

    fn a_policy_is_read_again_and_a_wrong_one_refused(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let script = "while ! mkdir /tmp/x; do sleep 0.01; done 2>/dev/null; touch /tmp/first; \
            while ! test -d /tmp/x-other; do mkdir /tmp/x; done 2>/dev/null; ls /tmp";
        let mut bundle = t.script(script);
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        let container = bundle.start();
        let first = bundle.rootfs().join("tmp/first");
        wait_until("the first policy", || first.exists());
        agent.reload("[[rule]]\nsyscalls = [\"mkdri\"]\naction = \"kill\"\n");
        agent.wait_log("is no system call");
        agent.reload(&POLICY.replace("-made", "-other"));
        container.wait_stopped();
        assert_eq!(container.stdout(), "first\nx-made\nx-other\n");
    }

    fn a_container_goes_on_when_the_agent_is_killed(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("mkdir /tmp/a; echo ready; while test ! -e /tmp/gone; do sleep 0.01; done; \
            probe call 83 0; ls /tmp");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        let container = bundle.start();
        container.wait_output("ready\n");
        agent.kill();
        std::fs::write(bundle.rootfs().join("tmp/gone"), "").unwrap();
        container.wait_stopped();
        // From then on the kernel answers.
        assert_eq!(container.stdout(), "ready\nerrno=ENOSYS\na-made\ngone\n");
        // Another agent takes the place, and further containers are its.
        let again = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("mkdir /tmp/a; ls /tmp");
        calls(&mut bundle, &again, &["mkdir", "mkdirat"]);
        assert_eq!(bundle.run().ok().trim(), "a-made");
    }

    fn metadata_of_the_profile_decides_before_the_policy(t) {
        let agent = Agent::start(t, POLICY, &["--resolver", "metadata"]);
        let mut bundle = t.script("mkdir /tmp/a; ls /tmp; mknod /tmp/null c 1 3; ls /tmp");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat", "mknod", "mknodat"]);
        bundle.set("/linux/seccomp/listenerMetadata", "MKDIR_TMPL=-{{.Pod}}-{{.Container}}\n");
        bundle.set("/annotations", cofferdam_tests::json!({
            "io.kubernetes.cri.sandbox-name": "web-0", "io.kubernetes.cri.container-name": "nginx",
        }));
        assert_eq!(bundle.run().ok().trim(), "a-web-0-nginx\na-web-0-nginx\nnull");
        bundle.set("/linux/seccomp/listenerMetadata", "MKDIR_TMPL={{.Node}}\n");
        let before = bundle.run();
        assert_eq!(before.stderr.matches("not permitted").count(), 2, "wrong metadata: everything is refused: {before}");
        agent.wait_log("is not known in templates");
    }

    fn sockets_reach_what_the_list_says_and_nothing_else(t) {
        let policy = "[[rule]]\nsyscalls = [\"connect\", \"bind\"]\naction = \"network\"\n\
            allow = [\"127.0.0.1:7\", \"127.0.0.1:1024-65535\", \"[::]:2000\"]\n";
        let agent = Agent::start(t, policy, &[]);
        let mut bundle = t.script("for port in 7 8; do busybox nc 127.0.0.1 $port </dev/null; done 2>&1; \
            busybox timeout 5 busybox nc -l -p 2000 & sleep 0.3; echo hello | busybox nc 127.0.0.1 2000; wait; \
            busybox nc -l -p 9 2>&1");
        calls(&mut bundle, &agent, &["connect", "bind"]);
        let out = bundle.run();
        let lines: Vec<&str> = out.stdout.lines().collect();
        let [allowed, refused, heard, bound] = &lines[..] else { panic!("{out}\n{}", agent.log()) };
        assert!(!allowed.contains("not permitted"), "{out}");
        assert!(refused.contains("Operation not permitted"), "{out}");
        assert_eq!(*heard, "hello");
        assert!(bound.contains("Operation not permitted"), "{out}");
        assert!(agent.log().contains("127.0.0.1:8 is not on the list"), "{}", agent.log());
    }

    fn a_file_of_the_hosts_is_opened_in_the_place_of_another(t) {
        let host = t.dir.join("answer");
        std::fs::write(&host, "from outside\n").unwrap();
        let policy = format!(
            "[[rule]]\nsyscalls = [\"open\", \"openat\"]\naction = \"open\"\nfiles = {{ \"/etc/answer\" = \"{}\" }}\n",
            host.display()
        );
        let agent = Agent::start(t, &policy, &[]);
        let mut bundle = t.script("cat /etc/answer; echo x > /etc/answer || echo kept; head -c4 /etc/passwd; \
            echo mine > /tmp/x; cat /tmp/x /tmp/missing");
        calls(&mut bundle, &agent, &["open", "openat"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "from outside\nkept\nrootmine\n", "{out}\n{}", agent.log());
        assert!(out.stderr.contains("/tmp/missing"), "{out}");
        assert_eq!(std::fs::read_to_string(&host).unwrap(), "from outside\n");
    }

    fn the_systems_memory_is_the_containers(t) {
        let agent = Agent::start(t, "[[rule]]\nsyscalls = [\"sysinfo\"]\naction = \"sysinfo\"\n", &[]);
        let mut bundle = t.script("busybox free -b | grep Mem");
        bundle.set("/linux/resources/memory/limit", 64 << 20);
        calls(&mut bundle, &agent, &["sysinfo"]);
        bundle.run().ok();
        assert!(agent.log().contains("67108864 bytes in all"), "{}", agent.log());
    }

    fn programs_wait_as_long_as_the_rule_says(t) {
        let policy = "[[rule]]\nsyscalls = [\"execve\"]\naction = \"delay\"\ndelay = \"400ms\"\npaths = [\"/bin/true\"]\n";
        let agent = Agent::start(t, policy, &["--log-format", "json"]);
        let mut bundle = t.script("/bin/true; /bin/true; /bin/false; exit 0");
        calls(&mut bundle, &agent, &["execve"]);
        let begun = std::time::Instant::now();
        bundle.run().ok();
        assert!(begun.elapsed() >= std::time::Duration::from_millis(800), "{:?}", begun.elapsed());
        let waits = agent.log().matches("/bin/true waits 400ms").count();
        assert_eq!(waits, 2, "{}", agent.log());
    }

    fn an_agent_may_be_killed_at_any_moment(t) {
        for moment in [0, 3, 10, 30, 100] {
            let agent = Agent::start(t, POLICY, &[]);
            let mut bundle = t.script("echo ready; for i in $(seq 100); do mkdir /tmp/$i; \
                mount -t tmpfs x /mnt && umount /mnt; mknod /tmp/n$i c 1 3; done 2>/dev/null; echo done");
            calls(&mut bundle, &agent, &["mkdir", "mkdirat", "mount", "umount2", "mknod", "mknodat"]);
            let container = bundle.start();
            container.wait_output("ready\n");
            std::thread::sleep(std::time::Duration::from_millis(moment));
            agent.kill();
            container.wait_stopped();
            assert_eq!(container.stdout(), "ready\ndone\n", "after {moment} ms");
            container.delete().ok();
        }
    }

    fn the_newer_calls_mount_what_is_on_the_list_and_nothing_else(t) {
        let policy = POLICY.replace("\"umount2\"]", "\"umount2\", \"fsopen\", \"fsconfig\", \"fsmount\", \"move_mount\"]");
        let agent = Agent::start(t, &policy, &[]);
        let mut bundle = t.script("probe newmount tmpfs /mnt; grep ' /mnt ' /proc/self/mountinfo | cut -d' ' -f5-; \
            probe newmount sysfs /data; umount /mnt && echo off");
        calls(&mut bundle, &agent, &["mount", "umount2", "fsopen", "fsconfig", "fsmount", "move_mount"]);
        let out = bundle.run();
        let lines: Vec<&str> = out.stdout.lines().collect();
        let [moved, mounted, refused, off] = &lines[..] else { panic!("{out}\n{}", agent.log()) };
        assert_eq!((*moved, *refused, *off), ("move_mount ok=0", "fsopen errno=EPERM", "off"), "{out}");
        assert!(mounted.starts_with("/mnt rw,nosuid,") && mounted.contains("- tmpfs new "), "{mounted}");
    }

    fn attributes_of_the_list_are_set_and_others_are_not(t) {
        const SETXATTR: u32 = 188;
        t.need(cfg!(target_arch = "x86_64"), "the numbers of the calls are those of x86-64")?;
        let policy = "[[rule]]\nsyscalls = [\"setxattr\"]\naction = \"setxattr\"\nnames = [\"trusted.box.*\"]\nmax_size = 3\n";
        let agent = Agent::start(t, policy, &[]);
        let set = |name: &str, size: u32| format!("probe call {SETXATTR} @/tmp/x @{name} @abcdef {size} 0; ");
        let script = ["touch /tmp/x; ", &set("trusted.box.a", 3), &set("trusted.box.b", 4), &set("trusted.other", 3)];
        let mut bundle = t.script(&script.concat());
        calls(&mut bundle, &agent, &["setxattr"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "ok=0\nerrno=E2BIG\nerrno=EPERM\n", "{out}\n{}", agent.log());
    }

    fn what_is_no_sidecar_waits_for_them(t) {
        let agent = Agent::start(t, POLICY, &["--resolver", "metadata"]);
        let took = |name: &str| {
            let mut bundle = t.script("true");
            calls(&mut bundle, &agent, &["execve"]);
            bundle.set("/linux/seccomp/listenerMetadata", "SIDECARS=envoy\nSIDECARS_DELAY=1s\n");
            bundle.set("/annotations", cofferdam_tests::json!({"io.kubernetes.cri.container-name": name}));
            let begun = std::time::Instant::now();
            bundle.run().ok();
            begun.elapsed()
        };
        let second = std::time::Duration::from_secs(1);
        took("envoy");
        assert!(took("web") >= second, "{}", agent.log());
        assert_eq!(agent.log().matches("for sidecars").count(), 1, "{}", agent.log());
    }

    fn metrics_and_health_are_served_over_http(t) {
        let agent = Agent::start(t, POLICY, &["--metrics", "127.0.0.1:19473"]);
        let mut bundle = t.script("mkdir /tmp/a; mkdir /tmp/a");
        calls(&mut bundle, &agent, &["mkdir", "mkdirat"]);
        bundle.run();
        let get = |path: &str| {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect("127.0.0.1:19473").unwrap();
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            text
        };
        assert!(get("/healthz").ends_with("ok\n"));
        assert!(get("/other").starts_with("HTTP/1.1 404"));
        let metrics = get("/metrics");
        for outcome in ["success", "EEXIST"] {
            let line = format!("_seconds_count{{syscall=\"mkdir\",outcome=\"{outcome}\"}} 1");
            assert!(metrics.contains(&line), "{metrics}");
        }
    }

    fn in_a_user_namespace_that_the_container_made_nothing_is_lent(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("busybox unshare -Urm --propagation unchanged sh -c 'id -u; mount -t proc p /mnt || echo refused; \
            mknod /tmp/null c 1 3 || echo refused'");
        calls(&mut bundle, &agent, &["mount", "mknod", "mknodat"]);
        let out = bundle.run();
        assert!(agent.log().contains("is in a user namespace that the container made"), "{out}\n{}", agent.log());
        assert!(!agent.log().contains("answer=0"), "{out}\n{}", agent.log());
    }

    fn in_a_container_with_a_user_namespace_mounts_and_devices_are_its_own(t) {
        let agent = Agent::start(t, POLICY, &[]);
        let mut bundle = t.script("mount -t tmpfs x /mnt && stat -c '%u %g' /mnt; mount -t proc p /data && test -e /data/1 && echo proc; \
            mknod /tmp/null c 1 3 && stat -c '%u %t:%T' /tmp/null; mkdir /tmp/a; stat -c %u /tmp/a-made");
        bundle.user_namespace();
        calls(&mut bundle, &agent, &["mount", "mknod", "mknodat", "mkdir", "mkdirat"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "0 0\nproc\n0 1:3\n0\n", "{out}\n{}", agent.log());
    }
}
