//! `hostname` and `domainname`.
//!
//! Called by the init plan. See uts_namespaces(7), sethostname(2).

use cofferdam_oci::Pointer;

use crate::bits::CLONE_NEWUTS;
use crate::findings::Findings;
use crate::scene::Scene;

/// `__NEW_UTS_LEN`.
const LONGEST: usize = 64;

/// Judges one of the two; an empty name is none.
pub(crate) fn decide(
    scene: &Scene<'_>,
    key: &str,
    name: Option<&str>,
    findings: &mut Findings,
) -> Option<String> {
    let name = name.filter(|name| !name.is_empty())?;
    let at = Pointer::root().key(key);
    if !scene.spaces.own(CLONE_NEWUTS) {
        findings.reject_hint(at.clone(), "would be the host's", "add a namespace of type uts");
    }
    if name.len() > LONGEST {
        findings.reject(at.clone(), format!("{} bytes; the kernel takes {LONGEST}", name.len()));
    }
    findings.no_nul(&at, name);
    Some(name.to_owned())
}
