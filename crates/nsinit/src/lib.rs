//! The classic libcontainer front end: container.json, and the interface of libcontainer's package
//! `namespaces`.
//!
//! Called by programs that come from docker/libcontainer, and by commands above it. It translates: a
//! [`Config`] becomes a configuration of the OCI ([`spec`]), and everything that makes or enters a container
//! is the core's. `docs/coming-from-libcontainer.md` has every function of old, with an example.

mod any_state;
mod config;
mod convert;
mod lower;
pub mod namespaces;
mod pid_file;
mod run_state;
mod security;
mod state;
mod state_file;
mod state_v2;
pub mod stats;
mod template;
mod user;

use std::ffi::CString;
use std::path::Path;

pub use any_state::AnyState;
pub use cofferdam::oci;
pub use config::{
    Cgroup, Config, Device, Generation, HugepageLimit, IdMap, InterfacePriority, Mount, MountCommand,
    MountConfig, Namespace, NamespaceType, Namespaces, Network, Reading, Rlimit, Route, Seccomp, SeccompArg,
    SeccompCall, SystemMounts, allowed_devices, created_devices,
};
pub use convert::{Converted, Lost, convert};
pub use lower::{network, spec};
pub use pid_file::PidFile;
pub use run_state::RunState;
pub use security::Security;
pub use state::{Core, NetworkState, State};
pub use state_v2::StateV2;
pub use template::{Template, standard_environment};
pub use user::ExecUser;

/// A path for the kernel.
fn c_path(path: &Path) -> cofferdam::Result<CString> {
    use std::os::unix::ffi::OsStrExt;
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        cofferdam::Error::new(cofferdam::ErrorKind::Configuration, "reading the path")
            .with_object(path.display().to_string())
            .with_detail("it has a null byte")
    })
}

/// The examples of the page on coming from libcontainer, compiled.
#[cfg(doctest)]
#[doc = include_str!("../coming-from-libcontainer.md")]
struct ComingFromLibcontainer;
