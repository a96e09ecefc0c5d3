//! Device nodes and the symbolic links of /dev.
//!
//! Called by the init plan. See `config-linux.md` (Default Devices, /dev symbolic links), mknod(2).

use cofferdam_oci::Pointer;

use crate::bits::{CAP_MKNOD, CLONE_NEWNS, CLONE_NEWUSER};
use crate::findings::Findings;
use crate::scene::Scene;
use crate::{Device, DeviceKind, DeviceSource, HostPath, InPath, MountKind, MountPlan, Symlink};

/// Devices that every container has: name, major, minor.
const DEFAULT: [(&str, u32, u32); 6] = [
    ("/dev/null", 1, 3),
    ("/dev/zero", 1, 5),
    ("/dev/full", 1, 7),
    ("/dev/tty", 5, 0),
    ("/dev/urandom", 1, 9),
    ("/dev/random", 1, 8),
];

const LINKS: [(&str, &str); 6] = [
    ("/dev/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0"),
    ("/dev/stdout", "/proc/self/fd/1"),
    ("/dev/stderr", "/proc/self/fd/2"),
    ("/dev/core", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx"),
];

/// `MKDEV` of the kernel: 12 bits of major number, 20 of minor.
const MOST_MAJOR: u32 = 0xfff;
const MOST_MINOR: u32 = 0xf_ffff;

/// Judges the list, and adds the defaults. Both are empty when the host's /dev is bound: it is the
/// host's, and has its nodes.
pub(crate) fn decide(
    scene: &Scene<'_>,
    mounts: &[MountPlan],
    findings: &mut Findings,
) -> (Vec<Device>, Vec<Symlink>) {
    let asked = asked(scene, findings);
    if mounts.iter().any(|m| m.target.as_str() == "/dev" && matches!(m.kind, MountKind::Bind { .. })) {
        if !asked.is_empty() {
            findings.warn(Pointer::new("/linux/devices"), "not made, since /dev is a bind mount");
        }
        return (Vec::new(), Vec::new());
    }
    let mut devices = Vec::new();
    for (name, major, minor) in DEFAULT {
        let Some(path) = InPath::new(name) else { continue };
        if asked.iter().all(|d| d.path != path) {
            devices.push(Device {
                pointer: Pointer::root(),
                source: source(scene, DeviceKind::Character, name),
                path,
                kind: DeviceKind::Character,
                major,
                minor,
                mode: 0o666,
                uid: 0,
                gid: 0,
            });
        }
    }
    devices.extend(asked);
    if !scene.spaces.own(CLONE_NEWNS) && devices.iter().any(|d| d.source != DeviceSource::Mknod) {
        findings.warn(
            Pointer::new("/linux/namespaces"),
            "no devices: they would be bind mounts, and there is no mount namespace",
        );
        return (Vec::new(), links());
    }
    (devices, links())
}

fn links() -> Vec<Symlink> {
    let link = |(path, target): &(&str, &str)| {
        Some(Symlink { path: InPath::new(path)?, target: (*target).to_owned() })
    };
    LINKS.iter().filter_map(link).collect()
}

/// User namespaces may not make nodes, except those that are no devices.
fn source(scene: &Scene<'_>, kind: DeviceKind, path: &str) -> DeviceSource {
    let unable =
        scene.spaces.own(CLONE_NEWUSER) || scene.facts.in_user_namespace || !scene.facts.has(CAP_MKNOD);
    match HostPath::new(path, "/".as_ref()) {
        Some(host) if unable && kind != DeviceKind::Fifo => DeviceSource::Bind(host),
        _ => DeviceSource::Mknod,
    }
}

fn asked(scene: &Scene<'_>, findings: &mut Findings) -> Vec<Device> {
    let mut devices: Vec<Device> = Vec::new();
    for (i, entry) in scene.linux.devices.iter().enumerate() {
        let at = Pointer::new("/linux/devices").index(i);
        let Some(device) = one(scene, &at, entry, findings) else { continue };
        match devices.iter().find(|d| d.path == device.path) {
            // It is a link to the container's own devpts, whatever the document says.
            _ if device.path.as_str() == "/dev/ptmx" => {}
            Some(_) => findings.warn(at.key("path"), "ignored: an earlier entry has the same path"),
            None => devices.push(device),
        }
    }
    devices
}

fn one(
    scene: &Scene<'_>,
    at: &Pointer,
    entry: &cofferdam_oci::Device,
    findings: &mut Findings,
) -> Option<Device> {
    let kind = match entry.kind.as_str() {
        "c" | "u" => Some(DeviceKind::Character),
        "b" => Some(DeviceKind::Block),
        "p" => Some(DeviceKind::Fifo),
        other => {
            findings.reject(at.key("type"), format!("{other:?} is no device type; there are b, c, p and u"));
            None
        }
    };
    let (major, minor) = if kind == Some(DeviceKind::Fifo) {
        (Some(0), Some(0))
    } else {
        let major = number(&at.key("major"), entry.major, MOST_MAJOR, findings);
        (major, number(&at.key("minor"), entry.minor, MOST_MINOR, findings))
    };
    let path = match InPath::new(&entry.path) {
        Some(path) if path != InPath::root() => Some(path),
        _ => {
            findings.reject(at.key("path"), format!("{:?} is no path of a file", entry.path));
            None
        }
    };
    let (kind, path) = (kind?, path?);
    Some(Device {
        pointer: at.clone(),
        source: source(scene, kind, path.as_str()),
        path,
        kind,
        major: major?,
        minor: minor?,
        mode: entry.file_mode.unwrap_or(0o666) & 0o7777,
        uid: entry.uid.unwrap_or_default(),
        gid: entry.gid.unwrap_or_default(),
    })
}

fn number(at: &Pointer, value: i64, most: u32, findings: &mut Findings) -> Option<u32> {
    let found = u32::try_from(value).ok().filter(|v| *v <= most);
    if found.is_none() {
        findings.reject(at.clone(), format!("{value} is not between 0 and {most}"));
    }
    found
}
