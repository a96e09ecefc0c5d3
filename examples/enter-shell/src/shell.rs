//! The module that runs a command inside: in a copy of this program that has joined the container. Called by the
//! helper; it knows nothing but what the wish says.

use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use cofferdam_nsenter::{Module, ModuleError};
use serde::{Deserialize, Serialize};

/// The module's name.
pub(crate) const NAME: &str = "run";

/// What shells look programs up in, where nobody has said anything.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is to be run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Wish {
    pub(crate) command: Vec<String>,
    /// A terminal of the container's, which the command gets instead of our streams.
    pub(crate) terminal: Option<String>,
}

/// Takes a wish, gives the command's status as shells say it.
pub(crate) fn module() -> Module {
    Module::typed(NAME, run)
}

fn run(wish: Wish) -> Result<i32, ModuleError> {
    let (program, arguments) = wish.command.split_first().ok_or("there is no command")?;
    let mut command = Command::new(program);
    command.args(arguments).env_clear().env("PATH", PATH).env("TERM", "xterm");
    if let Some(path) = &wish.terminal {
        let [stdin, stdout, stderr] = control(path)?;
        command.stdin(stdin).stdout(stdout).stderr(stderr);
    }
    match command.status() {
        Ok(status) => Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default())),
        Err(e) => Err(format!("{program}: {e}").into()),
    }
}

/// Opens the terminal as the leader of a session, whose controlling terminal it becomes: keys that signal work,
/// and everybody inside is told when it goes away.
fn control(path: &str) -> io::Result<[Stdio; 3]> {
    rustix::process::setsid()?;
    let terminal = File::options().read(true).write(true).open(path)?;
    Ok([terminal.try_clone()?.into(), terminal.try_clone()?.into(), terminal.into()])
}
