//! Errors as containerd knows them: a code of gRPC and a message.
//!
//! Called by everything that answers. containerd acts on four codes: a container that is not there or is there
//! already, a state that does not allow what was asked for, and what is not implemented.

use std::io::Write;

use cofferdam::{Error, ErrorKind, Result};
use containerd_shim_protos::ttrpc::{self, Code, get_status};

/// What a request may answer.
pub(crate) type Answer<T> = ttrpc::Result<T>;

/// The error of the library, for the other side.
pub(crate) fn refuse(error: &Error) -> ttrpc::Error {
    let code = match error.kind() {
        ErrorKind::NotFound => Code::NOT_FOUND,
        ErrorKind::AlreadyExists => Code::ALREADY_EXISTS,
        ErrorKind::WrongState => Code::FAILED_PRECONDITION,
        ErrorKind::Configuration => Code::INVALID_ARGUMENT,
        _ => Code::UNKNOWN,
    };
    status(code, &error.to_string())
}

/// Turns a result into an answer.
pub(crate) fn answer<T>(result: Result<T>) -> Answer<T> {
    result.map_err(|e| refuse(&e))
}

/// There is no such thing; containerd's own words are kept.
pub(crate) fn not_found(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, what.to_owned()).with_detail("not found")
}

/// It is not in a state for that.
pub(crate) fn wrong_state(what: &str) -> Error {
    Error::new(ErrorKind::WrongState, what.to_owned())
}

/// What was sent cannot be understood.
pub(crate) fn malformed(what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Configuration, format!("reading {what}")).with_detail(why.to_string())
}

fn status(code: Code, message: &str) -> ttrpc::Error {
    ttrpc::Error::RpcStatus(get_status(code, message))
}

/// Writes to standard output, which containerd reads.
pub(crate) fn say(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|e| Error::io("answering on", "standard output", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_errors_become_the_codes_that_containerd_acts_on() {
        let code = |error: &Error| match refuse(error) {
            ttrpc::Error::RpcStatus(status) => status.code.value(),
            other => panic!("{other:?}"),
        };
        assert_eq!(code(&not_found("container a")), 5);
        assert_eq!(code(&Error::new(ErrorKind::AlreadyExists, "x")), 6);
        assert_eq!(code(&wrong_state("x")), 9);
        assert_eq!(code(&Error::new(ErrorKind::System, "x")), 2);
    }
}
