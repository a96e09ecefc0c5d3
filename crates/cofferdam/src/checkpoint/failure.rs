//! Why CRIU failed, said so that it can be mended: its answer, the first errors of its log, where all of it stands.

use std::path::Path;

use crate::{Error, ErrorKind};

/// What ends a conversation: CRIU, or what we did meanwhile.
#[derive(Debug)]
pub(super) enum Stop {
    Criu(cofferdam_criu::Error),
    Ours(Error),
}

impl From<cofferdam_criu::Error> for Stop {
    fn from(error: cofferdam_criu::Error) -> Self {
        Self::Criu(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Ours(error)
    }
}

/// A log that tells the cause is what counts; without, the answer.
pub(super) fn explain(stop: Stop, doing: &'static str, id: &str, log: &Path) -> Error {
    let answer = match stop {
        Stop::Ours(error) => return error,
        Stop::Criu(answer) => answer,
    };
    let causes = cofferdam_criu::causes(log);
    let detail = match (causes.is_empty(), log.exists()) {
        (false, _) => format!("{} (all of it: {})", causes.join("; "), log.display()),
        (true, true) => format!("{answer} (its log: {})", log.display()),
        (true, false) => answer.to_string(),
    };
    let error = Error::new(ErrorKind::System, doing).with_object(id).with_detail(detail);
    match cofferdam_criu::hint(&causes) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
