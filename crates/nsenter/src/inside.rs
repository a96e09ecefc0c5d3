//! What can be done inside, in one trait: the built-in operations and the registered modules.
//!
//! Implemented by [`crate::Enter`], which makes a helper for each call, and by [`crate::Resident`], which
//! keeps them. Encodes wishes; runs nothing itself.

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use cofferdam::launch::Operations;
use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_sys::{Errno, memfd_create};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::mount::{self, Mount};
use crate::{Error, Open, Result};

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

    /// Changes the permission bits.
    ///
    /// # Errors
    /// As chmod(2), and as [`Inside::mkdir`].
    fn chmod(&self, path: impl AsRef<Path>, mode: u32) -> Result<()> {
        let path = path.as_ref();
        self.one("changing the mode of", path, Op::HereMode { path: &text(path)?, mode })
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
        let op = Op::HereOpen { path: &text(path)?, flags: how.flags(), mode: how.permission_bits() };
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
        let target = target.as_ref();
        let set = mount::attributes(flags);
        let op = Op::HereBind { source: &text(source.as_ref())?, target: &text(target)?, recursive, set };
        self.one("mounting at", target, op)
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

fn single(doing: &'static str, object: &Path, op: Op<'_>) -> Operations {
    let mut operations = Operations::default();
    operations.push(doing, object.display().to_string(), op);
    operations
}

fn text(path: &Path) -> Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| Error::Encoding(format!("{:?} has a null byte", path.display())))
}

fn no_descriptor() -> Error {
    let step = "opening: the helper sent no descriptor";
    Error::Helper(cofferdam::Error::new(cofferdam::ErrorKind::System, step))
}
