//! All that is wrong with a configuration, at once: what looking up its user, translating it and the core's own
//! judgement find.
//!
//! Called by what makes a container. Nothing is made here; the host is asked for facts only when there is something
//! to complain of.

use std::path::Path;

use cofferdam::oci::{Reject, Spec};
use cofferdam::{Bundle, ContainerId, CreateOptions, Error, Result, Store};
use cofferdam_oci::Pointer;

use crate::lower::{self, Translation};
use crate::{Config, ExecUser};

/// The translation for a container in `root`, as `finish` completes it and `options` create it.
pub(super) fn spec(
    config: &Config,
    root: &Path,
    args: &[String],
    finish: impl FnOnce(&mut Spec),
    options: &CreateOptions,
) -> Result<Spec> {
    let (user, unknown) = match ExecUser::of(config, 0, root) {
        Ok(user) => (user, None),
        Err(error) if error.pointer().is_some() => (ExecUser::default(), Some(error)),
        Err(error) => return Err(error),
    };
    let Translation { value: mut spec, places, mut rejects } = lower::translate(config, &user, args);
    finish(&mut spec);
    if unknown.is_none() && rejects.is_empty() {
        return Ok(spec);
    }
    rejects.splice(0..0, unknown.iter().filter_map(told));
    let bundle = Bundle::from_spec(root, spec);
    let core = cofferdam::plan(&Store::default(), &ContainerId::unique(), &bundle, options).err();
    for found in core.iter().flat_map(Error::rejects) {
        let found = places.back(found.clone(), config);
        if !rejects.iter().any(|told| related(&told.pointer, &found.pointer)) {
            rejects.push(found);
        }
    }
    match unknown {
        Some(alone) if rejects.len() == 1 => Err(alone),
        _ => Err(Error::rejected(rejects)),
    }
}

fn told(error: &Error) -> Option<Reject> {
    let pointer = error.pointer().map(Pointer::new)?;
    let words = [Some(error.step()), error.object()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let why = error.detail().map(|why| format!(": {why}")).unwrap_or_default();
    Some(Reject::new(pointer, words + &why))
}

/// Whether one is the other, or part of it: what was left out of the translation for one reason is not wrong for
/// another one as well.
fn related(one: &Pointer, other: &Pointer) -> bool {
    let within = |part: &str, whole: &str| {
        part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one.as_str(), other.as_str()) || within(other.as_str(), one.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_of_a_place_is_related_to_it_and_one_of_like_name_is_not() {
        let related = |one: &str, other: &str| related(&Pointer::new(one), &Pointer::new(other));
        assert!(related("/user", "/user") && related("/mounts/1/type", "/mounts/1") && related("", "/user"));
        assert!(!related("/mounts/1", "/mounts/11") && !related("/user", "/tty"));
    }
}
