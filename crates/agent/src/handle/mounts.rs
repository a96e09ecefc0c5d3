//! Mounting and unmounting file systems of a list.
//!
//! Called by `carry_out`. mount(2) and umount2(2), and the calls of the newer API: fsopen(2) is judged by the file
//! system's name, and what follows works on descriptors that came out of it.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam_notify::{AT_FDCWD, Actor, Answer, Call, Errno, Request, Result};
use cofferdam_nsenter::{Guise, Inside, Open, Set, Target};

use rustix::fs::{AtFlags, StatxFlags};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags};

use super::{Context, Done, NOT_HOME, refuse};

/// capabilities(7).
const CAP_SYS_ADMIN: u32 = 21;
/// `MS_*` that make no new mount: remount, bind, move, and the four kinds of propagation.
const NO_NEW_MOUNT: u64 = 32 | 4096 | 8192 | 0b1111 << 17;
const UMOUNT_NOFOLLOW: u32 = 8;
const MNT_DETACH: u32 = 2;
const O_PATH: u64 = 0o10_000_000;
const O_NOFOLLOW: u64 = 0o400_000;
/// linux/stat.h.
const STATX_MNT_ID_UNIQUE: u32 = 0x4000;

/// Where the numbers of mounts were when a container came: what its runtime mounted, and so how it is confined, has
/// smaller ones, and is never unmounted. Numbers only grow (`STATX_MNT_ID_UNIQUE`, Linux 6.8), so nothing that the
/// container does meanwhile can move that line; on an older kernel nothing is unmounted.
#[derive(Debug, Default)]
pub(crate) struct Line(Option<u64>);

impl Line {
    /// Now.
    pub(crate) fn now() -> Self {
        let newest = || {
            let fs = rustix::mount::fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
            rustix::mount::fsconfig_create(fs.as_fd())?;
            let flags = FsMountFlags::FSMOUNT_CLOEXEC;
            rustix::mount::fsmount(fs.as_fd(), flags, MountAttrFlags::empty())
        };
        Self(newest().ok().and_then(number))
    }

    fn lets_go(&self, mount: Option<u64>) -> bool {
        matches!((self.0, mount), (Some(line), Some(mount)) if mount > line)
    }
}

/// The number of the mount that a descriptor is on.
fn number(fd: impl AsFd) -> Option<u64> {
    let wanted = StatxFlags::from_bits_retain(STATX_MNT_ID_UNIQUE);
    let stat = rustix::fs::statx(fd, "", AtFlags::EMPTY_PATH, wanted).ok()?;
    (stat.stx_mask & STATX_MNT_ID_UNIQUE != 0).then_some(stat.stx_mnt_id)
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
        Call::Unmount { target, flags } => unmount(allowed, context, &actor, (target, *flags), request),
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

/// Takes off what is at a place of the caller's, found once: what was judged is what is unmounted. As we hold it
/// meanwhile, it is always taken off lazily (`MNT_DETACH`).
fn unmount(
    allowed: &[String],
    context: &Context,
    actor: &Actor<'_>,
    (target, flags): (&CStr, u32),
    request: &Request,
) -> Result<Done> {
    let follow = if flags & UMOUNT_NOFOLLOW == 0 { 0 } else { O_NOFOLLOW };
    let path = Path::new(OsStr::from_bytes(target.to_bytes()));
    let how = Open::exactly(O_PATH | follow, 0, 0);
    let place = actor.act(Set::MNT, AT_FDCWD, |inside| inside.open(path, &how))?;
    let Some(name) = type_at(&place, request)? else {
        return Ok(refuse(Errno::EINVAL, "nothing is mounted there"));
    };
    if !allowed.contains(&name) {
        return Ok(refuse(Errno::EPERM, format!("{name} is not on the list")));
    }
    if !context.line.lets_go(number(&place)) {
        return Ok(refuse(Errno::EPERM, "it was mounted by the runtime, or it cannot be known by whom"));
    }
    let caller = actor.caller();
    let root = caller.root()?;
    let target = Target::open(caller.tid())?.recheck(|_| request.is_valid())?;
    let helper = target.enter().only(Set::MNT).resident();
    let guise = Guise { effective: 1 << CAP_SYS_ADMIN, ..Guise::new(root.as_fd(), place.as_fd()) };
    helper.disguised(guise).umount(".", flags & !UMOUNT_NOFOLLOW | MNT_DETACH)?;
    Ok(Done { answer: Answer::Value(0), reason: name })
}

/// The type of the file system that a place of the caller's is on.
fn type_at(place: &OwnedFd, request: &Request) -> Result<Option<String>> {
    let read = |file: String| std::fs::read_to_string(file).unwrap_or_default();
    let info = read(format!("/proc/self/fdinfo/{}", place.as_raw_fd()));
    let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:")).map(str::trim).unwrap_or_default();
    let mounts = read(format!("/proc/{}/mountinfo", request.tid()?));
    request.validate()?;
    Ok(type_of(&mounts, id))
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
    fn what_was_mounted_before_the_line_stays() {
        let before = std::fs::File::open("/").unwrap();
        let line = Line::now();
        let Some(at) = line.0 else {
            eprintln!("SKIPPED what_was_mounted_before_the_line_stays: needs Linux 6.8 and CAP_SYS_ADMIN");
            return;
        };
        assert!(!line.lets_go(number(&before)) && !line.lets_go(Some(at)) && line.lets_go(Some(at + 1)));
        assert!(!line.lets_go(None));
        assert!(!Line::default().lets_go(Some(u64::MAX)), "without a line nothing is let go");
        assert!(line.lets_go(Line::now().0), "numbers grow");
    }
}
