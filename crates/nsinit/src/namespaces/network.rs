//! InitializeNetworking: what is made for a container's networks from outside.

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_nsenter::{Inside, Set, Target};
use cofferdam_oci::Pointer;

use crate::{Config, NetworkState};

/// libcontainer's `InitializeNetworking`: makes the networks of a container whose first process is `pid`, and
/// writes down what was made.
///
/// - `loopback`: the loopback device of the process's network namespace is set up; the host's is left alone.
/// - `netns`: nothing is made; its path is written down.
///
/// # Errors
/// [`ErrorKind::Host`] for `veth` and for routes, which are not there yet: make them from here, with the
/// process's number, or have the namespace made and name it with `netns`. When the process has ended.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, NetworkState, namespaces::initialize_networking};
/// let config = Config::parse(br#"{"networks": [{"type": "loopback", "address": "127.0.0.1/0"}]}"#)?;
/// initialize_networking(&config, 4711, &mut NetworkState::default())?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn initialize_networking(config: &Config, pid: i32, state: &mut NetworkState) -> Result<()> {
    for (index, network) in config.networks.iter().enumerate() {
        let field = Pointer::new("/networks").index(index).key("type");
        match network.kind.as_str() {
            "loopback" => loopback(pid).map_err(|e| e.with_pointer(&field))?,
            "netns" => state.ns_path.clone_from(&network.ns_path),
            "veth" => return Err(missing("making a network of type veth", &field)),
            other => {
                return Err(Error::new(ErrorKind::Configuration, "making a network")
                    .with_detail(format!("{other:?} is neither loopback, netns nor veth"))
                    .with_pointer(&field));
            }
        }
    }
    if config.routes.is_empty() { Ok(()) } else { Err(missing("making routes", &Pointer::new("/routes"))) }
}

/// Sets the loopback device up, unless it is the caller's own.
pub(super) fn loopback(pid: i32) -> Result<()> {
    let failed = |e: cofferdam_nsenter::Error| {
        let error = Error::new(
            ErrorKind::System,
            "setting the loopback device up in the network namespace of process",
        )
        .with_object(pid.to_string());
        match e.errno() {
            Some(errno) => error.with_errno(errno),
            None => error.with_detail(e.to_string()),
        }
    };
    let target = Target::open(pid).map_err(failed)?;
    if target.differing().contains(Set::NET) {
        target.enter().only(Set::NET).loopback_up().map_err(failed)?;
    }
    Ok(())
}

fn missing(doing: &str, field: &Pointer) -> Error {
    Error::new(ErrorKind::Host, doing)
        .with_detail("not supported")
        .with_pointer(field)
        .with_hint("make it with a create command of your own, or name an existing namespace with type netns")
}
