//! Who a container is, and what applies to it besides the policy: from what its runtime said when it handed the
//! listener over.
//!
//! Called by `serve` once for each container. Pure.

mod annotations;
mod metadata;

use cofferdam_oci::ContainerProcessState;

use crate::policy::{Container, Policy};

/// Where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Resolver {
    /// Nothing is looked up and no policy applies: every call is refused and logged
    None,
    /// The policy, with the runtime's id and the annotations of the container's state
    Policy,
    /// The policy, with namespace, pod and container out of the annotations of containerd and CRI-O
    Annotations,
    /// As annotations, and the listenerMetadata of the container's profile decides before the policy
    Metadata,
}

/// What was found out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) container: Container,
    /// Rules of the container's own, which come before the policy's.
    pub(crate) own: Option<Policy>,
}

impl Resolver {
    /// Finds out who a container is, or says what is wrong with what is said of it.
    pub(crate) fn resolve(self, said: &ContainerProcessState) -> Result<Resolved, String> {
        let mut container = Container {
            id: said.state.id.clone(),
            annotations: said.state.annotations.clone().into_iter().collect(),
            pid: said.pid,
            pid1: if said.state.pid > 0 { said.state.pid } else { said.pid },
            ..Container::default()
        };
        let mut own = None;
        match self {
            Self::None => own = Some(Policy::refuse_all()),
            Self::Policy => {}
            Self::Annotations => annotations::read(&mut container),
            Self::Metadata => {
                annotations::read(&mut container);
                own = metadata::policy(&said.metadata)?;
            }
        }
        Ok(Resolved { container, own })
    }
}
