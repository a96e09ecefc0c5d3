//! `linux.resources.unified` as properties: the files that systemd has a property for.
//!
//! Called by `properties`. Pure. What it does not know is written to the cgroup alone.

use std::collections::BTreeMap;

use cofferdam_oci::Pointer;

use super::properties::{Properties, idle, quota};
use super::{Value, number};

/// Sizes and the properties that they are.
const SIZES: [(&str, &str); 5] = [
    ("memory.high", "MemoryHigh"),
    ("memory.low", "MemoryLow"),
    ("memory.max", "MemoryMax"),
    ("memory.min", "MemoryMin"),
    ("memory.swap.max", "MemorySwapMax"),
];

/// The map is sorted, so that `cpu.idle` comes before the weight that it overrules.
pub(super) fn limits(out: &mut Properties, unified: &BTreeMap<String, String>, at: &Pointer) {
    for (file, value) in unified {
        one(out, file, value.trim(), &at.key(file));
    }
}

fn one(out: &mut Properties, file: &str, value: &str, pointer: &Pointer) {
    if let Some((_, name)) = SIZES.iter().find(|(known, _)| *known == file) {
        if let Some(size) = number::size(value) {
            out.set(name, size, pointer);
        }
        return;
    }
    match file {
        "cpu.idle" if value == "1" => idle(out, pointer),
        "cpu.max" => cpu_max(out, value, pointer),
        "cpu.weight" if !out.has("CPUWeight", &Value::U64(0)) => {
            if let Ok(weight) = value.parse() {
                out.set("CPUWeight", Value::U64(weight), pointer);
            }
        }
        "cpuset.cpus" | "cpuset.mems" => {
            let name = if file == "cpuset.cpus" { "AllowedCPUs" } else { "AllowedMemoryNodes" };
            if let Some(bits) = number::bits(value) {
                out.set(name, bits, pointer);
            }
        }
        "io.weight" | "io.bfq.weight" => {
            if let Ok(weight) = value.trim_start_matches("default ").parse() {
                out.set("IOWeight", Value::U64(weight), pointer);
            }
        }
        "pids.max" if value == "max" => out.set("TasksMax", Value::INFINITY, pointer),
        "pids.max" => {
            if let Ok(limit) = value.parse() {
                out.set("TasksMax", number::tasks(limit), pointer);
            }
        }
        _ => {}
    }
}

/// `QUOTA [PERIOD]`, either of which the kernel judges.
fn cpu_max(out: &mut Properties, value: &str, pointer: &Pointer) {
    let mut words = value.split_ascii_whitespace();
    let amount = match words.next() {
        Some("max") => Some(-1),
        Some(number) => number.parse().ok(),
        None => None,
    };
    let period = words.next().map_or(Some(100_000), |p| p.parse().ok());
    if let (Some(amount), Some(period)) = (amount, period) {
        quota(out, amount, period, [pointer, pointer]);
    }
}

/// What can only be said when a scope is made: `memory.oom.group`, since systemd 253.
pub(super) fn at_creation(out: &mut Properties, unified: &BTreeMap<String, String>, at: &Pointer) {
    const GROUP: &str = "memory.oom.group";
    let policy = match unified.get(GROUP).map(|v| v.trim()) {
        Some("0") => "continue",
        Some("1") => "kill",
        _ => return,
    };
    out.set_since(253, "OOMPolicy", Value::text(policy), &at.key(GROUP));
}
