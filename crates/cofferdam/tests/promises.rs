//! Promises to callers that only the compiler can break: see docs/stability.md.

use std::error::Error as StdError;

use cofferdam::{Bundle, Container, ContainerId, CreateOptions, ExecOptions, Notify, Process, Store};

fn goes_between_threads<T: Send + Sync + 'static>() {}

#[test]
fn handles_go_between_threads() {
    goes_between_threads::<Container>();
    goes_between_threads::<Process>();
    goes_between_threads::<Store>();
    goes_between_threads::<Notify>();
    goes_between_threads::<(Bundle, ContainerId, CreateOptions, ExecOptions)>();
}

#[test]
fn an_error_fits_into_everybodys_error() {
    let error: Box<dyn StdError + Send + Sync> = ContainerId::new("..").unwrap_err().into();
    assert!(!error.to_string().is_empty());
}
