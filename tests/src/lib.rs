//! The harness: one behavioural test, run on any OCI runtime through its command line.
//!
//! A test makes a bundle ([`Bundle`]), changes the parts of config.json it is about, runs the runtime and reads
//! back what the kernel says. Which runtime is chosen by `RUNTIME_UNDER_TEST` (see [`runtime`]); which tests are
//! known to fail on runtimes older than the specification is a table ([`expected`]) that is a ratchet: an expected
//! failure that passes is an error. Called by the test programs of this package only.

mod assets;
mod base;
mod bundle;
pub mod cgroup;
mod check;
mod command;
mod console;
mod container;
pub mod criu;
pub mod driver;
pub mod expected;
mod facts;
pub mod mountinfo;
pub mod own_process;
pub mod properties;
pub mod runtime;
mod test;
mod view;

pub use base::{base_config, capabilities};
pub use bundle::Bundle;
pub use check::{Check, Skip, check};
pub use command::{Output, wait_until};
pub use console::{ConsoleSocket, Pty};
pub use container::Container;
pub use facts::Facts;
pub use runtime::Runtime;
pub use serde_json::{Value, json};
pub use test::Test;
pub use view::View;

/// JSON that must be JSON.
///
/// # Panics
/// When it is not.
#[track_caller]
pub fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Writes tests as facts: each function becomes a `#[test]` that runs on every runtime under test.
#[macro_export]
macro_rules! facts {
    ($($(#[$meta:meta])* fn $name:ident($t:ident) $body:block)*) => {$(
        $(#[$meta])*
        #[test]
        fn $name() {
            $crate::check(stringify!($name), |$t: &$crate::Test| -> $crate::Check {
                $body
                #[allow(unreachable_code)]
                Ok(())
            });
        }
    )*};
}

/// The same about cofferdam alone: other runtimes make no such promises.
#[macro_export]
macro_rules! own {
    ($(fn $name:ident($t:ident) $body:block)*) => { $crate::facts! {$(
        fn $name($t) {
            $t.need($t.runtime.name == "cofferdam", "it is about cofferdam only")?;
            $body
        }
    )*} };
}
