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
//!
//! Above that, a [`Registry`] holds handlers by system call, a [`Service`] has threads that ask it, and a
//! [`runtime::Server`] is the socket to which runtimes send their containers' descriptors.

mod actor;
mod address;
mod answer;
#[cfg(feature = "tokio")]
mod asynchronous;
mod call;
mod caller;
mod error;
mod handles;
mod listener;
mod memory;
mod names;
mod perform;
mod perform_mounts;
mod registry;
mod request;
pub mod runtime;
mod send;
mod service;
mod stop;
mod system;

pub use actor::{Actor, Actors};
pub use address::{Address, UnixAddress};
pub use answer::{Answer, Continue, Descriptor};
#[cfg(feature = "tokio")]
pub use asynchronous::AsyncListener;
pub use call::{AT_FDCWD, Call, FsConfig, Message, Mount, MountAttributes, OpenHow, SetXattr};
pub use caller::{Caller, Credentials, Namespace};
pub use cofferdam_nsenter::{Set, Spot};
pub use cofferdam_seccomp::Arch;
pub use cofferdam_sys::Errno;
pub use error::{Error, Result};
pub use listener::{Listener, Received};
pub use memory::{Memory, PATH_MAX};
pub use registry::{Handler, Middleware, Next, Registry};
pub use request::Request;
pub use service::{Limits, Service};
pub use system::SystemNames;
