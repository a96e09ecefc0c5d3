//! A process by number, told apart from a later one of the same number.

use std::fs;
use std::os::fd::OwnedFd;

use cofferdam_sys::pidfd;
use cofferdam_sys::poll::{PollFd, poll};
use cofferdam_sys::wait::Ended;

use crate::procfile;

/// What /proc/PID/stat says of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    /// One letter: `R`, `S`, `Z`…
    pub(crate) state: u8,
    /// Field 4.
    pub(crate) parent: i32,
    /// Field 22.
    pub(crate) start_time: u64,
}

/// Reads /proc/PID/stat; `None` when there is no such process.
pub(crate) fn stat(pid: i32) -> Option<Stat> {
    parse(&procfile::read(format!("/proc/{pid}/stat").as_ref()).ok()?)
}

/// How the process of a pidfd ended that is about to be reaped by somebody else, or has been (Linux 6.15).
/// That it has ended is seen a moment before the kernel says how.
pub(crate) fn reaped_status(fd: i32) -> Option<Ended> {
    const TRIES: usize = 20;
    for _ in 0..TRIES {
        match pidfd::exit_status(fd) {
            Ok(None) => {}
            other => return other.ok().flatten(),
        }
        // Without events only a hang-up is told: it has been reaped (Linux 6.9).
        let mut fds = [PollFd { fd, events: 0, revents: 0 }];
        let _ = poll(&mut fds, Some(10));
    }
    None
}

/// The status word of a zombie, field 52 of /proc/PID/stat; `None` where that is not for us to know.
pub(crate) fn zombie_status(pid: i32) -> Option<i32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_ascii_whitespace();
    let status = fields.next().filter(|state| *state == "Z").and_then(|_| fields.nth(48))?.parse().ok()?;
    // 0 is also what those read who have no right to: it is the right that shows a namespace's name, too.
    let told = status != 0 || fs::read_link(format!("/proc/{pid}/ns/user")).is_ok();
    told.then_some(status)
}

/// Fields are counted from the last `)`: the name before it may hold anything.
fn parse(text: &[u8]) -> Option<Stat> {
    let after = text.iter().rposition(|b| *b == b')')?;
    let mut fields = std::str::from_utf8(text.get(after + 1..)?).ok()?.split_ascii_whitespace();
    let state = *fields.next()?.as_bytes().first()?;
    let parent = fields.next()?.parse().ok()?;
    let start_time = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, start_time })
}

/// Whether that very process is there and not a zombie.
pub(crate) fn alive(pid: i32, start_time: u64) -> bool {
    pid > 0 && stat(pid).is_some_and(|s| s.start_time == start_time && !matches!(s.state, b'Z' | b'X'))
}

/// A descriptor of that very process: checked after it was opened, so that the number cannot change
/// hands in between.
pub(crate) fn open(pid: i32, start_time: u64) -> Option<OwnedFd> {
    let fd = pidfd::open(pid).ok()?;
    (stat(pid)?.start_time == start_time).then(|| fd.into())
}

/// The number of a pidfd's process in our PID namespace.
pub(crate) fn of_pidfd(fd: i32) -> Option<i32> {
    let info = procfile::read(format!("/proc/self/fdinfo/{fd}").as_ref()).ok()?;
    std::str::from_utf8(&info).ok()?.lines().find_map(|l| l.strip_prefix("Pid:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_process_name_does_not_shift_the_fields() {
        let text = b"42 (a) Z 1 2 (x) S 1 42 42 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        assert_eq!(parse(text), Some(Stat { state: b'S', parent: 1, start_time: 777 }));
    }

    #[test]
    fn we_are_alive_and_nobody_else_is_us() {
        let me = i32::try_from(std::process::id()).unwrap();
        let start = stat(me).unwrap().start_time;
        assert!(alive(me, start) && !alive(me, start + 1) && open(me, start).is_some());
        assert_eq!(of_pidfd(std::os::fd::AsRawFd::as_raw_fd(&open(me, start).unwrap())), Some(me));
    }
}
