//! libcontainer's package `namespaces`: every function of v1.3 under its old name, on top of the core.
//!
//! Called by programs that were written for it. Two kinds of functions: those that start or prepare another
//! process, and may be called from any thread of any program; and those that change the calling process
//! ([`init`], [`finalize_namespace`], [`finalize_setns`], [`setup_user`], [`load_container_environment`],
//! [`restore_parent_death_signal`]), which must have one thread and say so otherwise.
//!
//! ```no_run
//! use cofferdam_nsinit::{Config, namespaces::{self, Io}};
//! let config = Config::parse(&std::fs::read("/srv/box/container.json")?)?;
//! let args = ["sh".to_owned(), "-c".to_owned(), "exit 3".to_owned()];
//! let status = namespaces::exec(
//!     &config,
//!     Io::inherit(),
//!     "/var/lib/box".as_ref(),
//!     &args,
//!     &namespaces::default_create_command,
//!     &namespaces::default_setup_command,
//!     |child| println!("process {}", child.pid()),
//! )?;
//! assert_eq!(status, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod calling;
mod cgroups;
mod claim;
mod command;
mod exec;
mod exec_in;
mod finalize;
mod ids;
mod init;
mod io;
mod judge;
mod mount_commands;
mod network;
mod relabel;
mod restore;
mod setup;

pub use calling::{load_container_environment, restore_parent_death_signal, setup_user};
pub use cgroups::{enter_cgroups, find_cgroups, remove_cgroups, setup_cgroups};
pub use command::{
    CreateCommand, SetupCommand, default_create_command, default_setup_command, systemd_create_command,
};
pub use exec::{EXIT_SIGNAL_OFFSET, exec};
pub use exec_in::exec_in;
pub use finalize::{finalize_namespace, finalize_setns};
pub use ids::{add_uid_gid_mappings, get_host_root_gid, get_host_root_uid, get_namespace_flags};
pub use init::{inherited_pipe, init};
pub use io::Io;
pub use network::initialize_networking;
pub use restore::restore;
pub use setup::setup_container;
