//! /proc, opened once while it is still the host's, verified, and never looked up by name again: labels
//! and kernel parameters cannot be redirected (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881).

use core::ffi::CStr;

use cofferdam_sys::{Errno, Fd, Result, dirs, open, stat};

use crate::context::{Context, Done};

const BENEATH: u64 = open::RESOLVE_BENEATH | open::RESOLVE_NO_MAGICLINKS | open::RESOLVE_NO_XDEV;

pub(crate) fn open(c: &mut Context) -> Done {
    const ROOT_INODE: u64 = 1;
    let fd = open::open(c"/proc", open::O_PATH | open::O_DIRECTORY | open::O_NOFOLLOW)?;
    if stat::filesystem(fd.raw())? != stat::PROC_SUPER_MAGIC || stat::stat(fd.raw())?.ino != ROOT_INODE {
        return Err(Errno::ENODEV.into());
    }
    c.proc = Some(fd);
    Ok(())
}

/// Writes all of `value` to a file below /proc in one call.
pub(crate) fn write(c: &Context, file: &CStr, value: &[u8]) -> Done {
    let fd = beneath(c, file, open::O_WRONLY)?;
    Ok(open::write(fd.raw(), value).map(drop)?)
}

/// Writes a label; a kernel without `file` gets it in `fallback`.
pub(crate) fn label(c: &Context, file: &CStr, fallback: &CStr, value: &[u8]) -> Done {
    match write(c, file, value) {
        Err(e) if e.errno == Errno::ENOENT && !fallback.is_empty() => write(c, fallback, value),
        other => other,
    }
}

pub(crate) fn beneath(c: &Context, file: &CStr, flags: u64) -> Result<Fd> {
    let proc = c.proc.as_ref().ok_or(Errno::EBADF)?;
    open::openat2(proc.raw(), file, flags, 0, BENEATH)
}

/// chmod(2) of what a descriptor names, whatever stands at its path by now. (fchmod(2) takes no `O_PATH`
/// descriptors.)
pub(crate) fn chmod(c: &Context, fd: &Fd, mode: u32) -> Result<()> {
    with_link(c, fd, |own, name| dirs::fchmodat(own.raw(), name, mode))
}

/// open(2) of what a descriptor names: what was looked at is what is opened.
pub(crate) fn reopen(c: &Context, fd: &Fd, flags: u64) -> Result<Fd> {
    with_link(c, fd, |own, name| open::openat2(own.raw(), name, flags, 0, 0))
}

/// setxattr(2) of what a descriptor names. (fsetxattr(2) takes no `O_PATH` descriptors.)
pub(crate) fn set_attribute(c: &Context, fd: &Fd, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
    with_link(c, fd, |own, link| {
        crate::here::at(own, || cofferdam_sys::setxattr::setxattr(link, name, value, flags))
    })
}

/// A descriptor's own link in the verified /proc leads to what it names and nowhere else: gives the directory
/// that the link is in, and its name.
pub(crate) fn with_link<T>(c: &Context, fd: &Fd, act: impl FnOnce(&Fd, &CStr) -> Result<T>) -> Result<T> {
    let own = beneath(c, c"thread-self/fd", open::O_PATH | open::O_DIRECTORY)?;
    let (mut digits, mut rest, mut start) = ([0u8; 11], fd.raw().unsigned_abs(), 10usize);
    loop {
        start = start.saturating_sub(1);
        if let Some(slot) = digits.get_mut(start) {
            *slot = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or_default());
        }
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let name = digits.get(start..).and_then(|d| CStr::from_bytes_with_nul(d).ok()).ok_or(Errno::EBADF)?;
    act(&own, name)
}
