//! Learning a profile: what a workload calls is counted, and the smallest profile that allows it is written.
//!
//! Called by the command `learn`. Every call is a notification that is answered with "go on": nothing is decided, so
//! the race between looking and going on, which makes continuing unsafe elsewhere, has nobody to cheat. In exchange
//! every call is counted, whoever of the workload's processes makes it, with its arguments: the audit log
//! (`SCMP_ACT_LOG`) drops messages when there are many, and ptrace(2) stops each call twice and takes the place of
//! the workload's own debugger.

mod bundle;
mod count;
mod docker;
mod document;
mod report;
mod watch;

pub(crate) use bundle::{another, bundle};
pub(crate) use count::Counts;
pub(crate) use document::profile;
pub(crate) use report::report;
pub(crate) use watch::{command, under_watch};
