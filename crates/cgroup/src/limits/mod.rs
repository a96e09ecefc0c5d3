//! From `linux.resources` to writes, field by field.
//!
//! Called by [`crate::plan`] and [`crate::plan_update`]. Each module here is one controller, with what it
//! writes on version 1 and on version 2 side by side. Pure; it may not know of a process or a directory
//! beyond its index.

mod block_io;
mod cpu;
mod memory;
mod small;
mod unified;

use cofferdam_oci::{Pointer, Reject, Resources};

use crate::plan::{CgroupDir, CgroupWrite, Ignored, Version};

/// Collects writes and objections.
pub(crate) struct Limits<'a> {
    pub(crate) dirs: &'a [CgroupDir],
    pub(crate) base: Pointer,
    ignore_v1_only: bool,
    /// Existing cgroups are changed: what is not mentioned is not known.
    update: bool,
    pub(crate) writes: Vec<CgroupWrite>,
    pub(crate) rejects: Vec<Reject>,
    pub(crate) ignored: Vec<Ignored>,
}

/// What to do about a container that was made without.
pub(crate) const NO_CGROUP: &str =
    "rootless containers need a delegated cgroup for this (systemd: Delegate=)";

/// Where a controller was found.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) dir: usize,
    pub(crate) v2: bool,
}

impl<'a> Limits<'a> {
    pub(crate) fn new(dirs: &'a [CgroupDir], base: Pointer, ignore_v1_only: bool, update: bool) -> Self {
        let (writes, rejects, ignored) = (Vec::new(), Vec::new(), Vec::new());
        Self { dirs, base, ignore_v1_only, update, writes, rejects, ignored }
    }

    pub(crate) fn all(&mut self, resources: &Resources) {
        if let Some(memory) = &resources.memory {
            memory::limits(self, memory);
        }
        if let Some(cpu) = &resources.cpu {
            cpu::limits(self, cpu);
        }
        if let Some(pids) = &resources.pids {
            small::pids(self, pids);
        }
        if let Some(block_io) = &resources.block_io {
            block_io::limits(self, block_io);
        }
        small::hugepages(self, &resources.hugepage_limits);
        if let Some(network) = &resources.network {
            small::network(self, network);
        }
        small::rdma(self, &resources.rdma);
        // Last: it is the most explicit, so it wins over what was converted.
        unified::limits(self, &resources.unified);
    }

    /// Where the controller with these names is, version 1 first; an objection when nowhere.
    pub(crate) fn target(&mut self, v1: &str, v2: Option<&str>, pointer: &Pointer) -> Option<Target> {
        let found = self.find(v1, v2);
        if found.is_none() {
            self.lacking(pointer, v2.unwrap_or(v1), "");
        }
        found
    }

    pub(crate) fn find(&self, v1: &str, v2: Option<&str>) -> Option<Target> {
        let has = |version: Version, name: &str| {
            self.dirs.iter().position(|d| d.version == version && d.controllers.iter().any(|c| c == name))
        };
        let first = has(Version::V1, v1).map(|dir| Target { dir, v2: false });
        first.or_else(|| v2.and_then(|name| has(Version::V2, name)).map(|dir| Target { dir, v2: true }))
    }

    pub(crate) fn put(
        &mut self,
        dir: usize,
        file: &str,
        value: impl ToString,
        pointer: &Pointer,
    ) -> &mut CgroupWrite {
        let index = self.writes.len();
        self.writes.push(CgroupWrite::new(dir, file, value.to_string(), pointer.as_str()));
        &mut self.writes[index]
    }

    pub(crate) fn reject(&mut self, pointer: &Pointer, message: impl Into<String>) {
        self.rejects.push(Reject::new(pointer.clone(), message));
    }

    pub(crate) fn ignore(&mut self, pointer: &Pointer, reason: &str) {
        self.ignored.push(Ignored { pointer: pointer.as_str().into(), reason: reason.into() });
    }

    /// `what` stands before the message. No cgroup of the plan, or none of the container that is to be changed, has that controller.
    pub(crate) fn lacking(&mut self, pointer: &Pointer, controller: &str, what: &str) {
        let (who, hint) = if self.update {
            ("the container has no cgroup with the", NO_CGROUP)
        } else {
            (
                "this host has no cgroup",
                "mount it, or enable it in the kernel's configuration and command line",
            )
        };
        let reject = Reject::host(pointer.clone(), format!("{what}{who} controller {controller:?}"));
        self.rejects.push(reject.hint(hint));
    }

    /// A field that version 2 has nothing for.
    pub(crate) fn v1_only(&mut self, pointer: &Pointer) {
        if self.ignore_v1_only {
            self.ignore(pointer, "cgroup v2 has nothing for it");
        } else {
            let reject = Reject::host(pointer.clone(), "cgroup v2, which this host uses, has nothing for it");
            self.rejects.push(
                reject.hint("remove it, or set the cgroup v2 equivalent under /linux/resources/unified"),
            );
        }
    }
}
