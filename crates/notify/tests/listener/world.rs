//! Threads whose calls wait for an answer.

use std::sync::mpsc;
use std::thread::JoinHandle;

use cofferdam_notify::{Arch, Listener};
use cofferdam_oci::{Pointer, Seccomp, SeccompRule};
use cofferdam_sys::{prctl, seccomp};

/// A thread that does `work` under a filter which notifies of `calls`, and their listener.
pub(crate) fn notified<T: Send + 'static>(
    calls: &[&str],
    work: impl FnOnce() -> T + Send + 'static,
) -> (Listener, JoinHandle<T>) {
    let notify = SeccompRule {
        names: calls.iter().map(|call| (*call).to_owned()).collect(),
        action: "SCMP_ACT_NOTIFY".to_owned(),
        ..SeccompRule::default()
    };
    let profile = Seccomp {
        default_action: "SCMP_ACT_ALLOW".to_owned(),
        listener_path: Some("/nobody".to_owned()),
        syscalls: vec![notify],
        ..Seccomp::default()
    };
    let native = Arch::native().unwrap();
    let filter = cofferdam_seccomp::compile(&profile, &Pointer::root(), native).unwrap();
    let (to, from) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        prctl::set_no_new_privs().unwrap();
        let flags = seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER;
        let fd = seccomp::set_filter(flags, &filter.bytes()).unwrap().unwrap();
        to.send(Listener::new(fd.into()).unwrap()).unwrap();
        work()
    });
    (from.recv().unwrap(), thread)
}
