//! What is mounted already: at another place too, with other attributes or options, moved, or shared.
//!
//! Called by this room's `mount`. All is done to descriptors that were judged. What the runtime mounted is neither
//! moved nor changed, nothing that it covered is uncovered by a copy, and no copy can do more than what it is of.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};

use cofferdam_notify::{Actor, Answer, Call, Errno, Mount, MountAttributes, Result};
use cofferdam_nsenter::{Inside, Spot};
use rustix::fs::StatVfsMountFlags as Has;

use super::places::{self, Mounted};
use super::{Asked, PROPAGATION, RUNTIMES};
use crate::handle::{Done, refuse};
use crate::policy::limits::Change;

const MS_REC: u64 = 16384;
const AT_EMPTY_PATH: u32 = 0x1000;
const AT_RECURSIVE: u32 = 0x8000;
const O_CLOEXEC: u32 = 0o2_000_000;
/// What forbids something: `MS_*` of mount(2), `MOUNT_ATTR_*` of mount_setattr(2), and how a mount shows it.
const LOCKS: [(u64, u64, Has); 4] =
    [(1, 1, Has::RDONLY), (2, 2, Has::NOSUID), (4, 4, Has::NODEV), (8, 8, Has::NOEXEC)];
/// The fifth, which is newer (Linux 5.10): links are not followed.
const NOSYMFOLLOW: (u64, u64, Has) = (1 << 8, 0x0020_0000, Has::from_bits_retain(0x2000));
const LOCKED: &str = "what is forbidden on a mount of this file system stays forbidden";
const ANOTHER_ROOT: &str = "the caller has a root of its own, or nothing is mounted there";

/// A place of the caller's, and what is mounted there.
struct Found {
    place: OwnedFd,
    name: String,
    mounted: Mounted,
}

fn done(reason: String) -> Result<Done> {
    Ok(Done { answer: Answer::Value(0), reason })
}

