//! From an OCI seccomp profile to the BPF program that the kernel takes.
//!
//! Called by `plan` (to compile the profile before the clone) and by the command line (`features`, `explain`).
//! It computes: no kernel, no files, no `unsafe`, no libseccomp.
//!
//! The way of a profile, one module a step:
//!
//! 1. `check` reads the document and collects every rejection with its JSON pointer; what remains is the IR (`ir`).
//! 2. `lower` (with `uses` and `mux`) makes one table a kernel ABI: ranges of call numbers, each with an action
//!    or a chain of rules.
//! 3. `newer` answers ENOSYS to calls newer than the profile (see there for why).
//! 4. `chain` and `search` write the instructions through `assemble`: a balanced search on the call number, so
//!    that the cost of a call grows with the logarithm of the profile.
//!
//! What a profile means is what libseccomp and runc make it mean; the differences are named in `lower`.
//!
//! ```
//! use cofferdam_oci::{Pointer, Seccomp};
//! use cofferdam_seccomp::{Arch, SeccompData, compile, interpret};
//!
//! let profile: Seccomp = serde_json::from_str(
//!     r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}"#,
//! ).unwrap();
//! let filter = compile(&profile, &Pointer::new("/linux/seccomp"), Arch::X86_64).unwrap();
//! let mkdir = Arch::X86_64.call_number("mkdir").unwrap();
//! let data = SeccompData::new(Arch::X86_64, mkdir, [0; 6]);
//! assert_eq!(interpret::run(&filter, &data), 0x0005_0001); // SECCOMP_RET_ERRNO | EPERM
//! ```

#![forbid(unsafe_code)]

mod arch;
mod assemble;
pub mod baseline;
mod chain;
mod check;
pub mod explain;
mod filter;
pub mod interpret;
mod ir;
mod lower;
mod mux;
mod newer;
mod search;
mod table;
mod uses;
mod words;

pub use arch::{Arch, known_archs};
pub use check::compile;
#[doc(hidden)]
pub use check::compile_plain;
pub use filter::{Filter, Instruction};
pub use interpret::SeccompData;
pub use words::{known_actions, known_flags, known_operators};
