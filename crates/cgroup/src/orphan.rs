//! Directories above several containers' cgroups: who made one may end before the others that are in it, and
//! leaves it to them.
//!
//! Called by [`crate::delete`]. A mark on the directory, an extended attribute (xattr(7)), says that a container
//! made it and could not remove it; whoever leaves a marked one tries. What nobody marked belongs to somebody
//! else, and stays.

use std::ffi::{CStr, CString};
use std::fs::remove_dir;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam_sys::Errno;
use cofferdam_sys::getxattr::getxattr;
use cofferdam_sys::setxattr::setxattr;

use crate::file;
use crate::hierarchy::Mode;
use crate::plan::CgroupDir;

/// Version 1 takes no attributes of users, and version 2 does since Linux 5.7.
fn name(mode: Mode) -> &'static CStr {
    if mode == Mode::V2 { c"user.cofferdam.orphan" } else { c"trusted.cofferdam.orphan" }
}

fn path(path: &Path) -> Option<CString> {
    CString::new(path.as_os_str().as_bytes()).ok()
}

/// Removes a directory that was made for a container, or leaves it to those that are in it.
pub(crate) fn remove_or_leave(parent: &Path, mode: Mode) {
    let busy = |removed: std::io::Result<()>| removed.is_err_and(|e| file::is(&e, Errno::EBUSY));
    if !busy(remove_dir(parent)) {
        return;
    }
    let marked = path(parent).map(|path| setxattr(&path, name(mode), b"", 0));
    // The last one in it may have looked for the mark before it was there.
    if marked.is_some_and(|marked| marked.is_ok()) {
        let _ = remove_dir(parent);
    }
}

/// Removes what was left to the container whose directory this was, if it was the last.
pub(crate) fn remove_what_was_left(dir: &CgroupDir, mode: Mode) {
    let above = dir.path.ancestors().skip(1);
    for parent in above.take_while(|p| p.starts_with(&dir.mount_point) && **p != *dir.mount_point) {
        let Some(path) = path(parent) else { return };
        match getxattr(&path, name(mode), &mut []) {
            Ok(_) if remove_dir(parent).is_ok() => {}
            Err(Errno::ENOENT) => {}
            _ => return,
        }
    }
}
