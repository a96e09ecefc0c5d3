//! User namespaces that exist only for their id maps: mount_setattr(2) takes one for an idmapped mount.

use std::os::fd::OwnedFd;

use cofferdam_child::frame::Point;
use cofferdam_child::op::Op;
use cofferdam_plan::{IdMaps, IdmapPlan, Setgroups};
use cofferdam_sys::clone3::CLONE_NEWUSER;

use crate::lower::Lowered;
use crate::program::Program;
use crate::{Error, Result, maps, spawn};

/// Makes a process in a new user namespace, writes its maps, opens the namespace, ends the process.
pub(crate) fn namespace(plan: &IdmapPlan) -> Result<OwnedFd> {
    let mut program = Program::default();
    program.own("waiting to be mapped", Op::Await { point: Point::Maps.number() });
    let lowered = Lowered { program, clone_flags: CLONE_NEWUSER, maps_first: false, successor: false };
    let newborn = spawn::spawn(&lowered, &[], None, None)?;
    let opened = open(plan, newborn.born.pid);
    // It waits for a word that never comes; both ways out of here end it.
    let _ = cofferdam_sys::pidfd::send_signal(newborn.born.pidfd.raw(), 9);
    let _ = cofferdam_sys::wait::wait_pidfd(newborn.born.pidfd.raw(), false, false);
    opened
}

fn open(plan: &IdmapPlan, pid: i32) -> Result<OwnedFd> {
    let all =
        IdMaps { uid: plan.uid.clone(), gid: plan.gid.clone(), setgroups: Setgroups::Allow, helpers: None };
    maps::write(&all, pid)?;
    let path = format!("/proc/{pid}/ns/user");
    std::fs::File::open(&path).map(OwnedFd::from).map_err(|e| Error::io("opening namespace", path, &e))
}
