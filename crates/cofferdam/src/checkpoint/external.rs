//! What of a container is not its own, and what the images call it: mounts of the host's, namespaces of others', the
//! other ends of its standard streams. Names are those that runc gives, so that each can restore what the other dumped.
//!
//! Called by dump and restore. It looks and names; nothing is changed here.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use cofferdam_criu::{ExternalMount, InheritedFd, JoinedNamespace};
use cofferdam_oci::Pointer;
use cofferdam_plan::{DeviceSource, InitPlan, JoinNamespace, MountKind};
use cofferdam_sys::clone3;
use cofferdam_sys::mknodat::{S_IFDIR, S_IFMT};
use cofferdam_sys::open::{O_PATH, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, openat2};
use cofferdam_sys::stat::stat;

use crate::program::c_string;
use crate::{Error, ErrorKind, Result};

/// All masks are this one's mounts.
const NULL: &str = "/dev/null";
/// Namespaces that CRIU leaves alone and is given, by kind, name in /proc and name in the images.
const GIVEN: [(u64, &str, &str); 2] =
    [(clone3::CLONE_NEWNET, "net", "extRootNetNS"), (clone3::CLONE_NEWPID, "pid", "extRootPidNS")];

/// A mount whose source is the host's.
#[derive(Debug)]
struct Mounted {
    /// Where, inside.
    at: String,
    /// On the host.
    source: PathBuf,
}

fn all(plan: &InitPlan) -> Vec<Mounted> {
    let mut all = Vec::new();
    let mut add =
        |at: &str, source: &Path| all.push(Mounted { at: at.to_owned(), source: source.to_owned() });
    for mount in &plan.mounts {
        let at = mount.target.as_str();
        match &mount.kind {
            MountKind::Bind { source, copy_symlink: false, .. } => add(at, source.as_path()),
            MountKind::CgroupV1 { hierarchies, .. } => {
                for one in hierarchies {
                    one.bind.iter().for_each(|source| {
                        add(&format!("{at}/{}", one.directory), source.as_path());
                    });
                }
            }
            MountKind::CgroupV2 { bind: Some(source), .. } => add(at, source.as_path()),
            _ => {}
        }
    }
    for device in &plan.devices {
        if let DeviceSource::Bind(source) = &device.source {
            add(device.path.as_str(), source.as_path());
        }
    }
    all
}

/// For a dump: each of them by its mount point, as the container sees it now.
pub(super) fn dumped(plan: &InitPlan, pid: i32) -> Result<Vec<ExternalMount>> {
    let path = format!("/proc/{pid}/root");
    let root = File::open(&path).map_err(|e| Error::io("opening the container's root", &path, &e))?;
    let mounts = Mounts::of(pid)?;
    let mut named = Vec::new();
    for mount in all(plan) {
        let at = mounts.point(&root, &mount.at).unwrap_or(mount.at);
        named.push(ExternalMount { val: at.clone(), key: at });
    }
    for (_, path) in &plan.masked_paths {
        // A directory is covered by a tmpfs of the container's own.
        if let Some(at) = mounts.point(&root, path.as_str()).filter(|at| mounts.is_file(&root, at)) {
            named.push(ExternalMount { key: at, val: NULL.to_owned() });
        }
    }
    named.dedup();
    Ok(named)
}

/// For a restore: what each name in the images is on this host.
pub(super) fn restored(plan: &InitPlan) -> Vec<ExternalMount> {
    let root = File::open(plan.root.path.as_path()).ok();
    let mut named = Vec::new();
    for mount in all(plan) {
        let val = mount.source.display().to_string();
        // The images have the mount point, and links of the root filesystem lead to it.
        let led = root.as_ref().and_then(|root| resolved(root, &mount.at)).filter(|at| *at != mount.at);
        named.extend(led.map(|key| ExternalMount { key, val: val.clone() }));
        named.push(ExternalMount { key: mount.at, val });
    }
    if !plan.masked_paths.is_empty() {
        named.push(ExternalMount { key: NULL.to_owned(), val: NULL.to_owned() });
    }
    named
}

fn find(root: &File, path: &str) -> Option<cofferdam_sys::Fd> {
    let resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    openat2(root.as_raw_fd(), &c_string(path), O_PATH, 0, resolve).ok()
}

