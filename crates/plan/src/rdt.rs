//! `linux.intelRdt`: the class of service, and the lines of its schemata file.
//!
//! Called by the init plan. See `config-linux.md`, IntelRdt; resctrl in the kernel's documentation.

use cofferdam_oci::{IntelRdt, Pointer, Reject};

use crate::RdtPlan;
use crate::findings::Findings;
use crate::scene::Scene;

/// Judges it; `None` also with a rejection.
pub(crate) fn decide(scene: &Scene<'_>, findings: &mut Findings) -> Option<RdtPlan> {
    let rdt = scene.linux.intel_rdt.as_ref()?;
    let at = Pointer::new("/linux/intelRdt");
    let asked = rdt.clos_id.as_deref().filter(|id| !id.is_empty());
    if let Some(id) = asked {
        // `/` alone is the class of everything that has none.
        if id == "." || id == ".." || id.contains('\0') || (id.contains('/') && id != "/") {
            findings.reject(at.key("closID"), format!("{id:?} is no name of a directory"));
        }
    }
    let schemata = schemata(&at, rdt, findings);
    let Some(resctrl) = &scene.facts.resctrl else {
        findings.lacks_hint(at, "resctrl is not mounted", "mount -t resctrl resctrl /sys/fs/resctrl");
        return None;
    };
    Some(RdtPlan {
        resctrl: resctrl.clone(),
        clos_id: asked.unwrap_or(&scene.options.id).to_owned(),
        must_exist: asked.is_some() && schemata.is_empty(),
        schemata,
        monitoring: rdt.enable_monitoring,
    })
}

/// The lines of a schemata file, for a change of a class that is there.
///
/// # Errors
/// Everything that is wrong with them.
///
/// ```
/// let rdt = cofferdam_oci::IntelRdt { mem_bw_schema: Some("MB:0=20".into()), ..Default::default() };
/// assert_eq!(cofferdam_plan::rdt_schemata(&rdt).unwrap(), ["MB:0=20"]);
/// ```
pub fn rdt_schemata(rdt: &IntelRdt) -> Result<Vec<String>, Vec<Reject>> {
    let mut findings = Findings::default();
    let lines = schemata(&Pointer::new("/linux/intelRdt"), rdt, &mut findings);
    findings.finish().map(|_| lines)
}

/// `l3CacheSchema`, `memBwSchema` and `schemata`, in this order; a line for memory bandwidth among the
/// first gives way to the second, as the specification says.
fn schemata(at: &Pointer, rdt: &IntelRdt, findings: &mut Findings) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let l3 = rdt.l3_cache_schema.as_deref().unwrap_or_default();
    let bandwidth = rdt.mem_bw_schema.as_deref().unwrap_or_default();
    for line in l3.lines().filter(|line| bandwidth.is_empty() || !line.trim_start().starts_with("MB:")) {
        lines.push(line.to_owned());
    }
    lines.extend(bandwidth.lines().map(str::to_owned));
    for (i, line) in rdt.schemata.iter().flatten().enumerate() {
        if line.contains('\n') {
            findings.reject(at.key("schemata").index(i), "more than one line");
        }
        lines.push(line.clone());
    }
    lines.retain(|line| !line.trim().is_empty());
    if lines.iter().any(|line| line.contains('\0')) {
        findings.reject(at.clone(), "a schema holds a NUL byte");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bandwidth_lines_of_the_cache_schema_give_way() {
        let rdt = IntelRdt {
            l3_cache_schema: Some("L3:0=f\nMB:0=20".into()),
            mem_bw_schema: Some("MB:0=70".into()),
            schemata: Some(vec!["L2:0=1".into(), String::new()]),
            ..IntelRdt::default()
        };
        let mut f = Findings::default();
        assert_eq!(schemata(&Pointer::root(), &rdt, &mut f), ["L3:0=f", "MB:0=70", "L2:0=1"]);
        assert!(f.told().is_empty());
    }
}
