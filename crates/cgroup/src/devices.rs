//! Device rules: what a container may read, write and make among device nodes.
//!
//! Called by [`crate::plan`]. The rules of the document and the default devices are applied, in order, to
//! a model of version 1's devices controller; what comes out is the shortest list that has the same
//! effect, written to `devices.deny` and `devices.allow` or compiled for version 2. Pure.

use std::collections::BTreeMap;
use std::fmt;

use cofferdam_oci::{DeviceRule, Pointer, Reject};
use serde::{Deserialize, Serialize};

use crate::device_bpf;
use crate::limits::Limits;
use crate::plan::PlanOptions;

pub(crate) const MKNOD: u8 = 1;
pub(crate) const READ: u8 = 2;
pub(crate) const WRITE: u8 = 4;
const ALL: u8 = MKNOD | READ | WRITE;

/// The device program of version 2 (`BPF_PROG_TYPE_CGROUP_DEVICE`).
///
/// ```
/// use cofferdam_cgroup::{Hierarchies, PlanOptions, plan};
/// let h = Hierarchies::parse(b"31 1 0:30 / /c rw - cgroup2 cgroup2 rw\n", b"0::/\n");
/// let plan = plan(&h, None, "id", &Default::default(), &PlanOptions::default()).unwrap();
/// assert!(!plan.devices.unwrap().program.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceProgram {
    /// Index into [`crate::CgroupPlan::dirs`].
    pub dir: usize,
    /// `struct bpf_insn`, each as one little-endian number.
    pub program: Vec<u64>,
}

/// A device number or all of them, and its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    /// Blocks sort first, wildcards before numbers.
    pub(crate) char: bool,
    pub(crate) major: Option<u32>,
    pub(crate) minor: Option<u32>,
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |n: Option<u32>| n.map_or_else(|| "*".to_owned(), |n| n.to_string());
        let kind = if self.char { 'c' } else { 'b' };
        write!(f, "{kind} {}:{}", number(self.major), number(self.minor))
    }
}

pub(crate) fn letters(access: u8) -> String {
    [(READ, 'r'), (WRITE, 'w'), (MKNOD, 'm')]
        .iter()
        .filter(|(bit, _)| access & bit != 0)
        .map(|(_, c)| *c)
        .collect()
}

/// What the devices controller would hold: a default and the exceptions to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeviceSet {
    pub(crate) default_allow: bool,
    pub(crate) exceptions: BTreeMap<Node, u8>,
}

impl DeviceSet {
    fn reset(&mut self, default_allow: bool) {
        *self = Self { default_allow, exceptions: BTreeMap::new() };
    }

    fn apply(&mut self, allow: bool, node: Node, access: u8) -> Result<(), String> {
        if allow != self.default_allow {
            *self.exceptions.entry(node).or_default() |= access;
            return Ok(());
        }
        // The kernel ignores, without a word, the removal of part of a wider exception: a "deny" that
        // denies nothing. It has to be said.
        for wider in [
            Node { major: None, ..node },
            Node { minor: None, ..node },
            Node { major: None, minor: None, ..node },
        ] {
            let overlap = self.exceptions.get(&wider).copied().unwrap_or(0) & access;
            if wider != node && overlap != 0 {
                return Err(format!(
                    "it would cut {node} {} out of the wider rule {wider}, which cgroups cannot do",
                    letters(overlap)
                ));
            }
        }
        if let Some(left) = self.exceptions.get_mut(&node) {
            *left &= !access;
            if *left == 0 {
                self.exceptions.remove(&node);
            }
        }
        Ok(())
    }
}

/// What every container may use: mknod of anything, the devices of the specification, terminals, and
/// /dev/net/tun (in runc's and crun's lists since Docker's first years).
const DEFAULT_DEVICES: [(Option<&str>, Node, u8); 11] = [
    (None, Node { char: true, major: None, minor: None }, MKNOD),
    (None, Node { char: false, major: None, minor: None }, MKNOD),
    (Some("/dev/null"), char(1, 3), ALL),
    (Some("/dev/random"), char(1, 8), ALL),
    (Some("/dev/full"), char(1, 7), ALL),
    (Some("/dev/tty"), char(5, 0), ALL),
    (Some("/dev/zero"), char(1, 5), ALL),
    (Some("/dev/urandom"), char(1, 9), ALL),
    (None, Node { char: true, major: Some(136), minor: None }, ALL),
    (None, char(5, 2), ALL),
    (None, char(10, 200), ALL),
];

