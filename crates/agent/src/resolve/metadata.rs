//! Rules out of a profile's `listenerMetadata`: lines of `KEY=VALUE`, with the keys of kinvolk/seccompagent.
//!
//! Called by `Resolver::resolve`. Pure. What differs from there: a mistake is an error and not an agent without that
//! rule; calls that no key is about go to the policy and are not let through; mkdirat and execveat are answered as
//! mkdir and execve are.

use std::time::Duration;

use super::Own;
use crate::policy::limits::Mounts;
use crate::policy::matching::{Pattern, Scope};
use crate::policy::template::Template;
use crate::policy::{Action, Policy, Rule};
use crate::words;

/// What it says.
pub(super) fn read(metadata: &str) -> Result<Own, String> {
    let said = Said::read(metadata)?;
    let publish = said.list("MIDDLEWARE").iter().any(|name| name == FALCO);
    Ok(Own { policy: policy(&said)?, publish })
}

/// The rules, if there are any.
fn policy(said: &Said<'_>) -> Result<Option<Policy>, String> {
    let mut rules = Vec::new();
    let mut rule = |key: &str, calls: &[&str], action| {
        let syscalls = calls.iter().map(ToString::to_string).collect();
        rules.push(Rule { name: key.to_owned(), scope: Scope { syscalls, ..Scope::default() }, action });
    };
    if let Some(template) = said.get("MKDIR_TMPL") {
        let suffix = Template::parse(template).map_err(|why| format!("MKDIR_TMPL: {why}"))?;
        rule("MKDIR_TMPL", &["mkdir", "mkdirat"], Action::Mkdir { suffix });
    }
    // As there: of the two that are about execve, the second stands.
    if let Some(delay) = said.pair("SIDECARS", "SIDECARS_DELAY")? {
        let names = said.list("SIDECARS");
        rule("SIDECARS", &["execve"], Action::Sidecars { containers: names, delay });
    } else if let Some(delay) = said.pair("EXEC_PATTERN", "EXEC_DURATION")? {
        let paths = said.list("EXEC_PATTERN").into_iter().map(Pattern).collect();
        rule("EXEC_PATTERN", &["execve", "execveat"], Action::Delay { paths, delay });
    }
    let mut file_systems = said.list("MOUNT_OTHER_FS_LIST");
    file_systems.extend(said.flag("MOUNT_PROC")?.then(|| "proc".to_owned()));
    file_systems.extend(said.flag("MOUNT_SYSFS")?.then(|| "sysfs".to_owned()));
    let need_cap_admin = said.flag("MOUNT_NEED_CAP_ADMIN")?;
    if !file_systems.is_empty() {
        rule(
            "MOUNT",
            &["mount", "umount2"],
            Action::Mount(Mounts { file_systems, need_cap_admin, ..Mounts::default() }),
        );
    }
    let every = Scope::default();
    match said.get("DEFAULT_ACTION") {
        None => {}
        Some("kill-container") => {
            rules.push(Rule { name: "DEFAULT_ACTION".into(), scope: every, action: Action::Kill });
        }
        Some("freeze-container") => {
            rules.push(Rule { name: "DEFAULT_ACTION".into(), scope: every, action: Action::Freeze });
        }
        Some(other) => {
            return Err(format!(
                "DEFAULT_ACTION: {other:?} is no action (hint: kill-container or freeze-container)"
            ));
        }
    }
    Ok((!rules.is_empty()).then(|| Policy { rules, ..Policy::refuse_all() }))
}

/// Every key that means something.
pub(super) const KEYS: [&str; 11] = [
    "MIDDLEWARE",
    "DEFAULT_ACTION",
    "MKDIR_TMPL",
    "EXEC_PATTERN",
    "EXEC_DURATION",
    "SIDECARS",
    "SIDECARS_DELAY",
    "MOUNT_PROC",
    "MOUNT_SYSFS",
    "MOUNT_OTHER_FS_LIST",
    "MOUNT_NEED_CAP_ADMIN",
];

/// What is told to Falco's plugin, and what is counted.
const FALCO: &str = "falco";
const MIDDLEWARE: [&str; 2] = [FALCO, "prometheus"];

