//! `namespaces`: a map of names to booleans until v1.4, then a list of types and paths. Both are read, the
//! list is written.

use std::collections::BTreeSet;
use std::fmt;

use cofferdam_sys::clone3::{
    CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, CLONE_NEWUTS,
};
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::empty;

/// A kind of namespace, by libcontainer's name.
///
/// ```
/// use cofferdam_nsinit::NamespaceType;
/// assert_eq!(NamespaceType::Mount.name(), "NEWNS");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NamespaceType {
    /// Mounts.
    #[serde(rename = "NEWNS")]
    Mount,
    /// Host and domain name.
    #[serde(rename = "NEWUTS")]
    Uts,
    /// System V IPC and POSIX message queues.
    #[serde(rename = "NEWIPC")]
    Ipc,
    /// Users and capabilities.
    #[serde(rename = "NEWUSER")]
    User,
    /// Process numbers.
    #[serde(rename = "NEWPID")]
    Pid,
    /// Network.
    #[serde(rename = "NEWNET")]
    Network,
}

impl NamespaceType {
    /// libcontainer's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Mount => "NEWNS",
            Self::Uts => "NEWUTS",
            Self::Ipc => "NEWIPC",
            Self::User => "NEWUSER",
            Self::Pid => "NEWPID",
            Self::Network => "NEWNET",
        }
    }

    /// That of libcontainer's name.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = [Self::Mount, Self::Uts, Self::Ipc, Self::User, Self::Pid, Self::Network];
        all.into_iter().find(|kind| kind.name() == name)
    }

    /// The bit for clone(2).
    pub(crate) const fn flag(self) -> u64 {
        match self {
            Self::Mount => CLONE_NEWNS,
            Self::Uts => CLONE_NEWUTS,
            Self::Ipc => CLONE_NEWIPC,
            Self::User => CLONE_NEWUSER,
            Self::Pid => CLONE_NEWPID,
            Self::Network => CLONE_NEWNET,
        }
    }

    /// The word of the OCI.
    pub(crate) const fn oci(self) -> &'static str {
        match self {
            Self::Mount => "mount",
            Self::Uts => "uts",
            Self::Ipc => "ipc",
            Self::User => "user",
            Self::Pid => "pid",
            Self::Network => "network",
        }
    }
}

/// A namespace that is made or, with a path, joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Namespace {
    /// Which.
    #[serde(rename = "type")]
    pub kind: NamespaceType,
    /// The file of an existing one; empty makes a new one.
    #[serde(default, skip_serializing_if = "empty")]
    pub path: String,
}

/// The namespaces of a container.
///
/// ```
/// use cofferdam_nsinit::{Namespace, NamespaceType, Namespaces};
/// let mut namespaces = Namespaces::default();
/// namespaces.add(NamespaceType::Pid, "");
/// namespaces.add(NamespaceType::Network, "/run/netns/blue");
/// assert!(namespaces.contains(NamespaceType::Pid) && namespaces.remove(NamespaceType::Pid));
/// let blue = Namespace { kind: NamespaceType::Network, path: "/run/netns/blue".into() };
/// assert_eq!(namespaces.iter().collect::<Vec<_>>(), [&blue]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Namespaces(Vec<Namespace>);

impl<'de> Deserialize<'de> for Namespaces {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Form)
    }
}

/// What stands in a file.
struct Form;

impl<'de> Visitor<'de> for Form {
    type Value = Namespaces;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a list of {type, path} or a map of NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET to booleans",
        )
    }

    fn visit_unit<E>(self) -> Result<Namespaces, E> {
        Ok(Namespaces::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Namespaces, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(Namespaces(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Namespaces, A::Error> {
        let mut enabled = BTreeSet::new();
        while let Some((kind, wanted)) = map.next_entry()? {
            if wanted {
                enabled.insert(kind);
            }
        }
        Ok(enabled.into_iter().collect())
    }
}

impl FromIterator<NamespaceType> for Namespaces {
    /// New ones of these kinds.
    fn from_iter<I: IntoIterator<Item = NamespaceType>>(kinds: I) -> Self {
        Self(kinds.into_iter().map(|kind| Namespace { kind, path: String::new() }).collect())
    }
}

impl Namespaces {
    /// Whether there is one of this kind, made or joined.
    #[must_use]
    pub fn contains(&self, kind: NamespaceType) -> bool {
        self.0.iter().any(|one| one.kind == kind)
    }

    /// Adds one, or changes its path.
    pub fn add(&mut self, kind: NamespaceType, path: impl Into<String>) {
        let path = path.into();
        match self.0.iter_mut().find(|one| one.kind == kind) {
            Some(one) => one.path = path,
            None => self.0.push(Namespace { kind, path }),
        }
    }

    /// Takes one out, and says whether it was there.
    pub fn remove(&mut self, kind: NamespaceType) -> bool {
        let before = self.0.len();
        self.0.retain(|one| one.kind != kind);
        self.0.len() < before
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Namespace> {
        self.0.iter()
    }
}
