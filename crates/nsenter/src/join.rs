//! The order in which a helper joins, in one place: handles in, operations out.
//!
//! Called by `worker`. Decides everything beforehand from what is known of the handles; the child obeys.
//!
//! 1. Namespaces that the target's user namespace does *not* own: they take rights that are lost, or not
//!    enough, once that is joined.
//! 2. The user namespace, and ids in it, so that files made inside have an owner.
//! 3. Namespaces that it owns: whoever has joined it has every right over them, also a caller who is nobody
//!    special outside. The kernel says who owns what (ioctl_ns(2)), so nothing is tried twice.
//! 4. The root (fchdir and chroot): after the mount namespace, whose joining resets it. Then the working
//!    directory, which must lie beneath the root.
//! 5. The process that carries on, where the PID namespace is joined: that takes effect with the next.
//! 6. Handles are closed; then the target's umask, label, ids and capabilities, which leave no right to do
//!    any of the above.

use cofferdam::launch::Operations;
use cofferdam_child::op::Op;
use cofferdam_sys::Errno;
use cofferdam_sys::clone3::CLONE_PARENT;

use crate::identity::{Identity, Label, Map};
use crate::set::Set;
use crate::target::{Space, Target};
use crate::{Error, Result};

/// What is joined, and as whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) set: Set,
    /// Whether the target's ids, capabilities, umask and label are taken over.
    pub(crate) as_target: bool,
    /// Whether the target's label alone is taken over.
    pub(crate) labelled: bool,
    /// Whether the helper stays between calls. In another PID namespace it is then nobody's child: the first
    /// process of a PID namespace can end only when all others are reaped, and between calls nobody watches.
    pub(crate) stays: bool,
}

/// The joining, in the two parts between which a helper may execute another program.
#[derive(Debug)]
pub(crate) struct Joins {
    /// What makes the process: it is in the PID namespace afterwards.
    pub(crate) process: Operations,
    /// The rest, up to and with the target's identity.
    pub(crate) rest: Operations,
    /// Descriptors that the operations name.
    pub(crate) keep: Vec<i32>,
}

/// The joining in one go: for the child program.
pub(crate) fn at_once(target: &Target, wanted: Wanted) -> Result<(Operations, Vec<i32>)> {
    let plan = Plan::new(target, wanted)?;
    let mut p = begin(&plan.keep());
    p.push("opening /proc", "", Op::OpenProc {});
    plan.namespaces(&mut p);
    plan.places(&mut p);
    if plan.joins(Set::PID) {
        p.push("entering the PID namespace", "", Op::Successor { flags: whose(wanted) });
    }
    plan.identity(&mut p);
    Ok((p, plan.keep()))
}

/// The joining around an execve(2): the program must still be found and loaded where the caller is, so only
/// the PID namespace, which cannot be joined without a fork, comes before it.
pub(crate) fn around_exec(target: &Target, wanted: Wanted, executable: i32) -> Result<Joins> {
    let mut plan = Plan::new(target, wanted)?;
    let mut keep = plan.keep();
    keep.push(executable);
    let mut process = begin(&keep);
    if plan.joins(Set::PID) {
        plan.pid_first(&mut process)?;
        process.push("entering the PID namespace", "", Op::Successor { flags: whose(wanted) });
    }
    let mut rest = Operations::default();
    rest.push("hiding from the target's processes", "", Op::Dumpable { on: false });
    rest.push("opening /proc", "", Op::OpenProc {});
    plan.namespaces(&mut rest);
    plan.places(&mut rest);
    plan.identity(&mut rest);
    Ok(Joins { process, rest, keep })
}

const fn whose(wanted: Wanted) -> u64 {
    if wanted.stays { 0 } else { CLONE_PARENT }
}

/// Nothing of the caller's but the handles, and nobody inside may look into the helper.
fn begin(keep: &[i32]) -> Operations {
    let mut p = Operations::default();
    p.push("closing descriptors", "", Op::CloseOthers { keep: &numbers(keep) });
    p.push("hiding from the target's processes", "", Op::Dumpable { on: false });
    p
}

