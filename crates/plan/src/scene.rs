//! What the rules about a new container look at: the inputs, and the two verdicts that others need.

use std::path::Path;

use cofferdam_oci::{Linux, Spec};

use crate::idmaps::Mapped;
use crate::namespaces::Namespaces;
use crate::{HostFacts, HostPath, IdMaps, InPath, Options};

/// The inputs of a rule.
#[derive(Debug)]
pub(crate) struct Scene<'a> {
    pub(crate) spec: &'a Spec,
    /// `spec.linux`, or an empty one.
    pub(crate) linux: &'a Linux,
    pub(crate) facts: &'a HostFacts,
    pub(crate) options: &'a Options,
    pub(crate) spaces: Namespaces,
    pub(crate) id_maps: Option<IdMaps>,
}

impl Scene<'_> {
    /// Which ids exist in the container.
    pub(crate) fn mapped(&self) -> Mapped<'_> {
        Mapped(self.id_maps.as_ref())
    }

    /// A path of the host's that lies in the container's root, as it is called inside.
    pub(crate) fn inside(&self, path: &Path) -> Option<InPath> {
        let root = HostPath::new(&self.spec.root.as_ref()?.path, &self.options.bundle)?;
        let below = path.strip_prefix(root.as_path()).ok().filter(|_| root.as_path() != Path::new("/"))?;
        InPath::new(below.to_str()?)
    }

    /// The label of mounts; an empty one is none.
    pub(crate) fn mount_label(&self) -> Option<&str> {
        self.linux.mount_label.as_deref().filter(|label| !label.is_empty())
    }
}
