//! What a rule does with a call, and how that stands in the document.
//!
//! Read by `document`, carried out by the handlers. Pure. An action knows which calls it can answer.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use cofferdam_sys::Errno;

use super::device::Device;
use super::limits::{self, Mounts, Names, Place};
use super::matching::Pattern;
use super::read::{Fields, Node, Reader, nearest};
use super::template::Template;
use crate::words;

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The call fails. The reason goes into the audit log.
    Errno { errno: Errno, reason: Option<String> },
    /// The call succeeds without having been made, and returns this.
    Return { value: i64 },
    /// The kernel makes the call as it stands when it gets to it, which may be after another thread changed
    /// what pointers lead to; so it is written down why that is safe.
    Continue { because: String },
    /// Every process of the container is killed.
    Kill,
    /// The container's cgroup is frozen; the call fails with EPERM when it is thawed.
    Freeze,
    /// A directory is made under the wanted name with something behind it.
    Mkdir { suffix: Template },
    /// Device nodes of a list are made, others fail with EPERM.
    Mknod { devices: Vec<Device> },
    /// File systems of a list are mounted and unmounted, and mounts changed, within limits; others fail with EPERM.
    Mount(Mounts),
    /// Files get owners out of these ranges, as the caller's user namespace says them.
    Chown { uids: Vec<RangeInclusive<u32>>, gids: Vec<RangeInclusive<u32>> },
    /// Extended attributes of these names are set, with values that are not larger.
    Setxattr { names: Vec<Pattern>, max_size: usize },
    /// Sockets are connected and bound to, and send to, places of a list; others fail with EPERM.
    Network { allow: Vec<Place> },
    /// Files of the host's are opened read-only in the place of files of these names.
    Open { files: BTreeMap<String, PathBuf> },
    /// sysinfo(2) tells the memory of the container's limits.
    Sysinfo,
    /// uname(2) tells the names of the container's UTS namespace, and these.
    Uname(Names),
    /// Programs of a list wait before they are executed.
    Delay { paths: Vec<Pattern>, delay: Duration },
    /// The container's first program waits until its pod's sidecars had time to start.
    Sidecars { containers: Vec<String>, delay: Duration },
}

/// Name in the document, the calls that it can answer (none is all), and the reader of its keys.
type Row = (&'static str, &'static [&'static str], fn(&mut Fields<'_>, &mut Reader<'_>) -> Option<Action>);

/// What a rule about mounts can answer.
const MOUNTS: [&str; 10] = [
    "mount",
    "umount",
    "umount2",
    "fsopen",
    "fspick",
    "fsconfig",
    "fsmount",
    "open_tree",
    "move_mount",
    "mount_setattr",
];

const ACTIONS: [Row; 16] = [
    ("errno", &[], errno),
    ("return", &[], value),
    ("continue", &[], proceed),
    ("kill", &[], |_, _| Some(Action::Kill)),
    ("freeze", &[], |_, _| Some(Action::Freeze)),
    ("mkdir", &["mkdir", "mkdirat"], mkdir),
    ("mknod", &["mknod", "mknodat"], mknod),
    ("mount", &MOUNTS, limits::mount),
    ("chown", &["chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32"], limits::chown),
    ("setxattr", &["fsetxattr", "lsetxattr", "setxattr", "setxattrat"], limits::setxattr),
    ("network", &["bind", "connect", "sendmmsg", "sendmsg", "sendto"], limits::network),
    ("open", &["open", "openat", "openat2"], limits::open),
    ("sysinfo", &["sysinfo"], |_, _| Some(Action::Sysinfo)),
    ("uname", &["uname"], limits::uname),
    ("delay", &["execve", "execveat"], delay),
    ("sidecars", &["execve"], sidecars),
];

impl Action {
    /// Its name in the document.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Errno { .. } => "errno",
            Self::Return { .. } => "return",
            Self::Continue { .. } => "continue",
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Mkdir { .. } => "mkdir",
            Self::Mknod { .. } => "mknod",
            Self::Mount(_) => "mount",
            Self::Chown { .. } => "chown",
            Self::Setxattr { .. } => "setxattr",
            Self::Network { .. } => "network",
            Self::Open { .. } => "open",
            Self::Sysinfo => "sysinfo",
            Self::Uname(_) => "uname",
            Self::Delay { .. } => "delay",
            Self::Sidecars { .. } => "sidecars",
        }
    }

    /// The calls that it can answer; none is all.
    pub(crate) fn answers(&self) -> &'static [&'static str] {
        ACTIONS.iter().find(|row| row.0 == self.name()).map_or(&[], |row| row.1)
    }
}

