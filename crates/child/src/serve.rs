//! Obeying for a while: programs that come one after the other on the control socket, each answered.
//!
//! Called by the loop for [`crate::op::Op::Obey`]: a process that joined another's namespaces stays for its
//! caller's next wishes; one that waits prepared learns what is left to do.

use cofferdam_sys::{Errno, Result, getppid, mmap, prctl, seccomp, setns, socket};

use crate::context::{Context, Done, Fail};
use crate::frame::{DENIED, DESCRIPTOR, DONE, Frame, INLINE, MESSAGE, SEALED};
use crate::{here_as, run};

/// Returns only when nobody can be answered any more; ends the process when nobody is there.
pub(crate) fn serve(c: &mut Context) -> Done {
    let mut last = None;
    loop {
        wait(c, last.take())?;
        let mut message = [0u8; MESSAGE];
        let (n, fds) = socket::recv(c.control, &mut message)?;
        let Some((kind, inline)) = message.get(..n).and_then(<[u8]>::split_first) else { setns::exit(0) };
        c.text.clear();
        c.sent.set(0);
        c.heard = c.heard.wrapping_add(1);
        c.received = fds;
        let frame = match obey(c, *kind, inline) {
            Ok(count) => Frame { kind: DONE, a: count, b: 0, errno: 0 },
            Err((at, fail)) => Frame { kind: DENIED, a: at, b: fail.detail, errno: fail.errno.0 },
        };
        here_as::leave(c);
        c.received = Default::default();
        if c.parks && c.text.bytes().is_empty() {
            last = Some(frame);
        } else {
            c.say(frame, &[])?;
        }
    }
}

/// As [`crate::op::Op::Park`] says. A filter takes no_new_privs where there is no CAP_SYS_ADMIN; who parks executes
/// nothing anyway.
pub(crate) fn park(c: &mut Context, filter: &[u8]) -> Done {
    prctl::set_no_new_privs()?;
    // Not there, or one is in force already.
    let Ok(Some(listener)) = seccomp::set_filter(seccomp::SECCOMP_FILTER_FLAG_NEW_LISTENER, filter) else {
        return Ok(());
    };
    c.say(Frame { kind: DESCRIPTOR, a: 0, b: 0, errno: 0 }, &[listener.raw()])?;
    c.parks = true;
    c.sent.set(0);
    Ok(())
}

/// Until there is something to receive, where the other side says so. Without a listener receiving waits.
fn wait(c: &mut Context, last: Option<Frame>) -> Done {
    if !c.parks {
        return Ok(());
    }
    let [first, second] = last.map_or([0; 2], Frame::words);
    // Whoever is interrupted as it is answered makes the call again, and the answer is lost: the count tells.
    let counts = u64::from(c.heard) << 32 | u64::from(c.sent.get());
    match getppid::getppid([first, second, counts]) {
        Ok(_) => Ok(()),
        Err(Errno::ENOSYS) => {
            c.parks = false;
            last.map_or(Ok(()), |frame| Ok(c.say(frame, &[])?))
        }
        Err(e) => Err(e.into()),
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