struct Plan<'a> {
    target: &'a Target,
    /// Before the user namespace, the user namespace, after it.
    before: Vec<&'a Space>,
    user: Option<(&'a Space, Ids)>,
    after: Vec<&'a Space>,
    root: bool,
    cwd: bool,
    identity: Option<(Identity, Ids)>,
    label: Option<Label>,
}

/// Ids inside, and supplementary groups where they may be set.
#[derive(Debug)]
struct Ids {
    uid: u32,
    gid: u32,
    groups: Option<Vec<u32>>,
}

impl<'a> Plan<'a> {
    fn new(target: &'a Target, wanted: Wanted) -> Result<Self> {
        let joined = |s: &&Space| s.differs && wanted.set.contains(s.kind);
        let user = target.spaces().iter().filter(joined).find(|s| s.kind == Set::USER);
        let others = target.spaces().iter().filter(joined).filter(|s| s.kind != Set::USER);
        let (after, before) = others.partition(|s| user.is_some_and(|u| s.owner == Some(u.identity)));
        let user = user.map(|u| Ok((u, Ids::of_root(target)?))).transpose()?;
        let identity = wanted.as_target.then(|| adopt(target, user.is_some())).transpose()?;
        let label = (wanted.as_target || wanted.labelled).then(|| Label::of(target)).flatten();
        let (root, cwd) = (wanted.set.contains(Set::ROOT), wanted.set.contains(Set::CWD));
        Ok(Self { target, before, user, after, root, cwd, identity, label })
    }

    fn joins(&self, kind: Set) -> bool {
        self.before.iter().chain(&self.after).any(|s| s.kind == kind)
    }

    fn keep(&self) -> Vec<i32> {
        use std::os::fd::AsRawFd;
        let spaces =
            self.before.iter().chain(&self.after).copied().chain(self.user.as_ref().map(|(u, _)| *u));
        let mut keep: Vec<i32> = spaces.map(|s| s.fd.as_raw_fd()).collect();
        keep.extend(self.root.then(|| self.target.root()));
        keep.extend(self.cwd.then(|| self.target.cwd()));
        keep
    }

    fn namespaces(&self, p: &mut Operations) {
        self.before.iter().for_each(|s| join(p, s));
        self.join_user(p);
        self.after.iter().for_each(|s| join(p, s));
    }

    fn join_user(&self, p: &mut Operations) {
        if let Some((space, ids)) = &self.user {
            join(p, space);
            ids.take(p, "becoming a user of the target's user namespace");
        }
    }

    /// Takes the PID namespace out of the order. One that the user namespace owns can be joined beforehand
    /// only by a caller with rights over it; any other caller must join that first.
    fn pid_first(&mut self, p: &mut Operations) -> Result<()> {
        const CAP_SYS_ADMIN: u64 = 1 << 21;
        let privileged =
            cofferdam_sys::capset::capget().is_ok_and(|(_, effective, _)| effective & CAP_SYS_ADMIN != 0);
        let owned = self.after.iter().any(|s| s.kind == Set::PID);
        if owned && !privileged {
            if !self.before.is_empty() {
                return Err(Error::Handle { file: "ns/user".into(), errno: Errno::EPERM });
            }
            self.join_user(p);
            self.user = None;
        }
        for list in [&mut self.before, &mut self.after] {
            if let Some(at) = list.iter().position(|s| s.kind == Set::PID) {
                join(p, list.remove(at));
            }
        }
        Ok(())
    }

    fn places(&self, p: &mut Operations) {
        if self.root {
            p.push("entering the target's root", "", Op::JoinRoot { fd: self.target.root() });
        }
        if self.cwd {
            p.push("entering the target's working directory", "", Op::JoinCwd { fd: self.target.cwd() });
        }
    }

