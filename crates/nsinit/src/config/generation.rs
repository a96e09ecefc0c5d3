//! The generations of container.json: which one a document is of, and where each one says what.
//!
//! Called by [`super::Config::read`], and by whoever tells a user what is wrong in his own document.

use cofferdam_oci::Pointer;

use super::json::Json;

/// A form that container.json had.
///
/// A document is of the generation that most of its members belong to; one that could be of several is of
/// v1.4, or of v2 where it names a `rootfs`.
///
/// ```
/// use cofferdam_nsinit::{Config, Generation};
/// let of = |text: &str| Config::parse(text.as_bytes()).map(|config| config.generation);
/// assert_eq!(of(r#"{"id": "koye", "namespaces": ["NEWNS"], "command": {"args": ["sh"]}}"#)?, Generation::February2014);
/// assert_eq!(of(r#"{"capabilities_mask": {"MKNOD": true}, "context": {}}"#)?, Generation::Spring2014);
/// assert_eq!(of(r#"{"readonly_fs": true, "namespaces": {"NEWNS": true}}"#)?, Generation::V1_0);
/// assert_eq!(of(r#"{"mount_config": {}, "namespaces": {"NEWNS": true}}"#)?, Generation::V1_4);
/// assert_eq!(of(r#"{"rootfs": "/srv/box", "namespaces": [{"type": "NEWNS"}]}"#)?, Generation::V2);
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Generation {
    /// The first weeks: an `id`, a `command`, lists of namespaces and of capabilities to drop, one `network`.
    February2014,
    /// Until May of 2014: `networks` and `context`, and a list or a `capabilities_mask` that drops.
    Spring2014,
    /// v1.0: `context` maps, mounts and device nodes at the top, capabilities to keep.
    V1_0,
    /// v1.1 to v1.4, and what was added to it until v2; also what [`crate::Config`] itself is written as.
    #[default]
    V1_4,
    /// v2: every mount by name, with the flags of mount(2).
    V2,
}

use Generation::{February2014, Spring2014, V1_0, V1_4, V2};

/// Members at the top that not every generation has, and whose they are.
const MEMBERS: [(&str, &[Generation]); 36] = [
    ("id", &[February2014]),
    ("namespace_pid", &[February2014]),
    ("command", &[February2014]),
    ("network_namespace_fd", &[February2014]),
    ("log_file", &[February2014]),
    ("network", &[February2014]),
    ("rootfs", &[February2014, V2]),
    ("capabilities_mask", &[Spring2014]),
    ("context", &[Spring2014, V1_0]),
    ("readonly_fs", &[February2014, Spring2014, V1_0]),
    ("no_pivot_root", &[Spring2014, V1_0, V2]),
    ("mounts", &[Spring2014, V1_0, V2]),
    ("device_nodes", &[V1_0]),
    ("user", &[February2014, Spring2014, V1_0, V1_4]),
    ("working_dir", &[February2014, Spring2014, V1_0, V1_4]),
    ("environment", &[Spring2014, V1_0, V1_4]),
    ("tty", &[Spring2014, V1_0, V1_4]),
    ("args", &[V1_4]),
    ("mount_config", &[V1_4]),
    ("root_fs", &[V1_4]),
    ("restrict_sys", &[V1_4]),
    ("ipc", &[V1_4]),
    ("apparmor_profile", &[V1_4, V2]),
    ("process_label", &[V1_4, V2]),
    ("rlimits", &[V1_4, V2]),
    ("additional_groups", &[V1_4, V2]),
    ("uid_mappings", &[V1_4, V2]),
    ("gid_mappings", &[V1_4, V2]),
    ("mask_paths", &[V1_4, V2]),
    ("readonly_paths", &[V1_4, V2]),
    ("seccomp", &[V1_4, V2]),
    ("system_properties", &[V1_4, V2]),
    ("pivot_dir", &[V2]),
    ("readonlyfs", &[V2]),
    ("privatefs", &[V2]),
    ("devices", &[V2]),
];

/// In the order in which they are preferred.
const ALL: [Generation; 5] = [V1_4, V2, V1_0, Spring2014, February2014];

impl Generation {
    /// Of which one a document is.
    pub(super) fn of(document: &Json) -> Self {
        let points = |generation: Self| {
            let members = MEMBERS
                .iter()
                .filter(|(name, whose)| whose.contains(&generation) && document.get(name).is_some());
            members.count().saturating_add(forms(document, generation))
        };
        let mut best = (V1_4, points(V1_4));
        for generation in ALL {
            let points = points(generation);
            let rootfs = generation == V2 && document.get("rootfs").is_some();
            if points > best.1 || (points == best.1 && rootfs) {
                best = (generation, points);
            }
        }
        best.0
    }

