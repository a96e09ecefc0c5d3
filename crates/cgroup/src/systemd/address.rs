//! Where systemd listens.
//!
//! Called by `bus`. It reads the environment; it may not connect.
//!
//! The bus before systemd's own socket (`private`): that needs no bus between, but systemd tells everybody there of
//! every unit, so that a hundred containers at once read ten thousand messages of each other. A bus that the environment
//! names goes before, as everywhere.

use std::env::var_os;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::Manager;

/// A socket, and whether a bus is between it and systemd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// A path, or NUL and an abstract name.
    pub(super) socket: Vec<u8>,
    pub(super) bus: bool,
}

impl Address {
    fn direct(path: impl AsRef<Path>) -> Self {
        Self { socket: path.as_ref().as_os_str().as_bytes().to_vec(), bus: false }
    }

    fn bus(path: impl AsRef<Path>) -> Self {
        Self { bus: true, ..Self::direct(path) }
    }

    /// For people.
    pub(super) fn shown(&self) -> PathBuf {
        match self.socket.split_first() {
            Some((0, name)) => format!("@{}", String::from_utf8_lossy(name)).into(),
            _ => OsString::from_vec(self.socket.clone()).into(),
        }
    }
}

/// In the order in which they are tried.
pub(super) fn of(manager: Manager) -> Vec<Address> {
    let set = |name: &str| var_os(name).filter(|v| !v.is_empty());
    match manager {
        Manager::System => match set("DBUS_SYSTEM_BUS_ADDRESS") {
            Some(named) => parse(named.as_bytes()),
            None => {
                vec![Address::bus("/run/dbus/system_bus_socket"), Address::direct("/run/systemd/private")]
            }
        },
        Manager::User => user(set("DBUS_SESSION_BUS_ADDRESS"), set("XDG_RUNTIME_DIR").or_else(usual)),
    }
}

fn user(named: Option<OsString>, runtime: Option<OsString>) -> Vec<Address> {
    let own = runtime
        .map(PathBuf::from)
        .map(|dir| vec![Address::bus(dir.join("bus")), Address::direct(dir.join("systemd/private"))]);
    match (named, own) {
        (Some(named), Some(own)) => {
            let named = parse(named.as_bytes());
            // The usual bus of a session: behind it is the manager whose own socket is beside it, if the bus is not there.
            if named.iter().any(|a| own.contains(a)) { own } else { named }
        }
        (Some(named), None) => parse(named.as_bytes()),
        (None, own) => own.unwrap_or_default(),
    }
}

/// Where pam_systemd(8) makes it: who came by su(1) or a service has the directory, but not the variable.
fn usual() -> Option<OsString> {
    let (caller, _) = cofferdam_sys::setuid::effective();
    let outside = outside(&std::fs::read_to_string("/proc/self/uid_map").ok()?, caller)?;
    let dir = PathBuf::from(format!("/run/user/{outside}"));
    dir.is_dir().then(|| dir.into_os_string())
}

/// What a user of this namespace is in the one above, where the directory was made; user_namespaces(7).
fn outside(map: &str, uid: u32) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut numbers = line.split_ascii_whitespace().map(|n| n.parse::<u32>().ok());
        let [inside, outside, count] = [numbers.next()??, numbers.next()??, numbers.next()??];
        let above = uid.checked_sub(inside).filter(|n| *n < count)?;
        outside.checked_add(above)
    })
}

/// `unix:path=/a,guid=…;unix:abstract=b`: those that are sockets of this host (D-Bus specification, Server
/// Addresses).
fn parse(text: &[u8]) -> Vec<Address> {
    text.split(|b| *b == b';').filter_map(one).collect()
}

fn one(text: &[u8]) -> Option<Address> {
    let keys = text.strip_prefix(b"unix:")?;
    let value = |key: &[u8]| keys.split(|b| *b == b',').find_map(|pair| pair.strip_prefix(key));
    let socket = match (value(b"path="), value(b"abstract=")) {
        (Some(path), _) => unescape(path)?,
        (None, Some(name)) => [&[0], unescape(name)?.as_slice()].concat(),
        (None, None) => return None,
    };
    Some(Address { socket, bus: true })
}

fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = [bytes.next()?, bytes.next()?];
        out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(addresses: &[Address]) -> Vec<(String, bool)> {
        addresses.iter().map(|a| (a.shown().display().to_string(), a.bus)).collect()
    }

    #[test]
    fn addresses_are_unix_sockets_or_passed_over() {
        let text = b"tcp:host=x;unix:path=/run/a%20b,guid=1;unix:abstract=c;unix:tmpdir=/tmp;unix:path=%g0";
        assert_eq!(shown(&parse(text)), [("/run/a b".into(), true), ("@c".into(), true)]);
    }

    #[test]
    fn a_users_manager_is_asked_directly_where_its_bus_is_not_there() {
        let own = [("/run/user/7/bus".to_owned(), true), ("/run/user/7/systemd/private".to_owned(), false)];
        let runtime = || Some("/run/user/7".into());
        assert_eq!(shown(&user(None, runtime())), own);
        assert_eq!(shown(&user(Some("unix:path=/run/user/7/bus".into()), runtime())), own);
        assert_eq!(shown(&user(Some("unix:path=/tmp/x".into()), runtime())), [("/tmp/x".to_owned(), true)]);
        assert!(user(None, None).is_empty());
    }

    #[test]
    fn a_users_directory_is_named_by_the_user_outside_of_the_namespace() {
        let map = "         0       1000          1\n         1     100000      65536\n";
        assert_eq!(
            [0, 1, 65_536, 65_537].map(|u| outside(map, u)),
            [Some(1000), Some(100_000), Some(165_535), None]
        );
        assert_eq!(outside("0 0 4294967295\n", 7), Some(7));
        assert_eq!(outside("", 0), None);
    }
}
