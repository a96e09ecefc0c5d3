//! The unit of a container: its name, its place and its properties, as plain data.
//!
//! Called by [`crate::plan()`]. Pure. What is here is what systemd is asked for; only the process's number
//! is added when there is one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use cofferdam_oci::{Pointer, Reject, Resources};
use serde::{Deserialize, Serialize};

use super::properties::{self, Properties};
use super::{Name, Value, devices, text, unified};
use crate::devices::DeviceSet;
use crate::hierarchy::Hierarchies;
use crate::plan::Version;

/// Whose systemd.
///
/// ```
/// assert_ne!(cofferdam_cgroup::Manager::System, cofferdam_cgroup::Manager::User);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manager {
    /// The host's.
    System,
    /// The user's own, `systemd --user`.
    User,
}

impl Manager {
    /// Where containers go that name no slice, as in runc.
    pub(crate) const fn usual_slice(self) -> &'static str {
        match self {
            Self::System => "system.slice",
            Self::User => "user.slice",
        }
    }
}

/// What a unit of systemd's needs besides the document's limits.
///
/// ```
/// use cofferdam_cgroup::{Manager, SystemdOptions};
/// let o = SystemdOptions { manager: Manager::System, uid: 0, annotations: Default::default() };
/// assert!(o.annotations.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemdOptions {
    /// Whose systemd is asked.
    pub manager: Manager,
    /// The caller's user: where the user's systemd is.
    pub uid: u32,
    /// The container's annotations: `org.systemd.property.NAME` sets a property.
    pub annotations: BTreeMap<String, String>,
}

/// One property of a unit.
///
/// ```
/// use cofferdam_cgroup::{Property, Value};
/// let p = Property { name: "TasksMax".into(), value: Value::U64(5), pointer: String::new(), since: 0 };
/// assert_eq!(p.to_string(), "TasksMax = uint64 5");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Property {
    /// As org.freedesktop.systemd1(5) has it.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// The JSON pointer of the field that asks for it; empty where none does.
    pub pointer: String,
    /// The version of systemd that first has it, where that is later than 244: an older one is not asked.
    pub since: u32,
}

impl std::fmt::Display for Property {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// The unit that systemd is asked to make.
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, Manager, PlanOptions, SystemdOptions, plan};
/// let mut h = Hierarchies::parse(b"31 1 0:30 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", b"0::/\n");
/// h.v2.as_mut().unwrap().controllers = vec!["pids".into()];
/// let r = serde_json::from_str(r#"{"pids":{"limit":5}}"#).unwrap();
/// let systemd = SystemdOptions { manager: Manager::System, uid: 0, annotations: Default::default() };
/// let options = PlanOptions { systemd: Some(systemd), ..Default::default() };
/// let unit = plan(&h, Some("system.slice:demo:1"), "1", &r, &options).unwrap().unit.unwrap();
/// assert_eq!(unit.name, "demo-1.scope");
/// assert!(unit.properties.iter().any(|p| p.to_string() == "TasksMax = uint64 5"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UnitPlan {
    /// Whose systemd makes it.
    pub manager: Manager,
    /// `crio-abc.scope`.
    pub name: String,
    /// `kubepods-pod1.slice`: the slice that it is in.
    pub slice: String,
    /// What it is asked for with, in order; a scope's `PIDs` come first.
    pub properties: Vec<Property>,
}

/// What the state file keeps of a unit.
///
/// ```
/// let text = r#"{"manager":"user","name":"a.scope"}"#;
/// let unit: cofferdam_cgroup::SavedUnit = serde_json::from_str(text).unwrap();
/// assert_eq!(unit.name, "a.scope");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedUnit {
    /// Whose systemd has it.
    pub manager: Manager,
    /// `crio-abc.scope`.
    pub name: String,
}

/// Decides the unit; where its cgroup is, from the hierarchies' mount points.
pub(crate) fn plan(
    name: Name,
    resources: &Resources,
    devices: Option<&DeviceSet>,
    version: Version,
    id: &str,
    options: &SystemdOptions,
) -> Result<UnitPlan, Vec<Reject>> {
    let mut out = Properties::default();
    base(&mut out, &name, version, id);
    let mut rejects = Vec::new();
    annotations(&mut out, &options.annotations, &mut rejects);
    let at = Pointer::new("/linux/resources");
    if version == Version::V2 && !name.is_slice() {
        unified::at_creation(&mut out, &resources.unified, &at.key("unified"));
    }
    if let Some(set) = devices {
        self::devices::rules(&mut out, set, version, &at);
    }
    properties::limits(&mut out, resources, version, &at);
    if !rejects.is_empty() {
        return Err(rejects);
    }
    Ok(UnitPlan { manager: options.manager, name: name.unit, slice: name.slice, properties: out.into_vec() })
}

