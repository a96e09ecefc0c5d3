//! Installing the filter, and telling the parent about its listener.

use cofferdam_sys::{open, seccomp};

use crate::context::{Context, Done};
use crate::frame::{Frame, LISTENER, Point};

/// After the filter is in force only write(2) and read(2) are used to hand the listener over: the
/// parent takes it with pidfd_getfd(2). A profile that notifies write is refused by the compiler.
pub(crate) fn install(c: &mut Context, flags: u32, filter: &[u8]) -> Done {
    let Some(listener) = seccomp::set_filter(flags, filter)? else { return Ok(()) };
    let frame = Frame { kind: LISTENER, a: listener.raw().unsigned_abs(), b: 0, errno: 0 };
    open::write(c.control, &frame.encode())?;
    let mut word = [0u8; 1];
    let n = open::read(c.control, &mut word)?;
    // The descriptor goes at execve; closing it now would be one more call under the filter.
    let _ = listener.into_raw();
    if n == 1 && word == [Point::Listener as u8] { Ok(()) } else { Err(cofferdam_sys::Errno::EPROTO.into()) }
}
