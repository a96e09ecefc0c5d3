//! Which pod a container is of, and what is known of that.
//!
//! Used by `kubernetes`. Pure.

use std::collections::BTreeMap;

use super::Own;
use super::metadata;
use crate::policy::Container;

const UID: [&str; 2] = ["io.kubernetes.cri.sandbox-uid", "io.kubernetes.pod.uid"];
/// What the uid of a pod that the kubelet has from a file stands under in its image at the API.
const CONFIG_HASH: &str = "kubernetes.io/config.hash";
/// Before the keys that pods' annotations may have.
const PREFIX: &str = "cofferdam-agent/";

/// What a pod is known by. Empty where unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What the API says of a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

impl Wanted {
    /// By the annotations of a container, and by the text of its first process's /proc/PID/cgroup, in which the kubelet
    /// writes the pod's uid; `None` for a container of no pod.
    pub(crate) fn of(container: &Container, cgroup: &str) -> Option<Self> {
        let named = !container.namespace.is_empty() && !container.pod.is_empty();
        let annotated = UID.iter().find_map(|key| container.annotations.get(*key)).cloned();
        let uid = annotated.or_else(|| in_cgroup(cgroup)).unwrap_or_default();
        let (namespace, name) =
            if named { (container.namespace.clone(), container.pod.clone()) } else { Default::default() };
        (named || !uid.is_empty()).then_some(Self { namespace, name, uid })
    }

    /// Whether the name is known, and not the uid alone.
    pub(crate) fn is_named(&self) -> bool {
        !self.name.is_empty()
    }
}

impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.is_named() {
            true => write!(f, "pod {}/{}", self.namespace, self.name),
            false => write!(f, "pod {}", self.uid),
        }
    }
}

/// `…/pod<uid>/…`, or `…-pod<uid, with _ for ->.slice/…` where systemd makes cgroups.
fn in_cgroup(text: &str) -> Option<String> {
    let uid = |part: &str| {
        let behind =
            part.rsplit_once("pod").filter(|(before, _)| before.is_empty() || before.ends_with('-'))?.1;
        let uid = behind.strip_suffix(".slice").unwrap_or(behind).replace('_', "-");
        let is_uid = (32..=36).contains(&uid.len()) && uid.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
        is_uid.then_some(uid)
    };
    text.lines().flat_map(|line| line.split('/')).find_map(uid)
}

impl Pod {
    /// Whether it is that one, and not another of its name.
    pub(crate) fn is(&self, wanted: &Wanted) -> bool {
        let named = !wanted.is_named() || (self.namespace == wanted.namespace && self.name == wanted.name);
        let hash = self.annotations.get(CONFIG_HASH).map_or("", String::as_str);
        named && (wanted.uid.is_empty() || [&self.uid, hash].contains(&wanted.uid.as_str()))
    }

    /// Writes what is known into a container, and gives what is its own: the profile's metadata, and, for what that says
    /// nothing about, the pod's annotations where those are trusted.
    pub(crate) fn describe(&self, container: &mut Container, trusted: bool) -> Result<Own, String> {
        container.namespace.clone_from(&self.namespace);
        container.pod.clone_from(&self.name);
        container.labels.clone_from(&self.labels);
        container.pod_annotations.clone_from(&self.annotations);
        if !trusted {
            return metadata::read(&container.metadata);
        }
        let mut said = String::new();
        for (key, value) in &self.annotations {
            let Some(key) = key.strip_prefix(PREFIX) else { continue };
            if value.contains(['\n', '\r']) || key.contains('=') {
                return Err(format!("annotation {PREFIX}{key}: has several lines"));
            }
            said = format!("{said}{key}={value}\n");
        }
        // Of a key that stands twice the last counts.
        metadata::read(&(said + &container.metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Action;

    const SOME: &str = "8f2e1d5a-1111-4222-8333-0123456789ab";

    #[test]
    fn the_uid_is_found_in_cgroups_of_both_drivers() {
        let of = |cgroup: &str| Wanted::of(&Container::default(), cgroup).map(|wanted| wanted.uid);
        let plain = format!("12:pids:/\n0::/kubepods/burstable/pod{SOME}/0123abc\n");
        assert_eq!(of(&plain).as_deref(), Some(SOME));
        let slice = SOME.replace('-', "_");
        let systemd = format!(
            "1:name=systemd:/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{slice}.slice/x.scope"
        );
        assert_eq!(of(&systemd).as_deref(), Some(SOME));
        let static_pod = "0::/kubepods/pod0123456789abcdef0123456789abcdef/x";
        assert_eq!(of(static_pod).as_deref(), Some("0123456789abcdef0123456789abcdef"));
        for other in ["0::/\n", "0::/system.slice/podman.service", "0::/tripod/x", "0::/podcast", ""] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn annotations_come_before_the_cgroup() {
        let annotations = [("io.kubernetes.pod.uid".to_owned(), "u".to_owned())].into();
        let container =
            Container { namespace: "n".into(), pod: "p".into(), annotations, ..Container::default() };
        let wanted = Wanted::of(&container, &format!("0::/pod{SOME}/x")).unwrap();
        assert_eq!(wanted, Wanted { namespace: "n".into(), name: "p".into(), uid: "u".into() });
        assert_eq!(wanted.to_string(), "pod n/p");
    }

    #[test]
    fn another_pod_of_the_name_is_another_pod() {
        let pod = Pod { namespace: "n".into(), name: "p".into(), uid: "new".into(), ..Pod::default() };
        let wanted = |uid: &str| Wanted { namespace: "n".into(), name: "p".into(), uid: uid.into() };
        assert!(pod.is(&wanted("")) && pod.is(&wanted("new")) && !pod.is(&wanted("old")));
        let annotations = [(CONFIG_HASH.to_owned(), "hash".to_owned())].into();
        assert!(Pod { annotations, ..pod.clone() }.is(&wanted("hash")), "a static pod");
        assert!(!pod.is(&Wanted { namespace: "m".into(), ..wanted("new") }));
    }

    #[test]
    fn keys_of_pods_count_where_they_are_trusted_and_after_the_profiles() {
        let annotation = |key: &str, value: &str| (format!("cofferdam-agent/{key}"), value.to_owned());
        let annotations = [annotation("DEFAULT_ACTION", "kill-container"), annotation("MOUNT_PROC", "true")];
        let pod = Pod { annotations: annotations.into(), ..Pod::default() };
        let mut container =
            Container { metadata: "DEFAULT_ACTION=freeze-container".into(), ..Container::default() };
        let rules =
            |own: Own| own.policy.unwrap().rules.into_iter().map(|rule| rule.action).collect::<Vec<_>>();
        assert_eq!(rules(pod.describe(&mut container, false).unwrap()), [Action::Freeze]);
        let trusted = rules(pod.describe(&mut container, true).unwrap());
        assert!(matches!(&trusted[..], [Action::Mount { .. }, Action::Freeze]), "{trusted:?}");
        for (key, value, why) in [("NO_SUCH", "x", "no key"), ("MKDIR_TMPL", "a\nMOUNT_PROC=true", "lines")] {
            let pod = Pod { annotations: [annotation(key, value)].into(), ..Pod::default() };
            assert!(pod.describe(&mut container, true).unwrap_err().contains(why), "{key}");
            assert!(pod.describe(&mut container, false).is_ok(), "{key}");
        }
    }
}
