//! Messages, names and mounts within a rule's limits, with each runtime; and callers that lie about their arguments.

use cofferdam_tests::facts;

use crate::served::{Agent, calls};

const MOUNTS: &str = r#"
[[rule]]
syscalls = ["mount", "umount2", "fsopen", "fspick", "fsconfig", "fsmount", "open_tree", "move_mount", "mount_setattr"]
action = "mount"
file_systems = ["tmpfs"]
binds = ["/data", "/data/**", "/dev"]
changes = ["attributes", "move", "propagation", "remount"]
need_cap_admin = false
"#;
const CALLS: [&str; 9] = [
    "mount",
    "umount2",
    "fsopen",
    "fspick",
    "fsconfig",
    "fsmount",
    "open_tree",
    "move_mount",
    "mount_setattr",
];
/// What is mounted at a place, as `/place options - type`.
const SHOW: &str = "show() { grep \" $1 \" /proc/self/mountinfo | tail -n1 | sed 's/.* \\(\\/[^ ]* [^ ]*\\) .*- \\([^ ]*\\) .*/\\1 \\2/'; }; ";

facts! {
    fn messages_go_where_the_list_says_whatever_their_caller_does(t) {
        let policy = "[[rule]]\nsyscalls = [\"sendmsg\", \"sendmmsg\", \"sendto\"]\naction = \"network\"\n\
            allow = [\"127.0.0.1:7000\"]\n";
        let agent = Agent::start(t, policy, &[]);
        let mut bundle = t.script("true | probe sends 7000 8000");
        calls(&mut bundle, &agent, &["sendmsg", "sendmmsg", "sendto"]);
        let out = bundle.run();
        let expected = "sendmsg ok=4\nheard abcd\nrefused errno=EPERM\nsendmmsg ok=2\ntold=4,4 heard=2\n\
            rights ok=1\nmine=1 arrived=1\n\
            pipe errno=ENOTSOCK\nparts errno=EMSGSIZE\nvector errno=EFAULT\ndata errno=EFAULT\ncontrol errno=EINVAL\n\
            mark errno=EOPNOTSUPP\nzerocopy errno=EOPNOTSUPP\nsent=1 strayed=0\nconnected ok=1\n";
        assert_eq!(out.stdout, expected, "{out}\n{}", agent.log());
    }

    fn the_system_is_called_what_the_container_and_the_rule_say(t) {
        let policy = "[[rule]]\nsyscalls = [\"uname\"]\naction = \"uname\"\nrelease = \"4.19.0-box\"\nmachine = \"toaster\"\n";
        let agent = Agent::start(t, policy, &[]);
        let mut bundle = t.script("busybox uname -snrm; probe call 63 8");
        bundle.set("/hostname", "inside");
        calls(&mut bundle, &agent, &["uname"]);
        let out = bundle.run();
        assert_eq!(out.stdout, "Linux inside 4.19.0-box toaster\nerrno=EFAULT\n", "{out}\n{}", agent.log());
    }

    fn what_is_listed_is_mounted_at_another_place_too_and_gets_no_further_rights(t) {
        let agent = Agent::start(t, MOUNTS, &[]);
        let script = [SHOW, "mkdir /data/sub; echo hi > /data/sub/f; touch /tmp/f; \
            mount -o bind /data/sub /mnt && cat /mnt/f; mount -o bind /data/sub/f /tmp/f && cat /tmp/f; \
            mount -o bind /etc /home || echo unlisted; mount -o bind /dev /home || echo covered; \
            mount -o remount,bind,ro,nosuid /mnt && show /mnt; \
            mount -o remount,bind,rw,nosuid /mnt || echo locked; \
            probe call 165 @none @/mnt 0 4129; mount -o remount,size=1m /mnt || echo not alone; \
            umount /tmp/f && umount /mnt && ls /mnt | wc -l; probe treemount /data/sub /mnt; show /mnt; \
            touch /mnt/x || echo read-only"];
        let mut bundle = t.script(&script.concat());
        calls(&mut bundle, &agent, &CALLS);
        let out = bundle.run();
        let lines: Vec<&str> = out.stdout.lines().collect();
        let [first, second, unlisted, covered, shown, rest @ ..] = &lines[..] else { panic!("{out}\n{}", agent.log()) };
        assert_eq!([*first, *second, *unlisted, *covered], ["hi", "hi", "unlisted", "covered"], "{out}\n{}", agent.log());
        assert!(shown.starts_with("/mnt ro,nosuid,"), "{out}\n{}", agent.log());
        let [locked, again, alone, empty, tree, mounted, read_only] = rest else { panic!("{out}\n{}", agent.log()) };
        assert_eq!([*locked, *again, *alone, *empty], ["locked", "errno=EPERM", "not alone", "0"], "{out}\n{}", agent.log());
        assert_eq!((*tree, *read_only), ("kept move_mount ok=0", "read-only"), "{out}\n{}", agent.log());
        assert!(mounted.starts_with("/mnt ro,"), "{out}\n{}", agent.log());
        assert!(agent.log().contains("/etc is not on the list of binds"), "{}", agent.log());
        assert!(agent.log().contains("/dev has mounts below it"), "{}", agent.log());
    }

    fn the_containers_own_mounts_are_changed_and_moved_and_the_runtimes_are_not(t) {
        let agent = Agent::start(t, MOUNTS, &[]);
        let script = [SHOW, "mount -t tmpfs -o size=64k x /mnt; mount -o remount,size=128k,ro /mnt && show /mnt; \
            mount -o remount,rw /mnt && touch /mnt/x && echo written; df -k /mnt | tail -n1 | busybox awk '{print $2}'; \
            probe pick /mnt size 256k; df -k /mnt | tail -n1 | busybox awk '{print $2}'; \
            mount --move /mnt /home && ls /home; mount --move /proc /mnt || echo kept; \
            mount -o remount,ro /proc || echo kept; mount -o remount,bind,ro /dev || echo kept; \
            probe pick /dev size 1m; mount --make-private / && echo private; mount --make-shared /home && echo shared; \
            umount /home && ls /home; mount -t tmpfs x /data && mount -t sysfs s /mnt || echo unlisted"];
        let mut bundle = t.script(&script.concat());
        calls(&mut bundle, &agent, &CALLS);
        let out = bundle.run();
        let lines: Vec<&str> = out.stdout.lines().collect();
        assert!(lines.first().is_some_and(|line| line.starts_with("/mnt ro,")), "{out}\n{}", agent.log());
        let rest = ["written", "128", "reconfigure ok=0", "256", "x", "kept", "kept", "kept", "fspick errno=EPERM",
            "private", "shared", "unlisted"];
        assert_eq!(lines[1..], rest, "{out}\n{}", agent.log());
    }

    fn in_a_user_namespace_mounts_are_changed_as_its_own(t) {
        let agent = Agent::start(t, MOUNTS, &[]);
        let mut bundle = t.script("mkdir /data/sub; touch /data/sub/f; mount -o bind /data/sub /mnt && ls /mnt; \
            mount -o remount,bind,ro /mnt && { touch /mnt/x 2>/dev/null || echo read-only; }; \
            mount -t tmpfs x /home && probe call 165 @x @/home @tmpfs 32 @size=64k && mount --move /home /tmp && echo moved; umount /mnt && echo off");
        bundle.user_namespace();
        t.host(&format!("chmod 777 {}/data", bundle.rootfs().display()));
        calls(&mut bundle, &agent, &CALLS);
        let out = bundle.run();
        assert_eq!(out.stdout, "f\nread-only\nok=0\nmoved\noff\n", "{out}\n{}", agent.log());
    }
}
