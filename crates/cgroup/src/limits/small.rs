//! The controllers of one or two files each: pids, hugetlb, net_cls, net_prio, rdma.
//!
//! Called by [`super::Limits`].

use std::collections::BTreeMap;

use cofferdam_oci::{HugepageLimit, NetworkResources, Pids, Pointer, Rdma};

use super::Limits;
use crate::convert;

/// Negative is unlimited. Zero is a limit (runtime-spec 1.3) and becomes 1, as in runc since 1.4:
/// neither lets the container start another task, but 0 would also keep clone3(2) from putting the
/// first one into the cgroup.
pub(super) fn pids(out: &mut Limits<'_>, pids: &Pids) {
    let Some(limit) = pids.limit else { return };
    let pointer = out.base.key("pids").key("limit");
    // No limit is what there is without the controller.
    if limit < 0 && out.find("pids", Some("pids")).is_none() {
        return;
    }
    let Some(target) = out.target("pids", Some("pids"), &pointer) else { return };
    let value = if limit < 0 { "max".into() } else { limit.max(1).to_string() };
    out.put(target.dir, "pids.max", value, &pointer);
}

/// Both what may be in use and, where the kernel counts it (Linux 5.7), what may be reserved.
pub(super) fn hugepages(out: &mut Limits<'_>, limits: &[HugepageLimit]) {
    for (index, limit) in limits.iter().enumerate() {
        let pointer = out.base.key("hugepageLimits").index(index);
        let size = &limit.page_size;
        if !convert::is_page_size(size) {
            out.reject(
                &pointer.key("pageSize"),
                format!("{size:?} is not a page size such as 64KB, 2MB or 1GB"),
            );
            continue;
        }
        let Some(target) = out.target("hugetlb", Some("hugetlb"), &pointer) else { return };
        let suffix = if target.v2 { "max" } else { "limit_in_bytes" };
        out.put(target.dir, &format!("hugetlb.{size}.{suffix}"), limit.limit, &pointer);
        out.put(target.dir, &format!("hugetlb.{size}.rsvd.{suffix}"), limit.limit, &pointer).may_lack = true;
    }
}

pub(super) fn network(out: &mut Limits<'_>, network: &NetworkResources) {
    let at = out.base.key("network");
    if let Some(class) = network.class_id.filter(|c| *c != 0) {
        v1_file(out, "net_cls", "net_cls.classid", class.to_string(), &at.key("classID"));
    }
    for (index, priority) in network.priorities.iter().enumerate() {
        let pointer = at.key("priorities").index(index);
        // IFNAMSIZ - 1.
        if !convert::is_word(&priority.name, 15) {
            out.reject(&pointer.key("name"), format!("{:?} is not an interface's name", priority.name));
            continue;
        }
        let value = format!("{} {}", priority.name, priority.priority);
        v1_file(out, "net_prio", "net_prio.ifpriomap", value, &pointer);
    }
}

fn v1_file(out: &mut Limits<'_>, controller: &str, file: &str, value: String, pointer: &Pointer) {
    let only_v2 = out.dirs.iter().all(|d| d.version == crate::plan::Version::V2);
    if only_v2 && !out.dirs.is_empty() {
        out.v1_only(pointer);
    } else if let Some(target) = out.target(controller, None, pointer) {
        out.put(target.dir, file, value, pointer);
    }
}

pub(super) fn rdma(out: &mut Limits<'_>, devices: &BTreeMap<String, Rdma>) {
    for (name, limits) in devices {
        let pointer = out.base.key("rdma").key(name);
        if !convert::is_word(name, 64) {
            out.reject(&pointer, format!("{name:?} is not a device's name"));
            continue;
        }
        let handles = limits.hca_handles.map(|n| format!(" hca_handle={n}"));
        let objects = limits.hca_objects.map(|n| format!(" hca_object={n}"));
        if handles.is_none() && objects.is_none() {
            out.reject(&pointer, "it has neither hcaHandles nor hcaObjects");
            continue;
        }
        let Some(target) = out.target("rdma", Some("rdma"), &pointer) else { return };
        let value = format!("{name}{}{}", handles.unwrap_or_default(), objects.unwrap_or_default());
        out.put(target.dir, "rdma.max", value, &pointer);
    }
}