/// Reads `action` and the keys that belong to it.
pub(super) fn read(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let node = fields.need("action", reader)?;
    let name = node.string(reader)?;
    let Some((.., read)) = ACTIONS.iter().find(|row| row.0 == name) else {
        let near = nearest(&name, ACTIONS.iter().map(|row| row.0));
        let hint = near.map_or_else(
            || format!("one of {}", ACTIONS.map(|row| row.0).join(", ")),
            |near| format!("\"{near}\"?"),
        );
        return node.reject(reader, format!("{name:?} is no action (hint: {hint})"));
    };
    read(fields, reader)
}

fn errno(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let node = fields.take("errno");
    let reason = fields.take("reason").and_then(|node| node.words(reader));
    let errno = match node {
        None => Some(Errno::EPERM),
        Some(node) => {
            let word = if node.is_integer() {
                node.integer(reader).map(|n| n.to_string())
            } else {
                node.string(reader)
            };
            word.and_then(|word| {
                words::errno(&word).or_else(|| {
                    node.reject(reader, format!("{word:?} is no errno (hint: such as \"EPERM\")"))
                })
            })
        }
    };
    Some(Action::Errno { errno: errno?, reason })
}

fn value(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let Some(node) = fields.take("value") else { return Some(Action::Return { value: 0 }) };
    let number = node.integer(reader)?;
    match i64::try_from(number) {
        // The kernel takes -4095 to -1 as errnos.
        Ok(value) if value >= 0 => Some(Action::Return { value }),
        _ => node.reject(reader, "a call that succeeds returns 0 or more (hint: action = \"errno\" to fail)"),
    }
}

fn proceed(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let Some(node) = fields.take("because") else {
        let message = "has no `because`: write down why the call may go on although its arguments may change \
                       after they were looked at";
        reader.reject(&fields.at, &fields.key, message);
        return None;
    };
    Some(Action::Continue { because: node.words(reader)? })
}

fn mkdir(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let node = fields.need("suffix", reader)?;
    let text = node.words(reader)?;
    match Template::parse(&text) {
        Ok(suffix) => Some(Action::Mkdir { suffix }),
        Err(why) => node.reject(reader, why),
    }
}

fn mknod(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let read = |node: &Node<'_>, reader: &mut Reader<'_>| {
        let text = node.string(reader)?;
        Device::parse(&text).or_else(|| {
            node.reject(
                reader,
                format!("{text:?} is no device (hint: \"c 1:3\", \"b 7:*\" or \"c 4:64-68\")"),
            )
        })
    };
    let devices = fields.need("devices", reader)?.each(reader, read)?;
    Some(Action::Mknod { devices })
}

fn time(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Duration> {
    let node = fields.need("delay", reader)?;
    let text = node.string(reader)?;
    words::duration(&text).or_else(|| {
        node.reject(reader, format!("{text:?} is no duration (hint: such as \"2s\" or \"500ms\")"))
    })
}

fn delay(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let delay = time(fields, reader);
    let paths = fields.take("paths").map(|node| patterns(&node, reader));
    Some(Action::Delay { paths: paths.unwrap_or_else(|| Some(Vec::new()))?, delay: delay? })
}

fn sidecars(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let delay = time(fields, reader);
    let node = fields.need("sidecars", reader)?;
    let containers = node.each(reader, |node, reader| node.words(reader))?;
    Some(Action::Sidecars { containers, delay: delay? })
}

/// One pattern or several.
pub(super) fn patterns(node: &Node<'_>, reader: &mut Reader<'_>) -> Option<Vec<Pattern>> {
    node.each(reader, |node, reader| node.words(reader).map(Pattern))
}
