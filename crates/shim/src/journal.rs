//! The shim's log: the fifo `log` in the bundle, which containerd reads into its own.
//!
//! Called by everything that has nobody to answer to. It never waits: what nobody reads is lost.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::OnceLock;

static LOG: OnceLock<File> = OnceLock::new();

/// Opens it, if somebody reads it.
pub(crate) fn open() {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    if let Ok(file) = OpenOptions::new().write(true).custom_flags(nonblock).open("log") {
        let _ = LOG.set(file);
    }
}

/// Something went wrong that no answer can tell of. One line, as containerd's own logs have it.
pub(crate) fn complain(of: &str, error: &dyn std::fmt::Display) {
    if let Some(mut log) = LOG.get() {
        let time = cofferdam::timestamp();
        let text = format!("{of}: {error}").replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = log.write_all(format!("time=\"{time}\" level=warning msg=\"{text}\"\n").as_bytes());
    }
}
