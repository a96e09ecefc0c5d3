//! Doing a call for its caller, as it stands or as a handler changed it.
//!
//! Called by handlers, through [`Actor::perform`].

use std::ffi::OsStr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use cofferdam_nsenter::{Inside, Open, Set};
use cofferdam_sys::{Errno, socket};

use crate::actor::{HERE, start};
use crate::{Actor, Address, Answer, Call, Descriptor, Error, Result, SetXattr};

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const AT_REMOVEDIR: u32 = 0x200;

impl Actor<'_> {
    /// Does a call for the caller, and gives the answer to it. What it can do: mkdir, mknod, open, unlink, chown,
    /// chmod, setxattr, symlink; mount with all that it stands for (new, bind, remount of a mount or of its file
    /// system, move, propagation), umount, and the newer calls for the same (fsopen, fspick, fsconfig, fsmount,
    /// open_tree, move_mount, mount_setattr); connect, bind, sendto, sendmsg and sendmmsg.
    ///
    /// Paths are looked up as the caller would, but magic links (`/proc/self/fd/3`) are never followed (`ELOOP`),
    /// and `/proc/self` would be the helper's: nothing there is opened (`EXDEV`). The kernel puts no descriptors
    /// that are places only (`O_PATH`) into a caller's table: they cannot be opened for it. What fsmount gives is the
    /// mount's root directory, opened, and what open_tree gives is an empty file: the mounts themselves wait for their
    /// move_mount among 32 of the same [`crate::Actors`]. Messages are sent over sockets of IP and unix(7); not to a
    /// path, not without copying, and with the ancillary data only that mean the same whoever sends.
    ///
    /// # Errors
    /// What the call failed with, for the caller ([`Error::for_caller`]): `EOPNOTSUPP` for what it cannot do; and
    /// as [`Actor::act`].
    pub fn perform(&self, call: &Call) -> Result<Answer> {
        match call {
            Call::Mkdir { dir, path, mode } => {
                done(self.act(Set::MNT, start(*dir, path), |inside| inside.mkdir(named(path), *mode)))
            }
            Call::Mknod { dir, path, mode, device } => {
                done(
                    self.act(Set::MNT, start(*dir, path), |inside| inside.mknod(named(path), *mode, *device)),
                )
            }
            Call::Open { dir, path, how } => {
                const O_PATH: u64 = 0o10_000_000;
                if how.flags & O_PATH != 0 {
                    Err(Errno::EOPNOTSUPP)?;
                }
                let cloexec = how.cloexec();
                let mode = u32::try_from(how.mode).map_err(|_| Errno::EINVAL)?;
                let how = Open::exactly(how.flags, mode, how.resolve);
                let fd = self.act(Set::MNT, start(*dir, path), |inside| inside.open(named(path), &how))?;
                Ok(Answer::descriptor(fd, cloexec))
            }
            Call::Chown { dir, path, uid, gid, flags } => {
                done(self.chown((*dir, path), (*uid, *gid), *flags))
            }
            Call::Chmod { dir, path, mode, flags: 0 } => {
                done(self.act(Set::MNT, start(*dir, path), |inside| inside.chmod(named(path), *mode)))
            }
            Call::Chmod { dir, path, mode, flags: AT_EMPTY_PATH } if path.is_empty() => {
                let file = self.caller.descriptor(*dir)?;
                done(self.act(Set::MNT, HERE, |inside| inside.fchmod(&file, *mode)))
            }
            Call::Unlink { dir, path, flags } if flags & !AT_REMOVEDIR == 0 => {
                done(self.act(Set::MNT, start(*dir, path), |inside| inside.unlink(named(path), *flags)))
            }
            Call::SetXattr(xattr) => done(self.set_xattr(xattr)),
            Call::Symlink { target, dir, path } => done(
                self.act(Set::MNT, start(*dir, path), |inside| inside.symlink(named(target), named(path))),
            ),
            Call::Connect { socket, address } => done(self.connect(*socket, address)),
            Call::Bind { socket, address } => {
                let socket = self.caller.descriptor(*socket)?;
                let place = Set::MNT | Set::NET;
                done(self.act(place, HERE, |inside| inside.bind_socket(&socket, address.bytes())))
            }
            Call::SendTo { socket, buffer, length, flags, address } => {
                self.send_to((*socket, *flags), (*buffer, *length), address.as_ref())
            }
            Call::SendMessages { socket, messages, flags } => self.send_messages(*socket, messages, *flags),
            _ => self.perform_mount(call),
        }
    }

    fn chown(&self, (dir, path): (i32, &std::ffi::CStr), (uid, gid): (u32, u32), flags: u32) -> Result<()> {
        if flags & AT_EMPTY_PATH != 0 && path.is_empty() {
            let file = self.place(dir)?;
            return self.act(Set::MNT, HERE, |inside| inside.fchown(&file, uid, gid));
        }
        self.act(Set::MNT, start(dir, path), |inside| match flags & AT_SYMLINK_NOFOLLOW {
            0 => inside.chown(named(path), uid, gid),
            _ => inside.lchown(named(path), uid, gid),
        })
    }

    fn set_xattr(&self, xattr: &SetXattr) -> Result<()> {
        let SetXattr { dir, path, flags_at, name, value, flags } = xattr;
        if flags_at & AT_EMPTY_PATH != 0 && path.is_empty() {
            let file = self.place(*dir)?;
            return self.act(Set::MNT, HERE, |inside| inside.set_xattr_of(&file, name, value, *flags));
        }
        let follow = flags_at & AT_SYMLINK_NOFOLLOW == 0;
        self.act(Set::MNT, start(*dir, path), |inside| {
            inside.set_xattr(named(path), follow, name, value, *flags)
        })
    }

    /// An address of the internet needs no place to be looked up in; one of unix(7) does, and the other side sees
    /// who connects.
    fn connect(&self, number: i32, address: &Address) -> Result<()> {
        let socket = self.caller.descriptor(number)?;
        if address.inet().is_none() {
            let place = Set::MNT | Set::NET;
            return self.act(place, HERE, |inside| inside.connect(&socket, address.bytes()));
        }
        self.request.validate()?;
        self.wait_connected(socket, address.clone())
    }

    /// Connecting may take minutes, and the caller may go meanwhile. One that was interrupted finds its socket
    /// connected later, as connect(2) says; one that has ended needs no connection any more.
    fn wait_connected(&self, socket: OwnedFd, address: Address) -> Result<()> {
        const STEP: Duration = Duration::from_millis(100);
        let failed = |e: std::io::Error| Error::io("connecting", &e);
        let copy = std::net::TcpStream::from(socket.try_clone().map_err(failed)?);
        let slot = Slot::take().ok_or(Errno::EAGAIN)?;
        let (to, from) = std::sync::mpsc::channel();
        let connect = move || {
            let _slot = slot;
            to.send(socket::connect(socket.as_raw_fd(), address.bytes()))
        };
        std::thread::Builder::new().name("notify-connect".to_owned()).spawn(connect).map_err(failed)?;
        loop {
            match from.recv_timeout(STEP) {
                Ok(connected) => return Ok(connected?),
                Err(RecvTimeoutError::Disconnected) => Err(Errno::EIO)?,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if !self.request.is_valid() {
                if !self.caller.is_alive() {
                    let _ = copy.shutdown(std::net::Shutdown::Both);
                }
                return Err(Error::Gone);
            }
        }
    }
}

/// One of the connections that are waited for at once, in this process.
struct Slot;

static CONNECTING: AtomicUsize = AtomicUsize::new(0);

impl Slot {
    fn take() -> Option<Self> {
        const MOST: usize = 256;
        let more = |n: usize| (n < MOST).then_some(n.saturating_add(1));
        CONNECTING.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok().then_some(Self)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        CONNECTING.fetch_sub(1, Ordering::AcqRel);
    }
}

pub(crate) fn done(outcome: Result<()>) -> Result<Answer> {
    outcome.map(|()| Answer::Value(0))
}

pub(crate) fn named(path: &std::ffi::CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

/// Handlers that give a descriptor away.
impl From<Descriptor> for Answer {
    fn from(descriptor: Descriptor) -> Self {
        Self::Descriptor(descriptor)
    }
}
