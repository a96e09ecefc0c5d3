//! Mounting and unmounting file systems of a list.
//!
//! Called by `carry_out`. mount(2) and umount2(2), and the calls of the newer API: fsopen(2) is judged by the file
//! system's name, and what follows works on descriptors that came out of it.

use std::ffi::CStr;

use cofferdam_notify::{Actor, Answer, Call, Errno, Error, Namespace, Request, Result};
use cofferdam_nsenter::{Inside, Open, Set};

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;

use super::{Context, Done, NOT_HOME, refuse};

/// capabilities(7).
const CAP_SYS_ADMIN: u32 = 21;
/// `MS_*` that make no new mount: remount, bind, move, and the four kinds of propagation.
const NO_NEW_MOUNT: u64 = 32 | 4096 | 8192 | 0b1111 << 17;
const UMOUNT_NOFOLLOW: u32 = 8;

/// What was mounted in a container before its program ran: how it is confined, so none of it is ever unmounted.
#[derive(Debug, Default)]
pub(crate) struct First {
    namespace: Option<Namespace>,
    ids: HashSet<String>,
}

impl First {
    /// Of the container with this first process, which still waits for its program.
    pub(crate) fn of(pid1: i32) -> Self {
        let namespace = std::fs::metadata(format!("/proc/{pid1}/ns/mnt")).ok().map(|m| m.ino());
        let mounts = std::fs::read_to_string(format!("/proc/{pid1}/mountinfo")).unwrap_or_default();
        let id = |line: &str| line.split(' ').next().map(str::to_owned);
        Self { namespace, ids: mounts.lines().filter_map(id).collect() }
    }

    /// Whether a mount of a caller in this mount namespace came later.
    fn lets_go(&self, namespace: Namespace, id: &str) -> bool {
        self.namespace == Some(namespace) && !self.ids.contains(id)
    }
}

pub(super) fn mount(
    allowed: &[String],
    need_cap_admin: bool,
    context: &Context,
    request: &Request,
) -> Result<Done> {
    let call = request.call()?;
    let actor = context.actors.for_caller(request)?;
    if !context.is_home(&actor)? {
        return Ok(refuse(Errno::EPERM, NOT_HOME));
    }
    if need_cap_admin && !actor.caller().credentials().has(CAP_SYS_ADMIN) {
        return Ok(refuse(Errno::EPERM, "the caller has no CAP_SYS_ADMIN"));
    }
    let listed = |name: &CStr| allowed.iter().any(|allowed| allowed.as_bytes() == name.to_bytes());
    match &call {
        Call::Mount(mount) if mount.flags & NO_NEW_MOUNT != 0 => {
            Ok(refuse(Errno::EPERM, format!("flags {:#x} are for no new mount", mount.flags)))
        }
        Call::Mount(mount) => match &mount.fstype {
            Some(name) if listed(name) => perform(actor, &call, name),
            Some(name) => Ok(not_listed(name)),
            None => Ok(refuse(Errno::EINVAL, "no file system is named")),
        },
        Call::FsOpen { fstype, .. } if !listed(fstype) => Ok(not_listed(fstype)),
        Call::FsOpen { fstype, .. } => perform(actor, &call, fstype),
        Call::FsConfig { .. } | Call::FsMount { .. } | Call::MoveMount { .. } => perform(actor, &call, c""),
        Call::Unmount { target, flags } => {
            let (id, name) = mounted(&actor, target, *flags, request)?;
            if !allowed.contains(&name) {
                return Ok(refuse(Errno::EPERM, format!("{name} is not on the list")));
            }
            if !context.mounts.lets_go(actor.caller().namespace("mnt")?, &id) {
                return Ok(refuse(Errno::EPERM, "it was mounted by the runtime, or in another namespace"));
            }
            Ok(Done { answer: granted(actor).perform(&call)?, reason: name })
        }
        _ => Ok(refuse(Errno::ENOSYS, "no call that mounts")),
    }
}

fn not_listed(name: &CStr) -> Done {
    refuse(Errno::EPERM, format!("{} is not on the list", name.to_string_lossy()))
}

fn granted(actor: Actor<'_>) -> Actor<'_> {
    actor.outside_user_namespace().granting(CAP_SYS_ADMIN)
}

/// In the caller's user namespace where the kernel lets that be, so that what is mounted is its own; otherwise with
/// the right over the host's. An attempt that fails with EPERM has done nothing.
fn perform(actor: Actor<'_>, call: &Call, name: &CStr) -> Result<Done> {
    let reason = name.to_string_lossy().into_owned();
    let actor = actor.granting(CAP_SYS_ADMIN);
    let answer: Answer = match actor.perform(call) {
        Err(e) if e.for_caller() == Some(Errno::EPERM) => granted(actor).perform(call)?,
        other => other?,
    };
    Ok(Done { answer, reason })
}

/// The number and the type of what is mounted at a place of the caller's.
fn mounted(actor: &Actor<'_>, target: &CStr, flags: u32, request: &Request) -> Result<(String, String)> {
    const O_PATH: u64 = 0o10_000_000;
    const O_NOFOLLOW: u64 = 0o400_000;
    let follow = if flags & UMOUNT_NOFOLLOW == 0 { 0 } else { O_NOFOLLOW };
    let how = Open::exactly(O_PATH | follow, 0, 0);
    let path = std::path::Path::new(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(
        target.to_bytes(),
    ));
    let place = actor.act(Set::MNT, cofferdam_notify::AT_FDCWD, |inside| inside.open(path, &how))?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&place);
    let read = |file: String| std::fs::read_to_string(file).unwrap_or_default();
    let info = read(format!("/proc/self/fdinfo/{number}"));
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim);
    let Some(id) = id.filter(|id| !id.is_empty()) else { return Err(Error::Refused(Errno::EINVAL)) };
    let mounts = read(format!("/proc/{}/mountinfo", request.tid()?));
    request.validate()?;
    match type_of(&mounts, id) {
        Some(name) => Ok((id.to_owned(), name)),
        None => Err(Error::Refused(Errno::EINVAL)),
    }
}

/// The type of mount `id` in a mountinfo (proc_pid_mountinfo(5)).
fn type_of(mounts: &str, id: &str) -> Option<String> {
    let line = mounts.lines().find(|line| line.split(' ').next() == Some(id))?;
    line.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mounts_type_is_found_by_its_number() {
        let mounts = "22 1 0:21 / /proc rw shared:5 - proc proc rw\n\
                      221 1 0:22 / /mnt - x rw - tmpfs none rw,size=4k\n";
        assert_eq!(type_of(mounts, "22").as_deref(), Some("proc"));
        assert_eq!(type_of(mounts, "2"), None);
    }

    #[test]
    fn what_was_mounted_first_stays() {
        let namespace = std::fs::metadata("/proc/self/ns/mnt").unwrap().ino();
        let first = First::of(i32::try_from(std::process::id()).unwrap());
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let id = mounts.split(' ').next().unwrap();
        assert!(!first.lets_go(namespace, id));
        assert!(first.lets_go(namespace, "0") && !first.lets_go(0, "0"));
        assert!(!First::default().lets_go(namespace, "0"), "of nothing known, nothing is let go");
    }
}
