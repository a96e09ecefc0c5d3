//! What further actions are limited to: ids, attributes, addresses, files.
//!
//! Read by `action`, asked by the handlers. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use ipnet::IpNet;

use super::action::{Action, patterns};
use super::document::ids;
use super::matching::Pattern;
use super::read::{Fields, Node, Reader};

/// Largest value of an attribute (`XATTR_SIZE_MAX`).
const XATTR_SIZE_MAX: i128 = 65536;

/// Where a socket may be connected, bound, or send to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Inet {
        net: IpNet,
        ports: RangeInclusive<u16>,
    },
    /// A path, or a name behind `@`.
    Unix(Pattern),
}

impl Place {
    /// `192.0.2.0/24:443`, `[2001:db8::/32]:1-1023`, `127.0.0.1:*`, `unix:/run/*.sock`, `unix:@name`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("unix:") {
            return (!path.is_empty()).then(|| Self::Unix(Pattern(path.to_owned())));
        }
        let (address, ports) = text.rsplit_once(':')?;
        let address = match address.strip_prefix('[') {
            Some(six) => six.strip_suffix(']')?,
            None if address.contains(':') => return None,
            None => address,
        };
        let net = address.parse().ok().or_else(|| address.parse::<IpAddr>().ok().map(IpNet::from))?;
        let ports = match ports.split_once('-') {
            None if ports == "*" => 0..=u16::MAX,
            None => {
                let port = ports.parse().ok()?;
                port..=port
            }
            Some((first, last)) => first.parse().ok()?..=last.parse().ok()?,
        };
        (!ports.is_empty()).then_some(Self::Inet { net, ports })
    }

    pub(crate) fn holds_inet(&self, ip: IpAddr, port: u16) -> bool {
        matches!(self, Self::Inet { net, ports } if net.contains(&ip) && ports.contains(&port))
    }

    pub(crate) fn holds_unix(&self, path: &str) -> bool {
        matches!(self, Self::Unix(pattern) if pattern.holds(path))
    }
}

/// What may be mounted, and changed of what is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mounts {
    /// Types of file systems.
    pub(crate) file_systems: Vec<String>,
    /// Places that may be shown at others, too.
    pub(crate) binds: Vec<Pattern>,
    pub(crate) changes: Vec<Change>,
    /// Whether the caller must have CAP_SYS_ADMIN.
    pub(crate) need_cap_admin: bool,
}

impl Default for Mounts {
    fn default() -> Self {
        Self { file_systems: Vec::new(), binds: Vec::new(), changes: Vec::new(), need_cap_admin: true }
    }
}

impl Mounts {
    pub(crate) fn lists(&self, name: &std::ffi::CStr) -> bool {
        self.file_systems.iter().any(|known| known.as_bytes() == name.to_bytes())
    }
}

/// A kind of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Attributes of a mount.
    Attributes,
    /// A mount's place.
    Move,
    /// How mounts travel between namespaces.
    Propagation,
    /// Options of a file system.
    Remount,
}

impl Change {
    const ALL: [Self; 4] = [Self::Attributes, Self::Move, Self::Propagation, Self::Remount];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Attributes => "attributes",
            Self::Move => "move",
            Self::Propagation => "propagation",
            Self::Remount => "remount",
        }
    }
}

pub(super) fn mount(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let need_cap_admin = fields.take("need_cap_admin").map(|node| node.boolean(reader));
    let words =
        |node: Node<'_>, reader: &mut Reader<'_>| node.each(reader, |node, reader| node.words(reader));
    let file_systems = fields.take("file_systems").map(|node| words(node, reader));
    let binds = fields.take("binds").map(|node| patterns(&node, reader));
    let change = |node: &Node<'_>, reader: &mut Reader<'_>| {
        let word = node.string(reader)?;
        let known = Change::ALL.into_iter().find(|change| change.name() == word);
        let all = Change::ALL.map(Change::name).join(", ");
        known.or_else(|| node.reject(reader, format!("{word:?} is no change (hint: one of {all})")))
    };
    let changes = fields.take("changes").map(|node| node.each(reader, change));
    if file_systems.is_none() && binds.is_none() && changes.is_none() {
        let message = "has none of `file_systems`, `binds` and `changes`: nothing would be allowed";
        reader.reject(&fields.at, &fields.key, message);
        return None;
    }
    Some(Action::Mount(Mounts {
        file_systems: file_systems.unwrap_or_else(|| Some(Vec::new()))?,
        binds: binds.unwrap_or_else(|| Some(Vec::new()))?,
        changes: changes.unwrap_or_else(|| Some(Vec::new()))?,
        need_cap_admin: need_cap_admin.unwrap_or(Some(true))?,
    }))
}

