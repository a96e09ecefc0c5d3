//! `exec`: starts a container, or enters the one that runs.

use cofferdam::ErrorKind;
use cofferdam_nsinit::namespaces::{self, default_create_command, default_setup_command};
use cofferdam_nsinit::{Config, State};
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::functions::{self, Function};
use super::place::{Place, Which, of_process};
use super::setting::Setting;
use super::{attend, config};
use crate::failure::{Failure, Outcome};
use crate::foreground::Signals;
use crate::raw_terminal::RawTerminal;

/// How often a container that another one starts and ends meanwhile is tried for.
const TRIES: u32 = 16;

/// Start a container and run a program in it, or in the one that runs already
///
/// Signals are passed on to the program; its status is the command's, or 128 and the number of the signal that
/// ended it. What was started is gone when its program has ended. In a container that runs, PROGRAM is run as
/// the configuration says it, changed by the flags.
#[derive(Debug, clap::Args)]
pub(super) struct Exec {
    /// List the functions that --func knows
    #[arg(long)]
    list: bool,
    /// What to do in a container that runs: exec, ip, or mknod PATH TYPE MAJOR MINOR
    #[arg(long, value_name = "NAME", default_value = "exec", value_parser = Function::parse)]
    func: Function,
    /// Let systemd make the cgroups, if it can; it cannot in this version, which then makes them itself
    #[arg(long)]
    systemd: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    process: Process,
    /// Program and arguments, or the function's
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// The process, as far as the configuration does not say it.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Process {
    /// Give the program a terminal
    #[arg(short, long)]
    tty: bool,
    /// Who the program runs as, by the container's /etc/passwd and /etc/group
    #[arg(short, long, value_name = "USER[:GROUP]")]
    user: Option<String>,
    /// Directory that the program starts in
    #[arg(long, value_name = "DIR")]
    cwd: Option<String>,
    /// Set an environment variable (may be repeated)
    #[arg(long, value_name = "NAME=VALUE")]
    env: Vec<String>,
}

impl Exec {
    pub(super) fn execute(self, setting: &Setting) -> Outcome {
        if self.list {
            return functions::list();
        }
        if self.systemd {
            setting.log.warning(
                "systemd cannot make cgroups for this version of cofferdam, which makes them itself",
            );
        }
        if let Some(pid) = setting.nspid {
            let mut config = self.source.config.as_deref().map(|file| config::read(file, &setting.log));
            let mut config = config.take().transpose()?.unwrap_or_default();
            self.process.change(&mut config)?;
            return self.enter(setting, &of_process(setting, pid)?, &config);
        }
        let place = Place::to_start(setting, &self.which, self.source.config.is_some())?;
        let mut config = self.source.configuration(&place, &self.which, &setting.log)?;
        self.process.change(&mut config)?;
        let place = place.outside(setting, &config.root_fs)?;
        self.start_or_enter(setting, &place, config)
    }

    fn start_or_enter(&self, setting: &Setting, place: &Place, mut config: Config) -> Outcome {
        let mut beaten = None;
        for _ in 0..TRIES {
            if let Some(state) = place.state()?.filter(State::is_alive) {
                return self.enter(setting, &state, &config);
            }
            if self.func != Function::Exec {
                place.running()?;
            }
            if config.root_fs.is_empty() {
                config.root_fs = here()?;
            }
            match self.start(setting, place, &config)? {
                Ok(status) => return Ok(status),
                Err(error) => beaten = Some(error),
            }
        }
        Err(beaten.unwrap_or_else(|| Failure::new("the container neither runs nor can it be started")))
    }

    /// Starts a container and stays with it. The inner error: another one was faster, or has just ended.
    fn start(&self, setting: &Setting, place: &Place, config: &Config) -> Result<Outcome, Failure> {
        let host = Process::terminal(config, setting.console.as_deref())?;
        place.make()?;
        let (signals, mut outcome) = (OnceCell::new(), None);
        let create = |config: &Config, console, data: &Path, args: &[String]| {
            // Not before: who waits for another one to start can be interrupted.
            let taken = Signals::take();
            let taken =
                taken.map_err(|failure| cofferdam::Error::new(ErrorKind::System, failure.message()))?;
            let _ = signals.set(taken);
            let mut command = default_create_command(config, console, data, args)?;
            command.store(setting.store.clone());
            Ok(command)
        };
        let (io, args) = (attend::io(host.as_ref()), &self.words);
        let status =
            namespaces::exec(config, io, place.dir(), args, &create, &default_setup_command, |child| {
                outcome = signals.get().map(|signals| attend::attend(child, signals, host, &setting.log));
            });
        place.unmake();
        match (status, outcome) {
            (Err(error), None) if [ErrorKind::AlreadyExists, ErrorKind::NotFound].contains(&error.kind()) => {
                Ok(Err(error.into()))
            }
            (Err(error), _) => Err(error.into()),
            (Ok(status), outcome) => Ok(Ok(outcome.unwrap_or(Ok(status))?)),
        }
    }

    fn enter(&self, setting: &Setting, state: &State, config: &Config) -> Outcome {
        match self.func {
            Function::Mknod => functions::mknod(&functions::target(state)?, &self.words),
            Function::Ip => functions::ip(&functions::target(state)?, &self.words),
            Function::Exec => enter(setting, state, config, &self.words, setting.console.as_deref()),
        }
    }
}

/// The current directory, which is the root file system where nothing else is said.
fn here() -> Result<String, Failure> {
    let here = std::env::current_dir().map_err(|error| Failure::io("find the current directory", &error))?;
    let here = here.to_str().filter(|here| *here != "/");
    here.map(str::to_owned).ok_or_else(|| {
        Failure::new(
            "no root file system is named, and the current directory can be none (hint: give root_fs)",
        )
    })
}

/// Runs a program in a container and stays with it.
pub(super) fn enter(
    setting: &Setting,
    state: &State,
    config: &Config,
    args: &[String],
    console: Option<&Path>,
) -> Outcome {
    let host = Process::terminal(config, console)?;
    let signals = Signals::take()?;
    let mut outcome = None;
    let status = namespaces::exec_in(config, state, args, attend::io(host.as_ref()), |child| {
        outcome = Some(attend::attend(child, &signals, host, &setting.log));
    })?;
    outcome.unwrap_or(Ok(status))
}

impl Process {
    fn change(&self, config: &mut Config) -> Result<(), Failure> {
        config.tty |= self.tty;
        if let Some(user) = &self.user {
            config.user.clone_from(user);
        }
        if let Some(cwd) = &self.cwd {
            config.working_dir.clone_from(cwd);
        }
        for variable in &self.env {
            let name = variable.split_once('=').map(|(name, _)| name).filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Failure::new(format!("--env {variable:?} is not NAME=VALUE")))?;
            config.environment.retain(|own| own.split('=').next() != Some(name));
            config.environment.push(variable.clone());
        }
        Ok(())
    }

    /// The caller's terminal, if the program is to have one of its own.
    fn terminal(config: &Config, console: Option<&Path>) -> Result<Option<RawTerminal>, Failure> {
        console.map(attend::take_console).transpose()?;
        (config.tty || console.is_some()).then(RawTerminal::find).transpose()
    }
}
