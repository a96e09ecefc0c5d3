//! What the stages say to each other: 32-bit words in the machine's byte order, over a socket pair.
//!
//! Called by the stages only; the words are runc's, so that a trace of either reads the same.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;

use super::{Error, Result};

/// A word of the protocol. Each `…Please` goes to the parent, each `…Done` comes from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Write our id maps.
    MapsPlease,
    /// They are written.
    MapsDone,
    /// A pid follows, the last process's.
    PidPlease,
    /// It was read.
    PidDone,
    /// The last process may go on.
    Go,
    /// The sender has nothing more to do.
    Finished,
    /// Open our mount sources (runc 1.1), or write our time offsets (since 1.2).
    OffsetsOrSourcesPlease,
    /// They are written, or all sent.
    OffsetsOrSourcesDone,
}

impl Word {
    const ALL: [Self; 8] = [
        Self::MapsPlease,
        Self::MapsDone,
        Self::PidPlease,
        Self::PidDone,
        Self::Go,
        Self::Finished,
        Self::OffsetsOrSourcesPlease,
        Self::OffsetsOrSourcesDone,
    ];

    const fn number(self) -> u32 {
        match self {
            Self::MapsPlease => 0x40,
            Self::MapsDone => 0x41,
            Self::PidPlease => 0x42,
            Self::PidDone => 0x43,
            Self::Go => 0x44,
            Self::Finished => 0x45,
            Self::OffsetsOrSourcesPlease => 0x46,
            Self::OffsetsOrSourcesDone => 0x47,
        }
    }
}

/// One end of a socket pair between two stages.
#[derive(Debug)]
pub(super) struct Line(pub(super) UnixStream);

impl Line {
    /// Both ends; each is closed in the stages that do not use it.
    pub(super) fn pair() -> Result<(Self, Self)> {
        let (a, b) = UnixStream::pair()
            .map_err(|error| Error::new("making a socket pair", "between the stages").io(&error))?;
        Ok((Self(a), Self(b)))
    }

    pub(super) fn send(&mut self, word: Word) -> Result<()> {
        self.send_number(word.number())
    }

    pub(super) fn send_pid(&mut self, pid: i32) -> Result<()> {
        self.send_number(pid.cast_unsigned())
    }

    pub(super) fn receive(&mut self) -> Result<Word> {
        let number = self.receive_number()?;
        let word = Word::ALL.into_iter().find(|word| word.number() == number);
        word.ok_or_else(|| Error::new("hearing from another stage", format!("unknown word {number:#x}")))
    }

    pub(super) fn receive_pid(&mut self) -> Result<i32> {
        Ok(self.receive_number()?.cast_signed())
    }

    /// Awaits this very word.
    pub(super) fn expect(&mut self, word: Word) -> Result<()> {
        match self.receive()? {
            heard if heard == word => Ok(()),
            heard => {
                Err(Error::new("hearing from another stage", format!("{heard:?} in the place of {word:?}")))
            }
        }
    }

    fn send_number(&mut self, number: u32) -> Result<()> {
        self.0
            .write_all(&number.to_ne_bytes())
            .map_err(|error| Error::new("telling another stage", format!("{number:#x}")).io(&error))
    }

    fn receive_number(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.0.read_exact(&mut bytes).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => {
                Error::new("hearing from another stage", "it ended early").hint("its own report says why")
            }
            _ => Error::new("hearing from another stage", "a word").io(&error),
        })?;
        Ok(u32::from_ne_bytes(bytes))
    }
}
