//! A mount to be made inside, in the words of mount(2), and in those of the mount API.
//!
//! Used by `inside`. Translates; mounts nothing.

use cofferdam_sys::mount_setattr::{
    MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY,
};

use std::ffi::CString;

use crate::{Error, Result};

const MS_RDONLY: u64 = 1;
const MOUNT_ATTR_NOATIME: u64 = 0x10;
const MOUNT_ATTR_STRICTATIME: u64 = 0x20;
const MOUNT_ATTR_NODIRATIME: u64 = 0x80;
const MOUNT_ATTR_NOSYMFOLLOW: u64 = 0x0020_0000;

/// `MS_*` of a mount, as `MOUNT_ATTR_*`.
const ATTRIBUTES: [(u64, u64); 8] = [
    (MS_RDONLY, MOUNT_ATTR_RDONLY),
    (2, MOUNT_ATTR_NOSUID),
    (4, MOUNT_ATTR_NODEV),
    (8, MOUNT_ATTR_NOEXEC),
    (1 << 8, MOUNT_ATTR_NOSYMFOLLOW),
    (1 << 10, MOUNT_ATTR_NOATIME),
    (1 << 11, MOUNT_ATTR_NODIRATIME),
    (1 << 24, MOUNT_ATTR_STRICTATIME),
];
/// `MS_*` of a file system, as its parameters.
const PARAMETERS: [(u64, &str); 4] =
    [(MS_RDONLY, "ro"), (1 << 4, "sync"), (1 << 7, "dirsync"), (1 << 25, "lazytime")];
/// `MS_SILENT` and `MS_RELATIME`, which say what is so anyway.
const AS_IS: u64 = 1 << 15 | 1 << 21;

/// A new mount.
///
/// ```
/// use cofferdam_nsenter::Mount;
/// let mount = Mount::new("tmpfs", "/mnt").source("scratch").data("size=1m,mode=700").flags(2 | 4);
/// assert!(format!("{mount:?}").contains("scratch"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    pub(crate) fstype: String,
    pub(crate) target: std::path::PathBuf,
    source: String,
    data: String,
    flags: u64,
}

impl Mount {
    /// Of a file system of this type, at this place.
    #[must_use]
    pub fn new(fstype: impl Into<String>, target: impl Into<std::path::PathBuf>) -> Self {
        let (source, data) = (String::new(), String::new());
        Self { fstype: fstype.into(), target: target.into(), source, data, flags: 0 }
    }

    /// What is mounted, where that means something.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// The file system's options, separated by commas.
    #[must_use]
    pub fn data(mut self, data: impl Into<String>) -> Self {
        self.data = data.into();
        self
    }

    /// `MS_*` of mount(2). Those that make no new mount (`MS_REMOUNT`, `MS_BIND`, `MS_MOVE`, propagation) have
    /// operations of their own and are refused here.
    #[must_use]
    pub const fn flags(mut self, flags: u64) -> Self {
        self.flags = flags;
        self
    }

    /// `MOUNT_ATTR_*`.
    pub(crate) fn attributes(&self) -> u64 {
        attributes(self.flags)
    }

    /// `MS_*`.
    pub(crate) const fn mount_flags(&self) -> u64 {
        self.flags
    }

    /// The parameters of a file system that is there already, to be changed: key, and value if it has one. What
    /// flags do not say is switched off, as mount(2) does.
    pub(crate) fn reconfigured(&self) -> Result<Vec<(CString, Option<CString>)>> {
        let text = |text: &str| {
            CString::new(text).map_err(|_| Error::Encoding("a mount option has a null byte".to_owned()))
        };
        let switches =
            [(MS_RDONLY, "ro", "rw"), (1 << 4, "sync", "async"), (1 << 25, "lazytime", "nolazytime")];
        let mut all = Vec::new();
        for (flag, on, off) in switches {
            all.push((text(if self.flags & flag == 0 { off } else { on })?, None));
        }
        for option in self.data.split(',').filter(|option| !option.is_empty()) {
            let (key, value) =
                option.split_once('=').map_or((option, None), |(key, value)| (key, Some(value)));
            all.push((text(key)?, value.map(text).transpose()?));
        }
        Ok(all)
    }

