//! A writable layer over the root, as operations.

use std::path::Path;

use cofferdam_child::op::Op;
use cofferdam_child::wire::List;
use cofferdam_oci::Pointer;
use cofferdam_sys::mount_setattr::MOUNT_ATTR_RDONLY;

use super::mounts::plain_bind;
use crate::overlay::{Entry, OverlayPlan};
use crate::program::{Program, c_path, c_string, list};

pub(super) fn root(p: &mut Program, plan: &OverlayPlan, path: &Path) {
    let params = list(plan.params.iter().map(String::as_str));
    let (params, at, pointer) = (List::new(&params), c_path(path), Pointer::new("/root/path"));
    let text = path.display().to_string();
    if plan.whole {
        let more = !plan.entries.is_empty();
        let op = Op::OverlayRoot { path: &at, params, userxattr: plan.userxattr, more };
        p.step("laying a writable layer over", text, &pointer, op);
        each(p, plan, Path::new(""));
        if more {
            p.own("letting go of the layers", Op::NoMoreLayers {});
        }
        return;
    }
    p.step("making a root in memory for", &text, &pointer, Op::LayeredRoot { path: &at, params });
    each(p, plan, path);
    p.step("putting the root in memory over", text, &pointer, Op::PlaceRoot { path: &at });
}

fn each(p: &mut Program, plan: &OverlayPlan, root: &Path) {
    for entry in &plan.entries {
        one(p, entry, root, plan.userxattr);
    }
}

/// A root that is put together is read-only in all its parts: each layer is a mount of its own.
pub(super) fn seal(p: &mut Program, plan: &OverlayPlan) {
    let layered = plan.entries.iter().filter_map(|e| match e {
        Entry::Layered(name) => Some(format!("/{name}")),
        _ => None,
    });
    for target in layered {
        let op = Op::SetAttr {
            target: &c_string(target.as_str()),
            set: MOUNT_ATTR_RDONLY,
            clear: 0,
            rec_set: 0,
            rec_clear: 0,
            propagation: &[],
        };
        p.step("making read-only", target, &Pointer::new("/root/readonly"), op);
    }
}

fn one(p: &mut Program, entry: &Entry, root: &Path, userxattr: bool) {
    let pointer = Pointer::new("/root/path");
    match entry {
        Entry::Layered(name) => {
            let source = root.join(name);
            let op = Op::Layer { name: &c_string(name.as_str()), source: &c_path(&source), userxattr };
            p.step("laying a writable layer over", source.display().to_string(), &pointer, op);
        }
        Entry::Bound(name) => bound(p, name, &root.join(name)),
        Entry::Empty(name) => {
            let op = Op::Directory { path: &c_string(format!("/{name}")), mode: 0o755 };
            p.step("making directory", format!("/{name}"), &pointer, op);
        }
        Entry::Link(name, words) => {
            let op = Op::Symlink { path: &c_string(format!("/{name}")), target: &c_string(words.as_str()) };
            p.step("making symbolic link", format!("/{name}"), &pointer, op);
        }
    }
}

fn bound(p: &mut Program, name: &str, source: &Path) {
    let (target, path) = (c_string(format!("/{name}")), c_path(source));
    let op = plain_bind(&target, &path, (true, true), MOUNT_ATTR_RDONLY);
    p.step("showing read-only", source.display().to_string(), &Pointer::new("/root/path"), op);
}
