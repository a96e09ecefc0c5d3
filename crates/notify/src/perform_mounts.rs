//! Doing calls on mounts for their caller.
//!
//! Called by `perform`. What may be mounted is decided before.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use cofferdam_nsenter::{Inside, Set, Spot};
use cofferdam_sys::Errno;

use crate::actor::{HERE, start};
use crate::perform::{done, named};
use crate::{Actor, Answer, Call, FsConfig, Mount, MountAttributes, Result};

const CLOEXEC: u32 = 1;
const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const AT_RECURSIVE: u32 = 0x8000;
const O_CLOEXEC: u32 = 0o2_000_000;

impl Actor<'_> {
    pub(crate) fn perform_mount(&self, call: &Call) -> Result<Answer> {
        let all = Set::NAMESPACES;
        match call {
            Call::Mount(mount) => done(self.mount(mount)),
            Call::Unmount { target, flags } => {
                done(self.act(all, HERE, |inside| inside.umount(named(target), *flags)))
            }
            Call::FsOpen { fstype, flags } => {
                let fs = self.act(all, HERE, |inside| inside.fs_open(fstype))?;
                Ok(Answer::descriptor(fs, flags & CLOEXEC != 0))
            }
            Call::FsPick { dir, path, flags } => {
                const EMPTY_PATH: u32 = 8;
                let fs =
                    self.at((*dir, path), flags & EMPTY_PATH != 0, |inside, spot| inside.fs_pick(spot))?;
                Ok(Answer::descriptor(fs, flags & CLOEXEC != 0))
            }
            Call::FsConfig { fd, config } => done(self.configure(*fd, config)),
            Call::FsMount { fd, flags, attributes } => {
                let fs = self.caller.descriptor(*fd)?;
                let mount = self.act(all, HERE, |inside| inside.fs_mount(&fs, (*attributes).into()))?;
                Ok(Answer::descriptor(self.actors.detach(mount)?, flags & CLOEXEC != 0))
            }
            Call::OpenTree { dir, path, flags } => self.copy((*dir, path), *flags),
            Call::MoveMount { from, to, flags } => done(self.attach(from, to, *flags)),
            Call::MountSetattr { dir, path, flags, attributes } => {
                done(self.set_attributes((*dir, path), *flags, attributes))
            }
            _ => Err(Errno::EOPNOTSUPP)?,
        }
    }

    /// Acts at a path of the caller's, or at one of its descriptors, where it says so by an empty path.
    fn at<T>(
        &self,
        (dir, path): (i32, &CStr),
        may_be_empty: bool,
        act: impl FnOnce(&cofferdam_nsenter::Disguised<'_>, Spot<'_>) -> cofferdam_nsenter::Result<T>,
    ) -> Result<T> {
        if path.is_empty() && may_be_empty {
            let place = self.place(dir)?;
            return self.act(Set::NAMESPACES, HERE, |inside| act(inside, Spot::Of(place.as_fd())));
        }
        self.act(Set::NAMESPACES, start(dir, path), |inside| act(inside, Spot::Path(named(path))))
    }

    /// mount(2) is six calls in one.
    fn mount(&self, mount: &Mount) -> Result<()> {
        const MS_REMOUNT: u64 = 32;
        const MS_BIND: u64 = 4096;
        const MS_MOVE: u64 = 8192;
        const MS_REC: u64 = 16384;
        const PROPAGATION: u64 = 0b1111 << 17;
        let (target, flags) = (named(&mount.target), mount.flags);
        let source = mount.source.as_deref().map_or_else(|| Path::new(""), named);
        let recursive = flags & MS_REC != 0;
        let there = Spot::Path(target);
        self.act(Set::NAMESPACES, HERE, |inside| {
            match flags & (MS_REMOUNT | MS_BIND | MS_MOVE | PROPAGATION) {
                which if which & MS_REMOUNT != 0 && which & MS_BIND != 0 => inside.remount_bind(there, flags),
                which if which & MS_REMOUNT != 0 => {
                    inside.remount(there, &described(mount)?.flags(flags & !MS_REMOUNT))
                }
                which if which & MS_BIND != 0 => inside.bind(source, target, recursive, 0),
                which if which & PROPAGATION != 0 => {
                    inside.mount_setattr(there, (0, 0), which & PROPAGATION, recursive)
                }
                MS_MOVE => inside.move_mount(Spot::Path(source), target, true),
                _ => inside.mount(&described(mount)?.flags(flags)),
            }
        })
    }

    fn configure(&self, fd: i32, config: &FsConfig) -> Result<()> {
        let (command, key, value, aux) = match config {
            FsConfig::Flag { key } => (0, key.as_c_str(), c"", None),
            FsConfig::String { key, value } => (1, key.as_c_str(), value.as_c_str(), None),
            FsConfig::Descriptor { key, fd } => (5, key.as_c_str(), c"", Some(self.caller.descriptor(*fd)?)),
            FsConfig::Create { exclusive: false } => (6, c"", c"", None),
            FsConfig::Reconfigure => (7, c"", c"", None),
            FsConfig::Create { exclusive: true } => (8, c"", c"", None),
            _ => Err(Errno::EOPNOTSUPP)?,
        };
        let fs = self.caller.descriptor(fd)?;
        let aux = aux.as_ref().map(AsFd::as_fd);
        self.act(Set::NAMESPACES, HERE, |inside| inside.fs_config(&fs, command, key, value, aux))
    }

    /// open_tree(2). Without a copy it gives a place only.
    fn copy(&self, at: (i32, &CStr), flags: u32) -> Result<Answer> {
        const OPEN_TREE_CLONE: u32 = 1;
        if flags & OPEN_TREE_CLONE == 0 || flags & AT_SYMLINK_NOFOLLOW != 0 {
            Err(Errno::EOPNOTSUPP)?;
        }
        let recursive = flags & AT_RECURSIVE != 0;
        let empty = flags & AT_EMPTY_PATH != 0;
        let copy = self.at(at, empty, |inside, spot| inside.copy_mount(spot, recursive))?;
        Ok(Answer::descriptor(self.actors.stand_in(copy)?, flags & O_CLOEXEC != 0))
    }

    fn attach(&self, from: &(i32, CString), to: &(i32, CString), flags: u32) -> Result<()> {
        const F_SYMLINKS: u32 = 1;
        const F_EMPTY_PATH: u32 = 4;
        const T_SYMLINKS: u32 = 0x10;
        const T_EMPTY_PATH: u32 = 0x40;
        // Automounts are made as the caller goes there; groups and what is beneath are not.
        const KNOWN: u32 = 0x77;
        if flags & !KNOWN != 0 {
            Err(Errno::EOPNOTSUPP)?;
        }
        let here = flags & T_EMPTY_PATH != 0 && to.1.is_empty();
        let path = if here { Path::new(".") } else { named(&to.1) };
        let follow = flags & T_SYMLINKS != 0;
        if flags & F_EMPTY_PATH != 0 && from.1.is_empty() {
            let mount = match self.waiting(from.0, true)? {
                Some(mount) => mount,
                None => self.place(from.0)?,
            };
            return self.act(Set::NAMESPACES, to.0, |inside| inside.attach(&mount, path, follow));
        }
        // Both paths may begin elsewhere: the first is found before.
        let how = cofferdam_nsenter::Open::exactly(
            O_PATH | if flags & F_SYMLINKS == 0 { O_NOFOLLOW } else { 0 },
            0,
            0,
        );
        let mount = self.act(Set::NAMESPACES, from.0, |inside| inside.open(named(&from.1), &how))?;
        self.act(Set::NAMESPACES, to.0, |inside| inside.attach(&mount, path, follow))
    }

    /// What a descriptor of the caller's stands for, if it stands for a mount.
    fn waiting(&self, number: i32, take: bool) -> Result<Option<OwnedFd>> {
        self.actors.detached(&self.caller.descriptor(number)?, take)
    }

    fn set_attributes(&self, at: (i32, &CStr), flags: u32, wanted: &MountAttributes) -> Result<()> {
        const MOUNT_ATTR_IDMAP: u64 = 0x0010_0000;
        if (wanted.set | wanted.clear) & MOUNT_ATTR_IDMAP != 0 || flags & AT_SYMLINK_NOFOLLOW != 0 {
            Err(Errno::EOPNOTSUPP)?;
        }
        let change = (wanted.set, wanted.clear);
        let recursive = flags & AT_RECURSIVE != 0;
        let empty = flags & AT_EMPTY_PATH != 0;
        let set = |inside: &cofferdam_nsenter::Disguised<'_>, spot: Spot<'_>| {
            inside.mount_setattr(spot, change, wanted.propagation, recursive)
        };
        if empty
            && at.1.is_empty()
            && let Ok(Some(mount)) = self.waiting(at.0, false)
        {
            return self.act(Set::NAMESPACES, HERE, |inside| set(inside, Spot::Of(mount.as_fd())));
        }
        self.at(at, empty, set)
    }
}

const O_PATH: u64 = 0o10_000_000;
const O_NOFOLLOW: u64 = 0o400_000;

fn described(mount: &Mount) -> cofferdam_nsenter::Result<cofferdam_nsenter::Mount> {
    let text = |text: &Option<CString>| match text.as_deref().map(CStr::to_str) {
        None => Ok(String::new()),
        Some(Ok(text)) => Ok(text.to_owned()),
        Some(Err(_)) => {
            let error = cofferdam::Error::system("mounting", Errno::EINVAL);
            Err(cofferdam_nsenter::Error::Operation(error))
        }
    };
    let new = cofferdam_nsenter::Mount::new(text(&mount.fstype)?, named(&mount.target));
    Ok(new.source(text(&mount.source)?).data(text(&mount.data)?))
}
