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
    decide(spec, Default::default(), &mut Findings::default())
}

/// What hooks without an environment get: variables, and whether a `HOME` is looked up.
type Environment<'a> = (&'a [String], bool);

/// Judges all hooks. `process` is the environment of `startContainer` hooks that have none.
pub(crate) fn decide(spec: &Spec, process: Environment<'_>, findings: &mut Findings) -> HooksPlan {
    let none = Environment::default();
    let hooks = &spec.hooks;
    let output = annotations::hook_output(spec, findings);
    let mut list = |kind: &str, hooks: &[Hook], default: Environment<'_>| {
        let at = Pointer::new("/hooks").key(kind);
        let all = hooks.iter().enumerate();
        all.map(|(i, hook)| one(at.index(i), hook, default, &output, findings)).collect()
    };
    HooksPlan {
        prestart: list("prestart", &hooks.prestart, none),
        create_runtime: list("createRuntime", &hooks.create_runtime, none),
        create_container: list("createContainer", &hooks.create_container, none),
        start_container: list("startContainer", &hooks.start_container, process),
        poststart: list("poststart", &hooks.poststart, none),
        poststop: list("poststop", &hooks.poststop, none),
    }
}

fn one(
    at: Pointer,
    hook: &Hook,
    default: Environment<'_>,
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
        env: if hook.env.is_empty() { default.0.to_vec() } else { hook.env.clone() },
        home: hook.env.is_empty() && default.1,
        timeout_ms,
        output: output.clone(),
        pointer: at,
    }
}
