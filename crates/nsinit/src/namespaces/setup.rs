//! SetupContainer: what root in a user namespace may not do for its own container.

use std::path::Path;

use cofferdam::{Error, ErrorKind, Result};

use super::network::configure;
use crate::{Config, State};

/// libcontainer's `SetupContainer`: with the caller's rights, in the namespaces of a container that has a user
/// namespace, but not in that one.
///
/// libcontainer mounted from here too; today's kernels let the container's own root mount what a container
/// has, and what they do not is opened by the core beforehand and handed in. What is left is the network, where the core has
/// not made it: the devices that [`super::initialize_networking`] made are set up, with addresses and routes.
///
/// # Errors
/// [`ErrorKind::NotFound`] without a state in `data_path`; [`ErrorKind::WrongState`] when the container has
/// ended; [`ErrorKind::Configuration`] when its mappings do not show root; as
/// [`super::initialize_networking`].
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config) -> cofferdam::Result<()> {
/// // As `DefaultSetupCommand` does, between creation and start:
/// cofferdam_nsinit::namespaces::setup_container(config, "/var/lib/box".as_ref())
/// # }
/// ```
pub fn setup_container(config: &Config, data_path: &Path) -> Result<()> {
    super::get_host_root_uid(config)?;
    super::get_host_root_gid(config)?;
    let state = State::get(data_path)?;
    if !state.is_alive() {
        return Err(Error::new(ErrorKind::WrongState, "the container's first process has ended:")
            .with_object(state.init_pid.to_string()));
    }
    let made = state.core.is_some() && !state.container()?.network_interfaces().is_empty();
    if made { Ok(()) } else { configure(config, state.init_pid) }
}
