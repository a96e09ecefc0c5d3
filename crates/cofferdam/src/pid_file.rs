//! The file with the process's number that a caller asked for: whole from the moment it has its name, and
//! nothing beside it whenever we are killed.

use std::ffi::CString;
use std::fs::{File, Permissions};
use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use cofferdam_sys::{dirs, open};

use crate::{Error, Result};

/// Makes the file, in place of one that is there.
pub(crate) fn write(path: &Path, pid: i32) -> Result<()> {
    nameless(path, pid)
        .or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Err(e) } else { renamed(path, pid) })
        .map_err(|e| Error::io("writing the pid file", path, &e))
}

fn fill(file: &mut File, pid: i32) -> std::io::Result<()> {
    file.write_all(pid.to_string().as_bytes())?;
    file.set_permissions(Permissions::from_mode(0o644))
}

/// A file without a name gets its name when it is written.
fn nameless(path: &Path, pid: i32) -> std::io::Result<()> {
    const O_TMPFILE: u64 = 0o20_000_000 | open::O_DIRECTORY;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let flags = i32::try_from(O_TMPFILE).unwrap_or_default();
    let mut file = File::options().write(true).mode(0o644).custom_flags(flags).open(parent)?;
    fill(&mut file, pid)?;
    let open = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let name = CString::new(path.as_os_str().as_bytes())?;
    let link = || dirs::link_following(&open, &name).map_err(|e| std::io::Error::from_raw_os_error(e.0));
    match link() {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(path)?;
            link()
        }
        other => other,
    }
}

/// For file systems without such files.
fn renamed(path: &Path, pid: i32) -> std::io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}.{pid}"));
    fill(&mut File::create(&new)?, pid)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_and_replaced_and_nothing_is_beside_it() {
        let dir = std::env::temp_dir().join(format!("cofferdam-pid-file-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("pid");
        for (way, pid) in [(nameless as fn(&Path, i32) -> _, 7), (nameless, 8), (renamed, 9), (write_io, 10)]
        {
            let result = way(&path, pid);
            // Not every file system has files without a name.
            let lacks = result.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::Unsupported);
            assert!(result.is_ok() || lacks, "{result:?}");
            assert!(lacks || std::fs::read_to_string(&path).unwrap() == pid.to_string());
        }
        let left = std::fs::read_dir(&dir).unwrap().count();
        std::fs::remove_dir_all(&dir).unwrap();
        assert_eq!(left, 1);
    }

    fn write_io(path: &Path, pid: i32) -> std::io::Result<()> {
        write(path, pid).map_err(|e| std::io::Error::other(e.to_string()))
    }
}
