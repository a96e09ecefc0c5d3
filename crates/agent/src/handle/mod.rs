//! Carrying out what the policy decided, for one call.
//!
//! Called by `serve`. What a rule may look at is in the policy; here is what is done: arguments are read once
//! (`Request::call`), judged, and acted upon as they were read, by helpers in the caller's namespaces
//! (`cofferdam_notify::Actors`). Whatever fails on the way is an errno for the caller.

mod facts;
mod files;
mod group;
mod mounts;
mod network;
mod programs;
pub(crate) mod users;

use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;

use cofferdam_notify::{Actor, Actors, Answer, Request, Result};

use cofferdam_sys::ioctl_ns;
pub(crate) use group::Group;
pub(crate) use mounts::Line;

use crate::policy::{Action, Container};

/// What handlers need to know of a container.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) container: Container,
    /// The processes that belong together.
    pub(crate) group: Group,
    /// What its runtime mounted came before.
    pub(crate) line: Line,
    /// Its user namespace.
    pub(crate) home: Option<cofferdam_notify::Namespace>,
    /// Who acts in its namespaces.
    pub(crate) actors: Actors,
    /// When its listener came.
    pub(crate) since: std::time::Instant,
}

/// Why rights over the host are not lent to everybody in a container.
const NOT_HOME: &str = "the caller is in a user namespace that the container made";

impl Context {
    /// Whether a caller is in the container's user namespace, and not in one that it made itself, where everybody has
    /// every capability: rights over the host's are lent to the former only.
    fn is_home(&self, actor: &Actor<'_>) -> Result<bool> {
        Ok(self.home.is_some() && self.home == Some(actor.caller().namespace("user")?))
    }
}

/// A container's user namespace: the owner of its PID namespace. The container may run already, and its first process
/// may have gone into another user namespace; the PID namespace that it is in it cannot change.
pub(crate) fn user_namespace(pid1: i32) -> Option<cofferdam_notify::Namespace> {
    let processes = std::fs::File::open(format!("/proc/{pid1}/ns/pid")).ok()?;
    let owner = ioctl_ns::owner(processes.as_raw_fd()).ok()?;
    let meta = std::fs::File::from(OwnedFd::from(owner)).metadata().ok()?;
    Some(meta.ino())
}

/// The answer, and what the audit log is told of it.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) answer: Answer,
    pub(crate) reason: String,
}

impl From<Answer> for Done {
    fn from(answer: Answer) -> Self {
        Self { answer, reason: String::new() }
    }
}

/// Does it.
pub(crate) fn carry_out(action: &Action, context: &Context, request: &Request) -> Result<Done> {
    Ok(match action {
        Action::Errno { errno, reason } => {
            Done { answer: Answer::Errno(*errno), reason: reason.clone().unwrap_or_default() }
        }
        Action::Return { value } => Answer::Value(*value).into(),
        Action::Continue { because } => {
            Done { answer: Answer::proceed(because.clone()), reason: because.clone() }
        }
        Action::Kill => context.group.kill(request)?,
        Action::Freeze => context.group.freeze(request)?,
        Action::Mkdir { suffix } => files::mkdir(suffix, context, request)?,
        Action::Mknod { devices } => files::mknod(devices, context, request)?,
        Action::Mount(rule) => mounts::mount(rule, context, request)?,
        Action::Chown { uids, gids } => files::chown(uids, gids, context, request)?,
        Action::Setxattr { names, max_size } => files::setxattr(names, *max_size, context, request)?,
        Action::Open { files } => files::open(files, request)?,
        Action::Network { allow } => network::reach(allow, context, request)?,
        Action::Sysinfo => facts::sysinfo(context, request)?,
        Action::Uname(names) => facts::uname(names, request)?,
        Action::Delay { paths, delay } => programs::delay(paths, *delay, request)?,
        Action::Sidecars { containers, delay } => programs::sidecars(containers, *delay, context, request),
    })
}

/// A refusal with its reason.
fn refuse(errno: cofferdam_notify::Errno, reason: impl Into<String>) -> Done {
    Done { answer: Answer::Errno(errno), reason: reason.into() }
}
