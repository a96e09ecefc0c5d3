//! What a caller asks for besides the configuration. Data only.

use std::os::fd::OwnedFd;
use std::path::PathBuf;

use cofferdam_oci::Process as ProcessSpec;

/// How a container is created.
///
/// ```
/// let options = cofferdam::CreateOptions { pid_file: Some("/run/x.pid".into()), ..Default::default() };
/// assert!(!options.no_pivot);
/// ```
#[derive(Debug, Default)]
#[allow(clippy::struct_excessive_bools)]
pub struct CreateOptions {
    /// Unix socket that is sent the terminal's master.
    pub console_socket: Option<PathBuf>,
    /// File that gets the process's id.
    pub pid_file: Option<PathBuf>,
    /// Unix socket that is sent the process's pidfd.
    pub pidfd_socket: Option<PathBuf>,
    /// Descriptors from 3 on that the process keeps, besides `listen_fds`.
    pub preserve_fds: u32,
    /// Do not pivot_root(2).
    pub no_pivot: bool,
    /// Do not make a session keyring.
    pub no_new_keyring: bool,
    /// cgroups by systemd.
    pub systemd_cgroup: bool,
    /// No cgroups at all: the process stays in the caller's.
    pub no_cgroups: bool,
    /// Whether missing rights are expected; absent: whether the caller is not root.
    pub rootless: Option<bool>,
    /// systemd's notify socket (`NOTIFY_SOCKET`).
    pub notify_socket: Option<PathBuf>,
    /// Number of descriptors from 3 on that systemd passed (`LISTEN_FDS`).
    pub listen_fds: u32,
    /// Standard input, output and error.
    pub stdio: Streams,
    /// Who keeps the terminal's master.
    pub terminal: TerminalMode,
    /// Whose child the first process is.
    pub parent: Parent,
    /// Signal that the first process gets when the thread that made it ends (`PR_SET_PDEATHSIG`, prctl(2)).
    /// A program with set-user-id or capabilities of its own forgets it.
    pub parent_death_signal: Option<u32>,
    /// Programs of the host's that are run beside mounts.
    pub mount_commands: Vec<MountCommand>,
    /// Who answers questions for the names in the allow-list of the container's network.
    pub name_service: crate::NameService,
}

/// A program of the host's that is run in the container's namespaces before or after one of its mounts is made,
/// while the host's files are still there to be found: what no hook of the OCI can do.
///
/// A status other than 0 is a failed start. It reads nothing, and what it says stands in the error.
///
/// ```
/// let mut command = cofferdam::Command::from_spec(cofferdam::template::spec(false));
/// command.mount_command(cofferdam::MountCommand {
///     mount: 0,
///     after: true,
///     path: "/bin/touch".into(),
///     args: vec!["touch".into(), "/srv/box/proc-is-there".into()],
///     env: vec!["PATH=/bin".into()],
///     directory: String::new(),
/// });
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MountCommand {
    /// Which of the configuration's mounts, from 0.
    pub mount: usize,
    /// Whether it is run once that is mounted, instead of before.
    pub after: bool,
    /// Absolute path of the program on the host.
    pub path: String,
    /// Its arguments, the first its name.
    pub args: Vec<String>,
    /// Its whole environment.
    pub env: Vec<String>,
    /// Where it starts; empty is the container's root.
    pub directory: String,
}

/// Whose child a container's first process is.
///
/// ```
/// assert_eq!(cofferdam::Parent::default(), cofferdam::Parent::Caller);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parent {
    /// The caller's: it is told by SIGCHLD when the process ends, and reaps it.
    #[default]
    Caller,
    /// Nobody's that the caller knows: the process is handed to init, or to the nearest subreaper
    /// (`PR_SET_CHILD_SUBREAPER`, prctl(2)), which reaps it. The caller has no child and no zombie, and gets
    /// no SIGCHLD; it can still wait, but only from Linux 6.15 on be told how the process ended.
    Nobody,
}

/// Standard input, output and error of a process, as descriptors; [`crate::Stdio`] describes one of them.
///
/// ```
/// assert!(matches!(cofferdam::Streams::default(), cofferdam::Streams::Inherit));
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub enum Streams {
    /// The caller's.
    #[default]
    Inherit,
    /// /dev/null.
    Null,
    /// These three.
    Fds([OwnedFd; 3]),
}

/// Who keeps the master of a terminal, where the process wants one.
///
/// ```
/// assert_eq!(cofferdam::TerminalMode::default(), cofferdam::TerminalMode::Socket);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum TerminalMode {
    /// Whoever listens on `console_socket`.
    #[default]
    Socket,
    /// The caller, in [`crate::Process::terminal`].
    Own,
    /// The caller, as with `Own`, to carry what is written to a terminal of its own. That one begins lines at the
    /// left, so the container's does not: it starts without `ONLCR` (termios(3)).
    Relayed,
}

/// How a process is started in a running container.
///
/// ```
/// let options = cofferdam::ExecOptions { ignore_paused: true, ..Default::default() };
/// assert!(options.cgroup.is_empty());
/// ```
#[derive(Debug, Default)]
pub struct ExecOptions {
    /// What runs.
    pub process: ProcessSpec,
    /// As in [`CreateOptions`].
    pub console_socket: Option<PathBuf>,
    /// As in [`CreateOptions`].
    pub pid_file: Option<PathBuf>,
    /// As in [`CreateOptions`].
    pub pidfd_socket: Option<PathBuf>,
    /// As in [`CreateOptions`].
    pub preserve_fds: u32,
    /// Do not fail in a paused container: the process waits.
    pub ignore_paused: bool,
    /// Sub-cgroups, `[CONTROLLER[,CONTROLLER…]:]PATH` each.
    pub cgroup: Vec<String>,
    /// As in [`CreateOptions`].
    pub stdio: Streams,
    /// As in [`CreateOptions`].
    pub terminal: TerminalMode,
}
