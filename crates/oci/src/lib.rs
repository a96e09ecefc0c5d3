//! The document: the OCI runtime-spec 1.3 as plain data.
//!
//! Called by everything that reads or writes a `config.json`, a state or a features document. It
//! parses and prints; it may not judge. Words that the specification enumerates (an action, an
//! operator, a namespace type) stay strings here, so that `plan` can report every wrong one at once
//! with its JSON pointer instead of failing at the first.
//!
//! Field names and meanings are those of <https://github.com/opencontainers/runtime-spec>; `null`
//! counts as absent, as it does for the runtimes written in Go.
//!
//! ```
//! let spec: cofferdam_oci::Spec = serde_json::from_str(r#"{"ociVersion":"1.3.0"}"#).unwrap();
//! assert_eq!(spec.oci_version, "1.3.0");
//! assert!(spec.process.is_none());
//! ```

mod config;
mod features;
mod hooks;
mod linux;
mod locate;
mod mount;
mod process;
mod read;
mod reject;
mod resources;
mod seccomp;
mod state;

pub use config::{Root, Spec};
pub use features::{
    AppArmorFeature, CgroupFeature, EnabledFeature, Features, IdmapFeature, IntelRdtFeature, LinuxFeatures,
    MemoryPolicyFeature, MountExtensions, SeccompFeature,
};
pub use hooks::{Hook, Hooks};
pub use linux::{
    Device, IdMapping, IntelRdt, Linux, MemoryPolicy, Namespace, NetDevice, Personality, TimeOffset,
};
pub use mount::Mount;
pub use process::{Capabilities, ConsoleSize, ExecCpuAffinity, IoPriority, Process, Rlimit, Scheduler, User};
pub use read::{MAX_DOCUMENT, ReadError, parse, parse_spec};
pub use reject::{Pointer, Reject};
pub use resources::{
    BlockIo, Cpu, DeviceRule, HugepageLimit, InterfacePriority, Memory, NetworkResources, Pids, Rdma,
    Resources, ThrottleDevice, WeightDevice,
};
pub use seccomp::{Seccomp, SeccompArg, SeccompRule};
pub use state::{ContainerProcessState, State};

/// The version of the specification this crate describes.
///
/// ```
/// assert!(cofferdam_oci::SPEC_VERSION.starts_with("1."));
/// ```
pub const SPEC_VERSION: &str = "1.3.0";