/// Where a path leads in a root filesystem that nobody has entered.
fn resolved(root: &File, path: &str) -> Option<String> {
    let name = |fd: i32| fs::read_link(format!("/proc/self/fd/{fd}")).ok();
    let found = find(root, path)?;
    let below = name(found.raw())?.strip_prefix(name(root.as_raw_fd())?).ok()?.to_path_buf();
    Some(format!("/{}", below.to_str()?))
}

/// The mounts of a process: number and mount point.
#[derive(Debug)]
struct Mounts(Vec<(u64, String)>);

impl Mounts {
    fn of(pid: i32) -> Result<Self> {
        let path = format!("/proc/{pid}/mountinfo");
        let text = fs::read(&path).map_err(|e| Error::io("reading the container's mounts", &path, &e))?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &[u8]) -> Self {
        let line = |line: &[u8]| {
            let mut fields = line.split(|b| *b == b' ');
            let number = std::str::from_utf8(fields.next()?).ok()?.parse().ok()?;
            Some((number, unescaped(fields.nth(3)?)))
        };
        Self(text.split(|b| *b == b'\n').filter_map(line).collect())
    }

    fn has(&self, number: u64) -> bool {
        self.0.iter().any(|(known, _)| *known == number)
    }

    /// The mount point that a path leads to; none where it leads to no mount's root.
    fn point(&self, root: &File, path: &str) -> Option<String> {
        let found = find(root, path)?;
        let mount = stat(found.raw()).ok()?.mount;
        let (_, point) = self.0.iter().find(|(number, _)| *number == mount)?;
        // A mount point's own directory, and not something below one.
        let again = find(root, point)?;
        let same = stat(again.raw()).ok()?.ino == stat(found.raw()).ok()?.ino;
        same.then(|| point.clone())
    }

    fn is_file(&self, root: &File, path: &str) -> bool {
        let mode = find(root, path).and_then(|found| stat(found.raw()).ok()).map_or(S_IFDIR, |s| s.mode);
        mode & S_IFMT != S_IFDIR
    }
}