impl Asked<'_> {
    fn found(&self, actor: &Actor<'_>, place: OwnedFd) -> Result<std::result::Result<Found, Done>> {
        let name = places::name(&place)?;
        Ok(match places::mounted(&place, &name, actor, self.request)? {
            Some(mounted) => Ok(Found { place, name, mounted }),
            None => Err(refuse(Errno::EPERM, ANOTHER_ROOT)),
        })
    }

    /// A mount of the container's own that this kind of change may be made to, or the refusal.
    fn changeable(
        &self,
        at: (i32, &CStr),
        may_be_empty: bool,
        change: Change,
    ) -> Result<std::result::Result<Found, Done>> {
        if !self.rule.changes.contains(&change) {
            return Ok(Err(refuse(Errno::EPERM, format!("{} is not on the list of changes", change.name()))));
        }
        let actor = self.actor()?;
        let found = match self.found(&actor, places::at(&actor, at, may_be_empty)?)? {
            Ok(found) => found,
            refused => return Ok(refused),
        };
        if !found.mounted.is_root {
            return Ok(Err(refuse(Errno::EINVAL, format!("nothing is mounted at {}", found.name))));
        }
        // How events travel concerns the container's own view only.
        if change != Change::Propagation && !self.context.line.lets_go(&found.place) {
            return Ok(Err(refuse(Errno::EPERM, RUNTIMES)));
        }
        Ok(Ok(found))
    }

    /// A copy of what is listed. With something mounted below, the copy would show what that covers, or bring mounts
    /// whose unmounting would.
    fn copied(&self, place: OwnedFd) -> Result<std::result::Result<(OwnedFd, String), Done>> {
        let found = match self.found(&self.actor()?, place)? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        };
        if !self.rule.binds.iter().any(|pattern| pattern.holds(&found.name)) {
            return Ok(Err(refuse(Errno::EPERM, format!("{} is not on the list of binds", found.name))));
        }
        // Looked up by a helper, /proc/self is the helper.
        if found.mounted.fstype == "proc" && !found.mounted.is_root {
            return Ok(Err(refuse(Errno::EXDEV, "a part of /proc may be another process's than is meant")));
        }
        if found.mounted.has_below {
            return Ok(Err(refuse(Errno::EPERM, format!("{} has mounts below it", found.name))));
        }
        let spot = Spot::Of(found.place.as_fd());
        let copy = self.lent(|actor| self.inside(actor, |inside| inside.copy_mount(spot, false)))?;
        Ok(Ok((copy, found.name)))
    }

    pub(super) fn bind(&self, source: (i32, &CStr), target: (i32, &CStr)) -> Result<Done> {
        let actor = self.actor()?;
        let target = places::find(&actor, target, true)?;
        match self.copied(places::find(&actor, source, true)?)? {
            Err(refused) => Ok(refused),
            Ok((copy, name)) => {
                self.lent(|actor| self.inside(actor, |inside| inside.attach_to(&copy, &target)))?;
                done(name)
            }
        }
    }

    pub(super) fn copy(&self, (dir, path): (i32, &CStr), flags: u32) -> Result<Done> {
        let place = places::at(&self.actor()?, (dir, path), flags & AT_EMPTY_PATH != 0)?;
        Ok(match self.copied(place)? {
            Err(refused) => refused,
            Ok((copy, reason)) => Done { answer: self.hand_out(copy, flags & O_CLOEXEC != 0)?, reason },
        })
    }

    pub(super) fn remount_bind(&self, target: (i32, &CStr), flags: u64) -> Result<Done> {
        let found = match self.changeable(target, false, Change::Attributes)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        let taken = |has: Has| locks().any(|(ms, _, lock)| flags & ms == 0 && has.contains(lock));
        if !self.context.line.owns(&found.place, &found.mounted) && taken(has(&found.place)?) {
            return Ok(refuse(Errno::EPERM, LOCKED));
        }
        let spot = Spot::Of(found.place.as_fd());
        self.lent(|actor| self.inside(actor, |inside| inside.remount_bind(spot, flags)))?;
        done(found.name)
    }

    pub(super) fn remount(&self, target: (i32, &CStr), mount: &Mount) -> Result<Done> {
        let found = match self.changeable(target, false, Change::Remount)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        if let Some(refused) = self.not_own(&found) {
            return Ok(refused);
        }
        let data = mount.data.as_deref().unwrap_or_default().to_str().map_err(|_| Errno::EINVAL)?;
        let wanted = cofferdam_nsenter::Mount::new(found.mounted.fstype.as_str(), &found.name).data(data);
        let wanted = wanted.flags(mount.flags & !super::MS_REMOUNT);
        let spot = Spot::Of(found.place.as_fd());
        self.lent(|actor| self.inside(actor, |inside| inside.remount(spot, &wanted)))?;
        done(found.name)
    }

    pub(super) fn pick(&self, at: (i32, &CStr), flags: u32) -> Result<Done> {
        const CLOEXEC: u32 = 1;
        const EMPTY_PATH: u32 = 8;
        let found = match self.changeable(at, flags & EMPTY_PATH != 0, Change::Remount)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        if let Some(refused) = self.not_own(&found) {
            return Ok(refused);
        }
        let spot = Spot::Of(found.place.as_fd());
        let fs = self.lent(|actor| self.inside(actor, |inside| inside.fs_pick(spot)))?;
        Ok(Done { answer: Answer::descriptor(fs, flags & CLOEXEC != 0), reason: found.name })
    }

    /// Options are a file system's, whoever else has it mounted.
    fn not_own(&self, found: &Found) -> Option<Done> {
        if !self.rule.file_systems.contains(&found.mounted.fstype) {
            return Some(refuse(Errno::EPERM, format!("{} is not on the list", found.mounted.fstype)));
        }
        let owns = self.context.line.owns(&found.place, &found.mounted);
        (!owns).then(|| refuse(Errno::EPERM, "the file system is not the container's alone"))
    }

    pub(super) fn propagate(&self, target: (i32, &CStr), flags: u64) -> Result<Done> {
        let found = match self.changeable(target, false, Change::Propagation)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        let (kind, all) = (flags & PROPAGATION, flags & MS_REC != 0);
        let spot = Spot::Of(found.place.as_fd());
        self.lent(|actor| self.inside(actor, |inside| inside.mount_setattr(spot, (0, 0), kind, all)))?;
        done(found.name)
    }

    pub(super) fn move_place(&self, source: (i32, &CStr), target: (i32, &CStr)) -> Result<Done> {
        let found = match self.changeable(source, false, Change::Move)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        let target = places::find(&self.actor()?, target, true)?;
        self.lent(|actor| self.inside(actor, |inside| inside.attach_to(&found.place, &target)))?;
        done(found.name)
    }

    /// What came out of fsmount(2) or open_tree(2) was judged there.
    pub(super) fn move_mount(
        &self,
        call: &Call,
        from: &(i32, CString),
        to: &(i32, CString),
        flags: u32,
    ) -> Result<Done> {
        const F_EMPTY_PATH: u32 = 4;
        const T_EMPTY_PATH: u32 = 0x40;
        let empty = flags & F_EMPTY_PATH != 0;
        if empty && from.1.is_empty() {
            let stand_in = self.actor()?.caller().descriptor(from.0)?;
            if self.context.actors.detached(&stand_in, false)?.is_some() {
                return self.perform(call, c"");
            }
        }
        // What perform knows of flags.
        if flags & !0x77 != 0 {
            return Ok(refuse(Errno::EOPNOTSUPP, "mounts are not moved beneath others or into their groups"));
        }
        let found = match self.changeable((from.0, &from.1), empty, Change::Move)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        let target = places::at(&self.actor()?, (to.0, &to.1), flags & T_EMPTY_PATH != 0)?;
        self.lent(|actor| self.inside(actor, |inside| inside.attach_to(&found.place, &target)))?;
        done(found.name)
    }

    pub(super) fn set_attributes(
        &self,
        call: &Call,
        at: (i32, &CStr),
        flags: u32,
        wanted: &MountAttributes,
    ) -> Result<Done> {
        let all_locks = locks().fold(0, |all, (_, attribute, _)| all | attribute);
        let (takes, recursive) = (wanted.clear & all_locks, flags & AT_RECURSIVE != 0);
        let empty = flags & AT_EMPTY_PATH != 0;
        if empty && at.1.is_empty() && self.is_detached(at.0)? {
            // It may be a copy: what is forbidden there stays forbidden.
            let refused = takes != 0 || !self.rule.changes.contains(&Change::Attributes);
            return if refused { Ok(refuse(Errno::EPERM, LOCKED)) } else { self.perform(call, c"") };
        }
        if wanted.propagation != 0 && !self.rule.changes.contains(&Change::Propagation) {
            return Ok(refuse(Errno::EPERM, "propagation is not on the list of changes"));
        }
        let none = wanted.set | wanted.clear == 0;
        let change = if none { Change::Propagation } else { Change::Attributes };
        let found = match self.changeable(at, empty, change)? {
            Ok(found) => found,
            Err(refused) => return Ok(refused),
        };
        if takes != 0 && (recursive || !self.context.line.owns(&found.place, &found.mounted)) {
            return Ok(refuse(Errno::EPERM, LOCKED));
        }
        if (wanted.set | wanted.clear) & 0x0010_0000 != 0 {
            return Ok(refuse(Errno::EOPNOTSUPP, "ids of mounts are not mapped"));
        }
        let (change, spot) = ((wanted.set, wanted.clear), Spot::Of(found.place.as_fd()));
        let kind = wanted.propagation;
        self.lent(|actor| self.inside(actor, |inside| inside.mount_setattr(spot, change, kind, recursive)))?;
        done(found.name)
    }

    fn is_detached(&self, number: i32) -> Result<bool> {
        let stand_in = self.actor()?.caller().descriptor(number)?;
        Ok(self.context.actors.detached(&stand_in, false)?.is_some())
    }
}

fn locks() -> impl Iterator<Item = (u64, u64, Has)> {
    LOCKS.into_iter().chain([NOSYMFOLLOW])
}

/// What is forbidden at a place.
fn has(place: &OwnedFd) -> Result<Has> {
    let stat = rustix::fs::fstatvfs(place).map_err(|e| Errno(e.raw_os_error()))?;
    Ok(stat.f_flag)
}
