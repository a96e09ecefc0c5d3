//! The calling process becomes a container's first: the child's operations, run where they are called.
//!
//! Called by crates above this one whose caller made the namespaces by itself. It may not fork; what it has
//! changed when a step fails stays changed.

use std::convert::Infallible;

use cofferdam_oci::Pointer;
use cofferdam_sys::environ;

use crate::decide::decide;
use crate::opened::Opened;
use crate::options::{CreateOptions, Streams};
use crate::talk::Failure;
use crate::{Bundle, ContainerId, Error, ErrorKind, Result, lower, program};

/// Does what a container's first process does, in the calling process, which has one thread and is in the
/// new namespaces of the configuration already; those with a path are joined. It ends in execve(2): all
/// descriptors are closed then, `keep` (to tell somebody of a failure, say) last of all.
///
/// What a parent does is the caller's to do: id maps, cgroups, hooks, a terminal, the session. The parent
/// death signal that the process has is still there afterwards, whatever user it becomes.
///
/// # Errors
/// All that is wrong with the configuration, before anything is changed; more than one thread; the step that
/// failed, and then all that is left for the process is to end.
///
/// ```no_run
/// use cofferdam::{Bundle, launch};
/// // In a new mount, PID, UTS, IPC and network namespace.
/// let error = launch::in_place(&Bundle::open("/bundle")?, &[2]).unwrap_err();
/// eprintln!("{error}");
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn in_place(bundle: &Bundle, keep: &[i32]) -> Result<Infallible> {
    let doing = "becoming the container's first process";
    environ::single_threaded().map_err(|e| {
        Error::system(doing, e)
            .with_hint("only a process with one thread can; start from the beginning of main")
    })?;
    let options = CreateOptions { no_cgroups: true, no_new_keyring: true, ..CreateOptions::default() };
    let decision = decide(&ContainerId::unique(), bundle, &options, None)?;
    if decision.network.is_some() {
        return Err(parentless(doing, &Pointer::new("/annotations").key(crate::NETWORK_ANNOTATION)));
    }
    if let Some(field) = a_parents(&decision.init, &bundle.spec) {
        return Err(parentless(doing, &Pointer::new(field)));
    }
    let signal = cofferdam_sys::prctl::pdeathsig().map_err(|e| Error::system(doing, e))?;
    let opened = Opened::for_init(&decision.init, Streams::Inherit, None)?;
    let mut inputs = opened.inputs();
    inputs.overlay.clone_from(&decision.overlay);
    inputs.parent_death_signal = (signal != 0).then_some(signal);
    let program: program::Program = lower::here(&decision.init, &inputs, keep.to_vec());
    // From here on their numbers are the operations' to close.
    std::mem::forget(opened);
    match cofferdam_child::run_here(-1, program.bytes()) {
        Err(frame) => Err(Failure::here(frame).render(program.steps())),
        Ok(()) => Err(Error::new(ErrorKind::System, doing).with_detail("the program was not executed")),
    }
}

fn parentless(doing: &'static str, field: &Pointer) -> Error {
    Error::new(ErrorKind::Configuration, doing).with_detail("this needs a parent").with_pointer(field)
}

/// The field of the configuration that a parent must obey, if there is one.
fn a_parents(plan: &cofferdam_plan::InitPlan, spec: &cofferdam_oci::Spec) -> Option<&'static str> {
    let h = &spec.hooks;
    let all = [&h.prestart, &h.create_runtime, &h.create_container, &h.start_container];
    if all.iter().any(|hooks| !hooks.is_empty()) {
        return Some("/hooks");
    }
    let listens =
        spec.linux.as_ref().and_then(|l| l.seccomp.as_ref()).is_some_and(|s| s.listener_path.is_some());
    let rows = [
        (plan.process.terminal.is_some(), "/process/terminal"),
        (!plan.net_devices.is_empty(), "/linux/netDevices"),
        (plan.rdt.is_some(), "/linux/intelRdt"),
        (listens, "/linux/seccomp/listenerPath"),
    ];
    rows.iter().find(|(asked, _)| *asked).map(|(_, field)| *field)
}