    /// The last part: after it there may be no right left.
    fn identity(&self, p: &mut Operations) {
        p.push("closing handles", "", Op::CloseOthers { keep: &[] });
        // Without an identity, modes are what the caller says.
        let mask = self.identity.as_ref().map_or(0, |(identity, _)| identity.umask);
        p.push("setting the umask", format!("{mask:04o}"), Op::Umask { mask });
        if let Some(label) = &self.label {
            let object = String::from_utf8_lossy(&label.value).into_owned();
            let op =
                Op::Label { file: label.file, fallback: c"thread-self/attr/current", value: &label.value };
            p.push("taking over the target's label", object, op);
        }
        let Some((identity, ids)) = &self.identity else { return };
        let bounding = Op::Bounding { set: identity.bounding, last: 63 };
        p.push("dropping the bounding set", "", bounding);
        ids.take(p, "becoming the target's user");
        let capabilities = Op::Capabilities {
            permitted: identity.permitted,
            effective: identity.effective,
            inheritable: identity.inheritable,
            ambient: identity.ambient,
            keep: 0,
        };
        p.push("taking over the target's capabilities", "", capabilities);
        if identity.no_new_privs {
            p.push("setting no_new_privs", "", Op::NoNewPrivs {});
        }
    }
}

impl Ids {
    /// Of a helper that is nobody in particular in the target's user namespace.
    fn of_root(target: &Target) -> Result<Self> {
        let first = |file: &str| {
            let unmapped = || Error::Handle { file: file.to_owned(), errno: Errno::EOVERFLOW };
            Map::of(target, file)?.first().ok_or_else(unmapped)
        };
        let (uid, gid) = (first("uid_map")?, first("gid_map")?);
        Ok(Self { uid, gid, groups: may_set_groups(target).then(Vec::new) })
    }

    fn take(&self, p: &mut Operations, doing: &'static str) {
        let groups: Vec<u8> = self.groups.iter().flatten().flat_map(|g| g.to_ne_bytes()).collect();
        let op =
            Op::User { uid: self.uid, gid: self.gid, set_groups: self.groups.is_some(), groups: &groups };
        p.push(doing, format!("{}:{}", self.uid, self.gid), op);
    }
}

pub(crate) fn may_set_groups(target: &Target) -> bool {
    target.read("setgroups").is_ok_and(|text| text.trim_end() == "allow")
}

/// Capabilities mean something in their user namespace only: without joining that, taking them over would
/// give the same bits over the caller's.
fn adopt(target: &Target, joins_user: bool) -> Result<(Identity, Ids)> {
    if target.differing().contains(Set::USER) && !joins_user {
        return Err(Error::Gone {
            pid: target.pid(),
            why: "its credentials can be taken over in its own user namespace only, which is not entered",
        });
    }
    let identity = Identity::of(target)?;
    let (mut uid, mut gid, mut groups) = (identity.uid, identity.gid, identity.groups.clone());
    if joins_user {
        let (users, all) = (Map::of(target, "uid_map")?, Map::of(target, "gid_map")?);
        let unmapped = |file: &str| Error::Handle { file: file.to_owned(), errno: Errno::EOVERFLOW };
        uid = users.inside(uid).ok_or_else(|| unmapped("uid_map"))?;
        gid = all.inside(gid).ok_or_else(|| unmapped("gid_map"))?;
        // A group that is not mapped gives the target nothing either that could be named inside.
        groups = groups.into_iter().filter_map(|group| all.inside(group)).collect();
    }
    let ids = Ids { uid, gid, groups: may_set_groups(target).then_some(groups) };
    Ok((identity, ids))
}

fn join(p: &mut Operations, space: &Space) {
    use std::os::fd::AsRawFd;
    p.push("joining the namespace", space.name, Op::Setns { fd: space.fd.as_raw_fd(), flags: space.flag });
}

fn numbers(fds: &[i32]) -> Vec<u8> {
    fds.iter().flat_map(|fd| fd.to_ne_bytes()).collect()
}