const fn char(major: u32, minor: u32) -> Node {
    Node { char: true, major: Some(major), minor: Some(minor) }
}

/// Adds the writes of version 1 to `limits`, or gives the program of version 2; and what either does, where
/// there are rules at all.
pub(crate) fn plan(
    limits: &mut Limits<'_>,
    rules: &[DeviceRule],
    options: &PlanOptions,
) -> (Option<DeviceProgram>, Option<DeviceSet>) {
    let pointer = limits.base.key("devices");
    let set = build(limits, rules, &options.device_paths);
    if options.rootless {
        if !rules.is_empty() {
            limits.ignore(&pointer, "only the host's root may set device rules");
        }
        return (None, None);
    }
    if let Some(target) = limits.find("devices", None) {
        let (default, exception) = if set.default_allow {
            ("devices.allow", "devices.deny")
        } else {
            ("devices.deny", "devices.allow")
        };
        limits.put(target.dir, default, "a", &pointer);
        for (node, access) in &set.exceptions {
            limits.put(target.dir, exception, format!("{node} {}", letters(*access)), &pointer);
        }
        return (None, Some(set));
    }
    let Some(dir) = limits.dirs.iter().position(|d| d.version == crate::plan::Version::V2) else {
        // Never without: devices are the host.
        let reject = Reject::host(pointer, "this host has no cgroup controller \"devices\"");
        limits
            .rejects
            .push(reject.hint("mount it: a container without it could use every device of the host"));
        return (None, None);
    };
    (Some(DeviceProgram { dir, program: device_bpf::compile(&set) }), Some(set))
}

fn build(limits: &mut Limits<'_>, rules: &[DeviceRule], device_paths: &[String]) -> DeviceSet {
    let mut set = DeviceSet::default();
    for (index, rule) in rules.iter().enumerate() {
        let pointer = limits.base.key("devices").index(index);
        let Some(access) = access(limits, rule, &pointer.key("access")) else { continue };
        let char = match rule.kind.as_deref() {
            None | Some("a" | "") => {
                set.reset(rule.allow);
                continue;
            }
            Some("c") => true,
            Some("b") => false,
            Some(other) => {
                limits.reject(&pointer.key("type"), format!("{other:?} is not one of a, b and c"));
                continue;
            }
        };
        let mut number = |value: Option<i64>, name: &str| match value {
            None | Some(-1) => Some(None),
            Some(value) => {
                let number = u32::try_from(value).ok();
                if number.is_none() {
                    limits.reject(
                        &pointer.key(name),
                        format!("{value} is neither a device number nor -1 for all"),
                    );
                }
                number.map(Some)
            }
        };
        let (major, minor) = (number(rule.major, "major"), number(rule.minor, "minor"));
        let (Some(major), Some(minor)) = (major, minor) else { continue };
        if let Err(why) = set.apply(rule.allow, Node { char, major, minor }, access) {
            limits.reject(&pointer, why);
        }
    }
    let replaced = |path: &&str| device_paths.iter().any(|p| p == path);
    for (path, node, access) in DEFAULT_DEVICES {
        if path.as_ref().is_some_and(replaced) {
            continue;
        }
        if let Err(why) = set.apply(true, node, access) {
            limits.reject(&limits.base.key("devices"), format!("a default device cannot be allowed: {why}"));
        }
    }
    set
}

/// What a rule is about. Beside letters that are known, others never give more: what allows allows the known ones, and
/// what denies denies all.
fn access(limits: &mut Limits<'_>, rule: &DeviceRule, at: &Pointer) -> Option<u8> {
    let text = rule.access.as_deref().unwrap_or_default();
    let one = |letter| match letter {
        b'r' => READ,
        b'w' => WRITE,
        b'm' => MKNOD,
        _ => 0,
    };
    let known = text.bytes().map(one).fold(0, |bits, bit| bits | bit);
    if known == 0 {
        let reject = Reject::new(at.clone(), "access is not made of r, w and m");
        limits.rejects.push(reject.hint("name at least one of r, w and m"));
        return None;
    }
    if text.bytes().all(|letter| one(letter) != 0) {
        return Some(known);
    }
    let (access, done) =
        if rule.allow { (known, "only these are allowed") } else { (ALL, "all three are denied") };
    limits.ignore(at, &format!("{text:?} has letters other than r, w and m; {done}"));
    Some(access)
}
