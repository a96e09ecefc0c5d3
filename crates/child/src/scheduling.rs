//! sched_setattr(2) from an operation, and the way out of the caller's CPUs.

use cofferdam_sys::Errno;
use cofferdam_sys::sched::{SchedAttr, setaffinity, setattr};

use crate::context::Done;
use crate::op::Op;

pub(crate) fn scheduler(op: &Op<'_>) -> Done {
    let Op::Scheduler { policy, flags, nice, priority, runtime, deadline, period } = *op else {
        return Err(Errno::ENOSYS.into());
    };
    let mut attr = SchedAttr::default();
    (attr.policy, attr.flags, attr.nice, attr.priority) = (policy, flags, nice, priority);
    (attr.runtime, attr.deadline, attr.period) = (runtime, deadline, period);
    Ok(setattr(attr)?)
}

/// As many CPUs as the kernel can be built for.
static EVERY: [u8; 1024] = [0xff; 1024];

/// The kernel keeps of them what the cgroup allows. A caller that may not ask for more stays where it is: its
/// container works there too.
pub(crate) fn every_cpu() {
    let _ = setaffinity(&EVERY);
}
