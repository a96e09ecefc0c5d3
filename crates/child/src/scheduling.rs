//! sched_setattr(2) from an operation.

use cofferdam_sys::Errno;
use cofferdam_sys::sched::{SchedAttr, setattr};

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
