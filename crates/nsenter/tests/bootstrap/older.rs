//! The form before the netlink message: `_LIBCONTAINER_INITPID`, with and without an init pipe.

use std::fs;
use std::process::Command;

use cofferdam_sys::wait::Ended;

use crate::driver::{Start, Started, Target, alone, messages};

fn start(target: u32, word: &'static str, more: &[(&'static str, &str)]) -> Started {
    let mut environment = vec![("_LIBCONTAINER_INITPID", target.to_string())];
    environment.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Start { word, environment, ..Start::default() }.start()
}

/// The one line that this form reports.
fn pid(started: &mut Started) -> i32 {
    let line = started.line();
    let pid = line.strip_prefix("{ \"pid\" : ").and_then(|rest| rest.strip_suffix(" }\n")).unwrap().parse();
    assert!(started.stage0.wait().unwrap().success());
    pid.unwrap()
}

#[test]
fn the_namespaces_of_a_process_are_joined_and_the_pid_is_reported() {
    let Some(_alone) = alone() else { return };
    let target = Target::new(&["-n", "-u", "-i"], 0);
    let mut started = start(target.0.id(), "facts", &[]);
    let last = pid(&mut started);
    let facts = started.facts();
    for kind in ["net", "uts", "ipc", "pid", "mnt"] {
        assert_eq!(facts["namespaces"][kind], target.link(kind), "{kind}");
    }
    assert_eq!(facts["parent"], std::process::id());
    drop(target);
    assert_eq!(started.finish(last), Ended::Exited(0));
}

#[test]
fn the_console_is_the_controlling_terminal_and_on_the_first_descriptors() {
    let Some(_alone) = alone() else { return };
    let target = Target::new(&["-n", "-u", "-i"], 0);
    let master = fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let terminal = terminal(&master);
    let mut started = start(target.0.id(), "facts", &[("_LIBCONTAINER_CONSOLE_PATH", &terminal)]);
    let last = pid(&mut started);
    let facts = started.facts();
    for number in ["0", "1", "2"] {
        assert_eq!(facts["descriptors"][number], terminal);
    }
    let stat: Vec<_> = facts["stat"].as_str().unwrap().rsplit(") ").next().unwrap().split(' ').collect();
    assert_ne!(stat[4], "0", "the controlling terminal");
    drop(target);
    started.finish(last);
}

/// The path of the terminal's other side.
fn terminal(master: &fs::File) -> String {
    rustix::pty::unlockpt(master).unwrap();
    rustix::pty::ptsname(master, Vec::new()).unwrap().into_string().unwrap()
}

#[test]
fn without_an_init_pipe_the_first_process_ends_as_the_last_does() {
    let Some(_alone) = alone() else { return };
    let target = Target::new(&["-n", "-u", "-i"], 0);
    let mut started = start(target.0.id(), "status", &[("_LIBCONTAINER_INITPIPE", "")]);
    assert_eq!(started.stage0.wait().unwrap().code(), Some(7));
    drop(started);
    let mut started = start(target.0.id(), "signal", &[("_LIBCONTAINER_INITPIPE", "")]);
    let status = started.stage0.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
}

#[test]
fn a_process_that_is_not_there_is_refused() {
    let Some(_alone) = alone() else { return };
    let mut dead = Command::new("/bin/true").spawn().unwrap();
    dead.wait().unwrap();
    let (status, log) = start(dead.id(), "facts", &[]).fails();
    assert_eq!(status.code(), Some(1));
    let said = messages(&log, "fatal");
    assert!(said[0].contains(&format!("/proc/{}/ns", dead.id())) && said[0].contains("ENOENT"), "{said:?}");
}

#[test]
fn a_pid_that_is_no_number_is_refused() {
    let Some(_alone) = alone() else { return };
    for value in ["-1", "0", "one"] {
        let environment = vec![("_LIBCONTAINER_INITPID", value.to_owned())];
        let (status, log) = Start { environment, ..Start::default() }.start().fails();
        assert_eq!(status.code(), Some(1));
        assert!(messages(&log, "fatal")[0].contains("_LIBCONTAINER_INITPID"), "{log}");
    }
}

#[test]
fn a_zombie_has_no_namespaces_to_join() {
    let Some(_alone) = alone() else { return };
    let mut zombie = Command::new("/bin/true").spawn().unwrap();
    let stat = format!("/proc/{}/stat", zombie.id());
    while !fs::read_to_string(&stat).unwrap().contains(") Z ") {
        std::thread::yield_now();
    }
    let mut started = start(zombie.id(), "facts", &[]);
    assert_eq!(started.stage0.wait().unwrap().code(), Some(1));
    zombie.wait().unwrap();
}
