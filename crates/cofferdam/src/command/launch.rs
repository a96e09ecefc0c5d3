//! A container about to be made: everything that a [`super::Command`] says, decided and opened, so that it
//! can be made on another thread.

use crate::create::{self, Until};
use crate::options::{CreateOptions, Streams, TerminalMode};
use crate::{Bundle, Container, ContainerId, Error, ErrorKind, Result, Store};

use super::Command;
use super::child::{Child, Ownership};
use super::pipes::TerminalSize;
use super::prepared::Prepared;
use super::stdio::{self, Ends, Stdio};

/// What a process is connected to.
#[derive(Clone, Debug, Default)]
pub(super) struct Wiring {
    pub(super) stdin: Option<Stdio>,
    pub(super) stdout: Option<Stdio>,
    pub(super) stderr: Option<Stdio>,
    pub(super) terminal: Option<TerminalSize>,
}

/// What a description with a `wiring` says of it: of a container's first process and of others alike.
macro_rules! wiring_setters {
    () => {
        /// Sets standard input; without it, the caller's, and nothing where the output is collected.
        pub fn stdin(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.wiring.stdin = Some(stdio.into());
            self
        }

        /// Sets standard output; without it, the caller's, and a pipe where the output is collected.
        pub fn stdout(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.wiring.stdout = Some(stdio.into());
            self
        }

        /// Sets standard error; without it, the caller's, and a pipe where the output is collected.
        pub fn stderr(&mut self, stdio: impl Into<Stdio>) -> &mut Self {
            self.wiring.stderr = Some(stdio.into());
            self
        }

        /// Gives the program a terminal of that size, whose master is [`Child::terminal`], instead of three
        /// standard streams.
        pub fn terminal(&mut self, size: TerminalSize) -> &mut Self {
            self.wiring.terminal = Some(size);
            self
        }
    };
}

pub(super) use wiring_setters;

impl Wiring {
    /// Whether anything was said.
    pub(super) fn says_anything(&self) -> bool {
        [&self.stdin, &self.stdout, &self.stderr].iter().any(|s| s.is_some()) || self.terminal.is_some()
    }

    /// Opens the streams; those that nothing was said of are `input` and `output`. `terminal` says whether
    /// the process has a terminal instead.
    pub(super) fn open(&self, terminal: bool, input: &Stdio, output: &Stdio) -> Result<(Streams, Ends)> {
        if !terminal {
            let or =
                |stdio: &Option<Stdio>, default: &Stdio| stdio.clone().unwrap_or_else(|| default.clone());
            return stdio::open(
                &or(&self.stdin, input),
                &or(&self.stdout, output),
                &or(&self.stderr, output),
            );
        }
        if [&self.stdin, &self.stdout, &self.stderr].iter().any(|s| s.is_some()) {
            return Err(Error::new(ErrorKind::Configuration, "setting up standard input and output")
                .with_detail("a process with a terminal has no other streams"));
        }
        // They are in use only until the terminal takes their place.
        stdio::open(&Stdio::null(), &Stdio::null(), &Stdio::null())
    }
}

/// A container about to be made.
#[derive(Debug)]
pub(super) struct Launch {
    store: Store,
    id: ContainerId,
    bundle: Bundle,
    options: CreateOptions,
    ends: Ends,
    ownership: Ownership,
}

impl Launch {
    pub(super) fn new(
        command: &Command,
        (store, id, mut bundle): (Store, ContainerId, Bundle),
        input: &Stdio,
        output: &Stdio,
    ) -> Result<Self> {
        let process = bundle.spec.process.get_or_insert_default();
        if let Some(size) = command.wiring.terminal {
            process.terminal = true;
            process.console_size = Some(size);
        }
        let (stdio, ends) = command.wiring.open(process.terminal, input, output)?;
        let options = CreateOptions {
            stdio,
            terminal: TerminalMode::Own,
            no_cgroups: command.no_cgroups,
            systemd_cgroup: command.systemd_cgroup,
            no_pivot: command.no_pivot,
            parent: command.parent,
            parent_death_signal: command.parent_death_signal,
            mount_commands: command.mount_commands.clone(),
            name_service: command.name_service.clone(),
            ..CreateOptions::default()
        };
        let ownership = Ownership { removes: true, kill_on_drop: command.kill_on_drop };
        Ok(Self { store, id, bundle, options, ends, ownership })
    }

    /// Makes it and runs its program.
    pub(super) fn run(self) -> Result<Child> {
        let made = Container::run(&self.store, &self.id, &self.bundle, self.options)?;
        Ok(Child::new(made, self.ends, self.ownership))
    }

    /// Makes it, but for its program.
    pub(super) fn prepare(self, mut wiring: Wiring) -> Result<Prepared> {
        let Self { store, id, mut bundle, options, ownership, .. } = self;
        if options.parent_death_signal.is_some() {
            return Err(Error::new(ErrorKind::Configuration, "preparing a container")
                .with_detail("one that waits for a program has no parent death signal"));
        }
        let process = bundle.spec.process.get_or_insert_default();
        // The terminal is made for the program, not before.
        if std::mem::take(&mut process.terminal) {
            wiring.terminal = Some(process.console_size.take().unwrap_or_default());
        }
        let made = create::make(&store, &id, &bundle, options, Until::Prepared)?;
        Ok(Prepared::new(made, bundle, wiring, ownership.kill_on_drop))
    }

    /// Makes it.
    pub(super) fn create(self) -> Result<Child> {
        let made = Container::prepare(&self.store, &self.id, &self.bundle, self.options)?;
        Ok(Child::new(made, self.ends, self.ownership))
    }
}
