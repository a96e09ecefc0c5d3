//! Joining the namespaces that the message names.
//!
//! Called by stage 1, before it makes any. Which are joined is the parent's decision, the order partly ours.

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;

use cofferdam_sys::{Errno, Fd, open, setns, setuid};

use super::log::Log;
use super::message::{Kind, NamespacePath};
use super::{Error, Result};

const ASKED_BY: &str = "NS_PATHS_ATTR";

/// A namespace whose path has been opened, before any joining can change what paths mean.
struct Opened<'a> {
    from: &'a NamespacePath,
    fd: Fd,
}

/// Joins them all. The user namespace comes after the others were tried: they may belong to the one that we
/// are still in. What was forbidden is tried again after it, with the rights that it gave: those may belong
/// to the new one.
pub(super) fn all(log: &Log, namespaces: &[NamespacePath]) -> Result<()> {
    let mut left = namespaces.iter().map(open_one).collect::<Result<Vec<_>>>()?;
    left = attempt(log, left, |kind| kind != Kind::User)?;
    left = attempt(log, left, |kind| kind == Kind::User)?;
    left = attempt(log, left, |kind| kind != Kind::User)?;
    match left.first() {
        Some(opened) => Err(failed("joining the namespace", opened.from, Errno::EPERM)
            .hint("it belongs to a user namespace that we are not in")),
        None => Ok(()),
    }
}

fn open_one(from: &NamespacePath) -> Result<Opened<'_>> {
    // A path from the message holds no null byte.
    let path = CString::new(from.path.as_os_str().as_bytes()).unwrap_or_default();
    let fd =
        open::open(&path, open::O_RDONLY).map_err(|errno| failed("opening the namespace", from, errno))?;
    Ok(Opened { from, fd })
}

/// Joins those that `which` chooses and returns the others, and those that are forbidden.
fn attempt<'a>(log: &Log, all: Vec<Opened<'a>>, which: impl Fn(Kind) -> bool) -> Result<Vec<Opened<'a>>> {
    let mut left = Vec::new();
    for opened in all {
        let kind = opened.from.kind;
        if !which(kind) {
            left.push(opened);
            continue;
        }
        let joined = setns::setns(opened.fd.raw(), kind.flag().into());
        log.debug(format_args!("join {} namespace {}: {joined:?}", kind.name(), opened.from.path.display()));
        match joined {
            Ok(()) if kind == Kind::User => become_root()?,
            Ok(()) => {}
            Err(Errno::EPERM) => left.push(opened),
            Err(errno) => return Err(failed("joining the namespace", opened.from, errno)),
        }
    }
    Ok(left)
}

/// As the user that all rights in a user namespace are meant for.
pub(super) fn become_root() -> Result<()> {
    setuid::setresuid(0).map_err(|errno| {
        Error::new("becoming root", "of the user namespace")
            .errno(errno)
            .hint("its uid_map must have a line for 0")
    })
}

fn failed(step: &'static str, from: &NamespacePath, errno: Errno) -> Error {
    Error::new(step, format!("{}:{}", from.kind.name(), from.path.display())).errno(errno).asked_by(ASKED_BY)
}
