//! `exec`: another process in a running container.

use cofferdam::{ExecOptions, Process, Streams, TerminalMode, oci};
use std::path::{Path, PathBuf};

use super::run::attend;
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::foreground::Signals;
use crate::options::terminal_mode;
use crate::raw_terminal::{RawTerminal, lend_size};

/// The exit code of an `exec` that ran nothing, so that it differs from most programs' own.
const NOTHING_RAN: i32 = 255;

/// Run another process in a container
///
/// The process is the one of config.json with COMMAND in place of its own, changed by the flags; or the
/// whole of it is read from a file (--process).
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "cofferdam exec [OPTIONS] <CONTAINER_ID> <COMMAND> [ARG]...\n       cofferdam exec [OPTIONS] --process FILE <CONTAINER_ID>"
)]
pub(crate) struct Exec {
    /// Unix socket that receives the terminal's master end
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// Unix socket that receives a pidfd of the process
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// Working directory in the container
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Set an environment variable (may be repeated)
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Give the process a terminal
    #[arg(short, long)]
    tty: bool,
    /// User id, perhaps with a group id
    #[arg(short, long, value_name = "UID[:GID]")]
    user: Option<String>,
    /// Add a supplementary group id (may be repeated)
    #[arg(short = 'g', long, value_name = "GID")]
    additional_gids: Vec<u32>,
    /// File with the process as JSON, as in config.json
    #[arg(short, long, value_name = "FILE")]
    process: Option<PathBuf>,
    /// Return once the process runs
    #[arg(short, long)]
    detach: bool,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// SELinux label of the process
    #[arg(long, value_name = "LABEL")]
    process_label: Option<String>,
    /// AppArmor profile of the process
    #[arg(long, value_name = "PROFILE")]
    apparmor: Option<String>,
    /// Set no_new_privs for the process
    #[arg(long)]
    no_new_privs: bool,
    /// Add a capability (may be repeated)
    #[arg(short, long, value_name = "CAP")]
    cap: Vec<String>,
    /// Pass N more file descriptors to the process, after standard error
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u32,
    /// Put the process into an existing cgroup below the container's (may be repeated with controllers)
    #[arg(long, value_name = "[CONTROLLER,...:]PATH")]
    cgroup: Vec<String>,
    /// Go on although the container is paused
    #[arg(long)]
    ignore_paused: bool,
    /// Name of the container
    container_id: String,
    /// Program and arguments
    #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl Exec {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        self.run(context).map_err(|failure| failure.during("exec failed").with_code(NOTHING_RAN))
    }

    fn run(self, context: &Context) -> Outcome {
        let container = context.container(&self.container_id)?;
        let process = match &self.process {
            Some(file) => self.read(file)?,
            None => self.changed(container.spec()?.process.unwrap_or_default())?,
        };
        let detach = self.detach;
        let terminal = terminal_mode(process.terminal, detach, self.console_socket.is_some())?;
        let mut options = ExecOptions {
            process,
            console_socket: self.console_socket,
            pid_file: self.pid_file,
            pidfd_socket: self.pidfd_socket,
            preserve_fds: self.preserve_fds,
            ignore_paused: self.ignore_paused,
            cgroup: self.cgroup,
            stdio: Streams::Inherit,
            terminal,
        };
        if detach {
            let process = container.exec(options)?;
            warn(context, &process);
            process.leave();
            return Ok(0);
        }
        let host = (terminal == TerminalMode::Relayed).then(RawTerminal::find).transpose()?;
        lend_size(host.as_ref(), &mut options.process);
        let signals = Signals::take()?;
        let process = container.exec(options)?;
        warn(context, &process);
        attend(&process, &signals, host, &context.log)
    }

    fn read(&self, file: &Path) -> Result<oci::Process, Failure> {
        let bytes = std::fs::read(file)
            .map_err(|error| Failure::io(format_args!("reading {}", file.display()), &error))?;
        let mut process: oci::Process =
            oci::parse(&bytes).map_err(|error| Failure::new(format!("{}: {error}", file.display())))?;
        process.terminal |= self.tty;
        Ok(process)
    }

    /// The container's own process with what the flags say in place.
    fn changed(&self, mut process: oci::Process) -> Result<oci::Process, Failure> {
        let command = self.command.strip_prefix(&["--".to_owned()]).unwrap_or(&self.command);
        if command.is_empty() {
            return Err(Failure::new("exec args cannot be empty (hint: name a command, or give --process)"));
        }
        process.args = command.to_vec();
        process.terminal = self.tty;
        process.env.extend(self.env.iter().cloned());
        process.user.additional_gids.extend(&self.additional_gids);
        process.no_new_privileges |= self.no_new_privs;
        if let Some(cwd) = &self.cwd {
            process.cwd.clone_from(cwd);
        }
        if self.apparmor.is_some() {
            process.apparmor_profile.clone_from(&self.apparmor);
        }
        if self.process_label.is_some() {
            process.selinux_label.clone_from(&self.process_label);
        }
        if let Some(user) = &self.user {
            let (uid, gid) = user_and_group(user)?;
            process.user.uid = uid;
            process.user.gid = gid.unwrap_or(process.user.gid);
        }
        if !self.cap.is_empty() {
            add_capabilities(process.capabilities.get_or_insert_default(), &self.cap);
        }
        Ok(process)
    }
}

