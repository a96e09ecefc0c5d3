//! What a rule is about: containers, users, arguments; and whether a call is.
//!
//! Part of a [`Policy`](super::Policy). Pure: what is asked is in [`Container`] and [`Call`].

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// What is known of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Container {
    /// The runtime's id.
    pub(crate) id: String,
    /// Kubernetes: the pod's namespace, name, and the container's name in it. Empty where unknown.
    pub(crate) namespace: String,
    pub(crate) pod: String,
    pub(crate) name: String,
    /// Of the OCI state.
    pub(crate) annotations: BTreeMap<String, String>,
    /// Labels and annotations of the pod, as the Kubernetes API says them.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) pod_annotations: BTreeMap<String, String>,
    /// `listenerMetadata` of the profile.
    pub(crate) metadata: String,
    /// The first process, and the one whose filter it is.
    pub(crate) pid1: i32,
    pub(crate) pid: i32,
}

/// What is known of a call without looking behind its pointers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call<'a> {
    /// The call's name.
    pub(crate) name: &'a str,
    /// The six registers.
    pub(crate) args: [u64; 6],
    /// Effective ids of the caller, as its user namespace says them.
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// A pattern of names: `*` is any text, `?` one character, `[a-c]` one of some, `{x,y}` one of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(pub(crate) String);

impl Pattern {
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.0 == text || fast_glob::glob_match(&self.0, text)
    }
}

/// Any of them; none at all is no condition.
fn any(patterns: &[Pattern], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.holds(text))
}

/// Which containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Containers {
    pub(crate) id: Vec<Pattern>,
    pub(crate) namespace: Vec<Pattern>,
    pub(crate) pod: Vec<Pattern>,
    pub(crate) name: Vec<Pattern>,
    pub(crate) annotations: Named,
    pub(crate) labels: Named,
    pub(crate) pod_annotations: Named,
}

/// Patterns of what stands under these names, all of which must be there.
pub(crate) type Named = BTreeMap<String, Vec<Pattern>>;

impl Containers {
    pub(crate) fn holds(&self, container: &Container) -> bool {
        let all = |wanted: &Named, there: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, patterns)| there.get(key).is_some_and(|value| any(patterns, value)))
        };
        any(&self.id, &container.id)
            && any(&self.namespace, &container.namespace)
            && any(&self.pod, &container.pod)
            && any(&self.name, &container.name)
            && all(&self.annotations, &container.annotations)
            && all(&self.labels, &container.labels)
            && all(&self.pod_annotations, &container.pod_annotations)
    }
}

/// Which users: any of the ranges of each; none is no condition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Users {
    pub(crate) uid: Vec<RangeInclusive<u32>>,
    pub(crate) gid: Vec<RangeInclusive<u32>>,
}

impl Users {
    fn holds(&self, call: &Call<'_>) -> bool {
        let within =
            |ranges: &[RangeInclusive<u32>], id| ranges.is_empty() || ranges.iter().any(|r| r.contains(&id));
        within(&self.uid, call.uid) && within(&self.gid, call.gid)
    }

    /// Whether the caller's ids need to be known at all.
    pub(crate) fn matter(&self) -> bool {
        !self.uid.is_empty() || !self.gid.is_empty()
    }
}

/// A comparison of an argument, as the register holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

impl Comparison {
    pub(crate) const ALL: [(&'static str, Self); 6] = [
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        ("<=", Self::LessEqual),
        (">", Self::Greater),
        (">=", Self::GreaterEqual),
    ];
}

/// A condition on one argument, cut to `mask` first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) index: usize,
    pub(crate) mask: u64,
    pub(crate) comparison: Comparison,
    pub(crate) value: u64,
}

impl Argument {
    fn holds(&self, args: [u64; 6]) -> bool {
        let Some(arg) = args.get(self.index).map(|arg| arg & self.mask) else { return false };
        match self.comparison {
            Comparison::Equal => arg == self.value,
            Comparison::NotEqual => arg != self.value,
            Comparison::Less => arg < self.value,
            Comparison::LessEqual => arg <= self.value,
            Comparison::Greater => arg > self.value,
            Comparison::GreaterEqual => arg >= self.value,
        }
    }
}

/// Which calls of which containers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Sorted; empty is every call.
    pub(crate) syscalls: Vec<String>,
    pub(crate) containers: Containers,
    pub(crate) users: Users,
    /// All of which must hold.
    pub(crate) args: Vec<Argument>,
}

impl Scope {
    /// Whether the rule is about this call, made in a container that [`Containers::holds`] for.
    pub(crate) fn holds(&self, call: &Call<'_>) -> bool {
        self.names(call.name) && self.args.iter().all(|arg| arg.holds(call.args)) && self.users.holds(call)
    }

    pub(crate) fn names(&self, call: &str) -> bool {
        self.syscalls.is_empty() || self.syscalls.binary_search_by(|name| name.as_str().cmp(call)).is_ok()
    }

    /// Whether everything that `other` is about comes to this rule first.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        let calls = self.syscalls.is_empty()
            || (!other.syscalls.is_empty() && other.syscalls.iter().all(|name| self.names(name)));
        let containers = self.containers == Containers::default() || self.containers == other.containers;
        let users = !self.users.matter() || self.users == other.users;
        calls && containers && users && (self.args.is_empty() || self.args == other.args)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str, args: [u64; 6]) -> Call<'_> {
        Call { name, args, uid: 1000, gid: 100 }
    }

    #[test]
    fn a_scope_without_conditions_is_about_everything() {
        let scope = Scope::default();
        assert!(scope.holds(&call("mount", [0; 6])));
        assert!(scope.containers.holds(&Container::default()));
    }

    #[test]
    fn containers_are_matched_by_name_and_by_annotation() {
        let patterns = |text: &str| vec![Pattern(text.to_owned())];
        let containers = Containers {
            pod: patterns("web-*"),
            annotations: BTreeMap::from([("tier".to_owned(), patterns("{front,back}"))]),
            ..Containers::default()
        };
        let mut container = Container { pod: "web-7".into(), ..Container::default() };
        assert!(!containers.holds(&container), "the annotation is not there");
        container.annotations.insert("tier".into(), "back".into());
        assert!(containers.holds(&container));
        container.pod = "db-7".into();
        assert!(!containers.holds(&container));
    }

    #[test]
    fn users_are_matched_by_ranges() {
        let users = Users { uid: vec![0..=0, 1000..=1999], gid: vec![] };
        assert!(users.holds(&call("x", [0; 6])));
        assert!(!users.holds(&Call { uid: 999, ..call("x", [0; 6]) }));
    }

    #[test]
    fn arguments_are_compared_behind_their_mask() {
        let argument = Argument { index: 1, mask: 0xf000, comparison: Comparison::Equal, value: 0x2000 };
        let scope = Scope { syscalls: vec!["mknod".into()], args: vec![argument], ..Scope::default() };
        assert!(scope.holds(&call("mknod", [0, 0x21a4, 0, 0, 0, 0])));
        assert!(!scope.holds(&call("mknod", [0, 0x61a4, 0, 0, 0, 0])));
        assert!(!scope.holds(&call("mkdir", [0, 0x21a4, 0, 0, 0, 0])));
        let at_least =
            |value| Argument { comparison: Comparison::GreaterEqual, mask: u64::MAX, value, index: 0 };
        assert!(at_least(u64::MAX).holds([u64::MAX; 6]) && !at_least(1).holds([0; 6]));
    }
}
