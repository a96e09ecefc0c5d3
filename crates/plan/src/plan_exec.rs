//! The decision for a process in an existing container.

use cofferdam_oci::{Linux, Namespace, Pointer, Process, Reject, Spec};

use crate::annotations::{fails_on_unknown_calls, keeps_groups};
use crate::caps::Available;
use crate::findings::Findings;
use crate::idmaps::Mapped;
use crate::plan_init::keyring;
use crate::plan_process::{self, Surroundings};
use crate::user::Groups;
use crate::{ExecOptions, ExecPlan, HostFacts, IdMaps, Setgroups};

/// Decides everything about a process in the container that `spec` describes. What the process's own
/// document leaves out is that of the container's first process, as for runc; `noNewPrivileges` is its
/// own.
///
/// # Errors
/// All reasons why the document cannot be obeyed, each with its JSON pointer: into `process`, or below
/// `/linux` into the container's document.
///
/// ```
/// use cofferdam_plan::{ExecOptions, HostFacts, plan_exec};
/// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion": "1.3.0"}"#).unwrap();
/// let process: cofferdam_oci::Process = cofferdam_oci::parse(br#"{"cwd": "/", "args": ["ps"]}"#).unwrap();
/// let options = ExecOptions { id: "box".into(), ..ExecOptions::default() };
/// let plan = plan_exec(&process, &spec, &HostFacts::typical(), &options).unwrap();
/// assert_eq!(plan.process.umask, 0o022);
/// ```
pub fn plan_exec(
    process: &Process,
    spec: &Spec,
    facts: &HostFacts,
    options: &ExecOptions,
) -> Result<ExecPlan, Vec<Reject>> {
    let mut findings = Findings::default();
    let none = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&none);
    let maps = maps(linux, options);
    let groups = match (keeps_groups(spec), options.setgroups_denied || facts.setgroups_denied) {
        (true, _) => Groups::Keep,
        (false, true) => Groups::Denied,
        (false, false) => Groups::Set,
    };
    let around = Surroundings {
        at: Pointer::root(),
        linux,
        facts,
        available: Available::new(facts, options.user_namespace),
        mapped: Mapped(maps.as_ref()),
        groups,
        known_calls_only: fails_on_unknown_calls(spec),
    };
    let process = plan_process::decide(&complete(process, spec), &around, &mut findings);
    Ok(ExecPlan {
        namespaces: options.namespaces,
        keyring: keyring(&options.id, options.no_new_keyring),
        process,
        preserve_fds: options.preserve_fds,
        warnings: findings.finish()?,
    })
}

/// The maps that the container was made with; unknown when its user namespace was joined by a path.
fn maps(linux: &Linux, options: &ExecOptions) -> Option<IdMaps> {
    let made = |n: &Namespace| n.kind == "user" && n.path.as_deref().is_none_or(str::is_empty);
    let known = options.user_namespace && linux.namespaces.iter().any(made);
    known.then(|| IdMaps {
        uid: linux.uid_mappings.clone(),
        gid: linux.gid_mappings.clone(),
        setgroups: Setgroups::Allow,
        helpers: None,
    })
}

/// The process with the container's own values where it has none.
fn complete(process: &Process, spec: &Spec) -> Process {
    let mut result = process.clone();
    let Some(first) = &spec.process else { return result };
    fn fill<T: Clone>(own: &mut Option<T>, first: &Option<T>) {
        if own.is_none() {
            own.clone_from(first);
        }
    }
    fn fill_text(own: &mut Option<String>, first: &Option<String>) {
        if own.as_deref().is_none_or(str::is_empty) {
            own.clone_from(first);
        }
    }
    fill(&mut result.capabilities, &first.capabilities);
    fill(&mut result.user.umask, &first.user.umask);
    fill(&mut result.oom_score_adj, &first.oom_score_adj);
    fill(&mut result.io_priority, &first.io_priority);
    fill(&mut result.scheduler, &first.scheduler);
    fill(&mut result.exec_cpu_affinity, &first.exec_cpu_affinity);
    fill_text(&mut result.apparmor_profile, &first.apparmor_profile);
    fill_text(&mut result.selinux_label, &first.selinux_label);
    if result.rlimits.is_empty() {
        result.rlimits.clone_from(&first.rlimits);
    }
    result
}
