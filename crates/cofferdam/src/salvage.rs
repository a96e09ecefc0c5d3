//! Removing a container whose state cannot be read: what it owns is decided again from the configuration
//! that was kept beside the state.
//!
//! Called by [`Store::remove`] only, with the container's lock held.

use cofferdam_cgroup::{Cgroup, SavedCgroup};

use crate::decide::{Decision, decide};
use crate::state::CONFIG;
use crate::store::{Store, remove_dir};
use crate::{Bundle, ContainerId, CreateOptions, Result};

const SIGKILL: i32 = 9;

/// Kills whoever is in the cgroups that the configuration asks for, removes these and the state.
pub(crate) fn remove(store: &Store, id: &ContainerId) -> Result<()> {
    let dir = store.dir(id);
    if let Some(decision) = decision(store, id) {
        let cgroup = Cgroup::load(SavedCgroup::intended(&decision.cgroup));
        cgroup.kill(SIGKILL)?;
        cgroup.delete()?;
        if let Some(plan) = &decision.network {
            crate::network::salvage(plan, &dir)?;
        }
    }
    remove_dir(&dir)
}

/// Nothing where the configuration is damaged too: then nobody knows.
fn decision(store: &Store, id: &ContainerId) -> Option<Decision> {
    let bytes =
        crate::bundle::read_bounded(&store.dir(id).join(CONFIG), "reading the container's configuration")
            .ok()?;
    let bundle = Bundle::from_spec("/", cofferdam_oci::parse_spec(&bytes).ok()?);
    // Which of the two it was is in the damaged state only; the path tells as well.
    let path = bundle.spec.linux.as_ref().and_then(|l| l.cgroups_path.as_deref()).unwrap_or_default();
    let systemd_cgroup = !path.contains('/') && path.matches(':').count() == 2;
    let options = CreateOptions { systemd_cgroup, ..CreateOptions::default() };
    decide(id, &bundle, &options, None).ok()
}
