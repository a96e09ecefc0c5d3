//! `mount_config`: what libcontainer mounts in every container, then what the configuration adds.
//!
//! All of it is brought into the form of v2 first, which is that of mount(2); then into words.

use cofferdam_oci::{Mount as OciMount, Pointer};

use super::Findings;
use crate::{Config, Mount, SystemMounts};

pub(crate) const MS_RDONLY: u32 = 1;
const MS_NOSUID: u32 = 2;
const MS_NODEV: u32 = 4;
const MS_NOEXEC: u32 = 8;
pub(crate) const MS_BIND: u32 = 1 << 12;
pub(crate) const MS_REC: u32 = 1 << 14;
const MS_PRIVATE: u32 = 1 << 18;
const MS_SLAVE: u32 = 1 << 19;
const MS_STRICTATIME: u32 = 1 << 24;
/// libcontainer's default.
pub(crate) const PLAIN: u32 = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// The bits of mount(2), see `linux/mount.h`, and their words.
const WORDS: [(u32, &str); 18] = [
    (MS_NOSUID, "nosuid"),
    (MS_NOEXEC, "noexec"),
    (MS_NODEV, "nodev"),
    (MS_RDONLY, "ro"),
    (1 << 4, "sync"),
    (1 << 5, "remount"),
    (1 << 6, "mand"),
    (1 << 7, "dirsync"),
    (1 << 8, "nosymfollow"),
    (1 << 10, "noatime"),
    (1 << 11, "nodiratime"),
    (1 << 15, "silent"),
    (1 << 17, "unbindable"),
    (MS_PRIVATE, "private"),
    (MS_SLAVE, "slave"),
    (1 << 20, "shared"),
    (1 << 21, "relatime"),
    (MS_STRICTATIME, "strictatime"),
];

/// File system, source, destination, flags and data of what every container has.
type System = (&'static str, &'static str, &'static str, u32, &'static str);

const PROC: System = ("proc", "proc", "/proc", PLAIN, "");
const DEV: System = ("tmpfs", "tmpfs", "/dev", MS_NOSUID | MS_STRICTATIME, "mode=755");
const SHM: System = ("tmpfs", "shm", "/dev/shm", PLAIN, "mode=1777,size=65536k");
const MQUEUE: System = ("mqueue", "mqueue", "/dev/mqueue", PLAIN, "");
const PTS: System =
    ("devpts", "devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5");
const SYS: System = ("sysfs", "sysfs", "/sys", PLAIN, "");
const SYS_RO: System = ("sysfs", "sysfs", "/sys", PLAIN | MS_RDONLY, "");
const FIRST_SHM: System = ("tmpfs", "shm", "/dev/shm", PLAIN, "mode=1777");
const RUN: System = ("tmpfs", "tmpfs", "/run", MS_NOSUID | MS_NODEV | MS_STRICTATIME, "mode=755");

fn system(config: &Config) -> Vec<Mount> {
    let kind = config.mount_config.as_ref().map_or(SystemMounts::Standard, |own| own.system_mounts);
    let sys = if config.restrict_sys { SYS_RO } else { SYS };
    let all: &[System] = match kind {
        SystemMounts::Standard => &[PROC, DEV, SHM, MQUEUE, PTS, sys],
        SystemMounts::First => &[PROC, sys, DEV, FIRST_SHM, PTS, RUN],
        SystemMounts::None => &[],
    };
    let one = |(kind, source, destination, flags, data): &System| Mount {
        kind: (*kind).to_owned(),
        source: (*source).to_owned(),
        destination: (*destination).to_owned(),
        flags: Some(*flags),
        data: (*data).to_owned(),
        ..Mount::default()
    };
    all.iter().map(one).collect()
}

fn own(config: &Config) -> &[Mount] {
    config.mount_config.as_ref().map_or(&[], |own| &own.mounts)
}

/// Every mount in the form of v2.
pub(crate) fn all(config: &Config) -> Vec<Mount> {
    let own = own(config).iter().filter(|m| m.kind != "devtmpfs").cloned();
    system(config).into_iter().chain(own).collect()
}

/// The flags of mount(2) of a mount of either form.
pub(crate) fn flags(m: &Mount) -> u32 {
    let bit = |wanted: bool, bit: u32| if wanted { bit } else { 0 };
    match (m.flags, m.kind.as_str()) {
        (Some(flags), _) => flags,
        (None, "bind") => {
            let spread = bit(m.private, MS_PRIVATE) | bit(m.slave && !m.private, MS_SLAVE);
            MS_BIND | MS_REC | bit(!m.writable, MS_RDONLY) | spread
        }
        (None, _) => PLAIN,
    }
}

