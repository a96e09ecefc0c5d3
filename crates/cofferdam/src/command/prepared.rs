//! A container that is ready but for its program.
//!
//! Called by embedders, through [`super::Command::prepare`] and [`super::Pool`]. It decides nothing of the
//! container any more: what a program brings is its arguments, environment, directory and streams.

use std::os::fd::{AsRawFd, OwnedFd};

use cofferdam_oci::Process as ProcessSpec;
use cofferdam_plan::InitPlan;

use super::child::{Child, Ownership};
use super::exec::Exec;
use super::launch::Wiring;
use super::output::Output;
use super::stdio::{self, Stdio};
use crate::create::Made;
use crate::options::TerminalMode;
use crate::upbringing::{Parent, Upbringing};
use crate::{Bundle, Container, ContainerId, Error, ErrorKind, Process, Result, handing, hooks, lower, talk};

/// A container in which only the program is missing: its namespaces, mounts, cgroups and limits are there,
/// and a process that waits to become the program, in well under a millisecond.
///
/// It belongs to the process that prepared it: nobody else can start it, and it ends with that process
/// ([`crate::Store::remove`] then removes what is left). Dropped without being started, it is removed.
///
/// ```no_run
/// use cofferdam::{Command, Exec};
/// let prepared = Command::new("sh").prepare()?;
/// // Later, when somebody waits for it:
/// let output = prepared.output(Exec::new("sh").args(["-c", "echo $((6 * 7))"]))?;
/// assert_eq!(output.stdout, b"42\n");
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Debug)]
pub struct Prepared {
    container: Container,
    /// None once it is started.
    waiting: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    upbringing: Upbringing,
    plan: InitPlan,
    bundle: Bundle,
    wiring: Wiring,
    kill_on_drop: bool,
    names: Option<cofferdam_net::Running>,
}

impl Prepared {
    pub(super) fn new(made: Made, bundle: Bundle, wiring: Wiring, kill_on_drop: bool) -> Self {
        let Made { container, upbringing, plan, names, .. } = made;
        Self { container, waiting: Some(Waiting { upbringing, plan, bundle, wiring, kill_on_drop, names }) }
    }

    /// The container's id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        self.container.id()
    }

    /// The container; [`crate::Status::Created`] as long as it waits.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// Whether its process still waits. It may have been killed, as by the kernel for lack of memory.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.waiting.as_ref().is_some_and(|w| w.upbringing.is_alive())
    }

    /// Runs the program that the container was prepared with.
    ///
    /// # Errors
    /// As [`Prepared::spawn`].
    pub fn start(self) -> Result<Child> {
        self.run(None, &Stdio::inherit(), &Stdio::inherit())
    }

    /// Runs this program: with the user and rights that the container was prepared with, its environment
    /// with what is added, its directory unless another is named. Streams or a terminal of `exec`'s, if it
    /// says any, take the place of those of the command.
    ///
    /// # Errors
    /// All that is wrong with the process at once; [`ErrorKind::Payload`] when the program cannot be
    /// executed; [`ErrorKind::WrongState`] when the container's process has ended. The container is removed
    /// then: what has begun to become one program does not become another.
    pub fn spawn(self, exec: &Exec) -> Result<Child> {
        self.run(Some(exec), &Stdio::inherit(), &Stdio::inherit())
    }

    /// Runs this program to its end and collects what it wrote, as [`super::Command::output`].
    ///
    /// # Errors
    /// As [`Prepared::spawn`].
    pub fn output(self, exec: &Exec) -> Result<Output> {
        self.run(Some(exec), &Stdio::null(), &Stdio::piped())?.wait_with_output()
    }

    pub(super) fn run(mut self, exec: Option<&Exec>, input: &Stdio, output: &Stdio) -> Result<Child> {
        let ended = || ended(&self.container);
        let waiting = self.waiting.as_mut().ok_or_else(ended)?;
        let started = waiting.run(&self.container, exec, input, output);
        let (ends, terminal) =
            started.map_err(|e| if waiting.upbringing.is_alive() { e } else { ended() })?;
        let Waiting { upbringing, kill_on_drop, names, .. } = self.waiting.take().ok_or_else(ended)?;
        let (pid, pidfd) = upbringing.into_parts()?;
        let mut process = Process::new(pid, pidfd, terminal);
        process.names = names;
        let ownership = Ownership { removes: true, kill_on_drop };
        Ok(Child::new((self.container.clone(), process), ends, ownership))
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            drop(waiting.upbringing);
            // There is nobody to tell; what stays is found by its id.
            let _ = self.container.clone().delete(true);
        }
    }
}

fn ended(container: &Container) -> Error {
    Error::new(ErrorKind::WrongState, "the prepared container's process has ended:")
        .with_object(container.id.as_str())
}

/// What starting gives: the caller's ends of the streams, and the terminal's master.
type Started = (stdio::Ends, Option<OwnedFd>);

impl Waiting {
    fn run(
        &mut self,
        container: &Container,
        exec: Option<&Exec>,
        input: &Stdio,
        output: &Stdio,
    ) -> Result<Started> {
        let (process, wiring) = self.process(exec)?;
        let plan = self.plan.process.with_program(&process).map_err(Error::rejected)?;
        let (streams, ends) = wiring.open(plan.terminal.is_some(), input, output)?;
        let program = lower::program(&self.plan, &plan);
        let fds = if plan.terminal.is_some() { Vec::new() } else { stdio::each(streams)? };
        let numbers: Vec<i32> = fds.iter().map(AsRawFd::as_raw_fd).collect();
        talk::tell(self.upbringing.control(), program.bytes(), &numbers)?;
        drop(fds);
        let mut starter = Starter { container, bundle: &self.bundle, terminal: None };
        self.upbringing.follow(&mut starter, program.steps(), false)?;
        let terminal = starter.terminal.take();
        if self.upbringing.was_killed() {
            return Err(ended(container));
        }
        container.poststart()?;
        Ok((ends, terminal))
    }

    /// The container's process with what `exec` says, and what it is connected to.
    fn process(&self, exec: Option<&Exec>) -> Result<(ProcessSpec, Wiring)> {
        let mut process = self.bundle.spec.process.clone().unwrap_or_default();
        let mut wiring = self.wiring.clone();
        if let Some(exec) = exec {
            exec.complete(&mut process)?;
            if exec.wiring().says_anything() {
                wiring = exec.wiring().clone();
            }
        }
        process.terminal = wiring.terminal.is_some();
        process.console_size = wiring.terminal;
        Ok((process, wiring))
    }
}

/// The parent's acts while the process becomes the program.
struct Starter<'a> {
    container: &'a Container,
    bundle: &'a Bundle,
    terminal: Option<OwnedFd>,
}

impl Parent for Starter<'_> {
    fn made(&mut self, _: i32, _: i32) -> Result<()> {
        Ok(())
    }

    fn hooks(&mut self, _: i32) -> Result<Option<OwnedFd>> {
        Ok(None)
    }

    fn start(&mut self, _: i32) -> Result<Option<OwnedFd>> {
        Ok(Some(hooks::state_file(&self.container.saved.state("created"))?.into()))
    }

    fn listener(&mut self, pid: i32, listener: OwnedFd) -> Result<()> {
        crate::agent::hand_over(&self.bundle.spec, &self.container.saved.state("created"), pid, &listener)
    }

    fn terminal(&mut self, master: OwnedFd) -> Result<()> {
        self.terminal = handing::terminal(master, None, TerminalMode::Own)?;
        Ok(())
    }
}
