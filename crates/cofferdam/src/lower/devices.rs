//! Devices and symbolic links of a plan, as operations.

use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_plan::{Device, DeviceKind, DeviceSource, InitPlan};
use cofferdam_sys::mknodat;

use super::mounts::plain_bind;
use crate::program::{Program, c_path, c_string};

pub(super) fn devices(p: &mut Program, plan: &InitPlan) {
    for device in &plan.devices {
        one(p, device);
    }
    for link in &plan.symlinks {
        let op = Op::Symlink { path: &c_string(link.path.as_str()), target: &c_string(link.target.as_str()) };
        p.step("making symbolic link", link.path.as_str(), &Pointer::root(), op);
    }
}

fn one(p: &mut Program, d: &Device) {
    let path = c_string(d.path.as_str());
    match &d.source {
        DeviceSource::Mknod => {
            let kind = match d.kind {
                DeviceKind::Character => mknodat::S_IFCHR,
                DeviceKind::Block => mknodat::S_IFBLK,
                DeviceKind::Fifo => mknodat::S_IFIFO,
            };
            let dev = mknodat::makedev(d.major, d.minor);
            let op = Op::Node { path: &path, mode: kind | d.mode & 0o7777, dev, uid: d.uid, gid: d.gid };
            p.step("making device", d.path.as_str(), &d.pointer, op);
        }
        DeviceSource::Bind(source) => {
            let source = c_path(source.as_path());
            let op = plain_bind(&path, &source, (false, false), 0);
            p.step("binding device", d.path.as_str(), &d.pointer, op);
        }
    }
}