pub(super) fn mounts(config: &Config, findings: &mut Findings) -> Vec<OciMount> {
    let mut mounts: Vec<_> = system(config).iter().map(|m| words(m, config)).collect();
    for index in 0..mounts.len() {
        findings.places.one(Pointer::new("/mounts").index(index).as_str(), "/mount_config/system_mounts");
    }
    let list = Pointer::new("/mount_config/mounts");
    for (index, one) in own(config).iter().enumerate() {
        let at = list.index(index);
        judge(one, &at, findings);
        // Every container has /dev; early configurations name it all the same.
        if one.kind != "devtmpfs" {
            findings.places.one(Pointer::new("/mounts").index(mounts.len()).as_str(), at.as_str());
            mounts.push(words(one, config));
        }
    }
    mounts
}

/// The mounts that have commands: each with its number in the translation, and its place in [`Config`]'s form.
pub(crate) fn with_commands(config: &Config) -> impl Iterator<Item = (usize, Pointer, &Mount)> {
    let before = system(config).len();
    let list = Pointer::new("/mount_config/mounts");
    let made = own(config).iter().enumerate().filter(|(_, m)| m.kind != "devtmpfs").enumerate();
    made.map(move |(number, (index, m))| (before.saturating_add(number), list.index(index), m))
        .filter(|(.., m)| !m.premount_cmds.is_empty() || !m.postmount_cmds.is_empty())
}

fn judge(m: &Mount, at: &Pointer, findings: &mut Findings) {
    const OF_V1: [&str; 3] = ["bind", "tmpfs", "devtmpfs"];
    const OF_V2: [&str; 7] = ["bind", "cgroup", "devpts", "mqueue", "proc", "sysfs", "tmpfs"];
    let (known, said) = match m.flags {
        Some(_) => (OF_V2.contains(&m.kind.as_str()), format!("none of {}", OF_V2.join(", "))),
        None => (OF_V1.contains(&m.kind.as_str()), "neither bind nor tmpfs".to_owned()),
    };
    if !known {
        findings.wrong(at.key("type"), format!("{:?} is {said}", m.kind));
    }
    let meant = WORDS.iter().fold(MS_BIND | MS_REC, |all, (bit, _)| all | bit);
    let rest = flags(m) & !meant;
    if rest != 0 {
        findings
            .wrong(at.key("flags"), format!("the bits {rest:#x} mean nothing for a mount of a container"));
    }
    if !["", "z", "Z"].contains(&m.relabel.as_str()) {
        findings.wrong(at.key("relabel"), format!("{:?} is neither z nor Z", m.relabel));
    }
    for (key, commands) in [("premount_cmds", &m.premount_cmds), ("postmount_cmds", &m.postmount_cmds)] {
        for (index, command) in commands.iter().enumerate() {
            let relative = command.path.contains('/') && !command.path.starts_with('/');
            if command.path.is_empty() || relative {
                let at = at.key(key).index(index).key("path");
                findings.wrong(at, format!("{:?} is neither a name nor an absolute path", command.path));
            }
        }
    }
}

/// In the words of the OCI.
fn words(m: &Mount, config: &Config) -> OciMount {
    let flags = flags(m) | if m.kind == "cgroup" { PLAIN | MS_RDONLY } else { 0 };
    let bind = match (flags & MS_BIND != 0, flags & MS_REC != 0) {
        (true, true) => Some("rbind"),
        (true, false) => Some("bind"),
        (false, _) => None,
    };
    let set = WORDS.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, word)| *word);
    let data = m.data.split(',').filter(|option| !option.is_empty());
    let source = if m.source.is_empty() && m.kind != "bind" { &m.kind } else { &m.source };
    OciMount {
        destination: inside(&m.destination, &config.root_fs),
        kind: Some(m.kind.clone()),
        source: Some(source.clone()),
        options: bind.into_iter().chain(set).chain(data).map(str::to_owned).collect(),
        ..OciMount::default()
    }
}

/// Destinations were joined to the root, and could begin with it.
fn inside(destination: &str, root: &str) -> String {
    let below = |rest: &&str| !root.is_empty() && (rest.is_empty() || rest.starts_with('/'));
    let path = destination.strip_prefix(root.trim_end_matches('/')).filter(below).unwrap_or(destination);
    format!("/{}", path.trim_start_matches('/'))
}
