//! Directories under another name, device nodes of a list, owners and attributes within limits, the host's files in
//! the place of others.
//!
//! Called by `carry_out`.

use std::collections::BTreeMap;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cofferdam_notify::{AT_FDCWD, Answer, Call, Errno, Request, Result};
use cofferdam_nsenter::{Inside, Open, Set};

use super::{Context, Done, NOT_HOME, refuse, users};
use crate::policy::device::Device;
use crate::policy::matching::Pattern;
use crate::policy::template::Template;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const O_PATH: u64 = 0o10_000_000;
const O_NOFOLLOW: u64 = 0o400_000;
/// capabilities(7).
const CAP_CHOWN: u32 = 0;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_MKNOD: u32 = 27;
const S_IFMT: u32 = 0o170_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFBLK: u32 = 0o060_000;

/// Makes the directory with the suffix behind its name, as the caller would: with its rights, umask and root.
pub(super) fn mkdir(suffix: &Template, context: &Context, request: &Request) -> Result<Done> {
    let Call::Mkdir { dir, path, mode } = request.call()? else {
        return Ok(refuse(Errno::ENOSYS, "no mkdir"));
    };
    // `mkdir name/` makes `name`.
    let name = path.to_bytes();
    let end = name.iter().rposition(|byte| *byte != b'/').map_or(0, |last| last + 1);
    let name = name.get(..end).unwrap_or_default();
    if name.is_empty() {
        return Ok(refuse(if path.is_empty() { Errno::ENOENT } else { Errno::EEXIST }, "no name"));
    }
    let suffix = suffix.render(&context.container);
    let Ok(path) = CString::new([name, suffix.as_bytes()].concat()) else {
        return Ok(refuse(Errno::EINVAL, "the suffix has a null byte"));
    };
    let reason = path.to_string_lossy().into_owned();
    let actor = context.actors.for_caller(request)?;
    Ok(Done { answer: actor.perform(&Call::Mkdir { dir, path, mode })?, reason })
}

/// Makes a device node if its number is on the list, and what is no device as the caller would.
pub(super) fn mknod(devices: &[Device], context: &Context, request: &Request) -> Result<Done> {
    let call = request.call()?;
    let Call::Mknod { mode, device: (major, minor), .. } = &call else {
        return Ok(refuse(Errno::ENOSYS, "no mknod"));
    };
    let kind = mode & S_IFMT;
    let actor = context.actors.for_caller(request)?;
    if kind != S_IFCHR && kind != S_IFBLK {
        return Ok(actor.perform(&call)?.into());
    }
    let block = kind == S_IFBLK;
    let name = format!("{} {major}:{minor}", if block { 'b' } else { 'c' });
    if !devices.iter().any(|device| device.holds(block, *major, *minor)) {
        return Ok(refuse(Errno::EPERM, format!("{name} is not on the list")));
    }
    if !context.is_home(&actor)? {
        return Ok(refuse(Errno::EPERM, NOT_HOME));
    }
    // The right to make devices is asked for over the host's user namespace.
    let actor = actor.outside_user_namespace().granting(CAP_MKNOD);
    Ok(Done { answer: actor.perform(&call)?, reason: name })
}

/// Changes owners to ids of the ranges; what changes nothing is always allowed. The file must be the caller's, or
/// belong to somebody of the ranges: otherwise whoever may give files away could take any. What was looked at is what is
/// changed, whatever its name leads to by then.
pub(super) fn chown(
    uids: &[RangeInclusive<u32>],
    gids: &[RangeInclusive<u32>],
    context: &Context,
    request: &Request,
) -> Result<Done> {
    let Call::Chown { dir, path, uid, gid, flags } = request.call()? else {
        return Ok(refuse(Errno::ENOSYS, "no chown"));
    };
    let actor = context.actors.for_caller(request)?;
    let file = if path.is_empty() && flags & AT_EMPTY_PATH != 0 {
        actor.place(dir)?
    } else {
        let follow = if flags & AT_SYMLINK_NOFOLLOW == 0 { 0 } else { O_NOFOLLOW };
        let how = Open::exactly(O_PATH | follow, 0, 0);
        let name = Path::new(OsStr::from_bytes(path.to_bytes()));
        actor.act(Set::MNT, dir, |inside| inside.open(name, &how))?
    };
    let file = File::from(file);
    let meta = file.metadata().map_err(|e| Errno(e.raw_os_error().unwrap_or(Errno::EIO.0)))?;
    let is = users::Owners::of(request, (meta.uid(), meta.gid()))?;
    let within = |ranges: &[RangeInclusive<u32>], id| ranges.iter().any(|range| range.contains(&id));
    let to = |ranges, id, now| id == u32::MAX || id == now || within(ranges, id);
    let reason = format!("{}:{}", uid.cast_signed(), gid.cast_signed());
    if !to(uids, uid, is.user) || !to(gids, gid, is.group) {
        return Ok(refuse(Errno::EPERM, format!("{reason} is not within the limits")));
    }
    if is.user != is.caller && !within(uids, is.user) {
        return Ok(refuse(Errno::EPERM, format!("it belongs to {}, who is not within the limits", is.user)));
    }
    let actor = actor.granting(CAP_CHOWN);
    let file = std::os::fd::OwnedFd::from(file);
    actor.act(Set::MNT, AT_FDCWD, |inside| inside.fchown(&file, uid, gid))?;
    Ok(Done { answer: Answer::Value(0), reason })
}

/// Sets attributes of the list. Those of `trusted.` need a right over the host's user namespace, which is given; for
/// others the caller's own rights count.
pub(super) fn setxattr(
    names: &[Pattern],
    max_size: usize,
    context: &Context,
    request: &Request,
) -> Result<Done> {
    let call = request.call()?;
    let Call::SetXattr(xattr) = &call else { return Ok(refuse(Errno::ENOSYS, "no setxattr")) };
    let reason = xattr.name.to_string_lossy().into_owned();
    if !names.iter().any(|pattern| pattern.holds(&reason)) {
        return Ok(refuse(Errno::EPERM, format!("{reason} is not on the list")));
    }
    if xattr.value.len() > max_size {
        return Ok(refuse(Errno::E2BIG, format!("{reason}: {} bytes", xattr.value.len())));
    }
    let mut actor = context.actors.for_caller(request)?;
    if reason.starts_with("trusted.") {
        if !context.is_home(&actor)? {
            return Ok(refuse(Errno::EPERM, NOT_HOME));
        }
        actor = actor.outside_user_namespace().granting(CAP_SYS_ADMIN);
    }
    Ok(Done { answer: actor.perform(&call)?, reason })
}

/// Why what is not on the list may go on although its path may change.
const NOT_LISTED: &str =
    "no path is refused: by changing it, the caller opens its own file instead of the host's";

/// Gives a file of the host's, read-only, for a name of the list; what else is asked for is the caller's own affair.
pub(super) fn open(files: &BTreeMap<String, PathBuf>, request: &Request) -> Result<Done> {
    let call = request.call()?;
    let Call::Open { path, how, .. } = &call else { return Ok(refuse(Errno::ENOSYS, "no open")) };
    let Some(source) = path.to_str().ok().and_then(|path| files.get(path)) else {
        return Ok(Answer::proceed(NOT_LISTED).into());
    };
    let reason = source.display().to_string();
    if how.writes() {
        return Ok(refuse(Errno::EACCES, format!("{reason} is read-only")));
    }
    let file = std::fs::File::open(source).map_err(|e| Errno(e.raw_os_error().unwrap_or(Errno::EIO.0)))?;
    Ok(Done { answer: Answer::descriptor(file.into(), how.cloexec()), reason })
}
