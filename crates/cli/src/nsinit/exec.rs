//! `exec`: starts a container, or enters the one that runs.

use cofferdam::ErrorKind;
use cofferdam_nsinit::namespaces::{
    self, default_create_command, default_setup_command, systemd_create_command,
};
use cofferdam_nsinit::{Config, State};
use std::cell::OnceCell;
use std::path::Path;

use super::config::{self, Source};
use super::functions::{self, Function};
use super::place::{Place, Which, of_process};
use super::setting::Setting;
use super::{attend, process::Process};
use crate::failure::{Failure, Outcome};
use crate::foreground::Signals;

/// It is there where systemd runs, see sd_booted(3).
const SYSTEMD: &str = "/run/systemd/system";

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
    /// Let systemd make the cgroups, where it runs
    #[arg(long)]
    systemd: bool,
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    process: Process,
    #[command(flatten)]
    source: Source,
    /// Program and arguments [default: those of the configuration], or the function's
    #[arg(value_name = "PROGRAM", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Exec {
    pub(super) fn execute(mut self, setting: &Setting) -> Outcome {
        if self.list {
            return functions::list();
        }
        if self.systemd && !Path::new(SYSTEMD).is_dir() {
            setting.log.warning("this host does not run systemd: the cgroups are made without it");
            self.systemd = false;
        }
        if let Some(pid) = setting.nspid {
            let state = of_process(setting, pid)?;
            let file =
                self.source.config.as_deref().map(|file| config::read(file, &setting.log)).transpose()?;
            return self.enter(setting, &state, file.unwrap_or_default());
        }
        let place = Place::to_start(setting, &self.which, self.source.config.is_some())?;
        let kept = if self.source.config.is_none() { place.kept()? } else { None };
        if let Some((state, config)) = kept {
            return self.enter(setting, &state, config);
        }
        let config = self.source.configuration(&place, &self.which, &setting.log)?;
        let place = place.outside(setting, &config.root_fs)?;
        self.start_or_enter(setting, &place, config)
    }

    fn start_or_enter(&mut self, setting: &Setting, place: &Place, mut config: Config) -> Outcome {
        let mut beaten = None;
        for _ in 0..TRIES {
            if let Some(state) = place.state()?.filter(State::is_alive) {
                return self.enter(setting, &state, config);
            }
            if self.func != Function::Exec {
                place.running()?;
            }
            self.prepare(&mut config)?;
            if config.root_fs.is_empty() {
                config.root_fs = config::here()?;
            }
            match self.start(setting, place, &config)? {
                Ok(status) => return Ok(status),
                Err(error) => beaten = Some(error),
            }
        }
        Err(beaten.unwrap_or_else(|| Failure::new("the container neither runs nor can it be started")))
    }

    /// Puts the flags into a configuration, and its program into the words where these name none.
    fn prepare(&mut self, config: &mut Config) -> Result<(), Failure> {
        self.process.change(config)?;
        if self.words.is_empty() {
            self.words = std::mem::take(&mut config.args);
        }
        if self.words.is_empty() {
            return Err(Failure::new("there is no program to run (hint: exec PROGRAM [ARG]...)"));
        }
        Ok(())
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
            let make = if self.systemd { systemd_create_command } else { default_create_command };
            let mut command = make(config, console, data, args)?;
            command.store(setting.store.clone()).name_service(crate::options::name_service());
            Ok(command)
        };
        let (io, args) = (attend::io(host.as_ref()), &self.words);
        let status =
            namespaces::exec(config, io, place.dir(), args, &create, &default_setup_command, |child| {
                if let Err(failure) = place.keep(child.container(), config) {
                    setting.log.warning(failure.message());
                }
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

    fn enter(&mut self, setting: &Setting, state: &State, mut config: Config) -> Outcome {
        if self.source.create.any() {
            setting.log.warning("the container runs already: flags that say how it is made mean nothing now");
        }
        match self.func {
            Function::Mknod => functions::mknod(&functions::target(state)?, &self.words),
            Function::Ip => functions::ip(&functions::target(state)?, &self.words),
            Function::Exec => {
                self.prepare(&mut config)?;
                attend::enter(setting, state, &config, &self.words, setting.console.as_deref())
            }
        }
    }
}