    /// Where this one says what [`crate::Config`]'s own form says at `pointer`.
    pub(super) fn place(self, pointer: &Pointer) -> Pointer {
        let parts: Vec<&str> = pointer.as_str().split('/').skip(1).collect();
        let moved = self.moved().iter().flat_map(|table| table.iter());
        let found =
            moved.filter(|(from, _)| fits(from, &parts)).max_by_key(|(from, _)| from.split('/').count());
        let Some((from, to)) = found else { return pointer.clone() };
        let length = from.split('/').skip(1).count();
        let mut stars =
            from.split('/').skip(1).zip(&parts).filter(|(part, _)| *part == "*").map(|(_, is)| is);
        let mut text = String::new();
        let start =
            to.split('/').skip(1).map(|part| if part == "*" { stars.next().unwrap_or(&part) } else { part });
        for part in start.chain(parts.iter().skip(length).copied()) {
            text.push('/');
            text.push_str(part);
        }
        Pointer::new(text)
    }

    const fn moved(self) -> &'static [&'static [(&'static str, &'static str)]] {
        match self {
            February2014 => &[FLAT, FEBRUARY],
            Spring2014 | V1_0 => &[FLAT],
            V1_4 => &[],
            V2 => &[SECOND],
        }
    }
}

/// What was at the top, or in `context`, before there was a `mount_config`.
const FLAT: &[(&str, &str)] = &[
    ("/mount_config/no_pivot_root", "/no_pivot_root"),
    ("/mount_config/readonly_fs", "/readonly_fs"),
    ("/mount_config/mounts", "/mounts"),
    ("/mount_config/device_nodes", "/device_nodes"),
    ("/mount_config/mount_label", "/context/mount_label"),
    ("/apparmor_profile", "/context/apparmor_profile"),
    ("/process_label", "/context/process_label"),
    ("/restrict_sys", "/context/restrictions"),
    ("/networks/*/bridge", "/networks/*/context/bridge"),
    ("/networks/*/veth_prefix", "/networks/*/context/prefix"),
    ("/networks/*/ns_path", "/networks/*/context/nspath"),
];

const FEBRUARY: &[(&str, &str)] = &[
    ("/root_fs", "/rootfs"),
    ("/hostname", "/id"),
    ("/environment", "/command/environment"),
    ("/args", "/command/args"),
    ("/networks/0", "/network"),
    ("/networks/0/address", "/network/ip"),
    ("/networks/0/bridge", "/network/bridge"),
    ("/networks/0/veth_prefix", "/network/context/prefix"),
];

const SECOND: &[(&str, &str)] = &[
    ("/root_fs", "/rootfs"),
    ("/mount_config/no_pivot_root", "/no_pivot_root"),
    ("/mount_config/pivot_dir", "/pivot_dir"),
    ("/mount_config/readonly_fs", "/readonlyfs"),
    ("/mount_config/private_fs", "/privatefs"),
    ("/mount_config/mount_label", "/mount_label"),
    ("/mount_config/mounts", "/mounts"),
    ("/mount_config/mounts/*/type", "/mounts/*/device"),
    ("/mount_config/device_nodes", "/devices"),
    ("/mount_config/device_nodes/*/major_number", "/devices/*/major"),
    ("/mount_config/device_nodes/*/minor_number", "/devices/*/minor"),
    ("/cgroups/allowed_devices/*/major_number", "/cgroups/allowed_devices/*/major"),
    ("/cgroups/allowed_devices/*/minor_number", "/cgroups/allowed_devices/*/minor"),
    ("/cgroups/allowed_devices/*/cgroup_permissions", "/cgroups/allowed_devices/*/permissions"),
    ("/cgroups/denied_devices/*/major_number", "/cgroups/denied_devices/*/major"),
    ("/cgroups/denied_devices/*/minor_number", "/cgroups/denied_devices/*/minor"),
    ("/cgroups/denied_devices/*/cgroup_permissions", "/cgroups/denied_devices/*/permissions"),
];

/// Whether a pattern, with `*` for any part, is what these parts begin with.
fn fits(pattern: &str, parts: &[&str]) -> bool {
    let pattern: Vec<&str> = pattern.split('/').skip(1).collect();
    pattern.len() <= parts.len()
        && pattern.iter().zip(parts).all(|(wanted, is)| *wanted == "*" || wanted == is)
}

/// How many members have a form that only this generation (or few) gave them.
fn forms(document: &Json, generation: Generation) -> usize {
    let first = |name: &str| document.get(name).and_then(|value| value.elements().first());
    let listed = match first("namespaces") {
        Some(Json::Text(_)) => matches!(generation, February2014 | Spring2014),
        Some(one) if one.get("key").is_some() => generation == Spring2014,
        Some(_) => matches!(generation, V1_4 | V2),
        None => {
            !matches!(document.get("namespaces"), Some(Json::Object(_)))
                || !matches!(generation, February2014 | V2)
        }
    };
    let flags = first("mounts").is_some_and(|one| one.get("device").is_some()) && generation == V2;
    let maps = first("networks").is_some_and(|one| one.get("context").is_some());
    let maps = maps && matches!(generation, Spring2014 | V1_0);
    [listed, flags, maps].into_iter().filter(|is| *is).count()
}