/// What uname(2) tells, where it is not what the caller's namespace says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) release: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) machine: Option<String>,
}

pub(super) fn uname(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    // With its null it has 65 bytes in `struct new_utsname`.
    const LONGEST: usize = 64;
    let mut name = |name| match fields.take(name) {
        None => Some(None),
        Some(node) => match node.words(reader)? {
            text if text.len() <= LONGEST => Some(Some(text)),
            _ => node.reject(reader, format!("is longer than {LONGEST} bytes")),
        },
    };
    let (release, version, machine) = (name("release"), name("version"), name("machine"));
    Some(Action::Uname(Names { release: release?, version: version?, machine: machine? }))
}

pub(super) fn chown(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let mut of =
        |name| fields.take(name).map_or_else(|| Some(Vec::new()), |node: Node<'_>| node.each(reader, ids));
    let (uids, gids) = (of("uids"), of("gids"));
    Some(Action::Chown { uids: uids?, gids: gids? })
}

pub(super) fn setxattr(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let most = fields.take("max_size").map_or(Some(XATTR_SIZE_MAX), |node| match node.integer(reader)? {
        size @ 0..=XATTR_SIZE_MAX => Some(size),
        other => {
            node.reject(reader, format!("{other} is no size of an attribute (hint: 0 to {XATTR_SIZE_MAX})"))
        }
    });
    let names = fields.need("names", reader).and_then(|node| patterns(&node, reader));
    Some(Action::Setxattr { names: names?, max_size: usize::try_from(most?).ok()? })
}

pub(super) fn network(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let read = |node: &Node<'_>, reader: &mut Reader<'_>| {
        let text = node.string(reader)?;
        let hint = "\"192.0.2.0/24:443\", \"[2001:db8::1]:*\" or \"unix:/run/x.sock\"";
        Place::parse(&text).or_else(|| node.reject(reader, format!("{text:?} is no place (hint: {hint})")))
    };
    let allow = fields.need("allow", reader)?.each(reader, read)?;
    Some(Action::Network { allow })
}

pub(super) fn open(fields: &mut Fields<'_>, reader: &mut Reader<'_>) -> Option<Action> {
    let table = fields.need("files", reader)?.fields(reader)?;
    let mut files = BTreeMap::new();
    for (path, node) in table.all() {
        let source = node.words(reader)?;
        if !path.starts_with('/') || !source.starts_with('/') {
            return node.reject(reader, "both paths are absolute: the container's, and the host's");
        }
        files.insert(path, PathBuf::from(source));
    }
    Some(Action::Open { files })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inet(place: &str, ip: &str, port: u16) -> bool {
        Place::parse(place).unwrap().holds_inet(ip.parse().unwrap(), port)
    }

    #[test]
    fn places_are_networks_with_ports_or_paths() {
        assert!(inet("192.0.2.0/24:443", "192.0.2.77", 443));
        assert!(!inet("192.0.2.0/24:443", "192.0.3.1", 443) && !inet("192.0.2.0/24:443", "192.0.2.1", 80));
        assert!(inet("[2001:db8::/32]:1-1023", "2001:db8::5", 1023));
        assert!(!inet("[2001:db8::/32]:1-1023", "2001:db8::5", 1024));
        assert!(inet("127.0.0.1:*", "127.0.0.1", 9));
        let unix = Place::parse("unix:/run/*.sock").unwrap();
        assert!(unix.holds_unix("/run/x.sock") && !unix.holds_unix("/run/a/x.sock"));
        assert!(Place::parse("unix:@bus").unwrap().holds_unix("@bus"));
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in [
            "",
            "192.0.2.1",
            "192.0.2.1:",
            "2001:db8::1:80",
            "host:80",
            "1.2.3.4:9-1",
            "unix:",
            "1.2.3.4/33:1",
        ] {
            assert_eq!(Place::parse(wrong), None, "{wrong}");
        }
    }
}
