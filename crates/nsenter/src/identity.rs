//! Who the target is: its ids, capabilities, umask and label, as the kernel shows them in /proc/PID/status.
//!
//! Called by `join`. Reads, and translates ids into the target's user namespace; changes nothing.

use crate::{Error, Result, Target};
use cofferdam_sys::Errno;

/// What a helper takes over of the target.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// With which files are accessed, as seen in the caller's user namespace.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) umask: u32,
    pub(crate) no_new_privs: bool,
    pub(crate) inheritable: u64,
    pub(crate) permitted: u64,
    pub(crate) effective: u64,
    pub(crate) bounding: u64,
    pub(crate) ambient: u64,
}

impl Identity {
    /// Reads it.
    pub(crate) fn of(target: &Target) -> Result<Self> {
        parse(&target.read("status")?)
            .ok_or_else(|| Error::Handle { file: "status".into(), errno: Errno::EBADMSG })
    }
}

fn parse(status: &str) -> Option<Identity> {
    const DECIMAL: u32 = 10;
    let line = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
    // Real, effective, saved, file system.
    let id = |name| line(name)?.split_whitespace().nth(3)?.parse().ok();
    let bits = |name| u64::from_str_radix(line(name)?.trim(), 16).ok();
    let number = |name, radix| u32::from_str_radix(line(name)?.trim(), radix).ok();
    Some(Identity {
        uid: id("Uid")?,
        gid: id("Gid")?,
        groups: line("Groups")?
            .split_whitespace()
            .map(str::parse)
            .collect::<std::result::Result<_, _>>()
            .ok()?,
        umask: number("Umask", 8)?,
        no_new_privs: number("NoNewPrivs", DECIMAL)? != 0,
        inheritable: bits("CapInh")?,
        permitted: bits("CapPrm")?,
        effective: bits("CapEff")?,
        bounding: bits("CapBnd")?,
        ambient: bits("CapAmb")?,
    })
}

/// An id map of the target's user namespace, as the caller sees it.
#[derive(Debug)]
pub(crate) struct Map(Vec<(u32, u32, u32)>);

impl Map {
    /// Reads `uid_map` or `gid_map`.
    pub(crate) fn of(target: &Target, file: &str) -> Result<Self> {
        Ok(Self::parse(&target.read(file)?))
    }

    fn parse(text: &str) -> Self {
        let row = |line: &str| {
            let mut numbers = line.split_whitespace().map(str::parse);
            Some((numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?))
        };
        Self(text.lines().filter_map(row).collect())
    }

    /// What an id of the caller's is called inside.
    pub(crate) fn inside(&self, outside: u32) -> Option<u32> {
        self.0.iter().find_map(|(inner, outer, count)| {
            let offset = outside.checked_sub(*outer).filter(|offset| offset < count)?;
            inner.checked_add(offset)
        })
    }

    /// Whom a helper becomes that is nobody in particular: root, or the first there is.
    pub(crate) fn first(&self) -> Option<u32> {
        self.0.iter().map(|(inner, _, _)| *inner).min()
    }
}

/// A label of a security module, and the file below `/proc/self` that takes it over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) file: &'static std::ffi::CStr,
    pub(crate) value: Vec<u8>,
}

impl Label {
    /// The target's, when it has one that is another than the caller's.
    pub(crate) fn of(target: &Target) -> Option<Self> {
        let read = |file: &str| target.read(file).ok();
        let ours = |file: &str| std::fs::read_to_string(format!("/proc/thread-self/{file}")).ok();
        let (apparmor, current) = ("attr/apparmor/current", "attr/current");
        if let Some(label) = read(apparmor) {
            return (ours(apparmor).as_ref() != Some(&label)).then(|| Self::apparmor(&label)).flatten();
        }
        let label = read(current)?;
        (ours(current).as_ref() != Some(&label)).then(|| Self::selinux(&label)).flatten()
    }

    /// `profile (mode)`: the mode is not part of what is written.
    fn apparmor(label: &str) -> Option<Self> {
        let label = label.trim_end();
        let profile = label.rsplit_once(" (").map_or(label, |(profile, _)| profile);
        let known = !profile.is_empty() && profile != "unconfined";
        let value = format!("changeprofile {profile}").into_bytes();
        known.then_some(Self { file: c"thread-self/attr/apparmor/current", value })
    }

    fn selinux(label: &str) -> Option<Self> {
        let context = label.trim_end_matches(['\0', '\n']);
        let value = context.as_bytes().to_vec();
        (!context.is_empty()).then_some(Self { file: c"thread-self/attr/current", value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "Name:\tUid: 7\nUmask:\t0027\nTgid:\t5\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\n\
        Groups:\t8 9 \nCapInh:\t0000000000000001\nCapPrm:\t0000000000000003\nCapEff:\t0000000000000002\n\
        CapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t0\n";

    #[test]
    fn files_are_accessed_with_the_fourth_id() {
        let identity = parse(STATUS).unwrap();
        assert_eq!((identity.uid, identity.gid, identity.umask), (4, 8, 0o27));
        assert_eq!(identity.groups, [8, 9]);
        assert_eq!((identity.inheritable, identity.permitted, identity.effective), (1, 3, 2));
        assert!(identity.no_new_privs && identity.ambient == 0);
        assert_eq!(parse("Name:\tx\n"), None);
    }

    #[test]
    fn ids_are_translated_by_the_map_and_what_is_not_mapped_is_nobody() {
        let map = Map::parse("         0     100000      65536\n     65536    1000   1\n");
        assert_eq!((map.inside(100_000), map.inside(100_007)), (Some(0), Some(7)));
        assert_eq!((map.inside(1000), map.inside(165_536), map.inside(0)), (Some(65536), None, None));
        assert_eq!(Map::parse("5 1000 1").first(), Some(5));
        assert_eq!(Map::parse("").first(), None);
    }

    #[test]
    fn a_profile_is_taken_over_without_its_mode() {
        let label = Label::apparmor("docker-default (enforce)\n").unwrap();
        assert_eq!(label.value, b"changeprofile docker-default");
        assert_eq!(Label::apparmor("unconfined\n"), None);
        let label = Label::selinux("system_u:system_r:container_t:s0:c1,c2\0").unwrap();
        assert_eq!(label.value, b"system_u:system_r:container_t:s0:c1,c2");
    }
}
