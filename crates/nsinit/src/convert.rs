//! A container.json as an OCI configuration for good, and what of it has no counterpart there.
//!
//! Called by `nsinit convert`. Pure: who the user is comes in.

use cofferdam_oci::{Pointer, Reject, Spec};
use serde::Serialize;

use crate::{Config, ExecUser, spec};

/// A configuration that any OCI runtime takes, and what it does not say any more.
///
/// ```
/// use cofferdam_nsinit::{Config, ExecUser, convert};
/// let config = Config::parse(br#"{"root_fs": "/srv/box", "namespaces": {"NEWNS": true},
///     "cgroups": {"name": "box"}, "mount_config": {"no_pivot_root": true}}"#)?;
/// let converted = convert(&config, &ExecUser::default(), &["sh".into()]).map_err(cofferdam::Error::rejected)?;
/// assert_eq!(converted.spec.root.unwrap().path, "/srv/box");
/// assert_eq!(converted.lost[0].pointer.as_str(), "/mount_config/no_pivot_root");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Converted {
    /// The configuration.
    pub spec: Spec,
    /// What has no counterpart in it.
    pub lost: Vec<Lost>,
}

/// Something that an OCI configuration cannot say.
///
/// ```
/// use cofferdam_nsinit::{Config, ExecUser, convert};
/// let config = Config::parse(br#"{"root_fs": "/srv/box", "namespaces": {"NEWNS": true}}"#)?;
/// let lost = &convert(&config, &ExecUser::default(), &[]).map_err(cofferdam::Error::rejected)?.lost[0];
/// assert_eq!(lost.to_string(), "/cgroups: absent, the container stays in its caller's cgroup: \
///     an OCI runtime makes a cgroup for every container");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lost {
    /// Where the container.json says it.
    pub pointer: Pointer,
    /// What is said there.
    pub what: String,
    /// Why that is lost, and what to do.
    pub why: String,
}

impl std::fmt::Display for Lost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}", self.pointer, self.what, self.why)
    }
}

/// Converts a configuration, for a program run as `user`.
///
/// # Errors
/// As [`crate::spec`].
pub fn convert(config: &Config, user: &ExecUser, args: &[String]) -> Result<Converted, Vec<Reject>> {
    let spec = spec(config, user, args)?;
    let mut lost = Vec::new();
    let mut lose = |pointer: Pointer, what: &str, why: &str| {
        let (pointer, what, why) = (config.place(&pointer), what.to_owned(), why.to_owned());
        lost.push(Lost { pointer, what, why });
    };
    mounts(config, &mut lose);
    process(config, &mut lose);
    cgroups(config, &mut lose);
    if spec.annotations.contains_key(cofferdam::NETWORK_ANNOTATION) {
        let field = if config.networks.is_empty() { "/routes" } else { "/networks" };
        let what = "interfaces, addresses and routes";
        lose(
            Pointer::new(field),
            what,
            "they are in the annotation org.cofferdam.network, which other runtimes pass over",
        );
    }
    Ok(Converted { spec, lost })
}

fn mounts(config: &Config, lose: &mut impl FnMut(Pointer, &str, &str)) {
    let Some(own) = &config.mount_config else { return };
    let at = Pointer::new("/mount_config");
    if own.no_pivot_root {
        lose(
            at.key("no_pivot_root"),
            "the root is entered by moving its mount",
            "give the runtime --no-pivot",
        );
    }
    if !own.pivot_dir.is_empty() {
        lose(at.key("pivot_dir"), "a directory for pivot_root(2)", "no OCI runtime needs one");
    }
    for (index, mount) in own.mounts.iter().enumerate() {
        let at = at.key("mounts").index(index);
        if !mount.relabel.is_empty() && !own.mount_label.is_empty() {
            lose(
                at.key("relabel"),
                "the label of the source's files",
                "set it with chcon(1) before the container starts",
            );
        }
        for (key, commands) in
            [("premount_cmds", &mount.premount_cmds), ("postmount_cmds", &mount.postmount_cmds)]
        {
            if !commands.is_empty() {
                let why = "hooks run before or after all mounts; do it before the container starts";
                lose(at.key(key), "programs beside one mount", why);
            }
        }
    }
}

fn process(config: &Config, lose: &mut impl FnMut(Pointer, &str, &str)) {
    const LOOKED_UP: &str = "it is a number now; what changes in the container's files later is not seen";
    let named = |text: &str| !text.is_empty() && !text.split(':').all(|part| part.parse::<u32>().is_ok());
    if named(&config.user) {
        lose(Pointer::new("/user"), "the user's name", LOOKED_UP);
    }
    for (index, _) in config.additional_groups.iter().enumerate().filter(|(_, group)| named(group)) {
        lose(Pointer::new("/additional_groups").index(index), "the group's name", LOOKED_UP);
    }
    if config.parent_death_signal.is_some_and(|signal| signal != 0) {
        let why = "an OCI container outlives who started it; run it under a supervisor";
        lose(Pointer::new("/parent_death_signal"), "the container ends with who started it", why);
    }
}

fn cgroups(config: &Config, lose: &mut impl FnMut(Pointer, &str, &str)) {
    let at = Pointer::new("/cgroups");
    match &config.cgroups {
        None => {
            let what = "absent, the container stays in its caller's cgroup";
            lose(at, what, "an OCI runtime makes a cgroup for every container");
        }
        Some(own) if !own.slice.is_empty() => {
            let why = format!("with --systemd-cgroup set linux.cgroupsPath to {:?}", own.systemd_path());
            lose(at.key("slice"), "the slice", &why);
        }
        Some(_) => {}
    }
}
