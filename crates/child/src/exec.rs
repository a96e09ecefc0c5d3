//! The end: execve(2).

use core::ffi::CStr;

use cofferdam_sys::{Errno, execveat, mmap, open};

use crate::context::{Context, Done};
use crate::passwd;
use crate::wire::List;

/// Keeps the user's home directory for [`exec`], while files can still be opened: a limit on their
/// number comes later.
pub(crate) fn home(c: &mut Context, uid: u32) -> Done {
    Ok(passwd::home(uid, &mut c.home)?)
}

pub(crate) fn exec(c: &mut Context, argv: List<'_>, env: List<'_>) -> Done {
    let home = if c.home.bytes().is_empty() { None } else { Some(c.home.c_str()?) };
    let argv = mmap::vector(argv.count(), argv.iter())?;
    let count = env.count().saturating_add(usize::from(home.is_some()));
    let env = mmap::vector(count, env.iter().chain(home))?;
    Err(execveat::execve(c.found.c_str()?, &argv, &env).into())
}

/// As [`exec`], of what a descriptor names: it need not be visible in this mount namespace.
pub(crate) fn exec_fd(c: &Context, fd: i32, control: i32, argv: List<'_>, env: List<'_>) -> Done {
    open::dup_onto(c.control, control)?;
    let argv = mmap::vector(argv.count(), argv.iter())?;
    let env = mmap::vector(env.count(), env.iter())?;
    Err(execveat::fexecve(fd, &argv, &env).into())
}

/// Executes `path`, after `last`, where its failure is all that can be told (hooks).
pub(crate) fn replace(
    path: &CStr,
    argv: List<'_>,
    env: List<'_>,
    more: Option<&CStr>,
    last: impl FnOnce() -> cofferdam_sys::Result<()>,
) -> Errno {
    let count = env.count().saturating_add(usize::from(more.is_some()));
    let vectors = mmap::vector(argv.count(), argv.iter())
        .and_then(|argv| Ok((argv, mmap::vector(count, env.iter().chain(more))?)))
        .and_then(|vectors| last().map(|()| vectors));
    match vectors {
        Ok((argv, env)) => execveat::execve(path, &argv, &env),
        Err(e) => e,
    }
}
