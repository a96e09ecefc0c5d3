//! DefaultCreateCommand and DefaultSetupCommand, and the types of a caller's own.
//!
//! Called by Exec, or by a caller's own function that starts from them.

use std::path::Path;

use cofferdam::oci::Spec;
use cofferdam::{Bundle, Command, Container, CreateOptions, Error, Result, TerminalSize};

use crate::Config;

/// What Exec starts a container with: a function of the configuration, the terminal's size where one is
/// wanted, the data directory and the program's arguments.
///
/// libcontainer's made the process that becomes the init; here that process is the core's sealed child, and
/// what is made is the [`Command`] that says everything about it.
pub type CreateCommand<'a> = dyn Fn(&Config, Option<TerminalSize>, &Path, &[String]) -> Result<Command> + 'a;

/// What Exec calls for a container with a user namespace, once its state is saved and before its program
/// runs, with the rights of the caller: the place for what root in the container may not do.
pub type SetupCommand<'a> = dyn Fn(&Config, &Path, &Container) -> Result<()> + 'a;

/// libcontainer's `DefaultCreateCommand`: the configuration's container, killed when the thread that starts it
/// ends.
///
/// # Errors
/// All that is wrong with the configuration; a user that the container's files do not know.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::default_create_command};
/// let config = Config::parse(&std::fs::read("/srv/box/container.json")?)?;
/// let command = default_create_command(&config, None, "/var/lib/box".as_ref(), &["true".into()])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn default_create_command(
    config: &Config,
    _console: Option<TerminalSize>,
    data_path: &Path,
    args: &[String],
) -> Result<Command> {
    made(config, data_path, args, false)
}

/// As [`default_create_command`], with systemd as the maker of the cgroups, in the configuration's slice.
///
/// # Errors
/// As [`default_create_command`]; a host without systemd is told of when the container is made.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::systemd_create_command};
/// let config = Config::parse(&std::fs::read("/srv/box/container.json")?)?;
/// let command = systemd_create_command(&config, None, "/var/lib/box".as_ref(), &["true".into()])?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn systemd_create_command(
    config: &Config,
    _console: Option<TerminalSize>,
    data_path: &Path,
    args: &[String],
) -> Result<Command> {
    made(config, data_path, args, config.cgroups.is_some())
}

fn made(config: &Config, data_path: &Path, args: &[String], systemd: bool) -> Result<Command> {
    const SIGKILL: u32 = 9;
    let (bundle, options) = bundle(config, data_path, args, systemd)?;
    let env = bundle.spec.process.as_ref().map(|process| process.env.clone()).unwrap_or_default();
    let mut command = Command::from(bundle);
    for beside in super::mount_commands::mount_commands(config, &env)? {
        command.mount_command(beside);
    }
    command
        .no_cgroups(options.no_cgroups)
        .systemd_cgroup(options.systemd_cgroup)
        .no_pivot(options.no_pivot)
        .parent_death_signal(config.parent_death_signal.unwrap_or(SIGKILL));
    Ok(command)
}

/// The configuration's container, and what of it is not in its bundle.
pub(super) fn bundle(
    config: &Config,
    data_path: &Path,
    args: &[String],
    systemd: bool,
) -> Result<(Bundle, CreateOptions)> {
    let root = std::path::absolute(&config.root_fs)
        .map_err(|e| Error::io("finding the root filesystem", &config.root_fs, &e))?;
    let dir =
        std::path::absolute(data_path).map_err(|e| Error::io("finding the data directory", data_path, &e))?;
    let finish = |spec: &mut Spec| {
        if let Some(process) = &mut spec.process {
            // It is the caller who wants one, or not.
            process.terminal = false;
        }
        if let Some(own) = &mut spec.root {
            own.path = root.display().to_string();
        }
        if let (true, Some(linux), Some(cgroups)) = (systemd, &mut spec.linux, &config.cgroups) {
            linux.cgroups_path = Some(cgroups.systemd_path());
        }
    };
    let options = CreateOptions {
        no_cgroups: config.cgroups.is_none(),
        systemd_cgroup: systemd,
        no_pivot: config.mount_config.as_ref().is_some_and(|m| m.no_pivot_root),
        ..CreateOptions::default()
    };
    let spec = super::judge::spec(config, &root, args, finish, &options)?;
    Ok((Bundle::from_spec(dir, spec), options))
}

/// libcontainer's `DefaultSetupCommand`: [`super::setup_container`].
///
/// # Errors
/// As [`super::setup_container`].
///
/// ```no_run
/// # fn f(config: &cofferdam_nsinit::Config, container: &cofferdam::Container) -> cofferdam::Result<()> {
/// cofferdam_nsinit::namespaces::default_setup_command(config, "/var/lib/box".as_ref(), container)
/// # }
/// ```
pub fn default_setup_command(config: &Config, data_path: &Path, _container: &Container) -> Result<()> {
    super::setup_container(config, data_path)
}
