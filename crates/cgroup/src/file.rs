//! Reading and writing the kernel's small files.
//!
//! Called by the half of this crate that owns directories. Paths are absolute and were made by the plan
//! from a mount point and checked names: cgroupfs has no symbolic links, so one look-up per file costs
//! less than a directory descriptor would. It may not interpret what it reads.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

/// The whole file. Not `read_to_end`: it asks for the length first, and cgroup files have none.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; 4096];
    let mut len = 0;
    loop {
        match file.read(bytes.get_mut(len..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if len == bytes.len() {
            bytes.resize(len * 2, 0);
        }
    }
    bytes.truncate(len);
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// For writing, never created.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).open(path)
}

/// One write(2): the kernel takes a cgroup file's value whole or not at all.
pub(crate) fn put(file: &mut File, value: &str) -> io::Result<()> {
    loop {
        match file.write(value.as_bytes()) {
            Ok(_) => return Ok(()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

pub(crate) fn write(path: &Path, value: &str) -> io::Result<()> {
    put(&mut open(path)?, value)
}

/// Whether this is the kernel's `errno`.
pub(crate) fn is(error: &io::Error, errno: cofferdam_sys::Errno) -> bool {
    error.raw_os_error() == Some(errno.0)
}
