//! A container in which only the program is missing: where it waits, and what it is told then.
//!
//! The wait is as late as it can be while any program may still come: labels are given, the host is let go
//! of, nothing else can run in the container. What comes is short, since somebody waits for it.

use cofferdam_child::frame::Point;
use cofferdam_child::op::Op;
use cofferdam_plan::{InitPlan, ProcessPlan};

use super::{process, start};
use crate::program::Program;

/// The end of a prepared container's first program.
pub(super) fn wait(p: &mut Program, plan: &InitPlan) {
    process::scheduling(p, &plan.process);
    process::bounding(p, &plan.process);
    p.own("getting ready", Op::Meet { point: Point::Ready.number() });
    p.own("waiting for the program", Op::Obey {});
}

/// What it is told in the end: `process` is the container's, with the program that is to run. Its three
/// streams come along, unless it has a terminal.
pub(crate) fn program(plan: &InitPlan, process: &ProcessPlan) -> Program {
    let mut p = Program::default();
    match process.terminal {
        Some(wanted) => {
            p.own("finding the container's root", Op::EnterRoot {});
            process::terminal(&mut p, process, wanted, None, false);
        }
        None => p.own("setting up standard input and output", Op::TakeStreams {}),
    }
    process::user(&mut p, process);
    // Files of the host's do not wait with it.
    start::hooks(&mut p, plan, [-1; 2]);
    process::last(&mut p, process, plan.preserve_fds);
    p
}