/// Where the manager's own cgroup is. A user's is told by where the caller is; the process's own cgroup
/// corrects it once it is in its unit.
pub(crate) fn above(hierarchies: &Hierarchies, options: &SystemdOptions) -> PathBuf {
    if options.manager == Manager::System {
        return PathBuf::new();
    }
    let own = hierarchies.v2.as_ref().map(|v2| v2.own.as_path()).unwrap_or_else(|| Path::new("/"));
    let service = |c: &std::path::Component<'_>| {
        let name = c.as_os_str().to_string_lossy();
        name.starts_with("user@") && name.ends_with(".service")
    };
    let inside: Vec<_> = own.components().collect();
    if let Some(end) = inside.iter().position(service) {
        return inside.iter().take(end.saturating_add(1)).skip(1).collect();
    }
    let uid = options.uid;
    format!("user.slice/user-{uid}.slice/user@{uid}.service").into()
}

/// What every container has, as in runc: accounting on, no ties to other units, its cgroup its own.
fn base(out: &mut Properties, name: &Name, version: Version, id: &str) {
    let asked_by = Pointer::new("/linux/cgroupsPath");
    let root = Pointer::root();
    out.set("Description", Value::Text(format!("cofferdam container {id}")), &root);
    if name.is_slice() {
        out.set("Wants", Value::texts(&[&name.slice]), &asked_by);
    } else {
        out.set("Slice", Value::text(&name.slice), &asked_by);
        out.set("Delegate", Value::Bool(true), &root);
        // A unit that failed (OOM, say) goes away by itself, instead of keeping its name taken.
        out.set("CollectMode", Value::text("inactive-or-failed"), &root);
    }
    let io = if version == Version::V2 { "IOAccounting" } else { "BlockIOAccounting" };
    for name in ["MemoryAccounting", "CPUAccounting", io, "TasksAccounting"] {
        out.set(name, Value::Bool(true), &root);
    }
    out.set("DefaultDependencies", Value::Bool(false), &root);
}

fn annotations(out: &mut Properties, annotations: &BTreeMap<String, String>, rejects: &mut Vec<Reject>) {
    for (key, value) in annotations {
        let Some(name) = key.strip_prefix("org.systemd.property.").filter(|name| !name.is_empty()) else {
            continue;
        };
        let pointer = Pointer::new("/annotations").key(key);
        match annotation(name, value) {
            Ok((name, value)) => out.set(&name, value, &pointer),
            Err(why) => rejects.push(Reject::new(pointer, why)),
        }
    }
}

/// `TimeoutStopSec` in seconds is `TimeoutStopUSec` in microseconds.
fn annotation(name: &str, value: &str) -> Result<(String, Value), String> {
    if name.len() < 3 || !name.bytes().all(|b| b.is_ascii_alphabetic()) {
        return Err(format!("{name:?} is not the name of a property"));
    }
    let value = text::parse(value).map_err(|why| format!("the value cannot be read: {why}"))?;
    let stem = name.strip_suffix("Sec").filter(|s| s.ends_with(|c: char| c.is_ascii_lowercase()));
    let Some(stem) = stem else { return Ok((name.to_owned(), value)) };
    Ok((format!("{stem}USec"), microseconds(&value).ok_or("it is not a number of seconds")?))
}

fn microseconds(seconds: &Value) -> Option<Value> {
    const SECOND: u64 = 1_000_000;
    let whole = |n: i128| u64::try_from(n).ok().and_then(|n| n.checked_mul(SECOND)).map(Value::U64);
    match seconds {
        Value::Byte(n) => whole(i128::from(*n)),
        Value::I16(n) => whole(i128::from(*n)),
        Value::U16(n) => whole(i128::from(*n)),
        Value::I32(n) => whole(i128::from(*n)),
        Value::U32(n) => whole(i128::from(*n)),
        Value::I64(n) => whole(i128::from(*n)),
        Value::U64(n) => whole(i128::from(*n)),
        Value::F64(n) => {
            let time = std::time::Duration::try_from_secs_f64(*n).ok()?;
            u64::try_from(time.as_micros()).ok().map(Value::U64)
        }
        _ => None,
    }
}