/// Blanks and others are octal in proc(5).
fn unescaped(field: &[u8]) -> String {
    let mut out = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..3).filter(|_| *first == b'\\');
        let value = digits.and_then(|d| u8::from_str_radix(std::str::from_utf8(d).ok()?, 8).ok());
        rest = match value {
            Some(byte) => {
                out.push(byte);
                tail.get(3..).unwrap_or_default()
            }
            None => {
                out.push(*first);
                tail
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// For a dump: namespaces with a path that CRIU leaves alone.
pub(super) fn left_alone(plan: &InitPlan, pid: i32) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for (kind, name, key) in GIVEN {
        if plan.join.iter().any(|join| join.kind == kind) {
            let path = format!("/proc/{pid}/ns/{name}");
            let found = fs::metadata(&path).map_err(|e| Error::io("looking at namespace", &path, &e))?;
            names.push(format!("{name}[{}]:{key}", found.ino()));
        }
    }
    Ok(names)
}

/// For a restore: namespaces with a path.
#[derive(Debug, Default)]
pub(super) struct Joined {
    /// Those that CRIU is given; they must stay open, and have the same numbers in its process.
    pub(super) files: Vec<File>,
    pub(super) inherited: Vec<InheritedFd>,
    /// Those that it joins.
    pub(super) joined: Vec<JoinedNamespace>,
}

impl Joined {
    pub(super) fn of(plan: &InitPlan) -> Result<Self> {
        let mut all = Self::default();
        for join in &plan.join {
            all.add(join)?;
        }
        Ok(all)
    }

    fn add(&mut self, join: &JoinNamespace) -> Result<()> {
        let path = join.path.as_path();
        if let Some((_, _, key)) = GIVEN.iter().find(|(kind, _, _)| *kind == join.kind) {
            let file = File::open(path)
                .map_err(|e| Error::io("opening namespace", path, &e).with_pointer(&join.pointer))?;
            self.inherited.push(InheritedFd { key: (*key).to_owned(), fd: file.as_raw_fd() });
            self.files.push(file);
            return Ok(());
        }
        let name = match join.kind {
            clone3::CLONE_NEWIPC => "ipc",
            clone3::CLONE_NEWUTS => "uts",
            clone3::CLONE_NEWUSER => "user",
            clone3::CLONE_NEWNS => "mnt",
            clone3::CLONE_NEWTIME => "time",
            _ => {
                return Err(Error::new(ErrorKind::Host, "criu cannot join this kind of namespace")
                    .with_object(path.display().to_string())
                    .with_pointer(&join.pointer));
            }
        };
        self.joined.push(JoinedNamespace { ns: name.to_owned(), ns_file: path.display().to_string() });
        Ok(())
    }
}

/// For a dump: what standard input, output and error are, and those of them that lie outside of the container's
/// mounts, which CRIU only leaves alone when it is told so.
pub(super) fn streams(pid: i32) -> Result<(Vec<String>, Vec<String>)> {
    let mounts = Mounts::of(pid)?;
    let (mut names, mut outside) = (Vec::new(), Vec::new());
    for fd in 0..3 {
        let path = format!("/proc/{pid}/fd/{fd}");
        let Ok(link) = fs::read_link(&path) else {
            names.push(String::new());
            continue;
        };
        let file = link.is_absolute().then(|| outside_file(pid, fd, &mounts)).flatten();
        names.push(
            file.clone().unwrap_or_else(|| String::from_utf8_lossy(link.as_os_str().as_bytes()).into()),
        );
        outside.extend(file.filter(|file| !outside.contains(file)));
    }
    Ok((names, outside))
}

/// CRIU's name for a file that is reached through none of the container's mounts.
fn outside_file(pid: i32, fd: i32, mounts: &Mounts) -> Option<String> {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    let mount: u64 = info.lines().find_map(|l| l.strip_prefix("mnt_id:"))?.trim().parse().ok()?;
    let found = fs::metadata(format!("/proc/{pid}/fd/{fd}")).ok()?;
    (!mounts.has(mount)).then(|| format!("file[{mount:x}:{:x}]", found.ino()))
}

/// For a restore: the streams in the images that ours take the place of.
pub(super) fn inherited(names: &[String]) -> Vec<InheritedFd> {
    let theirs = |name: &String| name.starts_with("pipe:[") || name.starts_with("file[");
    let numbered = (0..3).zip(names).filter(|(_, name)| theirs(name));
    numbered.map(|(fd, name)| InheritedFd { key: name.clone(), fd }).collect()
}

/// That nothing is asked for that only the birth of a container can give.
pub(super) fn check(overlay: bool, spec: &cofferdam_oci::Spec) -> Result<()> {
    let listener =
        spec.linux.as_ref().and_then(|l| l.seccomp.as_ref()).and_then(|s| s.listener_path.as_ref());
    let (what, pointer) = if overlay {
        ("a root filesystem whose changes are in memory", Pointer::new("/annotations"))
    } else if listener.is_some() {
        ("a seccomp filter with a listener", Pointer::new("/linux/seccomp/listenerPath"))
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Configuration, "criu can neither dump nor restore")
        .with_object(what)
        .with_pointer(&pointer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_as_proc_writes_them() {
        let text = b"27 1 0:5 / /a\\040b rw - tmpfs x rw\nrubbish\n28 27 0:6 / /c\\134d\\0 rw - proc x rw\n";
        let mounts = Mounts::parse(text);
        assert_eq!(mounts.0, [(27, "/a b".to_owned()), (28, "/c\\d\\0".to_owned())]);
        assert!(mounts.has(28) && !mounts.has(29));
    }

    #[test]
    fn only_pipes_and_outside_files_are_given_back() {
        let names = ["pipe:[7]", "/dev/null", "file[1b:2c]", "pipe:[9]"].map(String::from);
        let fds: Vec<i32> = inherited(&names).into_iter().map(|i| i.fd).collect();
        assert_eq!(fds, [0, 2]);
    }

    #[test]
    fn our_own_root_has_its_mount_points() {
        let me = i32::try_from(std::process::id()).unwrap();
        let mounts = Mounts::of(me).unwrap();
        let root = File::open(format!("/proc/{me}/root")).unwrap();
        assert_eq!(mounts.point(&root, "/proc/../proc"), Some("/proc".to_owned()));
        assert_eq!(mounts.point(&root, "/proc/sys/kernel"), None);
        assert_eq!(mounts.point(&root, "/no/such/thing"), None);
    }
}
