//! Who a container is, and what applies to it besides the policy: from what its runtime said when it handed the
//! listener over, and from Kubernetes.
//!
//! Called by `serve` once for each container. Pure, but for `kubernetes`.

mod annotations;
pub(crate) mod kubernetes;
mod metadata;
pub(crate) mod pod;

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
    /// As metadata, and the container's pod is looked up in the Kubernetes API
    Kubernetes,
}

/// What is a container's own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Own {
    /// Rules that come before the policy's.
    pub(crate) policy: Option<Policy>,
    /// Whether its calls are told to Falco.
    pub(crate) publish: bool,
}

/// What the runtime said of a container.
pub(crate) fn container(said: &ContainerProcessState) -> Container {
    Container {
        id: said.state.id.clone(),
        annotations: said.state.annotations.clone().into_iter().collect(),
        metadata: said.metadata.clone(),
        pid: said.pid,
        pid1: if said.state.pid > 0 { said.state.pid } else { said.pid },
        ..Container::default()
    }
}

impl Resolver {
    /// Whether `listenerMetadata` counts.
    pub(crate) fn reads_metadata(self) -> bool {
        matches!(self, Self::Metadata | Self::Kubernetes)
    }

    /// Finds out who a container is, or says what is wrong with what is said of it.
    pub(crate) fn resolve(self, container: &mut Container) -> Result<Own, String> {
        match self {
            Self::None => return Ok(Own { policy: Some(Policy::refuse_all()), publish: false }),
            Self::Policy => {}
            Self::Annotations | Self::Metadata | Self::Kubernetes => annotations::read(container),
        }
        if self.reads_metadata() { metadata::read(&container.metadata) } else { Ok(Own::default()) }
    }
}
