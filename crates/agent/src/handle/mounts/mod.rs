//! Mounting, unmounting, and changing what is mounted, within the limits of a rule.
//!
//! Called by `carry_out`. Of the newer calls, those that say what is mounted (fsopen(2), fspick(2), open_tree(2)) are
//! judged as mount(2) is; what follows works on descriptors that came out of them.

mod changes;
mod line;
mod places;

use std::ffi::CStr;
use std::os::fd::OwnedFd;

use cofferdam_notify::{AT_FDCWD, Actor, Answer, Call, Errno, Mount, Request, Result};
use cofferdam_nsenter::{Inside, Set};

pub(crate) use line::Line;

use super::{Context, Done, NOT_HOME, refuse};
use crate::policy::limits::Mounts;

/// capabilities(7).
const CAP_SYS_ADMIN: u32 = 21;
const MS_REMOUNT: u64 = 32;
const MS_BIND: u64 = 4096;
const MS_MOVE: u64 = 8192;
const PROPAGATION: u64 = 0b1111 << 17;
const UMOUNT_NOFOLLOW: u32 = 8;
const MNT_FORCE: u32 = 1;
const MNT_DETACH: u32 = 2;
const OPEN_TREE_CLONE: u32 = 1;

/// Why nothing that the runtime mounted is touched.
const RUNTIMES: &str = "it was mounted by the runtime, or it cannot be known by whom";
const A_PLACE: &str =
    "without a copy, open_tree gives what open gives: the flag is a number, and does not change";

/// One call that is judged.
pub(super) struct Asked<'a> {
    rule: &'a Mounts,
    context: &'a Context,
    request: &'a Request,
}

pub(super) fn mount(rule: &Mounts, context: &Context, request: &Request) -> Result<Done> {
    let call = request.call()?;
    let asked = Asked { rule, context, request };
    let actor = asked.actor()?;
    if !context.is_home(&actor)? {
        return Ok(refuse(Errno::EPERM, NOT_HOME));
    }
    if rule.need_cap_admin && !actor.caller().credentials().has(CAP_SYS_ADMIN) {
        return Ok(refuse(Errno::EPERM, "the caller has no CAP_SYS_ADMIN"));
    }
    match &call {
        Call::Mount(mount) => asked.mount(mount, &call),
        Call::FsOpen { fstype, .. } if !rule.lists(fstype) => Ok(not_listed(fstype)),
        Call::FsOpen { fstype, .. } => asked.perform(&call, fstype),
        Call::FsConfig { .. } | Call::FsMount { .. } => asked.perform(&call, c""),
        Call::FsPick { dir, path, flags } => asked.pick((*dir, path), *flags),
        Call::OpenTree { flags, .. } if flags & OPEN_TREE_CLONE == 0 => Ok(Answer::proceed(A_PLACE).into()),
        Call::OpenTree { dir, path, flags } => asked.copy((*dir, path), *flags),
        Call::MoveMount { from, to, flags } => asked.move_mount(&call, from, to, *flags),
        Call::MountSetattr { dir, path, flags, attributes } => {
            asked.set_attributes(&call, (*dir, path), *flags, attributes)
        }
        Call::Unmount { target, flags } => asked.unmount(target, *flags),
        _ => Ok(refuse(Errno::ENOSYS, "no call that mounts")),
    }
}

fn not_listed(name: &CStr) -> Done {
    refuse(Errno::EPERM, format!("{} is not on the list", name.to_string_lossy()))
}

impl<'a> Asked<'a> {
    fn actor(&self) -> Result<Actor<'a>> {
        self.context.actors.for_caller(self.request)
    }

    fn mount(&self, mount: &Mount, call: &Call) -> Result<Done> {
        let target = (AT_FDCWD, mount.target.as_c_str());
        let source = (AT_FDCWD, mount.source.as_deref().unwrap_or_default());
        match mount.flags & (MS_REMOUNT | MS_BIND | MS_MOVE | PROPAGATION) {
            which if which & MS_REMOUNT != 0 && which & MS_BIND != 0 => {
                self.remount_bind(target, mount.flags)
            }
            which if which & MS_REMOUNT != 0 => self.remount(target, mount),
            which if which & MS_BIND != 0 => self.bind(source, target),
            which if which & PROPAGATION != 0 => self.propagate(target, mount.flags),
            MS_MOVE => self.move_place(source, target),
            _ => match &mount.fstype {
                Some(name) if self.rule.lists(name) => self.perform(call, name),
                Some(name) => Ok(not_listed(name)),
                None => Ok(refuse(Errno::EINVAL, "no file system is named")),
            },
        }
    }

    /// Does a call as it stands.
    fn perform(&self, call: &Call, name: &CStr) -> Result<Done> {
        let answer = self.lent(|actor| actor.perform(call))?;
        Ok(Done { answer, reason: name.to_string_lossy().into_owned() })
    }

    /// In the caller's user namespace where the kernel lets that be, so that what is mounted is its own; otherwise with
    /// the right over the host's. An attempt that fails with EPERM has done nothing.
    fn lent<T>(&self, act: impl Fn(&Actor<'_>) -> Result<T>) -> Result<T> {
        let actor = self.actor()?.granting(CAP_SYS_ADMIN);
        match act(&actor) {
            Err(e) if e.for_caller() == Some(Errno::EPERM) => act(&actor.outside_user_namespace()),
            other => other,
        }
    }

    /// Takes off what is at a place of the caller's, found once: what was judged is what is unmounted. As we hold it
    /// meanwhile, it is always taken off lazily (`MNT_DETACH`).
    fn unmount(&self, target: &CStr, flags: u32) -> Result<Done> {
        let actor = self.actor()?;
        let place = places::find(&actor, (AT_FDCWD, target), flags & UMOUNT_NOFOLLOW == 0)?;
        let name = places::name(&place)?;
        let Some(mounted) = places::mounted(&place, &name, &actor, self.request)? else {
            return Ok(refuse(Errno::EINVAL, "nothing is mounted there"));
        };
        // What was bound may be of any type.
        if self.rule.binds.is_empty() && !self.rule.file_systems.contains(&mounted.fstype) {
            return Ok(refuse(Errno::EPERM, format!("{} is not on the list", mounted.fstype)));
        }
        if !self.context.line.lets_go(&place) {
            return Ok(refuse(Errno::EPERM, RUNTIMES));
        }
        let flags = flags & MNT_FORCE | MNT_DETACH;
        self.lent(|actor| self.inside(actor, |inside| inside.umount_of(&place, flags)))?;
        Ok(Done { answer: Answer::Value(0), reason: mounted.fstype })
    }

    /// Acts on what was found already.
    fn inside<T>(
        &self,
        actor: &Actor<'_>,
        act: impl FnOnce(&cofferdam_nsenter::Disguised<'_>) -> cofferdam_nsenter::Result<T>,
    ) -> Result<T> {
        actor.act(Set::NAMESPACES, AT_FDCWD, act)
    }

    /// A copy of a mount for the caller, who gets something in its place until it is attached.
    fn hand_out(&self, copy: OwnedFd, cloexec: bool) -> Result<Answer> {
        Ok(Answer::descriptor(self.context.actors.stand_in(copy)?, cloexec))
    }
}
