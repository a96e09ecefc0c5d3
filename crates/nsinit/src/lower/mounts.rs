//! `mount_config`: what libcontainer mounts in every container, then what the configuration adds.

use cofferdam_oci::{Mount as OciMount, Pointer};

use super::Findings;
use crate::{Config, Mount};

/// Destination, type, source and options of the mounts that every container has.
const SYSTEM: [(&str, &str, &str, &[&str]); 5] = [
    ("/proc", "proc", "proc", &["nosuid", "noexec", "nodev"]),
    ("/dev", "tmpfs", "tmpfs", &["nosuid", "strictatime", "mode=755"]),
    ("/dev/shm", "tmpfs", "shm", &["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    (
        "/dev/pts",
        "devpts",
        "devpts",
        &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=620", "gid=5"],
    ),
];

pub(super) fn mounts(config: &Config, findings: &mut Findings) -> Vec<OciMount> {
    let mut mounts: Vec<_> = SYSTEM
        .iter()
        .map(|(destination, kind, source, options)| mount(destination, kind, source, options))
        .collect();
    let mut sys = mount("/sys", "sysfs", "sysfs", &["nosuid", "noexec", "nodev"]);
    if config.restrict_sys {
        sys.options.push("ro".to_owned());
    }
    mounts.push(sys);
    let Some(own) = &config.mount_config else { return mounts };
    let list = Pointer::new("/mount_config/mounts");
    for (index, one) in own.mounts.iter().enumerate() {
        let at = list.index(index);
        if !one.relabel.is_empty() && !own.mount_label.is_empty() {
            findings.wrong(at.key("relabel"), "labels of files are not changed");
        }
        match one.kind.as_str() {
            "bind" => mounts.push(bind(one)),
            "tmpfs" => mounts.push(mount(&one.destination, "tmpfs", "tmpfs", &["nosuid", "noexec", "nodev"])),
            // Every container has /dev; early configurations name it all the same.
            "devtmpfs" => {}
            other => findings.wrong(at.key("type"), format!("{other:?} is neither bind nor tmpfs")),
        }
    }
    mounts
}

fn bind(m: &Mount) -> OciMount {
    let propagation = match (m.private, m.slave) {
        (true, _) => Some("private"),
        (false, true) => Some("slave"),
        (false, false) => None,
    };
    let mut options = vec!["rbind", if m.writable { "rw" } else { "ro" }];
    options.extend(propagation);
    mount(&m.destination, "bind", &m.source, &options)
}

fn mount(destination: &str, kind: &str, source: &str, options: &[&str]) -> OciMount {
    OciMount {
        destination: destination.to_owned(),
        kind: Some(kind.to_owned()),
        source: Some(source.to_owned()),
        options: options.iter().map(|&option| option.to_owned()).collect(),
        ..OciMount::default()
    }
}
