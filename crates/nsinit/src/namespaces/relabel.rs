//! `relabel`: the files of a bind mount's source get the container's SELinux label, before they are mounted.
//!
//! Called by Exec and Init on hosts with SELinux; what is in the source may belong to anybody, so no link is followed
//! and nothing outside of it is touched.

use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_oci::Pointer;
use cofferdam_sys::open::{self, O_NOFOLLOW, O_PATH, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS};
use cofferdam_sys::setxattr::setxattr;
use cofferdam_sys::{Errno, Fd};

use crate::{Config, c_path};

/// The host's own: with a container's label its programs could not use them any more.
const NEVER: [&str; 9] = ["/", "/usr", "/etc", "/tmp", "/home", "/run", "/var", "/root", "/boot"];

/// Relabels what the configuration says so of. Nothing without SELinux: a `mount_label` is refused there.
pub(super) fn sources(config: &Config) -> Result<()> {
    let Some(own) = config.mount_config.as_ref().filter(|own| !own.mount_label.is_empty()) else {
        return Ok(());
    };
    if !Path::new("/sys/fs/selinux/enforce").exists() {
        return Ok(());
    }
    let asked = own.mounts.iter().enumerate().filter(|(_, m)| !m.relabel.is_empty());
    for (index, mount) in asked {
        let label = label(&own.mount_label, mount.relabel == "z");
        let at = Pointer::new("/mount_config/mounts").index(index).key("relabel");
        tree(Path::new(&mount.source), &label).map_err(|e| e.with_pointer(&config.place(&at)))?;
    }
    Ok(())
}

/// `user:role:type:level`; what containers share has no categories, which are what keeps them apart.
fn label(mount: &str, shared: bool) -> String {
    let mut parts: Vec<_> = mount.splitn(4, ':').collect();
    if let (true, Some(level)) = (shared, parts.get_mut(3)) {
        *level = "s0";
    }
    parts.join(":")
}

fn tree(source: &Path, label: &str) -> Result<()> {
    let failed = |path: &Path, e: Errno| {
        let told = Error::system("relabelling", e).with_object(path.display().to_string());
        if e == Errno::EOPNOTSUPP {
            told.with_hint("its file system has no labels: leave relabel out")
        } else {
            told
        }
    };
    let path = source.canonicalize().map_err(|e| Error::io("finding what is relabelled", source, &e))?;
    if NEVER.iter().any(|never| path == Path::new(never)) {
        return Err(Error::new(ErrorKind::Configuration, "relabelling")
            .with_object(path.display().to_string())
            .with_detail("it is the host's own"));
    }
    let top = open::open(&c_path(&path)?, O_PATH | O_NOFOLLOW).map_err(|e| failed(&path, e))?;
    let mut below = names(&top, label).map_err(|e| failed(&path, e))?;
    while let Some(part) = below.pop() {
        let whole = path.join(&part);
        match below_it(&top, &c_path(&part)?, label) {
            Ok(names) => below.extend(names.into_iter().map(|name| part.join(name))),
            // Removed meanwhile.
            Err(Errno::ENOENT) => {}
            Err(e) => return Err(failed(&whole, e)),
        }
    }
    Ok(())
}

/// One path at a time from the top, so that no descriptor is kept for every level.
fn below_it(top: &Fd, part: &CStr, label: &str) -> std::result::Result<Vec<PathBuf>, Errno> {
    let file = open::openat2(top.raw(), part, O_PATH | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS)?;
    names(&file, label)
}

/// Labels a file and gives the names in it, if it is a directory.
fn names(file: &Fd, label: &str) -> std::result::Result<Vec<PathBuf>, Errno> {
    let errno = |e: std::io::Error| Errno(e.raw_os_error().unwrap_or_default());
    let path = format!("/proc/self/fd/{}", file.raw());
    let known = CString::new(path.as_str()).map_err(|_| Errno::EINVAL)?;
    setxattr(&known, c"security.selinux", label.as_bytes(), 0)?;
    if !std::fs::metadata(&path).map_err(errno)?.is_dir() {
        return Ok(Vec::new());
    }
    let names = std::fs::read_dir(path).map_err(errno)?;
    names.map(|one| one.map(|one| one.file_name().into()).map_err(errno)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use cofferdam_sys::getxattr::getxattr;

    use super::*;

    fn label_of(path: &Path) -> Option<String> {
        let mut value = [0; 64];
        let length = getxattr(&c_path(path).ok()?, c"security.selinux", &mut value).ok()?;
        String::from_utf8(value.get(..length)?.to_vec()).ok()
    }

    #[test]
    fn what_is_shared_has_no_categories() {
        let own = "system_u:object_r:container_file_t:s0:c1,c2";
        assert_eq!(label(own, false), own);
        assert_eq!(label(own, true), "system_u:object_r:container_file_t:s0");
        assert_eq!(label("odd", true), "odd");
    }

    #[test]
    fn all_that_is_below_is_labelled_and_no_link_is_followed() {
        let base = std::env::temp_dir().join(format!("cofferdam-relabel-{}", std::process::id()));
        let source = base.join("source");
        std::fs::create_dir_all(source.join("a/b")).unwrap();
        for file in ["outside", "source/one", "source/a/b/two"] {
            std::fs::write(base.join(file), "").unwrap();
        }
        symlink("../outside", source.join("link")).unwrap();
        let before = label_of(&base.join("outside"));
        let labelled = tree(&source, "u:r:t:s0");
        let found: Vec<_> =
            ["", "one", "a", "a/b", "a/b/two"].map(|part| label_of(&source.join(part))).into();
        let outside = label_of(&base.join("outside"));
        std::fs::remove_dir_all(&base).unwrap();
        match labelled {
            Err(e) if [Some(Errno::EPERM.0), Some(Errno::EOPNOTSUPP.0)].contains(&e.errno()) => {
                println!("skipped: {e}");
            }
            labelled => {
                labelled.unwrap();
                assert!(found.iter().all(|label| label.as_deref() == Some("u:r:t:s0")), "{found:?}");
                assert_eq!(outside, before);
            }
        }
    }

    #[test]
    fn what_is_the_hosts_own_is_refused() {
        for own in ["/", "/etc", "/usr/../etc/."] {
            assert!(tree(Path::new(own), "u:r:t:s0").unwrap_err().to_string().contains("the host's own"));
        }
    }
}
