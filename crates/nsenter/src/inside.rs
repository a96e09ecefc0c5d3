//! What can be done inside, in one trait: the built-in operations and the registered modules.
//!
//! Implemented by [`crate::Enter`], which makes a helper for each call, and by [`crate::Resident`], which
//! keeps them. Encodes wishes; runs nothing itself.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam::launch::Operations;
use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_sys::{Errno, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mount::{self, Mount};
use crate::{Error, Open, Result, Spot};

pub(crate) mod by {
    //! Who grants wishes. Not public: nobody else can.

    use super::{Operations, OwnedFd, Result};

    /// Somebody who has helpers.
    ///
    /// ```
    /// fn somebody(_: &impl cofferdam_nsenter::Inside) {} // an `Enter` or a `Resident`: every `Helper`
    /// ```
    pub trait Helper {
        /// Has the child program run operations inside.
        ///
        /// # Errors
        /// As every operation.
        fn wish(&self, operations: &Operations, fds: &[i32]) -> Result<Option<OwnedFd>>;

        /// Has the caller's own program run a module inside.
        ///
        /// # Errors
        /// As every call.
        fn ask(&self, module: &str, input: &[u8]) -> Result<Vec<u8>>;
    }
}

/// Operations inside a target's handles.
///
/// Paths are looked up as the target would look them up, relative ones from its working directory, with two
/// exceptions: magic links (`/proc/PID/root`, `/proc/PID/fd/N`…) are never followed (`ELOOP`), and `..` never
/// leads out of its root. Modes are used as they are given, unless [`crate::Enter::as_target`] brought a umask.
///
/// ```no_run
/// use cofferdam_nsenter::{Inside, Mount, Target};
/// let enter = Target::open(4711)?.enter();
/// enter.mkdir("/scratch", 0o755)?;
/// enter.mount(&Mount::new("tmpfs", "/scratch").data("size=1m"))?;
/// enter.write("/scratch/hello", b"hello", 0o644)?;
/// assert_eq!(enter.read("/scratch/hello", 100)?, b"hello");
/// enter.umount("/scratch", 0)?;
/// # Ok::<(), cofferdam_nsenter::Error>(())
/// ```
pub trait Inside: by::Helper {
    /// Makes a directory.
    ///
    /// # Errors
    /// [`Error::Operation`] as mkdir(2), and what every operation may end in: [`Error::Join`],
    /// [`Error::Helper`], [`Error::Crashed`], [`Error::TimedOut`].
    fn mkdir(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("making the directory", path, Op::HereDirectory { path: &text(path)?, mode })
    }

    /// Makes a node: `mode` has a type (`S_IFCHR`, `S_IFBLK`, `S_IFIFO`, `S_IFREG`, `S_IFSOCK`) and permission
    /// bits; `(major, minor)` is for devices.
    ///
    /// # Errors
    /// As mknod(2), and as [`Inside::mkdir`].
    fn mknod(&self, path: impl AsRef<Path>, mode: u32, (major, minor): (u32, u32)) -> Result<()> {
        let (path, dev) = (path.as_ref(), cofferdam_sys::mknodat::makedev(major, minor));
        self.one("making the node", path, Op::HereNode { path: &text(path)?, mode, dev })
    }

    /// Makes a symbolic link at `path` that says `target`.
    ///
    /// # Errors
    /// As symlink(2), and as [`Inside::mkdir`].
    fn symlink(&self, target: impl AsRef<Path>, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let op = Op::HereSymlink { path: &text(path)?, target: &text(target.as_ref())? };
        self.one("making the symbolic link", path, op)
    }

    /// Changes the owner, given in ids of the user namespace that is entered.
    ///
    /// # Errors
    /// As chown(2), and as [`Inside::mkdir`].
    fn chown(&self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Result<()> {
        let path = path.as_ref();
        let op = Op::HereOwner { path: &text(path)?, uid, gid, follow: true };
        self.one("changing the owner of", path, op)
    }

    /// As [`Inside::chown`], of a symbolic link itself.
    ///
    /// # Errors
    /// As lchown(2), and as [`Inside::mkdir`].
    fn lchown(&self, path: impl AsRef<Path>, uid: u32, gid: u32) -> Result<()> {
        let path = path.as_ref();
        let op = Op::HereOwner { path: &text(path)?, uid, gid, follow: false };
        self.one("changing the owner of", path, op)
    }

    /// Changes the owner of what a descriptor names, which may be a place only (`O_PATH`).
    ///
    /// # Errors
    /// As fchown(2), and as [`Inside::mkdir`].
    fn fchown(&self, file: impl AsFd, uid: u32, gid: u32) -> Result<()> {
        let operations =
            single("changing the owner of", "a descriptor".as_ref(), Op::HereOwnerOf { uid, gid });
        self.wish(&operations, &[file.as_fd().as_raw_fd()]).map(drop)
    }

    /// Sets an extended attribute; a symbolic link at the end is followed as `follow` says. `flags` are
    /// `XATTR_CREATE` (1) and `XATTR_REPLACE` (2).
    ///
    /// # Errors
    /// As setxattr(2), and as [`Inside::mkdir`].
    fn set_xattr(
        &self,
        path: impl AsRef<Path>,
        follow: bool,
        name: &CStr,
        value: &[u8],
        flags: u32,
    ) -> Result<()> {
        let path = path.as_ref();
        let op = Op::HereAttribute { path: &text(path)?, follow, name, value, flags };
        self.one("setting an attribute of", path, op)
    }

    /// As [`Inside::set_xattr`], of what a descriptor names, which may be a place only (`O_PATH`).
    ///
    /// # Errors
    /// As fsetxattr(2), and as [`Inside::mkdir`].
    fn set_xattr_of(&self, file: impl AsFd, name: &CStr, value: &[u8], flags: u32) -> Result<()> {
        let op = Op::HereAttribute { path: c"", follow: true, name, value, flags };
        let operations = single("setting an attribute of", "a descriptor".as_ref(), op);
        self.wish(&operations, &[file.as_fd().as_raw_fd()]).map(drop)
    }

    /// Connects a socket, whose network namespace is its own, to an address (`struct sockaddr`): paths are looked
    /// up inside, and the other side sees the helper's ids. Waits as the socket waits.
    ///
    /// # Errors
    /// As connect(2), and as [`Inside::mkdir`].
    fn connect(&self, socket: impl AsFd, address: &[u8]) -> Result<()> {
        let operations = single("connecting", "a socket".as_ref(), Op::HereConnect { address });
        self.wish(&operations, &[socket.as_fd().as_raw_fd()]).map(drop)
    }

    /// Gives a socket an address, as [`Inside::connect`].
    ///
    /// # Errors
    /// As bind(2), and as [`Inside::mkdir`].
    fn bind_socket(&self, socket: impl AsFd, address: &[u8]) -> Result<()> {
        let operations = single("binding", "a socket".as_ref(), Op::HereAddress { address });
        self.wish(&operations, &[socket.as_fd().as_raw_fd()]).map(drop)
    }

    /// Changes the permission bits.
    ///
    /// # Errors
    /// As chmod(2), and as [`Inside::mkdir`].
    fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("changing the mode of", path, Op::HereMode { path: &text(path)?, mode, follow: true })
    }

    /// As [`Inside::chmod`], of what a descriptor names, which may be a place only (`O_PATH`).
    ///
    /// # Errors
    /// As fchmod(2), and as [`Inside::mkdir`].
    fn fchmod(&self, file: impl AsFd, mode: u32) -> Result<()> {
        let op = Op::HereMode { path: c"", mode, follow: true };
        let operations = single("changing the mode of", "a descriptor".as_ref(), op);
        self.wish(&operations, &[file.as_fd().as_raw_fd()]).map(drop)
    }

    /// Removes a name: of an empty directory with `AT_REMOVEDIR` (0x200) in `flags`, of anything else without.
    ///
    /// # Errors
    /// As unlinkat(2), and as [`Inside::mkdir`].
    fn unlink(&self, path: impl AsRef<Path>, flags: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("removing", path, Op::HereUnlink { path: &text(path)?, flags })
    }

    /// Reads a regular file of at most `limit` bytes.
    ///
    /// # Errors
    /// As open(2) and read(2), `EFBIG` for a longer one, `EINVAL` for what is no regular file; and as
    /// [`Inside::mkdir`].
    fn read(&self, path: impl AsRef<Path>, limit: u64) -> Result<Vec<u8>> {
        let (path, doing) = (path.as_ref(), "reading");
        let failed = |e: Errno| Error::Helper(cofferdam::Error::system("making a file in memory", e));
        let to = OwnedFd::from(memfd_create::memfd_create(c"cofferdam-read", false).map_err(failed)?);
        let operations = single(doing, path, Op::HereRead { path: &text(path)?, limit });
        self.wish(&operations, &[to.as_raw_fd()])?;
        let (mut file, mut content) = (File::from(to), Vec::new());
        let read = file.rewind().and_then(|()| file.read_to_end(&mut content));
        read.map_err(|e| Error::Helper(cofferdam::Error::io(doing, path, &e)))?;
        Ok(content)
    }

    /// Replaces the content of a regular file, made with this mode where missing.
    ///
    /// # Errors
    /// As open(2) and write(2), `EINVAL` for what is no regular file; and as [`Inside::mkdir`].
    fn write(&self, path: impl AsRef<Path>, content: &[u8], mode: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("writing", path, Op::HereWrite { path: &text(path)?, mode, content })
    }

    /// Opens a path and gets the descriptor.
    ///
    /// # Errors
    /// As open(2), and as [`Inside::mkdir`].
    fn open(&self, path: impl AsRef<Path>, how: &Open) -> Result<OwnedFd> {
        let path = path.as_ref();
        let (flags, mode, resolve) = (how.flags(), how.permission_bits(), how.resolve());
        let op = Op::HereOpen { path: &text(path)?, flags, mode, resolve };
        self.wish(&single("opening", path, op), &[])?.ok_or_else(no_descriptor)
    }

    /// Mounts a file system.
    ///
    /// # Errors
    /// As fsopen(2), fsconfig(2) and move_mount(2), with the kernel's own words where it has any; and as
    /// [`Inside::mkdir`].
    fn mount(&self, mount: &Mount) -> Result<()> {
        let (parameters, fstype) = (mount.parameters()?, text(Path::new(&mount.fstype))?);
        let op = Op::HereMount {
            target: &text(&mount.target)?,
            fstype: &fstype,
            params: List::new(&parameters),
            attr: mount.attributes(),
        };
        self.one("mounting at", &mount.target, op)
    }

    /// Mounts a file or directory at another place too, `recursive` with what is mounted below. `flags` are
    /// `MS_RDONLY`, `MS_NOSUID` and the like of mount(2), for the new mount.
    ///
    /// # Errors
    /// As open_tree(2) and move_mount(2), and as [`Inside::mkdir`].
    fn bind(
        &self,
        source: impl AsRef<Path>,
        target: impl AsRef<Path>,
        recursive: bool,
        flags: u64,
    ) -> Result<()> {
        let (source, target) = (source.as_ref(), target.as_ref());
        let (set, place) = (mount::attributes(flags), text(target)?);
        let mut all = single("copying the mount", source, Op::HereTree { path: &text(source)?, recursive });
        if set != 0 {
            let op = Op::HereAttributes { target: c"", set, clear: 0, propagation: 0, recursive };
            all.append(&single("changing the mount at", source, op));
        }
        all.append(&single("mounting at", target, Op::HereAttach { target: &place, follow: true }));
        self.wish(&all, &[]).map(drop)
    }

    /// Names what a path leads to by a descriptor that is a place only (`O_PATH`). Unlike with [`Inside::open`] that may
    /// be below /proc, where `self` is the helper: what is there means nothing, the mount's root does.
    ///
    /// # Errors
    /// As open(2), and as [`Inside::mkdir`].
    fn place(&self, path: impl AsRef<Path>, follow: bool) -> Result<OwnedFd> {
        let path = path.as_ref();
        let mut all = single("finding", path, Op::HerePlace { path: &text(path)?, follow });
        all.append(&single("handing the place over", path, Op::HereGive {}));
        self.wish(&all, &[])?.ok_or_else(no_descriptor)
    }

    /// Copies what is mounted at a place, `recursive` with what is mounted below, attached nowhere.
    ///
    /// # Errors
    /// As open_tree(2) with `OPEN_TREE_CLONE`, and as [`Inside::mkdir`].
    fn copy_mount(&self, place: Spot<'_>, recursive: bool) -> Result<OwnedFd> {
        let mut all = place.single("copying the mount", |path| Op::HereTree { path, recursive })?;
        all.append(&single("handing the mount over", "".as_ref(), Op::HereGive {}));
        self.wish(&all, place.descriptor().as_slice())?.ok_or_else(no_descriptor)
    }

    /// Moves what is mounted at a place, with all below.
    ///
    /// # Errors
    /// As move_mount(2), and as [`Inside::mkdir`].
    fn move_mount(&self, from: Spot<'_>, to: impl AsRef<Path>, follow: bool) -> Result<()> {
        let to = to.as_ref();
        let mut all = Operations::default();
        if let Spot::Path(path) = from {
            all.append(&single("moving the mount", path, Op::HerePlace { path: &text(path)?, follow: true }));
        }
        all.append(&single("mounting at", to, Op::HereAttach { target: &text(to)?, follow }));
        self.wish(&all, from.descriptor().as_slice()).map(drop)
    }

    /// Changes the attributes of what is mounted at a place as mount_setattr(2): `set` and `clear` are
    /// `MOUNT_ATTR_*`, `propagation` is `MS_SHARED` and the like, or 0.
    ///
    /// # Errors
    /// As there, and as [`Inside::mkdir`].
    fn mount_setattr(
        &self,
        place: Spot<'_>,
        (set, clear): (u64, u64),
        propagation: u64,
        recursive: bool,
    ) -> Result<()> {
        let all = place.single("changing the mount at", |target| Op::HereAttributes {
            target,
            set,
            clear,
            propagation,
            recursive,
        })?;
        self.wish(&all, place.descriptor().as_slice()).map(drop)
    }

    /// Gives a mount the attributes that mount(2) would with `MS_REMOUNT | MS_BIND` and these flags: those that are
    /// not named are taken away.
    ///
    /// # Errors
    /// As [`Inside::mount_setattr`].
    fn remount_bind(&self, place: Spot<'_>, flags: u64) -> Result<()> {
        self.mount_setattr(place, mount::remounted(flags), 0, false)
    }

    /// Changes a file system's options, and its mount's attributes, as mount(2) would with `MS_REMOUNT`: of the
    /// description, options and flags count.
    ///
    /// # Errors
    /// As fspick(2), fsconfig(2) and mount_setattr(2), and as [`Inside::mkdir`].
    fn remount(&self, place: Spot<'_>, mount: &Mount) -> Result<()> {
        let mut all = place.single("opening the file system at", |path| Op::HerePick { path })?;
        for (key, value) in mount.reconfigured()? {
            let command = u32::from(value.is_some());
            let op = Op::HereFsConfig { command, key: &key, value: value.as_deref().unwrap_or_default() };
            all.append(&single("setting the option", key.to_string_lossy().as_ref().as_ref(), op));
        }
        let op = Op::HereFsConfig { command: 7, key: c"", value: c"" };
        all.append(&single("changing the file system", "".as_ref(), op));
        self.wish(&all, place.descriptor().as_slice())?;
        self.remount_bind(place, mount.mount_flags())
    }

    /// Opens the file system that is mounted at a place, to be changed ([`Inside::fs_config`]).
    ///
    /// # Errors
    /// As fspick(2), and as [`Inside::mkdir`].
    fn fs_pick(&self, place: Spot<'_>) -> Result<OwnedFd> {
        let mut all = place.single("opening the file system at", |path| Op::HerePick { path })?;
        all.append(&single("handing the file system over", "".as_ref(), Op::HereGive {}));
        self.wish(&all, place.descriptor().as_slice())?.ok_or_else(no_descriptor)
    }

    /// Attaches a mount at what a descriptor names.
    ///
    /// # Errors
    /// As move_mount(2), and as [`Inside::mkdir`].
    fn attach_to(&self, mount: impl AsFd, place: impl AsFd) -> Result<()> {
        let op = Op::HereAttach { target: c"", follow: false };
        let fds = [mount.as_fd().as_raw_fd(), place.as_fd().as_raw_fd()];
        self.wish(&single("mounting at", "a descriptor".as_ref(), op), &fds).map(drop)
    }

    /// Takes off the mount that a descriptor names the root of. As that is in use by the descriptor, `flags` should
    /// have `MNT_DETACH`.
    ///
    /// # Errors
    /// As umount2(2), and as [`Inside::mkdir`].
    fn umount_of(&self, mount: impl AsFd, flags: u32) -> Result<()> {
        let op = Op::HereUnmount { target: c"", flags };
        let operations = single("unmounting", "a descriptor".as_ref(), op);
        self.wish(&operations, &[mount.as_fd().as_raw_fd()]).map(drop)
    }

    /// Takes off what is mounted at `path`; a symbolic link there is not followed. `flags` are `MNT_FORCE`,
    /// `MNT_DETACH` and `MNT_EXPIRE` of umount2(2).
    ///
    /// # Errors
    /// As umount2(2), and as [`Inside::mkdir`].
    fn umount(&self, path: impl AsRef<Path>, flags: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("unmounting", path, Op::HereUnmount { target: &text(path)?, flags })
    }

    /// Changes the attributes of what is mounted at `path`: `set` and `clear` are `MS_RDONLY` and the like of
    /// mount(2), `propagation` is `MS_SHARED` and the like, or 0; `recursive` with what is mounted below.
    ///
    /// # Errors
    /// As mount_setattr(2), and as [`Inside::mkdir`].
    fn change_mount(
        &self,
        path: impl AsRef<Path>,
        (set, clear): (u64, u64),
        propagation: u64,
        recursive: bool,
    ) -> Result<()> {
        let path = path.as_ref();
        let (set, clear) = (mount::attributes(set), mount::attributes(clear));
        let op = Op::HereAttributes { target: &text(path)?, set, clear, propagation, recursive };
        self.one("changing the mount at", path, op)
    }

    /// Opens a file system to be configured, as fsopen(2).
    ///
    /// # Errors
    /// As fsopen(2), and as [`Inside::mkdir`].
    fn fs_open(&self, fstype: &CStr) -> Result<OwnedFd> {
        let of = fstype.to_string_lossy();
        let operations = single("opening the file system", of.as_ref().as_ref(), Op::HereFsOpen { fstype });
        self.wish(&operations, &[])?.ok_or_else(no_descriptor)
    }

    /// Takes one step of fsconfig(2), by the number of its command: those that take no blob and no path. What the
    /// kernel has to say about it is read from the descriptor.
    ///
    /// # Errors
    /// As fsconfig(2), `EOPNOTSUPP` for other commands; and as [`Inside::mkdir`].
    fn fs_config(
        &self,
        fs: impl AsFd,
        command: u32,
        key: &CStr,
        value: &CStr,
        aux: Option<BorrowedFd<'_>>,
    ) -> Result<()> {
        let of = key.to_string_lossy();
        let op = Op::HereFsConfig { command, key, value };
        let mut fds = vec![fs.as_fd().as_raw_fd()];
        fds.extend(aux.map(|aux| aux.as_raw_fd()));
        self.wish(&single("configuring the file system", of.as_ref().as_ref(), op), &fds).map(drop)
    }

    /// Makes a mount, attached nowhere, as fsmount(2); `attributes` are `MOUNT_ATTR_*`.
    ///
    /// # Errors
    /// As fsmount(2), and as [`Inside::mkdir`].
    fn fs_mount(&self, fs: impl AsFd, attributes: u64) -> Result<OwnedFd> {
        let op = Op::HereFsMount { attr: attributes };
        let operations = single("making the mount", "".as_ref(), op);
        self.wish(&operations, &[fs.as_fd().as_raw_fd()])?.ok_or_else(no_descriptor)
    }

    /// Attaches a mount, as move_mount(2) of a descriptor without a path.
    ///
    /// # Errors
    /// As move_mount(2), and as [`Inside::mkdir`].
    fn attach(&self, mount: impl AsFd, path: impl AsRef<Path>, follow: bool) -> Result<()> {
        let path = path.as_ref();
        let operations = single("mounting at", path, Op::HereAttach { target: &text(path)?, follow });
        self.wish(&operations, &[mount.as_fd().as_raw_fd()]).map(drop)
    }

    /// The network interfaces of the network namespace, each with its addresses.
    ///
    /// # Errors
    /// As rtnetlink(7), and as [`Inside::mkdir`].
    fn interfaces(&self) -> Result<Vec<crate::Interface>> {
        let mut operations = Operations::default();
        operations.push("opening a routing socket", "", Op::RouteSocket {});
        let socket = self.wish(&operations, &[])?.ok_or_else(no_descriptor)?;
        cofferdam_net::interfaces(socket)
            .map_err(|e| Error::Operation(cofferdam::Error::new(cofferdam::ErrorKind::System, e.to_string())))
    }

    /// Runs a registered module with these bytes.
    ///
    /// # Errors
    /// [`Error::Module`] with what the module returned, [`Error::Crashed`] when it did not return,
    /// [`Error::UnknownModule`], [`Error::NotInitialised`], [`Error::TooLarge`]; and as [`Inside::mkdir`].
    fn run(&self, module: &str, input: &[u8]) -> Result<Vec<u8>> {
        self.ask(module, input)
    }

    /// As [`Inside::run`], for a module that takes and gives values ([`crate::Module::typed`]).
    ///
    /// # Errors
    /// As [`Inside::run`]; [`Error::Encoding`] when the input cannot be written or the output not be read.
    fn call<In: Serialize, Out: DeserializeOwned>(&self, module: &str, input: &In) -> Result<Out> {
        let encoding = |e: serde_json::Error| Error::Encoding(format!("a value of module {module:?}: {e}"));
        let output = self.ask(module, &serde_json::to_vec(input).map_err(encoding)?)?;
        serde_json::from_slice(&output).map_err(encoding)
    }

    #[doc(hidden)]
    fn one(&self, doing: &'static str, object: &Path, op: Op<'_>) -> Result<()> {
        self.wish(&single(doing, object, op), &[]).map(drop)
    }
}

impl<T: by::Helper> Inside for T {}

pub(crate) fn single(doing: &'static str, object: &Path, op: Op<'_>) -> Operations {
    let mut operations = Operations::default();
    operations.push(doing, object.display().to_string(), op);
    operations
}

pub(crate) fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Encoding(format!("{:?} has a null byte", path.display())))
}

fn no_descriptor() -> Error {
    let step = "opening: the helper sent no descriptor";
    Error::Helper(cofferdam::Error::new(cofferdam::ErrorKind::System, step))
}
