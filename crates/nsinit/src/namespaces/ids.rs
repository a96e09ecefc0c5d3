//! Flags and ids that are computed from the configuration. Pure.

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_oci::{Linux, Pointer};

use crate::{Config, IdMap, NamespaceType, Namespaces, lower};

/// libcontainer's `GetNamespaceFlags`: the `CLONE_NEW*` bits of the namespaces that are made, for clone(2) and
/// unshare(2); those that are joined by their path are not among them.
///
/// ```
/// use cofferdam_nsinit::{NamespaceType, Namespaces, namespaces::get_namespace_flags};
/// let mut namespaces = Namespaces::from_iter([NamespaceType::Mount, NamespaceType::Pid]);
/// namespaces.add(NamespaceType::Network, "/run/netns/blue");
/// assert_eq!(get_namespace_flags(&namespaces), 0x0002_0000 | 0x2000_0000);
/// ```
#[must_use]
pub fn get_namespace_flags(namespaces: &Namespaces) -> u64 {
    let new = namespaces.iter().filter(|one| one.path.is_empty());
    new.fold(0, |flags, one| flags | one.kind.flag())
}

/// libcontainer's `AddUidGidMappings`: puts the configuration's id mappings, if it has a user namespace, into a
/// configuration of the OCI.
///
/// ```
/// use cofferdam_nsinit::{Config, namespaces::add_uid_gid_mappings, oci::Linux};
/// let config = Config::parse(br#"{"namespaces": [{"type": "NEWUSER"}],
///     "uid_mappings": [{"container_id": 0, "host_id": 1000, "size": 1}]}"#)?;
/// let mut linux = Linux::default();
/// add_uid_gid_mappings(&mut linux, &config);
/// assert_eq!(linux.uid_mappings[0].host_id, 1000);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn add_uid_gid_mappings(linux: &mut Linux, config: &Config) {
    if config.namespaces.contains(NamespaceType::User) {
        linux.uid_mappings = lower::id_mappings(&config.uid_mappings);
        linux.gid_mappings = lower::id_mappings(&config.gid_mappings);
    }
}

/// libcontainer's `GetHostRootUid`: who the container's root is outside. 0 without a user namespace.
///
/// # Errors
/// [`ErrorKind::Configuration`] when the mappings do not show root.
///
/// ```
/// use cofferdam_nsinit::{Config, namespaces::{get_host_root_gid, get_host_root_uid}};
/// let config = Config::parse(br#"{"namespaces": [{"type": "NEWUSER"}],
///     "uid_mappings": [{"container_id": 0, "host_id": 1000, "size": 500}]}"#)?;
/// assert_eq!(get_host_root_uid(&config)?, 1000);
/// assert!(get_host_root_gid(&config).is_err());
/// assert_eq!(get_host_root_uid(&Config::default())?, 0);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn get_host_root_uid(config: &Config) -> Result<u32> {
    host_root(config, &config.uid_mappings, "/uid_mappings")
}

/// libcontainer's `GetHostRootGid`, as [`get_host_root_uid`].
///
/// # Errors
/// As [`get_host_root_uid`].
pub fn get_host_root_gid(config: &Config) -> Result<u32> {
    host_root(config, &config.gid_mappings, "/gid_mappings")
}

fn host_root(config: &Config, maps: &[IdMap], field: &str) -> Result<u32> {
    if !config.namespaces.contains(NamespaceType::User) {
        return Ok(0);
    }
    maps.iter().find_map(|map| map.host(0)).ok_or_else(|| {
        let why = if maps.is_empty() { "there are no mappings" } else { "id 0 is not among them" };
        Error::new(ErrorKind::Configuration, "finding the container's root outside")
            .with_detail(why)
            .with_pointer(&config.place(&Pointer::new(field)))
    })
}