/// What is odd in the configuration of a process that was started.
pub(super) fn warn(context: &Context, process: &Process) {
    process.warnings().iter().for_each(|warning| context.log.warning(warning));
}

/// `UID[:GID]`, as numbers.
pub(super) fn user_and_group(text: &str) -> Result<(u32, Option<u32>), Failure> {
    let number = |what, text: &str| {
        // parse() alone would take a sign.
        let digits = Some(text).filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        digits
            .and_then(|t| t.parse::<u32>().ok())
            .ok_or_else(|| Failure::new(format!("bad {what} \"{text}\" in --user: not a number")))
    };
    let (uid, gid) = text.split_once(':').map_or((text, None), |(uid, gid)| (uid, Some(gid)));
    Ok((number("uid", uid)?, gid.map(|gid| number("gid", gid)).transpose()?))
}

/// Ambient capabilities must be inheritable, which these are only where the container's own were.
fn add_capabilities(sets: &mut oci::Capabilities, more: &[String]) {
    let ambient = !sets.inheritable.is_empty();
    for set in [&mut sets.bounding, &mut sets.effective, &mut sets.permitted] {
        set.extend(more.iter().cloned());
    }
    if ambient {
        sets.ambient.extend(more.iter().filter(|cap| sets.inheritable.contains(cap)).cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        exec: Exec,
    }

    fn changed(words: &[&str]) -> oci::Process {
        let line: Line = clap::Parser::parse_from([&["x"], words].concat());
        let own = oci::Process {
            terminal: true,
            cwd: "/own".into(),
            env: vec!["A=1".into()],
            ..Default::default()
        };
        line.exec.changed(own).unwrap()
    }

    #[test]
    fn flags_change_the_containers_own_process() {
        let process = changed(&["-e", "B=2", "-u", "3:4", "-g", "5", "--cwd", "/w", "c", "ls", "-l"]);
        assert_eq!(process.args, ["ls", "-l"]);
        assert_eq!(process.env, ["A=1", "B=2"]);
        assert_eq!((process.user.uid, process.user.gid), (3, 4));
        assert_eq!(process.user.additional_gids, [5]);
        assert_eq!(process.cwd, "/w");
        assert!(!process.terminal, "a terminal is only given when asked for");
    }

    #[test]
    fn added_capabilities_are_not_inherited_unless_others_are() {
        let capabilities = changed(&["-c", "CAP_KILL", "c", "ls"]).capabilities.unwrap();
        assert_eq!(capabilities.effective, ["CAP_KILL"]);
        assert_eq!(capabilities.bounding, ["CAP_KILL"]);
        assert!(capabilities.ambient.is_empty() && capabilities.inheritable.is_empty());
    }

    #[test]
    fn a_user_is_a_number() {
        assert!(user_and_group("root").is_err());
        assert!(user_and_group("1:x").is_err());
        assert_eq!(user_and_group("7").unwrap(), (7, None));
    }
}
