//! The caller's terminal in raw mode: what is typed goes to the container as it is typed.
//!
//! Called by the relay. Whatever happens, the terminal is given back as it was.

use cofferdam::oci::ConsoleSize;
use rustix::termios::{
    OptionalActions, OutputModes, Termios, Winsize, isatty, tcgetattr, tcgetwinsize, tcsetattr,
};
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};

use crate::failure::Failure;

/// The caller's terminal; restored when dropped.
#[derive(Debug)]
pub(crate) struct RawTerminal {
    terminal: Terminal,
    before: Option<Termios>,
}

#[derive(Debug)]
enum Terminal {
    Standard(BorrowedFd<'static>),
    Controlling(File),
}

impl AsFd for Terminal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Standard(fd) => *fd,
            Self::Controlling(file) => file.as_fd(),
        }
    }
}

impl RawTerminal {
    /// Finds the terminal: one of the three standard streams, else the controlling one.
    pub(crate) fn find() -> Result<Self, Failure> {
        let streams = [rustix::stdio::stderr(), rustix::stdio::stdout(), rustix::stdio::stdin()];
        let terminal = match streams.into_iter().find(|fd| isatty(*fd)) {
            Some(fd) => Terminal::Standard(fd),
            None => Terminal::Controlling(
                File::open("/dev/tty").map_err(|error| Failure::io("opening /dev/tty", &error))?,
            ),
        };
        Ok(Self { terminal, before: None })
    }

    /// Makes it raw. Output is still processed, since the container's terminal leaves its newlines as
    /// they are.
    pub(crate) fn make_raw(&mut self) -> Result<(), Failure> {
        let failed = |errno: rustix::io::Errno| Failure::io("making the terminal raw", &errno.into());
        let before = tcgetattr(&self.terminal).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        raw.output_modes |= OutputModes::OPOST;
        tcsetattr(&self.terminal, OptionalActions::Now, &raw).map_err(failed)?;
        self.before = Some(before);
        Ok(())
    }

    /// Its size in characters.
    pub(crate) fn size(&self) -> Option<Winsize> {
        tcgetwinsize(&self.terminal).ok()
    }
}

/// Gives a process that names no size that of the caller's terminal: it may look before the relay has said
/// anything.
pub(crate) fn lend_size(host: Option<&RawTerminal>, process: &mut cofferdam::oci::Process) {
    if let Some(size) = host.and_then(RawTerminal::size) {
        let size = ConsoleSize { height: size.ws_row.into(), width: size.ws_col.into() };
        process.console_size.get_or_insert(size);
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            // A terminal that went away needs no mode.
            let _ = tcsetattr(&self.terminal, OptionalActions::Now, before);
        }
    }
}
