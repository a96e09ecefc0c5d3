//! What a step writes: the beginning is kept, the rest is read and forgotten, so that a program that writes
//! without end costs no memory and is not stopped by a full pipe. Used by `step`.

use std::io::{ErrorKind, PipeReader, Read};
use std::thread::JoinHandle;

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Captured {
    pub(crate) kept: Vec<u8>,
    /// Bytes in all.
    pub(crate) written: u64,
}

/// Reads to the end on a thread of its own, keeping `limit` bytes.
pub(crate) fn start(mut from: PipeReader, limit: usize) -> JoinHandle<Captured> {
    std::thread::spawn(move || {
        let (mut captured, mut buffer) = (Captured::default(), vec![0; 64 << 10]);
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return captured,
                Ok(n) => {
                    let room = limit.saturating_sub(captured.kept.len());
                    captured.kept.extend(buffer.iter().take(n.min(room)));
                    captured.written = captured.written.saturating_add(u64::try_from(n).unwrap_or(u64::MAX));
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => return captured,
            }
        }
    })
}
