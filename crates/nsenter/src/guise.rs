//! Acting as one process of many that share their namespaces: its root, working directory, umask, ids and
//! capabilities, for the length of one operation.
//!
//! Made by [`Resident::disguised`]. A supervisor that acts for all processes of a container needs one helper for
//! it, and not one for each process.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use cofferdam::launch::Operations;
use cofferdam_child::op::Op;
use cofferdam_sys::Errno;

use crate::identity::Map;
use crate::inside::by::Helper;
use crate::join::may_set_groups;
use crate::{Enter, Error, Resident, Result, Set};

/// Who acts. Ids are given as the caller sees them, in its own user namespace.
///
/// ```
/// use std::os::fd::AsFd;
/// use cofferdam_nsenter::Guise;
/// let root = std::fs::File::open("/").unwrap();
/// let nobody = Guise { uid: 65534, gid: 65534, ..Guise::new(root.as_fd(), root.as_fd()) };
/// assert_eq!((nobody.effective, nobody.groups.len()), (0, 0));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Guise<'a> {
    /// The root directory.
    pub root: BorrowedFd<'a>,
    /// Where relative paths start; beneath the root.
    pub cwd: BorrowedFd<'a>,
    /// The file mode creation mask.
    pub umask: u32,
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: &'a [u32],
    /// Effective capabilities, one bit each; those that the helper has not are not gained by it.
    pub effective: u64,
}

impl<'a> Guise<'a> {
    /// Root without capabilities and with an umask of 0.
    #[must_use]
    pub const fn new(root: BorrowedFd<'a>, cwd: BorrowedFd<'a>) -> Self {
        Self { root, cwd, umask: 0, uid: 0, gid: 0, groups: &[], effective: 0 }
    }
}

/// A helper in a guise: see [`crate::Inside`] for what it can do. Modules are run without it.
///
/// ```no_run
/// # fn f(disguised: cofferdam_nsenter::Disguised<'_>) -> cofferdam_nsenter::Result<()> {
/// use cofferdam_nsenter::Inside;
/// disguised.mkdir("cache", 0o777)
/// # }
/// ```
#[derive(Debug)]
pub struct Disguised<'a> {
    resident: &'a Resident,
    who: Guise<'a>,
}

/// How the caller's ids are called in the user namespace that is joined; the same, where none is.
#[derive(Debug)]
pub(crate) struct Ids {
    maps: Option<(Map, Map)>,
    set_groups: bool,
}

impl Ids {
    pub(crate) fn of(enter: &Enter) -> Result<Self> {
        let target = enter.target();
        let joins = enter.wanted.set.contains(Set::USER) && target.differing().contains(Set::USER);
        if !joins {
            return Ok(Self { maps: None, set_groups: true });
        }
        let maps = (Map::of(target, "uid_map")?, Map::of(target, "gid_map")?);
        Ok(Self { maps: Some(maps), set_groups: may_set_groups(target) })
    }

    /// User, group and groups inside. A group that is not mapped means nothing there.
    fn inside(&self, who: &Guise<'_>) -> Result<(u32, u32, Vec<u32>)> {
        let Some((users, groups)) = &self.maps else { return Ok((who.uid, who.gid, who.groups.to_vec())) };
        let unmapped = |file: &str| Error::Handle { file: file.to_owned(), errno: Errno::EOVERFLOW };
        let uid = users.inside(who.uid).ok_or_else(|| unmapped("uid_map"))?;
        let gid = groups.inside(who.gid).ok_or_else(|| unmapped("gid_map"))?;
        Ok((uid, gid, who.groups.iter().filter_map(|group| groups.inside(*group)).collect()))
    }
}

impl<'a> Disguised<'a> {
    pub(crate) const fn new(resident: &'a Resident, who: Guise<'a>) -> Self {
        Self { resident, who }
    }
}

impl Helper for Disguised<'_> {
    fn wish(&self, operations: &Operations, fds: &[i32]) -> Result<Option<OwnedFd>> {
        let ids = self.resident.ids()?;
        let (uid, gid, groups) = ids.inside(&self.who)?;
        let groups: Vec<u8> = groups.iter().flat_map(|group| group.to_ne_bytes()).collect();
        let elsewhere = self.who.cwd.as_raw_fd() != self.who.root.as_raw_fd();
        let mut all = Operations::default();
        all.push(
            "becoming the process that it is done for",
            format!("{uid}:{gid}"),
            Op::HereAs {
                umask: self.who.umask,
                uid,
                gid,
                set_groups: ids.set_groups,
                groups: &groups,
                effective: self.who.effective,
                elsewhere,
            },
        );
        all.append(operations);
        let mut with = vec![self.who.root.as_raw_fd()];
        with.extend(elsewhere.then(|| self.who.cwd.as_raw_fd()));
        with.extend_from_slice(fds);
        self.resident.wish(&all, &with)
    }

    fn ask(&self, module: &str, input: &[u8]) -> Result<Vec<u8>> {
        self.resident.ask(module, input)
    }
}
