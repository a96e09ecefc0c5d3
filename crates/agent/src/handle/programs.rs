//! Programs that wait before they are executed.
//!
//! Called by `carry_out`. Both go on in the end, whatever is executed: they decide when, not whether.

use std::time::{Duration, Instant};

use cofferdam_notify::{Answer, Call, Request, Result};

use super::{Context, Done};
use crate::policy::matching::Pattern;

/// Why execve may go on although its path may change after it was read.
const ONLY_TIME: &str = "the path decides how long the program waits, and nothing else";

/// Those of the list wait; all others do not.
pub(super) fn delay(paths: &[Pattern], delay: Duration, request: &Request) -> Result<Done> {
    let go_on = || Answer::proceed(ONLY_TIME);
    let Call::Exec { path, .. } = request.call()? else { return Ok(go_on().into()) };
    let path = path.to_string_lossy().into_owned();
    if paths.is_empty() || paths.iter().any(|pattern| pattern.holds(&path)) {
        let reason = format!("{path} waits {delay:?}");
        return Ok(Done { answer: go_on().after(delay), reason });
    }
    Ok(Done { answer: go_on(), reason: path })
}

/// The first program of a container that is no sidecar waits until they had their time.
pub(super) fn sidecars(names: &[String], delay: Duration, context: &Context, request: &Request) -> Done {
    let go_on = || Answer::proceed(ONLY_TIME);
    // Until it executes the container's program, the first process is the runtime's.
    let first = request.tid().is_ok_and(|tid| tid == context.container.pid);
    let is_sidecar = names.contains(&context.container.name);
    let due = context.since.checked_add(delay);
    match due.map(|due| due.saturating_duration_since(Instant::now())) {
        Some(left) if first && !is_sidecar && !left.is_zero() => {
            Done { answer: go_on().after(left), reason: format!("waits {left:?} for sidecars") }
        }
        _ => go_on().into(),
    }
}
