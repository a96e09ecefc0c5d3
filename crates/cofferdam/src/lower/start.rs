//! From a container that is ready to one that runs.

use cofferdam_child::frame::Point;
use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_plan::{HookPlan, InitPlan, ProcessPlan};

use super::{Inputs, process};
use crate::hooks::doing;
use crate::program::{Program, c_string, list};

/// See seccomp(2).
const SECCOMP_FILTER_FLAG_NEW_LISTENER: u32 = 8;
const SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: u32 = 0x20;

/// With a socket: says that it is ready and waits for `start`, who brings the state for hooks. Without:
/// only hooks make it ask for the state.
pub(super) fn start(p: &mut Program, plan: &InitPlan, inputs: &Inputs) {
    match inputs.start {
        Some(listener) => {
            p.own("getting ready", Op::Meet { point: Point::Ready.number() });
            p.own("waiting for start", Op::AwaitStart { listener });
            each(p, plan, inputs.hook_output);
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
    each(p, plan, output);
}

/// They run programs of the image: under what the container's own will run under.
fn each(p: &mut Program, plan: &InitPlan, output: [i32; 2]) {
    for (index, one) in plan.hooks.start_container.iter().enumerate() {
        hook(p, doing("startContainer", index), one, output, Some(&plan.process));
    }
}

/// One hook, confined as `process` if that is given. Nobody listens to its filter: a call that would be notified of
/// fails with ENOSYS.
pub(super) fn hook(
    p: &mut Program,
    doing: String,
    hook: &HookPlan,
    [stdout, stderr]: [i32; 2],
    process: Option<&ProcessPlan>,
) {
    const OF_A_LISTENER: u32 = SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    let filter = process.and_then(|p| p.seccomp.as_ref());
    let argv = list(hook.args.iter().map(String::as_str));
    let env = list(hook.env.iter().map(String::as_str));
    let op = Op::Hook {
        path: &c_string(hook.path.as_str()),
        argv: List::new(&argv),
        env: List::new(&env),
        home: hook.home,
        directory: c"",
        timeout: hook.timeout_ms.unwrap_or(0),
        stdout,
        stderr,
        no_new_privs: process.is_some_and(|p| p.no_new_privs),
        filter: &filter.map(|f| f.bytes()).unwrap_or_default(),
        filter_flags: filter.map_or(0, |f| f.flags() & !OF_A_LISTENER),
    };
    p.step(doing, &hook.path, &hook.pointer, op);
}
