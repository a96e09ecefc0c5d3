//! Waking whoever waits in poll(2), once and for good.
//!
//! Used by whatever waits here.

use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use crate::{Error, Result};

/// Readable once it was stopped.
#[derive(Debug)]
pub(crate) struct Stop {
    stopped: PipeReader,
    stop: Mutex<Option<PipeWriter>>,
}

impl Stop {
    pub(crate) fn new() -> Result<Self> {
        let (stopped, stop) = std::io::pipe().map_err(|e| Error::io("making a pipe", &e))?;
        Ok(Self { stopped, stop: Mutex::new(Some(stop)) })
    }

    pub(crate) fn stop(&self) {
        let mut stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut writer) = stop.take() {
            // Closing it wakes, too.
            let _ = writer.write(&[0]);
        }
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.stopped.as_raw_fd()
    }
}
