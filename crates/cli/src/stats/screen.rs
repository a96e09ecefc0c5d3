//! The caller's terminal as one picture that is drawn again and again.
//!
//! Called by the watch. Whatever ends the command, but for SIGKILL, gives the terminal back as it was: an end, a
//! signal (which is read, not obeyed), a panic.

use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, Once, PoisonError};

use crate::failure::Failure;

/// Another screen beside what is there, without a cursor.
const ENTER: &str = "\x1b[?1049h\x1b[?25l";
/// Back to what was there.
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
/// To the first cell.
const HOME: &str = "\x1b[H";
/// Nothing more in this line, and in those below.
const REST_OF_LINE: &str = "\x1b[K";
const REST_OF_SCREEN: &str = "\x1b[J";

/// What is given back, and how: the screen's owner does it, or the hook of a panic.
static GIVE_BACK: Mutex<Option<Terminal>> = Mutex::new(None);

#[derive(Debug)]
struct Terminal {
    output: File,
    /// Where keys come from, and how it was.
    keys: Option<(File, Termios)>,
}

impl Terminal {
    fn give_back(mut self) {
        // A terminal that went away needs nothing.
        let _ = self.output.write_all(LEAVE.as_bytes());
        if let Some((keys, before)) = &self.keys {
            let _ = tcsetattr(keys, OptionalActions::Now, before);
        }
    }
}

/// The terminal, while it is ours.
#[derive(Debug)]
pub(super) struct Screen {
    output: File,
    keys: Option<File>,
}

impl Screen {
    /// Standard output, if it is a terminal; keys are standard input's, if that is one.
    pub(super) fn open() -> Result<Option<Self>, Failure> {
        let own = |fd: BorrowedFd<'_>| fd.try_clone_to_owned().map_err(|e| failed(&e));
        if !isatty(rustix::stdio::stdout()) {
            return Ok(None);
        }
        let keys = isatty(rustix::stdio::stdin()).then(|| own(rustix::stdio::stdin())).transpose()?;
        Self::on(own(rustix::stdio::stdout())?, keys).map(Some)
    }

    fn on(output: OwnedFd, keys: Option<OwnedFd>) -> Result<Self, Failure> {
        let screen = Self { output: output.into(), keys: keys.map(File::from) };
        screen.enter()?;
        Ok(screen)
    }

    fn enter(&self) -> Result<(), Failure> {
        give_back_on_panic();
        let keys = self.keys.as_ref().map(mode).transpose()?;
        let output = self.output.try_clone().map_err(|e| failed(&e))?;
        *lock() = Some(Terminal { output, keys });
        // From here on whatever happens gives it back.
        if let Some(keys) = &self.keys {
            let mut quiet = tcgetattr(keys).map_err(|e| failed(&e.into()))?;
            quiet.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
            tcsetattr(keys, OptionalActions::Now, &quiet).map_err(|e| failed(&e.into()))?;
        }
        (&self.output).write_all(ENTER.as_bytes()).map_err(|e| failed(&e))
    }

    /// Stops this process as the terminal's user asked for, and goes on when it is to.
    pub(super) fn suspend(&self) -> Result<(), Failure> {
        give_back();
        stop()?;
        self.enter()
    }

    /// Draws `text` over what is there; what does not fit is not drawn.
    pub(super) fn draw(&mut self, text: &str) -> Result<(), Failure> {
        let (rows, columns) = self.size();
        let mut picture = String::from(HOME);
        for (index, line) in text.lines().take(rows).enumerate() {
            if index > 0 {
                picture.push('\n');
            }
            picture.extend(line.chars().take(columns));
            picture.push_str(REST_OF_LINE);
        }
        picture.push_str(REST_OF_SCREEN);
        self.output.write_all(picture.as_bytes()).map_err(|e| failed(&e))
    }

    /// In lines and characters; one that does not say is one of old.
    fn size(&self) -> (usize, usize) {
        let size = tcgetwinsize(&self.output).ok().filter(|size| size.ws_row > 0 && size.ws_col > 0);
        size.map_or((24, 80), |size| (size.ws_row.into(), size.ws_col.into()))
    }

