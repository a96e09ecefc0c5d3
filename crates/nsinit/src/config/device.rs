//! Devices: nodes to be made, rules of the devices cgroup, and those that are so by default.

use serde::{Deserialize, Serialize};

use super::empty;

/// A device: a node to be made, or a rule of the devices cgroup.
///
/// ```
/// let null: cofferdam_nsinit::Device = serde_json::from_str(
///     r#"{"type": 99, "path": "/dev/null", "major_number": 1, "minor_number": 3, "file_mode": 438}"#,
/// ).unwrap();
/// assert_eq!((null.letter(), null.file_mode), (Some('c'), 0o666));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Device {
    /// The letter's number: 99 is `c`, 98 is `b`.
    #[serde(rename = "type", skip_serializing_if = "empty")]
    pub kind: u32,
    /// Where in the container; empty for a rule.
    #[serde(skip_serializing_if = "empty")]
    pub path: String,
    /// Major number; -1 is all of them, for a rule.
    #[serde(skip_serializing_if = "empty")]
    pub major_number: i64,
    /// Minor number; -1 is all of them, for a rule.
    #[serde(skip_serializing_if = "empty")]
    pub minor_number: i64,
    /// `r`, `w`, `m` together.
    #[serde(skip_serializing_if = "empty")]
    pub cgroup_permissions: String,
    /// Permission bits.
    #[serde(skip_serializing_if = "empty")]
    pub file_mode: u32,
    /// Owner inside the container.
    #[serde(skip_serializing_if = "empty")]
    pub uid: u32,
    /// Group inside the container.
    #[serde(skip_serializing_if = "empty")]
    pub gid: u32,
}

impl Device {
    /// Its type as mknod(1) has it.
    #[must_use]
    pub fn letter(&self) -> Option<char> {
        char::from_u32(self.kind).filter(|letter| "cbup".contains(*letter))
    }

    fn rule(letter: char, path: &str, major: i64, minor: i64) -> Self {
        Self {
            kind: letter.into(),
            path: path.to_owned(),
            major_number: major,
            minor_number: minor,
            cgroup_permissions: "rwm".to_owned(),
            ..Self::default()
        }
    }

    fn node(path: &str, major: i64, minor: i64) -> Self {
        Self { file_mode: 0o666, ..Self::rule('c', path, major, minor) }
    }
}

/// Both made and allowed.
fn simple_devices() -> [Device; 6] {
    [
        Device::node("/dev/null", 1, 3),
        Device::node("/dev/zero", 1, 5),
        Device::node("/dev/full", 1, 7),
        Device::node("/dev/tty", 5, 0),
        Device::node("/dev/urandom", 1, 9),
        Device::node("/dev/random", 1, 8),
    ]
}

/// libcontainer's `DefaultAllowedDevices`: nodes of any device may be made; consoles, pseudo-terminals, tun and
/// the usual six may be used.
///
/// ```
/// let rules = cofferdam_nsinit::allowed_devices();
/// assert!(rules.iter().any(|rule| rule.major_number == 136 && rule.minor_number == -1));
/// ```
#[must_use]
pub fn allowed_devices() -> Vec<Device> {
    let any = |letter| Device { cgroup_permissions: "m".to_owned(), ..Device::rule(letter, "", -1, -1) };
    let mut rules = vec![
        any('c'),
        any('b'),
        Device::rule('c', "/dev/console", 5, 1),
        Device::rule('c', "/dev/tty0", 4, 0),
        Device::rule('c', "/dev/tty1", 4, 1),
        Device::rule('c', "", 136, -1),
        Device::rule('c', "", 5, 2),
        Device::rule('c', "", 10, 200),
    ];
    rules.extend(simple_devices());
    rules
}

/// libcontainer's `DefaultAutoCreatedDevices`: the usual six, and /dev/fuse, which is there but not allowed.
///
/// ```
/// assert_eq!(cofferdam_nsinit::created_devices()[0].path, "/dev/fuse");
/// ```
#[must_use]
pub fn created_devices() -> Vec<Device> {
    let mut nodes = vec![Device::rule('c', "/dev/fuse", 10, 229)];
    nodes.extend(simple_devices());
    nodes
}
