//! Runs code inside another process's namespaces, from any thread of any program.
//!
//! Called by programs that supervise containers: seccomp agents, debuggers, network plugins. It decides which
//! handles of the target are joined and in which order; the joining itself is done by a process of its own,
//! never by the caller's.
//!
//! 1. [`Target::open`] opens the handles: eight namespaces, root, working directory, pidfd.
//! 2. [`Target::recheck`] asks whether it is still the process that was meant; a number may have changed hands.
//! 3. [`Target::enter`] says what is entered and as whom; [`Inside`] is what can be done there.
//!
//! Built-in operations (mkdir, mount, open…) are run by Cofferdam's child program. A [`Module`], a function of
//! the caller's, is run by the caller's own program, started again: see [`init`]. Either makes a process for
//! each call, or, as a [`Resident`], for the first one only.
//!
//! The other direction, a program that is started the way runc starts its init, is [`bootstrap`].
//!
//! ```no_run
//! use cofferdam_nsenter::{Error, Inside, Module, Target, init};
//!
//! fn main() -> Result<(), Error> {
//!     // First of all: in a helper this does not return.
//!     init([Module::typed("count", |dir: String| Ok(std::fs::read_dir(dir)?.count()))]);
//!
//!     let (pid, still_the_one) = (4711, || true);
//!     let target = Target::open(pid)?.recheck(|_| still_the_one())?;
//!     let inside = target.enter().resident();
//!     inside.mkdir("/var/cache/example", 0o755)?;
//!     let entries: usize = inside.call("count", &"/var/cache")?;
//!     match inside.run("count", b"no JSON") {
//!         Err(Error::Module(e)) => println!("{entries} entries; then {}", e.message),
//!         other => println!("{other:?}"),
//!     }
//!     Ok(())
//! }
//! ```

pub mod bootstrap;

mod enter;
mod error;
mod guise;
mod helper;
mod identity;
mod inside;
mod join;
mod module;
mod mount;
mod open_how;
mod resident;
mod set;
mod speech;
mod spot;
mod target;
mod worker;

pub use cofferdam_net::Interface;
#[doc(hidden)]
pub use cofferdam_sys::constructor as __constructor;
pub use enter::Enter;
pub use error::{Crash, Error, ModuleError, Result};
pub use guise::{Disguised, Guise};
pub use helper::init;
pub use inside::Inside;
pub use module::Module;
pub use mount::Mount;
pub use open_how::Open;
pub use resident::Resident;
pub use set::Set;
pub use spot::Spot;
pub use target::Target;
