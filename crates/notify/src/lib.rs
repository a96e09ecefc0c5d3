//! Answers system calls from outside: seccomp user notifications (seccomp_unotify(2)), typed.
//!
//! Called by supervisors of containers and sandboxes, among them `cofferdam agent`. It receives, looks and
//! answers; which call gets which answer is its caller's to decide. It never prints, and joins nothing with the
//! caller's process.
//!
//! 1. A [`Listener`] is made of the descriptor that a runtime sent.
//! 2. It gives [`Request`]s: [`Request::call`] is the call with its arguments by their types, read once,
//!    [`Request::caller`] who made it.
//! 3. [`Request::answer`] answers, and takes the request with it. One that is dropped is answered, too.

mod address;
mod answer;
mod call;
mod caller;
mod error;
mod listener;
mod memory;
mod names;
mod request;

pub use address::{Address, UnixAddress};
pub use answer::{Answer, Continue, Descriptor};
pub use call::*;
pub use caller::{Caller, Credentials, Namespace};
pub use cofferdam_seccomp::Arch;
pub use cofferdam_sys::Errno;
pub use error::{Error, Result};
pub use listener::{Listener, Next};
pub use memory::{Memory, PATH_MAX};
pub use request::Request;
