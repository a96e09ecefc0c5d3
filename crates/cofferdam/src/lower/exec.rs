//! A process in an existing container: its own list, sharing steps with [`super::init`], never branches.

use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_plan::ExecPlan;
use cofferdam_sys::clone3::{CLONE_NEWUSER, CLONE_PARENT};

use super::{Inputs, Lowered, process};
use crate::program::Program;

pub(crate) fn exec(plan: &ExecPlan, inputs: &Inputs) -> Lowered {
    let mut p = Program::default();
    let mut keep = vec![inputs.init];
    keep.extend(&inputs.stdio);
    super::keep_only(&mut p, keep.clone(), plan.preserve_fds, inputs.ignored_signals);
    // The container's processes must not be able to trace us or to open what we hold: this comes before
    // any of its namespaces is joined (CVE-2016-9962).
    p.own("hiding from the container's processes", Op::Dumpable { on: false });
    labels(&mut p, plan, keep);
    if plan.process.affinity.initial.is_none() {
        process::every_cpu(&mut p);
    }
    affinity(&mut p, plan.process.affinity.initial.as_deref(), "initial", &plan.process.pointer);
    p.own("joining cgroups", Op::JoinCgroups {});
    affinity(&mut p, plan.process.affinity.last.as_deref(), "final", &plan.process.pointer);
    if plan.namespaces != 0 {
        p.own("joining the container's namespaces", Op::Setns { fd: inputs.init, flags: plan.namespaces });
    }
    if plan.namespaces & CLONE_NEWUSER != 0 {
        let (uid, gid) = inputs.first_ids;
        p.own("taking ids in the user namespace", Op::Become { uid, gid });
    }
    p.own("entering the PID namespace", Op::Successor { flags: CLONE_PARENT });
    process::session(&mut p, inputs, plan.keyring.as_deref());
    p.own("finding the container's root", Op::EnterRoot {});
    if let Some(wanted) = plan.process.terminal {
        process::terminal(&mut p, &plan.process, wanted, None, inputs.relayed);
    }
    process::forget(&mut p, Vec::new(), plan.preserve_fds);
    process::identity(&mut p, &plan.process);
    process::last(&mut p, &plan.process, plan.preserve_fds);
    Lowered { program: p, clone_flags: 0, maps_first: false, successor: true }
}

/// Labels are inherited over fork(2) and take effect at execve(2); so they are written first, and the
/// host's /proc is closed before a process of the container's can see us.
fn labels(p: &mut Program, plan: &ExecPlan, keep: Vec<i32>) {
    let given = |label: &Option<String>| label.as_ref().is_some_and(|l| !l.is_empty());
    if given(&plan.process.apparmor) || given(&plan.process.selinux) {
        p.own("opening /proc", Op::OpenProc {});
        process::labels(p, &plan.process);
        process::forget(p, keep, plan.preserve_fds);
    }
}

fn affinity(p: &mut Program, mask: Option<&[u64]>, which: &str, process: &Pointer) {
    if let Some(mask) = mask {
        let bytes: Vec<u8> = mask.iter().flat_map(|w| w.to_ne_bytes()).collect();
        p.step(
            "setting the CPU affinity",
            "",
            &process.key("execCPUAffinity").key(which),
            Op::Affinity { mask: &bytes },
        );
    }
}