    /// The file system's parameters as the child takes them.
    pub(crate) fn parameters(&self) -> Result<Vec<u8>> {
        let known = ATTRIBUTES.iter().map(|(ms, _)| ms).chain(PARAMETERS.iter().map(|(ms, _)| ms));
        let other = self.flags & !known.fold(AS_IS, |all, ms| all | ms);
        if other != 0 {
            return Err(Error::Encoding(format!("the flags {other:#x} do not belong to a new mount")));
        }
        let mut list = Vec::new();
        let mut item = |text: String| match text.contains('\0') {
            true => Err(Error::Encoding("a mount option has a null byte".to_owned())),
            false => {
                list.extend_from_slice(text.as_bytes());
                list.push(0);
                Ok(())
            }
        };
        if !self.source.is_empty() {
            item("ssource".to_owned())?;
            item(self.source.clone())?;
        }
        for (_, name) in PARAMETERS.iter().filter(|(ms, _)| self.flags & ms != 0) {
            item(format!("f{name}"))?;
        }
        for option in self.data.split(',').filter(|o| !o.is_empty()) {
            match option.split_once('=') {
                Some((key, value)) => {
                    item(format!("s{key}"))?;
                    item(value.to_owned())?;
                }
                None => item(format!("f{option}"))?,
            }
        }
        Ok(list)
    }
}

/// What a remount with `MS_*` sets and clears of a mount's attributes: mount(2) takes those that are not named away,
/// but for when times of access are written, which stays when nothing is said about it.
pub(crate) fn remounted(flags: u64) -> (u64, u64) {
    const ALWAYS: u64 =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
    const TIMES: u64 = MOUNT_ATTR_NOATIME | MOUNT_ATTR_STRICTATIME | MOUNT_ATTR_NODIRATIME;
    // MOUNT_ATTR__ATIME: cleared as a whole.
    const ATIME: u64 = 0x70;
    const SPEAKS_OF_TIMES: u64 = 1 << 10 | 1 << 11 | 1 << 21 | 1 << 24;
    let wanted = attributes(flags);
    if flags & SPEAKS_OF_TIMES == 0 {
        return (wanted & ALWAYS, ALWAYS & !wanted);
    }
    (wanted & (ALWAYS | TIMES), ((ALWAYS | MOUNT_ATTR_NODIRATIME) & !wanted) | ATIME)
}

/// `MS_*` as `MOUNT_ATTR_*`, as far as they are attributes of a mount.
pub(crate) fn attributes(flags: u64) -> u64 {
    ATTRIBUTES.iter().filter(|(ms, _)| flags & ms != 0).fold(0, |all, (_, attr)| all | attr)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_become_parameters_and_flags_attributes() {
        let mount = Mount::new("tmpfs", "/x").source("s").data("size=1m,,nr_inodes=7,inode64").flags(1 | 2);
        assert_eq!(mount.parameters().unwrap(), b"ssource\0s\0fro\0ssize\x001m\0snr_inodes\x007\0finode64\0");
        assert_eq!(mount.attributes(), 3);
    }

    #[test]
    fn a_remount_clears_what_it_does_not_name() {
        assert_eq!(remounted(1 | 32 | 4096), (1, 2 | 4 | 8 | 0x0020_0000));
        assert_eq!(remounted(2 | 1 << 10), (2 | 0x10, 1 | 4 | 8 | 0x0020_0000 | 0x80 | 0x70));
        assert_eq!(
            remounted(1 << 21),
            (0, 1 | 2 | 4 | 8 | 0x0020_0000 | 0x80 | 0x70),
            "relatime is none of them"
        );
    }

    #[test]
    fn flags_that_make_no_new_mount_are_refused() {
        for flag in [32, 4096, 8192, 1 << 18] {
            assert!(Mount::new("tmpfs", "/x").flags(flag).parameters().is_err(), "{flag}");
        }
        assert!(Mount::new("tmpfs", "/x").data("a=\0").parameters().is_err());
    }
}