    /// What to wait for to read a key.
    pub(super) fn keys(&self) -> Option<BorrowedFd<'_>> {
        self.keys.as_ref().map(AsFd::as_fd)
    }

    /// Whether what was typed is to end it; the end of the terminal is.
    pub(super) fn wants_to_quit(&mut self) -> bool {
        let mut typed = [0; 64];
        match self.keys.as_mut().map(|keys| keys.read(&mut typed)) {
            Some(Ok(0) | Err(_)) => true,
            Some(Ok(n)) => typed.iter().take(n).any(|key| matches!(key, b'q' | b'Q')),
            None => false,
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Stops this process until somebody lets it go on.
pub(super) fn stop() -> Result<(), Failure> {
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP)
        .map_err(|e| Failure::io("stopping", &e.into()))
}

fn mode(keys: &File) -> Result<(File, Termios), Failure> {
    let before = tcgetattr(keys).map_err(|e| failed(&e.into()))?;
    Ok((keys.try_clone().map_err(|e| failed(&e))?, before))
}

fn lock() -> std::sync::MutexGuard<'static, Option<Terminal>> {
    GIVE_BACK.lock().unwrap_or_else(PoisonError::into_inner)
}

fn give_back() {
    let terminal = lock().take();
    if let Some(terminal) = terminal {
        terminal.give_back();
    }
}

/// A panic's message is readable and its terminal usable: the hook runs first, also where a panic aborts.
fn give_back_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            // Whoever holds it is about to give it back.
            if let Some(terminal) = GIVE_BACK.try_lock().ok().and_then(|mut held| held.take()) {
                terminal.give_back();
            }
            before(panic);
        }));
    });
}

fn failed(error: &std::io::Error) -> Failure {
    Failure::io("using the terminal", error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{Winsize, tcsetwinsize};

    /// A terminal: the end that shows, and the one that is used.
    fn terminal() -> (File, File) {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let used = File::options().read(true).write(true).open(name).unwrap();
        (File::from(master), used)
    }

    fn shown(master: &mut File) -> String {
        let mut bytes = [0; 4096];
        let n = master.read(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..n]).into_owned()
    }

    fn modes(terminal: &File) -> LocalModes {
        tcgetattr(terminal).unwrap().local_modes
    }

    // One test: the terminal of a process is one, and so is the hook.
    #[test]
    fn a_terminal_is_given_back_at_the_end_and_at_a_panic() {
        let (mut master, used) = terminal();
        let size = Winsize { ws_row: 2, ws_col: 5, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&used, size).unwrap();
        let before = modes(&used);
        assert!(before.contains(LocalModes::ECHO | LocalModes::ICANON));
        let another = used.try_clone().unwrap();
        let own = move || OwnedFd::from(another.try_clone().unwrap());

        let mut screen = Screen::on(own(), Some(own())).unwrap();
        assert_eq!(shown(&mut master), ENTER);
        assert!(!modes(&used).intersects(LocalModes::ECHO | LocalModes::ICANON));
        assert!(modes(&used).contains(LocalModes::ISIG), "ctrl-C is still a signal");
        screen.draw("123456789\nb\nc\n").unwrap();
        assert_eq!(shown(&mut master), "\x1b[H12345\x1b[K\r\nb\x1b[K\x1b[J", "what fits, and no scrolling");
        master.write_all(b"x").unwrap();
        assert!(!screen.wants_to_quit());
        master.write_all(b"q").unwrap();
        assert!(screen.wants_to_quit());
        drop(screen);
        assert_eq!((shown(&mut master).as_str(), modes(&used)), (LEAVE, before));

        let screen = Screen::on(own(), Some(own())).unwrap();
        assert_eq!(shown(&mut master), ENTER);
        let panicked = std::thread::spawn(|| panic!("on purpose: the terminal is given back")).join();
        assert!(panicked.is_err());
        assert_eq!((shown(&mut master).as_str(), modes(&used)), (LEAVE, before));
        drop(screen);
        // Not a second time.
        drop((own, used));
        assert!(master.read(&mut [0; 16]).is_err(), "nothing more was shown");
    }
}
