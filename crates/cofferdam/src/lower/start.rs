//! From a container that is ready to one that runs.

use cofferdam_child::frame::Point;
use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_plan::{HookPlan, InitPlan};

use super::{Inputs, process};
use crate::program::{Program, c_string, list};

/// With a socket: says that it is ready and waits for `start`, who brings the state for hooks. Without:
/// only hooks make it ask for the state.
pub(super) fn start(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    match inputs.start {
        Some(listener) => {
            p.own("getting ready", Op::Meet { point: Point::Ready.number() });
            p.own("waiting for start", Op::AwaitStart { listener });
            each(p, &plan.hooks.start_container, inputs.hook_output);
        }
        None => hooks(p, plan, inputs.hook_output),
    }
    process::last(p, &plan.process, plan.preserve_fds);
}

/// startContainer hooks of a process that must ask for their state.
pub(super) fn hooks(p: &mut Program, plan: &InitPlan, output: [i32; 2]) {
    let hooks = &plan.hooks.start_container;
    if !hooks.is_empty() {
        p.own("waiting for start", Op::Meet { point: Point::Start.number() });
    }
    each(p, hooks, output);
}

fn each(p: &mut Program, hooks: &[HookPlan], output: [i32; 2]) {
    for one in hooks {
        hook(p, "running startContainer hook", one, output);
    }
}

pub(super) fn hook(p: &mut Program, doing: &'static str, hook: &HookPlan, [stdout, stderr]: [i32; 2]) {
    let argv = list(hook.args.iter().map(String::as_str));
    let env = list(hook.env.iter().map(String::as_str));
    let op = Op::Hook {
        path: &c_string(hook.path.as_str()),
        argv: List::new(&argv),
        env: List::new(&env),
        directory: c"",
        timeout: hook.timeout_ms.unwrap_or(0),
        stdout,
        stderr,
    };
    p.step(doing, &hook.path, &hook.pointer, op);
}
