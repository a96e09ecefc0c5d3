//! Flags that `create` and `run` share, and what of the caller's environment goes along.

use cofferdam::{Bundle, CreateOptions, NameService, TerminalMode};
use std::path::{Path, PathBuf};

use crate::context::Context;
use crate::failure::Failure;

/// How a container is made.
#[derive(Debug, clap::Args)]
pub(crate) struct CreateFlags {
    /// Directory with config.json [default: the current directory]
    #[arg(short, long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Unix socket that receives the terminal's master end
    #[arg(long, value_name = "SOCKET")]
    console_socket: Option<PathBuf>,
    /// Unix socket that receives a pidfd of the container's process
    #[arg(long, value_name = "SOCKET")]
    pidfd_socket: Option<PathBuf>,
    /// File to write the process id to
    #[arg(long, value_name = "FILE")]
    pid_file: Option<PathBuf>,
    /// Change the root by moving a mount instead of pivot_root, for a host whose root is a ramdisk
    #[arg(long)]
    no_pivot: bool,
    /// Keep the caller's session keyring
    #[arg(long)]
    no_new_keyring: bool,
    /// Pass N more file descriptors to the container, after standard error and those of LISTEN_FDS
    #[arg(long, value_name = "N", default_value_t = 0)]
    preserve_fds: u32,
}

impl CreateFlags {
    pub(crate) fn bundle(&self) -> Result<Bundle, Failure> {
        Ok(Bundle::open(self.bundle.as_deref().unwrap_or_else(|| Path::new(".")))?)
    }

    /// Whether an engine waits for the terminal, which it only does when the command returns early.
    pub(crate) fn has_console_socket(&self) -> bool {
        self.console_socket.is_some()
    }

    /// The library's options. `detach` says whether the command returns while the container lives.
    pub(crate) fn into_options(
        self,
        context: &Context,
        bundle: &Bundle,
        detach: bool,
    ) -> Result<CreateOptions, Failure> {
        let wanted = bundle.spec.process.as_ref().is_some_and(|process| process.terminal);
        let terminal = terminal_mode(wanted, detach, self.console_socket.is_some())?;
        Ok(CreateOptions {
            console_socket: self.console_socket,
            pid_file: self.pid_file,
            pidfd_socket: self.pidfd_socket,
            preserve_fds: self.preserve_fds,
            no_pivot: self.no_pivot,
            no_new_keyring: self.no_new_keyring,
            systemd_cgroup: context.systemd_cgroup,
            no_cgroups: context.no_cgroups,
            rootless: context.rootless,
            notify_socket: notify_socket(),
            listen_fds: listen_fds(),
            terminal,
            name_service: name_service(),
            ..CreateOptions::default()
        })
    }
}

/// The word by which this command starts itself to find out names for a container; it is no command.
pub(crate) const NAME_SERVICE: &str = "name-service";

/// A program of its own: this one may end before the container does.
pub(crate) fn name_service() -> NameService {
    NameService::Program("/proc/self/exe".into(), vec![NAME_SERVICE.into()])
}

/// Who keeps the master end of the terminal: the engine behind the socket, or this command.
pub(crate) fn terminal_mode(wanted: bool, detach: bool, socket: bool) -> Result<TerminalMode, Failure> {
    match (wanted, detach, socket) {
        (true, true, false) => Err(Failure::new(
            "cannot allocate tty if cofferdam will detach without setting console socket \
             (hint: give --console-socket, or set process.terminal to false)",
        )),
        (false, _, true) | (true, false, true) => {
            Err(Failure::new("cannot use console socket if cofferdam will not detach or allocate tty"))
        }
        (true, false, false) => Ok(TerminalMode::Relayed),
        (true, true, true) | (false, _, false) => Ok(TerminalMode::Socket),
    }
}

/// The service manager's socket, see sd_notify(3).
pub(crate) fn notify_socket() -> Option<PathBuf> {
    std::env::var_os("NOTIFY_SOCKET").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// The number of sockets that a service manager passed to this process, see sd_listen_fds(3).
fn listen_fds() -> u32 {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u32>().ok());
    if number("LISTEN_PID") == Some(std::process::id()) { number("LISTEN_FDS").unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_one_keeper() {
        assert_eq!(terminal_mode(true, false, false).unwrap(), TerminalMode::Relayed);
        assert_eq!(terminal_mode(true, true, true).unwrap(), TerminalMode::Socket);
        assert_eq!(terminal_mode(false, true, false).unwrap(), TerminalMode::Socket);
        assert!(terminal_mode(true, true, false).is_err());
        assert!(terminal_mode(true, false, true).is_err());
        assert!(terminal_mode(false, true, true).is_err());
    }
}
