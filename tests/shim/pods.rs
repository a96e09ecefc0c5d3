//! A pod: several containers, one shim.

use std::path::Path;

use cofferdam_tests::{own, wait_until};

use crate::stand_in::{Shim, StandIn};

const POD: &str = "/annotations/io.kubernetes.cri.sandbox-id";

own! {
    fn containers_of_a_pod_have_one_shim_that_stays_until_the_last_has_gone(t) {
        let s = StandIn::new(t)?;
        let (mut pause, mut app) = (t.bundle(), t.bundle());
        let pod = pause.id.clone();
        pause.set(POD, pod.clone()).set("/annotations/io.kubernetes.cri.container-type", "sandbox");
        app.set(POD, pod).set("/annotations/io.kubernetes.cri.container-type", "container");
        let first = s.shim(&pause);
        let number = first.create(&first.wanted(&pause));
        first.start("");
        app.join("ipc", &format!("/proc/{number}/ns/ipc")).join("uts", &format!("/proc/{number}/ns/uts"));
        let second = s.shim(&app);
        assert_eq!((&first.address, first.pid()), (&second.address, second.pid()));
        let other = second.create(&second.wanted(&app));
        second.start("");
        let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/ipc")).unwrap();
        assert_eq!(namespace(number), namespace(other));
        second.kill("", 9, false).unwrap();
        assert_eq!(second.wait(""), 137);
        second.delete("");
        second.shutdown();
        assert_eq!(first.state("").pid, number, "the pod's shim stays");
        end(&first);
        s.is_clean();
    }

    fn containers_of_two_pods_have_two_shims(t) {
        let s = StandIn::new(t)?;
        let (a, b) = (t.bundle(), t.bundle());
        let (one, two) = (s.shim(&a), s.shim(&b));
        assert_ne!(one.address, two.address);
        assert_ne!(one.pid(), two.pid());
        one.shutdown();
        two.shutdown();
        s.is_clean();
    }

    fn without_a_pid_namespace_nothing_outlives_the_first_process_and_orphans_are_reaped(t) {
        let s = StandIn::new(t)?;
        let mut b = t.script("(sleep 601 & sleep 0.1 &) ; sleep 0.5; exit 4");
        let namespaces = b.config.pointer_mut("/linux/namespaces").unwrap().as_array_mut().unwrap();
        namespaces.retain(|n| n["type"] != "pid");
        let shim = s.shim(&b);
        shim.create(&shim.wanted(&b));
        shim.start("");
        assert_eq!(shim.wait(""), 4);
        let children = format!("/proc/{0}/task/{0}/children", shim.pid());
        wait_until("the orphans to be reaped", || {
            std::fs::read_to_string(&children).is_ok_and(|children| children.trim().is_empty())
        });
        shim.delete("");
        shim.shutdown();
        s.is_clean();
    }

    fn a_second_start_of_a_group_finds_the_shim_that_is_there(t) {
        let s = StandIn::new(t)?;
        let b = t.bundle();
        let shim = s.shim(&b);
        assert_eq!(s.program(&b, "start").ok(), shim.address);
        assert_eq!(std::fs::read_to_string(b.dir.join("address")).unwrap(), shim.address);
        shim.shutdown();
        wait_until("the socket to go", || !Path::new(&shim.seen).exists());
        s.is_clean();
    }
}

fn end(shim: &Shim) {
    shim.kill("", 9, false).unwrap();
    shim.wait("");
    shim.delete("");
    shim.shutdown();
}
