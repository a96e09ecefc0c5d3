//! Keys, read without waiting for the end of a line. Made by `main`, if there is a terminal.

use std::io::{self, IsTerminal};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// What a key says.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Key {
    End,
    Number(usize),
}

/// The terminal, as it was before when dropped.
pub(crate) struct Keys(Termios);

impl Keys {
    pub(crate) fn new() -> Option<Self> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let before = tcgetattr(io::stdin()).ok()?;
        let mut single = before.clone();
        single.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &single).ok()?;
        Some(Self(before))
    }

    /// The keys that were pressed since the last time.
    pub(crate) fn typed(&self) -> Vec<Key> {
        let stdin = io::stdin();
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let mut buffer = [0; 64];
        match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&at_once)) {
            Ok(1..) => {}
            _ => return Vec::new(),
        }
        let read = rustix::io::read(&stdin, &mut buffer).unwrap_or_default();
        let key = |byte: &u8| match byte {
            b'q' => Some(Key::End),
            b'0'..=b'9' => Some(Key::Number(usize::from(byte.saturating_sub(b'0')))),
            _ => None,
        };
        buffer.iter().take(read).filter_map(key).collect()
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
