//! Engines are subreapers: they wait themselves for what a runtime has started and left.

use cofferdam_tests::facts;
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, waitpid};

facts! {
    fn what_ends_before_its_runtime_leaves_its_status_to_the_engine(t) {
        set_child_subreaper(Some(getpid())).expect("subreaper");
        let c = t.bundle().start();
        let file = t.dir.join("exec.pid");
        for n in 0..20 {
            c.exec(&["--detach", "--pid-file", file.to_str().expect("ASCII")], &["sh", "-c", "exit 7"]).ok();
            let pid: i32 = std::fs::read_to_string(&file).expect("pid file").trim().parse().expect("a pid");
            let status = waitpid(Pid::from_raw(pid), WaitOptions::empty());
            let status = status.unwrap_or_else(|e| panic!("exec {n}: {e}")).map(|(_, s)| s.exit_status());
            assert_eq!(status, Some(Some(7)), "exec {n}");
        }
    }
}
