//! Checkpoint and restore: a container's processes into files and back, by CRIU.
//!
//! Called by whoever embeds the library and by the commands. CRIU does the work (`process` starts it, `cofferdam_criu`
//! speaks to it); here is what it has to know of a container (`external`), and what the container's state, cgroups,
//! network and hooks have to know of it. What is restored is a container as any other.

mod dump;
mod external;
mod failure;
mod images;
mod lower;
mod options;
mod process;
mod restore;

pub use cofferdam_criu::CgroupMode;
pub use options::{CheckpointOptions, CriuOptions, RestoreOptions};

/// The oldest CRIU: it tells when its page server is ready, and knows PID namespaces that are not the container's own.
const OLDEST: cofferdam_criu::Version = cofferdam_criu::Version::new(3, 15, 0);
/// The first one that puts restored processes under another profile of a security module.
const LABELS: cofferdam_criu::Version = cofferdam_criu::Version::new(3, 16, 0);
