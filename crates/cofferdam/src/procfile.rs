//! Reading the kernel's small files: one open, one large buffer, as few reads as the kernel allows.
//!
//! Called for facts and processes. `std::fs::read` asks such a file for its length, which is 0, and then
//! begins with 32 bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Larger than /proc/PID/status and most others.
const USUAL: usize = 4096;

/// The whole file.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = vec![0; USUAL];
    let mut length = 0;
    loop {
        match file.read(bytes.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(n) => length += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        if length == bytes.len() {
            bytes.resize(length * 2, 0);
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_kernels_is_read_whole() {
        for name in ["/proc/filesystems", "/proc/sys/kernel/ostype", "/proc/self/cgroup"] {
            assert_eq!(read(Path::new(name)).unwrap(), std::fs::read(name).unwrap());
        }
        // Longer than the buffer, and different at every reading.
        assert!(read(Path::new("/proc/self/smaps")).unwrap().len() > USUAL);
    }

    #[test]
    fn one_that_is_missing_is_an_error() {
        assert_eq!(read(Path::new("/proc/nothing")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
