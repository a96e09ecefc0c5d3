//! `process.user`: ids that exist in the container, supplementary groups, umask.
//!
//! Called for create and exec alike. See credentials(7), setgroups(2).

use cofferdam_oci::{Pointer, User};

use crate::findings::Findings;
use crate::idmaps::Mapped;

/// `config.md`: permission bits of the mask when the document has none.
const UMASK: u32 = 0o022;

/// Whether setgroups(2) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Groups {
    /// It is.
    Set,
    /// The kernel forbids it.
    Denied,
    /// It is not known to be allowed: only when the document names groups.
    IfAsked,
    /// `run.oci.keep_original_groups` (crun): not at all.
    Keep,
}

/// Judges the ids.
pub(crate) fn ids(at: &Pointer, user: &User, mapped: Mapped<'_>, findings: &mut Findings) {
    let at = at.key("user");
    if !mapped.uid(user.uid) {
        findings.reject(at.key("uid"), format!("the user namespace maps no user id {}", user.uid));
    }
    if !mapped.gid(user.gid) {
        findings.reject(at.key("gid"), format!("the user namespace maps no group id {}", user.gid));
    }
    for (i, gid) in user.additional_gids.iter().enumerate() {
        if !mapped.gid(*gid) {
            let at = at.key("additionalGids").index(i);
            findings.reject(at, format!("the user namespace maps no group id {gid}"));
        }
    }
}

/// The supplementary groups.
pub(crate) fn groups(at: &Pointer, user: &User, how: Groups, findings: &mut Findings) -> Option<Vec<u32>> {
    let asked = !user.additional_gids.is_empty();
    if how == Groups::Denied && asked {
        findings.reject_hint(
            at.key("user").key("additionalGids"),
            "an unprivileged user namespace that maps one's own group alone may not set groups",
            "map more groups (newgidmap), or leave them away",
        );
    }
    let set = how == Groups::Set || (how == Groups::IfAsked && asked);
    set.then(|| user.additional_gids.clone())
}

/// The mask; bits that are no permissions mean nothing to umask(2).
pub(crate) fn umask(user: &User) -> u32 {
    user.umask.unwrap_or(UMASK) & 0o777
}
