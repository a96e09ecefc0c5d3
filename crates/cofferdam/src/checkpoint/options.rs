//! What a caller asks for of a checkpoint or a restore. Data only; the names are those of runc's and CRIU's flags.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use cofferdam_criu::CgroupMode;

/// What dumps and restores have in common.
///
/// ```
/// use cofferdam::checkpoint::{CgroupMode, CriuOptions};
/// let criu = CriuOptions { cgroups: CgroupMode::Ignore, ..CriuOptions::new("/var/lib/images/one") };
/// assert!(!criu.tcp_established);
/// ```
#[derive(Clone, Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct CriuOptions {
    /// Directory of the image files; a dump makes it.
    pub images: PathBuf,
    /// Directory of CRIU's log and other files; made where it is missing. Absent: that of the images.
    pub work: Option<PathBuf>,
    /// The program; absent: `criu` in `PATH`, and where root's programs usually are.
    pub criu: Option<PathBuf>,
    /// Established TCP connections are allowed.
    pub tcp_established: bool,
    /// Unix sockets are allowed whose other end is outside.
    pub ext_unix_sk: bool,
    /// Sessions and terminals are allowed that are the caller's.
    pub shell_job: bool,
    /// File locks are dumped and restored.
    pub file_locks: bool,
    /// What CRIU does with cgroups.
    pub cgroups: CgroupMode,
    /// Images that were brought over from a parent are freed there.
    pub auto_dedup: bool,
    /// Memory is brought when it is touched (userfaultfd(2)).
    pub lazy_pages: bool,
    /// Interfaces, addresses and rules of the container's network namespace are CRIU's to dump and to restore.
    /// Otherwise the namespace is restored empty, to be filled by the container's own network, its devices and its hooks.
    pub network: bool,
    /// Longest silence of CRIU's between two notifications before it is ended; absent: none is too long.
    pub patience: Option<Duration>,
}

impl CriuOptions {
    /// With the images in this directory.
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self { images: images.into(), ..Self::default() }
    }
}

/// How a container is dumped.
///
/// ```
/// use cofferdam::checkpoint::CheckpointOptions;
/// let options = CheckpointOptions { leave_running: true, ..CheckpointOptions::new("/var/lib/images/one") };
/// assert!(!options.pre_dump);
/// ```
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct CheckpointOptions {
    /// What it has in common with a restore.
    pub criu: CriuOptions,
    /// Images of a dump or pre-dump before this one, a path that starts at `images`: only memory that has changed since
    /// is written.
    pub parent: Option<PathBuf>,
    /// The container runs on.
    pub leave_running: bool,
    /// Only memory is dumped, and the container runs on.
    pub pre_dump: bool,
    /// TCP connections that nobody has accepted yet are left out.
    pub tcp_skip_in_flight: bool,
    /// Files without a name get one until they are restored.
    pub link_remap: bool,
    /// Memory is sent there, or with `lazy_pages` fetched from there: address and port.
    pub page_server: Option<(String, u16)>,
    /// Gets a null byte once memory can be fetched (`lazy_pages`).
    pub status: Option<OwnedFd>,
}

impl CheckpointOptions {
    /// With the images in this directory.
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self { criu: CriuOptions::new(images), ..Self::default() }
    }
}

/// How a container is restored, besides how any is made ([`crate::CreateOptions`]).
///
/// ```
/// use cofferdam::checkpoint::RestoreOptions;
/// assert!(RestoreOptions::new("/var/lib/images/one").lsm_profile.is_none());
/// ```
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// What it has in common with a dump.
    pub criu: CriuOptions,
    /// Profile of a security module, `apparmor:NAME` or `selinux:LABEL`, in place of the one in the images (CRIU 3.16).
    pub lsm_profile: Option<String>,
    /// SELinux context of mounts that have one, in place of that (CRIU 3.16).
    pub lsm_mount_context: Option<String>,
}

impl RestoreOptions {
    /// With the images in this directory.
    pub fn new(images: impl Into<PathBuf>) -> Self {
        Self { criu: CriuOptions::new(images), ..Self::default() }
    }
}
