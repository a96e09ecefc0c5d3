//! Another process in a container that runs.

use cofferdam_oci::Process as ProcessSpec;

use super::child::{Child, Ownership};
use super::launch::{Wiring, wiring_setters};
use super::output::Output;
use super::pipes::TerminalSize;
use super::stdio::Stdio;
use crate::options::{ExecOptions, TerminalMode};
use crate::{Container, Error, ErrorKind, ExitStatus, Result};

/// Describes a process to be started in a container, in the manner of [`std::process::Command`].
///
/// It is the container's own process with other arguments: its user, environment, directory, capabilities
/// and limits, unless something else is said here.
///
/// ```no_run
/// use cofferdam::{Command, Exec};
/// let mut child = Command::new("sleep").arg("60").spawn()?;
/// let output = Exec::new("ps").arg("-e").output_in(child.container())?;
/// println!("{}", String::from_utf8_lossy(&output.stdout));
/// child.kill()?;
/// child.wait()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Exec {
    base: Option<Box<ProcessSpec>>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    directory: Option<String>,
    user: Option<(u32, u32)>,
    wiring: Wiring,
}

impl From<ProcessSpec> for Exec {
    /// A process that takes nothing from the container's own.
    fn from(process: ProcessSpec) -> Self {
        Self { base: Some(Box::new(process)), ..Self::empty() }
    }
}

impl Exec {
    /// A process for `program`, which is looked up in the container's `PATH`.
    pub fn new(program: impl Into<String>) -> Self {
        Self { args: vec![program.into()], ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            base: None,
            args: Vec::new(),
            env: Vec::new(),
            directory: None,
            user: None,
            wiring: Wiring::default(),
        }
    }

    /// Adds an argument of the program.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments of the program.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Starts the program in this directory of the container.
    pub fn current_dir(&mut self, directory: impl Into<String>) -> &mut Self {
        self.directory = Some(directory.into());
        self
    }

    /// Runs the program as this user and group of the container.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.user = Some((uid, gid));
        self
    }

    wiring_setters!();

    /// Starts it in `container`, in the manner of [`super::Command::spawn`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::WrongState`] unless the container runs; all that is wrong with the process at
    /// once; the step that failed; [`crate::ErrorKind::Payload`] when the program cannot be executed.
    ///
    /// ```no_run
    /// # fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
    /// let mut process = cofferdam::Exec::new("sleep").arg("1").spawn_in(container)?;
    /// process.wait()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn_in(&self, container: &Container) -> Result<Child> {
        self.start(container, &Stdio::inherit(), &Stdio::inherit())
    }

    /// Runs it in `container` to its end and collects what it wrote, as [`super::Command::output`].
    ///
    /// # Errors
    /// As [`Exec::spawn_in`].
    ///
    /// ```no_run
    /// # fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
    /// println!("{}", String::from_utf8_lossy(&cofferdam::Exec::new("ps").output_in(container)?.stdout));
    /// # Ok(())
    /// # }
    /// ```
    pub fn output_in(&self, container: &Container) -> Result<Output> {
        self.start(container, &Stdio::null(), &Stdio::piped())?.wait_with_output()
    }

    /// Runs it in `container` to its end, as [`super::Command::status`].
    ///
    /// # Errors
    /// As [`Exec::spawn_in`].
    ///
    /// ```no_run
    /// # fn f(container: &cofferdam::Container) -> cofferdam::Result<()> {
    /// assert!(cofferdam::Exec::new("true").status_in(container)?.success());
    /// # Ok(())
    /// # }
    /// ```
    pub fn status_in(&self, container: &Container) -> Result<ExitStatus> {
        self.spawn_in(container)?.wait()
    }

    /// The process for this container.
    fn process(&self, container: &Container) -> Result<ProcessSpec> {
        let mut process = match &self.base {
            Some(base) => base.as_ref().clone(),
            None => ProcessSpec {
                args: Vec::new(),
                terminal: false,
                console_size: None,
                ..container.spec()?.process.unwrap_or_default()
            },
        };
        process.args.extend(self.args.iter().cloned());
        self.surround(&mut process);
        if let Some((uid, gid)) = self.user {
            (process.user.uid, process.user.gid) = (uid, gid);
        }
        if let Some(size) = self.wiring.terminal {
            process.terminal = true;
            process.console_size = Some(size);
        }
        Ok(process)
    }

    fn surround(&self, process: &mut ProcessSpec) {
        for (name, value) in &self.env {
            set_env(process, name, value);
        }
        if let Some(directory) = &self.directory {
            process.cwd.clone_from(directory);
        }
    }

    /// Changes the process of a container that is prepared, as far as that can still be changed.
    pub(super) fn complete(&self, process: &mut ProcessSpec) -> Result<()> {
        if self.base.is_some() || self.user.is_some() {
            return Err(Error::new(ErrorKind::Configuration, "starting a prepared container")
                .with_detail("its user and rights are what it was prepared with")
                .with_hint("describe the program by Exec::new, without a user"));
        }
        if !self.args.is_empty() {
            process.args.clone_from(&self.args);
        }
        self.surround(process);
        Ok(())
    }

    pub(super) fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    pub(super) fn start(&self, container: &Container, input: &Stdio, output: &Stdio) -> Result<Child> {
        let process = self.process(container)?;
        let (stdio, ends) = self.wiring.open(process.terminal, input, output)?;
        let options = ExecOptions { process, stdio, terminal: TerminalMode::Own, ..ExecOptions::default() };
        let started = container.exec(options)?;
        let ownership = Ownership { removes: false, kill_on_drop: false };
        Ok(Child::new((container.clone(), started), ends, ownership))
    }
}

/// Sets a variable of a process's environment.
pub(super) fn set_env(process: &mut ProcessSpec, name: &str, value: &str) {
    let is_it = |variable: &str| variable.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
    process.env.retain(|variable| !is_it(variable));
    process.env.push(format!("{name}={value}"));
}
