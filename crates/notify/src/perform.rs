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

use crate::actor::HERE;
use crate::{Actor, Address, Answer, Call, Descriptor, Error, FsConfig, Mount, Result, SetXattr};

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
const CLOEXEC: u32 = 1;

impl Actor<'_> {
    /// Does a call for the caller, and gives the answer to it. What it can do: mkdir, mknod, open, chown, chmod,
    /// setxattr, symlink, mount (also bind mounts, their attributes and propagation), umount, fsopen, fsconfig,
    /// fsmount, move_mount of what fsmount gave, connect, bind and sendto.
    ///
    /// Paths are looked up as the caller would, but magic links (`/proc/self/fd/3`) are never followed (`ELOOP`),
    /// and `/proc/self` would be the helper's: nothing there is opened (`EXDEV`). The kernel puts no descriptors
    /// that are places only (`O_PATH`) into a caller's table: they cannot be opened for it, and what fsmount gives
    /// is the mount's root directory, opened; the mount itself waits for its move_mount among 32 of the same
    /// [`crate::Actors`].
    ///
    /// # Errors
    /// What the call failed with, for the caller ([`Error::for_caller`]): `EOPNOTSUPP` for what it cannot do; and
    /// as [`Actor::act`].
    pub fn perform(&self, call: &Call) -> Result<Answer> {
        match call {
            Call::Mkdir { dir, path, mode } => {
                done(self.act(Set::MNT, *dir, |inside| inside.mkdir(named(path), *mode)))
            }
            Call::Mknod { dir, path, mode, device } => {
                done(self.act(Set::MNT, *dir, |inside| inside.mknod(named(path), *mode, *device)))
            }
            Call::Open { dir, path, how } => {
                const O_PATH: u64 = 0o10_000_000;
                if how.flags & O_PATH != 0 {
                    Err(Errno::EOPNOTSUPP)?;
                }
                let cloexec = how.cloexec();
                let mode = u32::try_from(how.mode).map_err(|_| Errno::EINVAL)?;
                let how = Open::exactly(how.flags, mode, how.resolve);
                let fd = self.act(Set::MNT, *dir, |inside| inside.open(named(path), &how))?;
                Ok(Answer::descriptor(fd, cloexec))
            }
            Call::Chown { dir, path, uid, gid, flags } => {
                done(self.chown((*dir, path), (*uid, *gid), *flags))
            }
            Call::Chmod { dir, path, mode, flags: 0 } => {
                done(self.act(Set::MNT, *dir, |inside| inside.chmod(named(path), *mode)))
            }
            Call::SetXattr(xattr) => done(self.set_xattr(xattr)),
            Call::Symlink { target, dir, path } => {
                done(self.act(Set::MNT, *dir, |inside| inside.symlink(named(target), named(path))))
            }
            Call::Connect { socket, address } => done(self.connect(*socket, address)),
            Call::Bind { socket, address } => {
                let socket = self.caller.descriptor(*socket)?;
                let place = Set::MNT | Set::NET;
                done(self.act(place, HERE, |inside| inside.bind_socket(&socket, address.bytes())))
            }
            Call::SendTo { socket, buffer, length, flags, address } => {
                self.send((*socket, *flags), (*buffer, *length), address.as_ref())
            }
            _ => self.perform_mount(call),
        }
    }

    fn perform_mount(&self, call: &Call) -> Result<Answer> {
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
            Call::FsConfig { fd, config } => done(self.configure(*fd, config)),
            Call::FsMount { fd, flags, attributes } => {
                let fs = self.caller.descriptor(*fd)?;
                let mount = self.act(all, HERE, |inside| inside.fs_mount(&fs, (*attributes).into()))?;
                Ok(Answer::descriptor(self.actors.detach(mount)?, flags & CLOEXEC != 0))
            }
            Call::MoveMount { from, to, flags } => done(self.attach(from, to, *flags)),
            _ => Err(Errno::EOPNOTSUPP)?,
        }
    }

    fn chown(&self, (dir, path): (i32, &std::ffi::CStr), (uid, gid): (u32, u32), flags: u32) -> Result<()> {
        if flags & AT_EMPTY_PATH != 0 && path.is_empty() {
            let file = self.place(dir)?;
            return self.act(Set::MNT, HERE, |inside| inside.fchown(&file, uid, gid));
        }
        self.act(Set::MNT, dir, |inside| match flags & AT_SYMLINK_NOFOLLOW {
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
        self.act(Set::MNT, *dir, |inside| inside.set_xattr(named(path), follow, name, value, *flags))
    }

    /// mount(2) is five calls in one.
    fn mount(&self, mount: &Mount) -> Result<()> {
        const MS_REMOUNT: u64 = 32;
        const MS_BIND: u64 = 4096;
        const MS_MOVE: u64 = 8192;
        const MS_REC: u64 = 16384;
        const PROPAGATION: u64 = 0b1111 << 17;
        // Read-only, nosuid, nodev, noexec, nosymfollow, nodiratime.
        const CHANGEABLE: u64 = 1 | 2 | 4 | 8 | 1 << 8 | 1 << 11;
        let (target, flags) = (named(&mount.target), mount.flags);
        let recursive = flags & MS_REC != 0;
        self.act(Set::NAMESPACES, HERE, |inside| {
            if flags & MS_REMOUNT != 0 && flags & MS_BIND != 0 {
                let set = flags & CHANGEABLE;
                return inside.change_mount(target, (set, CHANGEABLE & !set), 0, false);
            }
            if flags & MS_BIND != 0 {
                return inside.bind(
                    mount.source.as_deref().map_or_else(|| Path::new(""), named),
                    target,
                    recursive,
                    0,
                );
            }
            if flags & PROPAGATION != 0 {
                return inside.change_mount(target, (0, 0), flags & PROPAGATION, recursive);
            }
            if flags & (MS_REMOUNT | MS_MOVE) != 0 {
                return Err(refused(Errno::EOPNOTSUPP));
            }
            let text = |text: &Option<std::ffi::CString>| match text.as_deref().map(std::ffi::CStr::to_str) {
                None => Ok(String::new()),
                Some(Ok(text)) => Ok(text.to_owned()),
                Some(Err(_)) => Err(refused(Errno::EINVAL)),
            };
            let new = cofferdam_nsenter::Mount::new(text(&mount.fstype)?, target);
            inside.mount(&new.source(text(&mount.source)?).data(text(&mount.data)?).flags(flags))
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
        let aux = aux.as_ref().map(std::os::fd::AsFd::as_fd);
        self.act(Set::NAMESPACES, HERE, |inside| inside.fs_config(&fs, command, key, value, aux))
    }

    fn attach(
        &self,
        from: &(i32, std::ffi::CString),
        to: &(i32, std::ffi::CString),
        flags: u32,
    ) -> Result<()> {
        const F_EMPTY_PATH: u32 = 4;
        const T_SYMLINKS: u32 = 0x10;
        const T_EMPTY_PATH: u32 = 0x40;
        if flags & F_EMPTY_PATH == 0 || !from.1.is_empty() {
            Err(Errno::EOPNOTSUPP)?;
        }
        let root = self.caller.descriptor(from.0)?;
        let mount = self.actors.detached(&root)?.ok_or(Errno::EINVAL)?;
        let here = flags & T_EMPTY_PATH != 0 && to.1.is_empty();
        let path = if here { Path::new(".") } else { named(&to.1) };
        self.act(Set::NAMESPACES, to.0, |inside| inside.attach(&mount, path, flags & T_SYMLINKS != 0))
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

    /// The data are read once, as the address was: both are sent as they were judged.
    fn send(
        &self,
        (number, flags): (i32, u32),
        (buffer, length): (u64, u64),
        address: Option<&Address>,
    ) -> Result<Answer> {
        const LARGEST: usize = 1 << 20;
        if address.is_some_and(|address| address.inet().is_none()) {
            Err(Errno::EOPNOTSUPP)?;
        }
        let socket = self.caller.descriptor(number)?;
        let data = self.request.read(|memory| memory.counted(buffer, length, LARGEST))?;
        let to = address.map_or(&[][..], Address::bytes);
        // Waiting for room would be waiting here, for somebody who may go.
        const MSG_DONTWAIT: u32 = 0x40;
        let sent = socket::send_to(socket.as_raw_fd(), &data, flags | MSG_DONTWAIT, to)?;
        Ok(Answer::Value(i64::try_from(sent).unwrap_or(i64::MAX)))
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

fn done(outcome: Result<()>) -> Result<Answer> {
    outcome.map(|()| Answer::Value(0))
}

fn named(path: &std::ffi::CStr) -> &Path {
    Path::new(OsStr::from_bytes(path.to_bytes()))
}

fn refused(errno: Errno) -> cofferdam_nsenter::Error {
    let words = "mounting";
    cofferdam_nsenter::Error::Operation(cofferdam::Error::system(words, errno))
}

/// Handlers that give a descriptor away.
impl From<Descriptor> for Answer {
    fn from(descriptor: Descriptor) -> Self {
        Self::Descriptor(descriptor)
    }
}
