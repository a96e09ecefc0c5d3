//! The life of the process that becomes CRIU, as operations: top to bottom, each line where it is for a reason.
//!
//! Pure: descriptors that the parent has opened come in as numbers.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_oci::Pointer;
use cofferdam_plan::{InitPlan, MountKind, MountPlan};
use cofferdam_sys::clone3::CLONE_NEWNS;
use cofferdam_sys::mount_setattr::MS_SLAVE;
use cofferdam_sys::open::{O_CLOEXEC, O_DIRECTORY};

use crate::lower::plain_bind;
use crate::program::{Program, c_path, c_string, descriptors, list};

const MNT_DETACH: u32 = 2;

/// What it is to have.
#[derive(Debug, Default)]
pub(super) struct Life<'a> {
    /// Standard input, output and error; empty leaves the caller's.
    pub(super) stdio: Vec<i32>,
    /// Other descriptors, which keep their numbers.
    pub(super) keep: Vec<i32>,
    /// Directories that it opens and hands over: what is mounted in one of its own mount namespace.
    pub(super) directories: Vec<&'a Path>,
    /// For a restore: the root filesystem, and where it is mounted for CRIU.
    pub(super) root: Option<(&'a InitPlan, &'a Path)>,
    /// Signals that the caller ignores, signal 1 lowest.
    pub(super) ignored_signals: u64,
}

impl Life<'_> {
    pub(super) fn descriptors(&self) -> Vec<i32> {
        self.stdio.iter().chain(&self.keep).copied().collect()
    }
}

/// Operations up to the execution of `criu swrk SOCKET`.
pub(super) fn life(life: &Life<'_>, criu: &Path, socket: i32) -> Program {
    let mut p = Program::default();
    let mut keep = life.descriptors();
    keep.push(socket);
    keep.retain(|fd| *fd > 2);
    keep.sort_unstable();
    keep.dedup();
    let keep = descriptors(keep);
    p.own("closing descriptors", Op::CloseOthers { keep: &keep });
    // What it restores inherits what it ignores.
    p.own("resetting signals", Op::DefaultSignals { ignored: life.ignored_signals });
    if let Some((plan, at)) = life.root {
        root(&mut p, plan, at);
    }
    for path in &life.directories {
        // Of these the caller's own descriptors would be mounts of another namespace: nothing can be mounted there.
        let (flags, resolve) = (O_DIRECTORY | O_CLOEXEC, 0);
        let op = Op::HereOpen { path: &c_path(path), flags, mode: 0, resolve };
        p.step("opening the directory", path.display().to_string(), &Pointer::root(), op);
    }
    for (to, from) in (0..3).zip(&life.stdio) {
        p.own("setting up standard input and output", Op::Dup { from: *from, to });
    }
    let program = criu.display().to_string();
    let find = Op::Find { name: &c_path(criu), path: c"" };
    p.step("finding the program", program.as_str(), &Pointer::root(), find);
    let argv = list(["criu", "swrk", &socket.to_string()]);
    let env = environment();
    p.own("marking descriptors", Op::CloexecOthers { keep: &keep });
    let exec = Op::Exec { argv: List::new(&argv), env: List::new(&env) };
    p.step("executing the program", program, &Pointer::root(), exec);
    p
}

/// CRIU wants a root that is a mount, in one that nothing covers. It finds every mount point where the container's
/// birth made one: they are made as they were then, each in what was mounted before, and then all is taken off again.
fn root(p: &mut Program, plan: &InitPlan, at: &Path) {
    p.own("making a mount namespace for criu", Op::Unshare { flags: CLONE_NEWNS });
    p.own("setting the propagation of /", Op::Propagation { flag: MS_SLAVE });
    bind(p, plan, at);
    let open = Op::OpenRoot { path: &c_path(at), fd: -1, private_parent: false, bind: false };
    p.step("opening the root filesystem", at.display().to_string(), &Pointer::new("/root/path"), open);
    for mount in plan.mounts.iter().filter(|mount| !in_memory(mount, plan)) {
        mount_point(p, mount);
    }
    let off = Op::HereUnmount { target: &c_path(at), flags: MNT_DETACH };
    p.step("taking off", at.display().to_string(), &Pointer::root(), off);
    bind(p, plan, at);
}

fn bind(p: &mut Program, plan: &InitPlan, at: &Path) {
    let source = plan.root.path.as_path();
    let pointer = Pointer::new("/root/path");
    let tree = Op::HereTree { path: &c_path(source), recursive: true };
    p.step("copying the mount", source.display().to_string(), &pointer, tree);
    let attach = Op::HereAttach { target: &c_path(at), follow: true };
    p.step("mounting", format!("{} at {}", source.display(), at.display()), &pointer, attach);
}

/// Whether CRIU brings the mount point with a tmpfs that it restores.
fn in_memory(mount: &MountPlan, plan: &InitPlan) -> bool {
    let inside = |other: &MountPlan| {
        let tmpfs = matches!(&other.kind, MountKind::Filesystem { fstype, .. } if fstype == "tmpfs");
        let below = mount.target.as_str().strip_prefix(other.target.as_str());
        tmpfs && below.is_some_and(|rest| rest.starts_with('/'))
    };
    plan.mounts.iter().any(inside)
}

fn mount_point(p: &mut Program, m: &MountPlan) {
    match &m.kind {
        MountKind::Bind { source, recursive, nofollow, copy_symlink: false, .. } => {
            let (target, path) = (c_string(m.target.as_str()), c_path(source.as_path()));
            let op = plain_bind(&target, &path, (*recursive, *nofollow), 0);
            let object = format!("{} at {}", source.as_path().display(), m.target.as_str());
            p.step("mounting", object, &m.pointer, op);
        }
        // In a root in memory, or in /sys, which brings them.
        MountKind::CgroupV1 { .. } | MountKind::CgroupV2 { .. } | MountKind::Remount => {}
        _ => {
            let op = Op::Directory { path: &c_string(m.target.as_str()), mode: 0o755 };
            p.step("making the mount point", m.target.as_str(), &m.pointer, op);
        }
    }
}

/// The caller's: CRIU runs tar(1), ip(8) and others, and has options of its own there.
fn environment() -> Vec<u8> {
    let mut bytes = Vec::new();
    for (mut key, value) in std::env::vars_os() {
        key.push(OsString::from("="));
        key.push(value);
        let mut one = key.into_vec();
        one.push(0);
        bytes.append(&mut one);
    }
    bytes
}
