//! Device rules as `DevicePolicy` and `DeviceAllow`.
//!
//! Called by `unit`. Pure. systemd knows lists of what is allowed only, without wildcards for a major
//! number. On version 2 its program and ours must both allow an access, so where it cannot say what is
//! asked for it says nothing, and ours decides alone. On version 1 ours are written after its.

use cofferdam_oci::Pointer;

use super::Value;
use super::properties::Properties;
use crate::devices::{DeviceSet, Node, letters};
use crate::plan::Version;

pub(super) fn rules(out: &mut Properties, set: &DeviceSet, version: Version, base: &Pointer) {
    let pointer = base.key("devices");
    let entries: Vec<Option<Value>> =
        set.exceptions.iter().map(|(node, access)| entry(*node, *access)).collect();
    let sayable = !set.default_allow && entries.iter().all(Option::is_some);
    let open = set.default_allow && entries.is_empty();
    if open || version == Version::V2 && !sayable {
        out.set("DevicePolicy", Value::text("auto"), &pointer);
        out.set("DeviceAllow", Value::Array("(ss)".into(), Vec::new()), &pointer);
        return;
    }
    let allowed = if set.default_allow { Vec::new() } else { entries.into_iter().flatten().collect() };
    out.set("DevicePolicy", Value::text("strict"), &pointer);
    out.set("DeviceAllow", Value::Array("(ss)".into(), allowed), &pointer);
}

/// A node's path holds its number, which systemd reads without looking (since version 240).
fn entry(node: Node, access: u8) -> Option<Value> {
    let kind = if node.char { "char" } else { "block" };
    let path = match (node.major, node.minor) {
        (None, None) => format!("{kind}-*"),
        (Some(major), None) => format!("{kind}-{major}"),
        (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
        (None, Some(_)) => return None,
    };
    Some(Value::Struct(vec![Value::Text(path), Value::Text(letters(access))]))
}
