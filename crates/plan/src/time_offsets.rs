//! `linux.timeOffsets`: the clocks of a new time namespace.
//!
//! Called by the init plan. See time_namespaces(7).

use cofferdam_oci::Pointer;

use crate::TimeOffsetPlan;
use crate::bits::CLONE_NEWTIME;
use crate::findings::Findings;
use crate::scene::Scene;

/// Judges the offsets.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Vec<TimeOffsetPlan> {
    let offsets = &scene.linux.time_offsets;
    let list = Pointer::new("/linux/timeOffsets");
    if !offsets.is_empty() && !scene.spaces.makes(CLONE_NEWTIME) {
        findings.reject_hint(
            list.clone(),
            "only a new time namespace takes offsets",
            "add a namespace of type time, without a path",
        );
    }
    let mut result = Vec::new();
    for (name, offset) in offsets {
        let at = list.key(name);
        let clock = match name.as_str() {
            "monotonic" => "monotonic",
            "boottime" => "boottime",
            _ => {
                findings.reject(at, "no such clock; there are boottime and monotonic");
                continue;
            }
        };
        if offset.nanosecs >= 1_000_000_000 {
            findings.reject(at.key("nanosecs"), format!("{} is a second or more", offset.nanosecs));
        }
        result.push(TimeOffsetPlan { pointer: at, clock, secs: offset.secs, nanosecs: offset.nanosecs });
    }
    result
}
