//! `hooks`: the six lists.
//!
//! Called by the init plan. See `config.md`, POSIX-platform Hooks.

use cofferdam_oci::{Hook, Pointer, Spec};
use std::path::PathBuf;

use crate::annotations;
use crate::findings::Findings;
use crate::{HookPlan, HooksPlan};

/// Kinds of hooks, in the order in which they run.
///
/// ```
/// assert_eq!(cofferdam_plan::known_hooks().len(), 6);
/// ```
#[must_use]
pub fn known_hooks() -> &'static [&'static str] {
    &["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
}

/// The hooks of a container that exists: its configuration was judged when it was made.
///
/// ```
/// let spec = cofferdam_oci::parse_spec(br#"{"ociVersion":"1.3.0","hooks":{"poststop":[{"path":"/x"}]}}"#).unwrap();
/// assert_eq!(cofferdam_plan::plan_hooks(&spec).poststop[0].args, ["/x"]);
/// ```
#[must_use]
pub fn plan_hooks(spec: &Spec) -> HooksPlan {
    decide(spec, &[], &mut Findings::default())
}

/// Judges all hooks. `process_env` is what `startContainer` hooks without an environment get.
pub(crate) fn decide(spec: &Spec, process_env: &[String], findings: &mut Findings) -> HooksPlan {
    let hooks = &spec.hooks;
    let output = annotations::hook_output(spec, findings);
    let mut list = |kind: &str, hooks: &[Hook], default_env: &[String]| {
        let at = Pointer::new("/hooks").key(kind);
        let all = hooks.iter().enumerate();
        all.map(|(i, hook)| one(at.index(i), hook, default_env, &output, findings)).collect()
    };
    HooksPlan {
        prestart: list("prestart", &hooks.prestart, &[]),
        create_runtime: list("createRuntime", &hooks.create_runtime, &[]),
        create_container: list("createContainer", &hooks.create_container, &[]),
        start_container: list("startContainer", &hooks.start_container, process_env),
        poststart: list("poststart", &hooks.poststart, &[]),
        poststop: list("poststop", &hooks.poststop, &[]),
    }
}

fn one(
    at: Pointer,
    hook: &Hook,
    default_env: &[String],
    output: &[Option<PathBuf>; 2],
    findings: &mut Findings,
) -> HookPlan {
    if !hook.path.starts_with('/') {
        findings.reject(at.key("path"), format!("{:?} is not an absolute path", hook.path));
    }
    findings.no_nul(&at.key("path"), &hook.path);
    for (key, texts) in [("args", &hook.args), ("env", &hook.env)] {
        for (i, text) in texts.iter().enumerate() {
            findings.no_nul(&at.key(key).index(i), text);
        }
    }
    let timeout_ms = hook.timeout.map(|seconds| {
        if seconds <= 0 {
            findings.reject(at.key("timeout"), format!("{seconds} is not more than 0 seconds"));
        }
        u64::try_from(seconds).unwrap_or_default().saturating_mul(1000)
    });
    HookPlan {
        path: hook.path.clone(),
        args: if hook.args.is_empty() { vec![hook.path.clone()] } else { hook.args.clone() },
        env: if hook.env.is_empty() { default_env.to_vec() } else { hook.env.clone() },
        timeout_ms,
        output: output.clone(),
        pointer: at,
    }
}
