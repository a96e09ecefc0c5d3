//! A command on a terminal of the container's: keys go in, what it prints comes out. Called by `main`.

use std::fs::File;
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use cofferdam_nsenter::{Enter, Inside, Open};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, tcsetwinsize};

use crate::shell::{NAME, Wish};

/// Runs the command and gives its status.
pub(crate) fn run(enter: &Enter, command: &[String]) -> Result<i32, String> {
    let failed = |e: Errno| format!("a terminal for the container: {e}");
    let master = enter.open("/dev/ptmx", &Open::read().and_write()).map_err(|e| e.to_string())?;
    rustix::pty::unlockpt(&master).map_err(failed)?;
    let name = rustix::pty::ptsname(&master, Vec::new()).map_err(failed)?;
    let wish = Wish { command: command.to_vec(), terminal: Some(name.to_string_lossy().into_owned()) };
    let (over, running) = io::pipe().map_err(|e| e.to_string())?;
    let raw = Raw::new().map_err(failed)?;
    std::thread::scope(|scope| {
        let status = scope.spawn(move || {
            let status = enter.call(NAME, &wish).map_err(|e| e.to_string());
            drop(running);
            status
        });
        let mut master = Some(File::from(master));
        let relayed = master.as_mut().map_or(Ok(()), |m| relay(m, &over));
        let relayed = relayed.map_err(|e| format!("relaying the terminal: {e}"));
        if relayed.is_err() {
            // That ends what runs on it. Where all is well it must stay until the status is here: the helper
            // would be hung up on its last words.
            master = None;
        }
        let status = status.join().map_err(|_| "the call of the module panicked".to_owned())?;
        drop((raw, master));
        relayed.and(status)
    })
}

/// Until the command is over and what it printed is shown.
fn relay(master: &mut File, over: &PipeReader) -> io::Result<()> {
    let resized = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register(signal_hook::consts::SIGWINCH, Arc::clone(&resized))?;
    let (mut stdin, mut typing) = (File::from(io::stdin().as_fd().try_clone_to_owned()?), true);
    let mut stdout = io::stdout();
    loop {
        if resized.swap(false, Ordering::Relaxed) {
            // A size that cannot be had or set is not worth ending for.
            let _ = tcgetwinsize(&stdin).and_then(|size| tcsetwinsize(&*master, size));
        }
        let mut fds = [
            PollFd::new(&*master, PollFlags::IN),
            PollFd::new(over, PollFlags::IN),
            PollFd::new(&stdin, PollFlags::IN),
        ];
        // A keyboard that is gone would be ready for ever.
        let watched = if typing { fds.as_mut_slice() } else { fds.split_at_mut(2).0 };
        match poll(watched, None) {
            Err(Errno::INTR) => continue,
            other => other?,
        };
        let [printed, ended, typed] = fds.map(|fd| !fd.revents().is_empty());
        if printed && !copy(master, &mut stdout)? {
            return Ok(());
        }
        if ended && !printed {
            return Ok(());
        }
        if typed {
            typing = copy(&mut stdin, master)?;
        }
    }
}

/// Whether there may be more to come.
fn copy(from: &mut File, to: &mut impl Write) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    match from.read(&mut buffer) {
        // Nobody has the terminal open any more.
        Err(e) if e.raw_os_error() == Some(Errno::IO.raw_os_error()) => Ok(false),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(true),
        Err(e) => Err(e),
        Ok(0) => Ok(false),
        Ok(n) => {
            to.write_all(buffer.get(..n).unwrap_or_default())?;
            to.flush()?;
            Ok(true)
        }
    }
}

/// Our own terminal passes every key on; as it was before when dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> rustix::io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
