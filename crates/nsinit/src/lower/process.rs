//! The process: user, groups, environment, capabilities, resource limits, labels.

use cofferdam_oci::{Capabilities, Pointer, Process, Rlimit as OciRlimit};

use super::Findings;
use crate::{Config, ExecUser};

pub(super) fn process(config: &Config, user: &ExecUser, args: &[String], findings: &mut Findings) -> Process {
    for (index, variable) in config.environment.iter().enumerate() {
        if !variable.contains('=') {
            let at = Pointer::new("/environment").index(index);
            findings.wrong(at, format!("{variable:?} is not NAME=value"));
        }
    }
    let own = |text: &String| (!text.is_empty()).then(|| text.clone());
    Process {
        user: cofferdam_oci::User {
            uid: user.uid,
            gid: user.gid,
            additional_gids: groups(config, user, findings),
            ..cofferdam_oci::User::default()
        },
        args: args.to_vec(),
        env: environment(config, user),
        cwd: own(&config.working_dir).unwrap_or_else(|| "/".to_owned()),
        terminal: config.tty,
        capabilities: Some(capabilities(config, findings)),
        rlimits: rlimits(config, findings),
        apparmor_profile: own(&config.apparmor_profile),
        selinux_label: own(&config.process_label),
        ..Process::default()
    }
}

/// Those of the user, and those that are added: numbers as they are, names as they have been looked up.
fn groups(config: &Config, user: &ExecUser, findings: &mut Findings) -> Vec<u32> {
    let mut groups = user.groups.clone();
    if user.additional.len() == config.additional_groups.len() {
        groups.extend(&user.additional);
        return groups;
    }
    for (index, group) in config.additional_groups.iter().enumerate() {
        match group.parse() {
            Ok(number) => groups.push(number),
            Err(_) => {
                let at = Pointer::new("/additional_groups").index(index);
                findings.wrong(at, format!("the group {group:?} has not been looked up"));
            }
        }
    }
    groups
}

/// The configuration's, and where the user is at home.
fn environment(config: &Config, user: &ExecUser) -> Vec<String> {
    let mut env = config.environment.clone();
    let has_home =
        env.iter().any(|variable| variable.strip_prefix("HOME=").is_some_and(|home| !home.is_empty()));
    if !has_home {
        env.retain(|variable| !variable.starts_with("HOME="));
        env.push(format!("HOME={}", if user.home.is_empty() { "/" } else { &user.home }));
    }
    env
}

/// libcontainer's keep list: bounding, permitted, effective and inheritable.
fn capabilities(config: &Config, findings: &mut Findings) -> Capabilities {
    let mut kept = Vec::new();
    for (index, name) in config.capabilities.iter().enumerate() {
        let full = format!("CAP_{name}");
        if cofferdam_plan::capability_bit(&full).is_none() {
            let at = Pointer::new("/capabilities").index(index);
            findings.wrong(at, format!("there is no capability {name}"));
        }
        kept.push(full);
    }
    Capabilities {
        bounding: kept.clone(),
        effective: kept.clone(),
        inheritable: kept.clone(),
        permitted: kept,
        ambient: Vec::new(),
    }
}

fn rlimits(config: &Config, findings: &mut Findings) -> Vec<OciRlimit> {
    let mut limits = Vec::new();
    for (index, limit) in config.rlimits.iter().enumerate() {
        let at = Pointer::new("/rlimits").index(index);
        let known = usize::try_from(limit.kind).ok().and_then(|n| cofferdam_plan::known_rlimits().get(n));
        match known {
            Some(kind) => {
                findings
                    .places
                    .one(Pointer::new("/process/rlimits").index(limits.len()).as_str(), at.as_str());
                limits.push(OciRlimit { kind: (*kind).to_owned(), hard: limit.hard, soft: limit.soft });
            }
            None => findings.wrong(at.key("type"), format!("there is no limit {}", limit.kind)),
        }
    }
    limits
}