/// The lines, in their order; of a key that stands twice the last counts.
struct Said<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Said<'a> {
    fn read(metadata: &'a str) -> Result<Self, String> {
        let lines = metadata.lines().filter(|line| !line.trim().is_empty());
        let said = Self(lines.map(|line| line.split_once('=').unwrap_or((line, ""))).collect());
        if let Some((key, _)) = said.0.iter().find(|(key, _)| !KEYS.contains(key)) {
            return Err(format!("{key:?} is no key of listenerMetadata (hint: one of {})", KEYS.join(", ")));
        }
        // What is counted is counted for every container.
        if let Some(other) = said.list("MIDDLEWARE").iter().find(|name| !MIDDLEWARE.contains(&name.as_str()))
        {
            return Err(format!("MIDDLEWARE: {other:?} is not known (hint: {})", MIDDLEWARE.join(" or ")));
        }
        Ok(said)
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }

    /// Separated by commas.
    fn list(&self, key: &str) -> Vec<String> {
        let words = self.get(key).unwrap_or_default().split(',').map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    fn flag(&self, key: &str) -> Result<bool, String> {
        match self.get(key) {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(format!("{key}: {other:?} is neither true nor false")),
        }
    }

    /// The duration of two keys that belong together.
    fn pair(&self, key: &str, duration: &str) -> Result<Option<Duration>, String> {
        match (self.get(key), self.get(duration)) {
            (None, None) => Ok(None),
            (Some(_), Some(text)) => {
                let parsed = words::duration(text);
                parsed
                    .map(Some)
                    .ok_or_else(|| format!("{duration}: {text:?} is no duration (hint: such as 2s)"))
            }
            (Some(_), None) => Err(format!("{key} needs {duration}")),
            (None, Some(_)) => Err(format!("{duration} needs {key}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Call, Container};

    fn decide(metadata: &str, name: &str) -> Action {
        let policy = read(metadata).unwrap().policy.unwrap();
        let call = Call { name, args: [0; 6], uid: 0, gid: 0 };
        policy.decide(&Container::default(), &call).0.clone()
    }

    #[test]
    fn every_key_is_understood() {
        let all = "MIDDLEWARE=prometheus\nDEFAULT_ACTION=freeze-container\nMKDIR_TMPL=-{{.Pod}}\n\
                   EXEC_PATTERN=/bin/sleep\nEXEC_DURATION=2s\nMOUNT_PROC=true\nMOUNT_SYSFS=true\n\
                   MOUNT_OTHER_FS_LIST=tmpfs,overlay\nMOUNT_NEED_CAP_ADMIN=true\n";
        let suffix = Template::parse("-{{.Pod}}").unwrap();
        assert_eq!(decide(all, "mkdir"), Action::Mkdir { suffix });
        let delay = Duration::from_secs(2);
        let paths = vec![Pattern("/bin/sleep".into())];
        assert_eq!(decide(all, "execve"), Action::Delay { paths, delay });
        let file_systems = ["tmpfs", "overlay", "proc", "sysfs"].map(str::to_owned).to_vec();
        assert_eq!(decide(all, "mount"), Action::Mount(Mounts { file_systems, ..Mounts::default() }));
        assert_eq!(decide(all, "reboot"), Action::Freeze);
        let sidecars = "SIDECARS=envoy,log\nSIDECARS_DELAY=500ms\nDEFAULT_ACTION=kill-container";
        let containers = vec!["envoy".to_owned(), "log".to_owned()];
        assert_eq!(decide(sidecars, "execve"), Action::Sidecars { containers, delay: delay / 4 });
        assert_eq!(decide(sidecars, "x"), Action::Kill);
    }

    #[test]
    fn no_key_is_no_policy_and_a_wrong_one_an_error() {
        assert_eq!(read("").unwrap(), Own::default());
        assert_eq!(read("MOUNT_PROC=false\n\n").unwrap(), Own::default());
        assert_eq!(read("MIDDLEWARE=prometheus, falco").unwrap(), Own { policy: None, publish: true });
        for (wrong, why) in [
            ("DEFAULT_ACTION=continue", "DEFAULT_ACTION"),
            ("MKDIR_TMPL={{.Node}}", "MKDIR_TMPL"),
            ("EXEC_PATTERN=/x", "needs EXEC_DURATION"),
            ("SIDECARS_DELAY=1s", "needs SIDECARS"),
            ("SIDECARS=a\nSIDECARS_DELAY=soon", "no duration"),
            ("MOUNT_PROC=yes", "neither"),
            ("MIDDLEWARE=falco,statsd", "statsd"),
            ("MKDIR_TEMPLATE=x", "no key"),
        ] {
            assert!(read(wrong).unwrap_err().contains(why), "{wrong}");
        }
    }
}
