//! The end: execve(2).

use core::ffi::CStr;

use cofferdam_sys::{Errno, execveat, mmap};

use crate::context::{Context, Done, Path};
use crate::passwd;
use crate::wire::List;

pub(crate) fn exec(c: &mut Context, argv: List<'_>, env: List<'_>, home: bool, uid: u32) -> Done {
    let mut home_line = Path::new();
    if home {
        passwd::home(uid, &mut home_line)?;
    }
    let extra = if home { Some(home_line.c_str()?) } else { None };
    let argv = mmap::vector(argv.count(), argv.iter())?;
    let count = env.count().saturating_add(usize::from(extra.is_some()));
    let env = mmap::vector(count, env.iter().chain(extra))?;
    Err(execveat::execve(c.found.c_str()?, &argv, &env).into())
}

/// Executes `path` where its failure is all that can be told (hooks).
pub(crate) fn replace(path: &CStr, argv: List<'_>, env: List<'_>) -> Errno {
    let vectors = mmap::vector(argv.count(), argv.iter())
        .and_then(|argv| Ok((argv, mmap::vector(env.count(), env.iter())?)));
    match vectors {
        Ok((argv, env)) => execveat::execve(path, &argv, &env),
        Err(e) => e,
    }
}
