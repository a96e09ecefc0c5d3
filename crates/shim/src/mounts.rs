//! The root filesystem that containerd describes: mounts onto `rootfs` in the bundle.
//!
//! Called by `create` and `delete`. The bundle is containerd's: what is mounted here, nobody else can have changed.

use std::ffi::CString;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use cofferdam::{Error, Result};
use containerd_shim_protos::api::Mount;
use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags};
use rustix::mount::{mount, mount_change, mount_remount, unmount as umount};

use crate::failure::malformed;

/// mount(2) takes a page of options.
const LONGEST: usize = 4095;

/// What was mounted; unmounted when this is dropped, unless it is kept.
#[derive(Debug)]
pub(crate) struct Mounted {
    rootfs: PathBuf,
    kept: bool,
}

impl Mounted {
    /// Mounts them, one over the other; `None` when there is nothing to mount.
    pub(crate) fn make(mounts: &[Mount], rootfs: &Path) -> Result<Option<Self>> {
        if mounts.is_empty() {
            return Ok(None);
        }
        fs::create_dir_all(rootfs)
            .map_err(|e| Error::io("making the root filesystem's directory", rootfs, &e))?;
        let made = Self { rootfs: rootfs.to_owned(), kept: false };
        for wanted in mounts {
            make_one(wanted, rootfs)?;
        }
        Ok(Some(made))
    }

    /// It stays.
    pub(crate) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.kept {
            let _ = unmount(&self.rootfs);
        }
    }
}

/// Unmounts whatever is mounted there; nothing is not an error.
pub(crate) fn unmount(rootfs: &Path) -> Result<()> {
    loop {
        let done = match umount(rootfs, UnmountFlags::NOFOLLOW) {
            // Somebody still looks at it from outside; it goes when they have.
            Err(Errno::BUSY) => umount(rootfs, UnmountFlags::NOFOLLOW | UnmountFlags::DETACH),
            other => other,
        };
        match done {
            Ok(()) => {}
            // Not a mount point, or not there.
            Err(Errno::INVAL | Errno::NOENT) => return Ok(()),
            Err(e) => return Err(Error::io("unmounting the root filesystem", rootfs, &e.into())),
        }
    }
}

/// What options of a mount say: flags, propagation, and the file system's own.
#[derive(Debug, PartialEq)]
struct Options {
    flags: MountFlags,
    propagation: MountPropagationFlags,
    data: Vec<String>,
}

impl Options {
    fn of(wanted: &Mount) -> Self {
        let mut options = Self {
            flags: MountFlags::empty(),
            propagation: MountPropagationFlags::empty(),
            data: Vec::new(),
        };
        for word in &wanted.options {
            if let Some((set, flag)) = flag(word) {
                options.flags.set(flag, set);
            } else if let Some(propagation) = propagation(word) {
                options.propagation |= propagation;
            } else if !word.is_empty() && word != "defaults" {
                options.data.push(word.clone());
            }
        }
        if wanted.type_ == "bind" {
            options.flags |= MountFlags::BIND;
        }
        options
    }
}

fn make_one(wanted: &Mount, rootfs: &Path) -> Result<()> {
    let target = match wanted.target.trim_start_matches('/') {
        "" => rootfs.to_owned(),
        below => rootfs.join(below),
    };
    let failed = |e: Errno| {
        Error::io("mounting the root filesystem on", &target, &e.into())
            .with_detail(format!("type {}, from {}", wanted.type_, wanted.source))
    };
    let options = Options::of(wanted);
    let recursive = MountFlags::BIND | MountFlags::REC;
    if options.flags.contains(MountFlags::BIND) {
        mount(&wanted.source, &target, "", options.flags & recursive, None).map_err(failed)?;
        let rest = options.flags - recursive;
        if !rest.is_empty() {
            mount_remount(&target, MountFlags::BIND | rest, "").map_err(failed)?;
        }
    } else {
        let (data, _open) = fitting(options.data)?;
        let data = CString::new(data).map_err(|e| malformed("the options of a mount", &e))?;
        mount(&wanted.source, &target, &wanted.type_, options.flags, &*data).map_err(failed)?;
    }
    if !options.propagation.is_empty() {
        mount_change(&target, options.propagation).map_err(failed)?;
    }
    Ok(())
}

