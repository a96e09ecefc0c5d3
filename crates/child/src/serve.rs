//! Obeying for a while: programs that come one after the other on the control socket, each answered.
//!
//! Called by the loop for [`crate::op::Op::Obey`]: a process that joined another's namespaces stays for its
//! caller's next wishes; one that waits prepared learns what is left to do.

use cofferdam_sys::{Errno, Result, mmap, setns, socket};

use crate::context::{Context, Done, Fail};
use crate::frame::{DENIED, DONE, Frame, INLINE, MESSAGE, SEALED};
use crate::{here_as, run};

/// Returns only when nobody can be answered any more; ends the process when nobody is there.
pub(crate) fn serve(c: &mut Context) -> Done {
    loop {
        let mut message = [0u8; MESSAGE];
        let (n, fds) = socket::recv(c.control, &mut message)?;
        let Some((kind, inline)) = message.get(..n).and_then(<[u8]>::split_first) else { setns::exit(0) };
        c.text.clear();
        c.received = fds;
        let frame = match obey(c, *kind, inline) {
            Ok(count) => Frame { kind: DONE, a: count, b: 0, errno: 0 },
            Err((at, fail)) => Frame { kind: DENIED, a: at, b: fail.detail, errno: fail.errno.0 },
        };
        here_as::leave(c);
        c.received = Default::default();
        c.say(frame, &[])?;
    }
}

fn obey(c: &mut Context, kind: u8, inline: &[u8]) -> core::result::Result<u32, (u32, Fail)> {
    let corrupt = |e: Errno| (crate::frame::CORRUPT, Fail::from(e));
    match kind {
        INLINE => run::all(c, inline),
        SEALED => {
            let file = first(c).map_err(corrupt)?;
            mmap::with_sealed(file.raw(), |block| run::all(c, block)).map_err(corrupt)?
        }
        _ => Err(corrupt(Errno::EBADMSG)),
    }
}

/// Takes the first of the descriptors that came along; the others move up.
pub(crate) fn first(c: &mut Context) -> Result<cofferdam_sys::Fd> {
    let file = c.received.first_mut().and_then(Option::take).ok_or(Errno::EBADF)?;
    c.received.rotate_left(1);
    Ok(file)
}