/// Options as one string. Where that is too long, the lower directories of an overlay are named by descriptors,
/// which must stay open until they are mounted.
fn fitting(data: Vec<String>) -> Result<(String, Vec<File>)> {
    let long = data.join(",");
    if long.len() <= LONGEST {
        return Ok((long, Vec::new()));
    }
    let (mut words, mut open) = (Vec::with_capacity(data.len()), Vec::new());
    for word in data {
        let Some(directories) = word.strip_prefix("lowerdir=") else {
            words.push(word);
            continue;
        };
        let mut names = Vec::new();
        for directory in directories.split(':') {
            let file = File::open(directory).map_err(|e| Error::io("opening a layer", directory, &e))?;
            names.push(format!("/proc/self/fd/{}", file.as_raw_fd()));
            open.push(file);
        }
        words.push(format!("lowerdir={}", names.join(":")));
    }
    Ok((words.join(","), open))
}

fn flag(word: &str) -> Option<(bool, MountFlags)> {
    Some(match word {
        "bind" => (true, MountFlags::BIND),
        "rbind" => (true, MountFlags::BIND | MountFlags::REC),
        "ro" => (true, MountFlags::RDONLY),
        "rw" => (false, MountFlags::RDONLY),
        "nosuid" => (true, MountFlags::NOSUID),
        "suid" => (false, MountFlags::NOSUID),
        "nodev" => (true, MountFlags::NODEV),
        "dev" => (false, MountFlags::NODEV),
        "noexec" => (true, MountFlags::NOEXEC),
        "exec" => (false, MountFlags::NOEXEC),
        "sync" => (true, MountFlags::SYNCHRONOUS),
        "async" => (false, MountFlags::SYNCHRONOUS),
        "dirsync" => (true, MountFlags::DIRSYNC),
        "noatime" => (true, MountFlags::NOATIME),
        "atime" => (false, MountFlags::NOATIME),
        "nodiratime" => (true, MountFlags::NODIRATIME),
        "diratime" => (false, MountFlags::NODIRATIME),
        "relatime" => (true, MountFlags::RELATIME),
        "norelatime" => (false, MountFlags::RELATIME),
        "strictatime" => (true, MountFlags::STRICTATIME),
        "nostrictatime" => (false, MountFlags::STRICTATIME),
        _ => return None,
    })
}

fn propagation(word: &str) -> Option<MountPropagationFlags> {
    let (recursive, word) = word.strip_prefix('r').map_or((false, word), |rest| (true, rest));
    let kind = match word {
        "shared" => MountPropagationFlags::SHARED,
        "slave" => MountPropagationFlags::DOWNSTREAM,
        "private" => MountPropagationFlags::PRIVATE,
        "unbindable" => MountPropagationFlags::UNBINDABLE,
        _ => return None,
    };
    Some(if recursive { kind | MountPropagationFlags::REC } else { kind })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &[&str]) -> Options {
        let options = words.iter().map(|word| (*word).to_owned()).collect();
        Options::of(&Mount { type_: "overlay".into(), options, ..Default::default() })
    }

    #[test]
    fn options_are_flags_propagation_and_data() {
        let read = options(&["ro", "rprivate", "index=off", "rbind", "nosuid", "suid"]);
        assert_eq!(read.flags, MountFlags::RDONLY | MountFlags::BIND | MountFlags::REC);
        assert_eq!(read.propagation, MountPropagationFlags::PRIVATE | MountPropagationFlags::REC);
        assert_eq!(read.data, ["index=off"]);
        // `ro`, `relatime` and such begin with an r, too.
        assert_eq!(options(&["relatime"]).flags, MountFlags::RELATIME);
    }

    #[test]
    fn layers_that_do_not_fit_are_named_by_descriptors() {
        let layer = std::env::temp_dir().join(format!("{}-{}", "layer".repeat(20), std::process::id()));
        std::fs::create_dir(&layer).unwrap();
        let many = vec![layer.display().to_string(); 200].join(":");
        let fitted = fitting(vec![format!("lowerdir={many}"), "index=off".into()]);
        std::fs::remove_dir(&layer).unwrap();
        let (data, open) = fitted.unwrap();
        assert!(many.len() > LONGEST && data.len() <= LONGEST, "{} bytes", data.len());
        assert_eq!(open.len(), 200);
        assert!(data.starts_with("lowerdir=/proc/self/fd/") && data.ends_with(",index=off"));
        let (short, none) = fitting(vec!["lowerdir=/a:/b".into()]).unwrap();
        assert_eq!((short.as_str(), none.len()), ("lowerdir=/a:/b", 0));
    }

    #[test]
    fn unmounting_what_is_not_mounted_is_done() {
        unmount(Path::new("/nowhere/at/all")).unwrap();
        unmount(&std::env::temp_dir().join("cofferdam-no-such-directory")).unwrap();
    }
}
