//! Containers in the manner of [`std::process`]: describe one, start it, hold it.
//!
//! Called by embedders. Everything here is said to the modules below ([`crate::Container`] and its like);
//! nothing is done that they do not do.

#[cfg(feature = "tokio")]
mod async_io;
#[cfg(feature = "tokio")]
mod asynchronous;
mod child;
#[cfg(feature = "tokio")]
mod event_stream;
mod events;
mod exec;
mod launch;
mod output;
mod pipes;
mod pool;
mod prepared;
mod stdio;

use std::path::Path;

use cofferdam_net::NetworkSpec;
use cofferdam_oci::{Process as ProcessSpec, Spec};

#[cfg(feature = "tokio")]
pub use async_io::AsyncTerminal;
pub use child::Child;
pub use events::{Event, Events};
pub use exec::Exec;
pub use output::Output;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout, Terminal, TerminalSize};
pub use pool::Pool;
pub use prepared::Prepared;
pub use stdio::Stdio;

use launch::{Launch, Wiring, wiring_setters};

use crate::options::{MountCommand, Parent};
use crate::sandbox::{Network, Sandbox};
use crate::{Bundle, ContainerId, ExitStatus, NameService, Result, Store};

/// Describes a container and starts it, in the manner of [`std::process::Command`].
///
/// What runs is a [`Sandbox`] (made by [`Command::new`] with safe defaults, or configured before), a
/// bundle, or any configuration of the OCI. A command can be used as often as one likes, also from several
/// threads: unless [`Command::id`] says otherwise, every container gets an id of its own.
///
/// ```no_run
/// use cofferdam::{Command, sandbox::Sandbox};
///
/// // The shortest: a program that sees the host's files, and whose traces are gone when it ends.
/// let output = Command::new("sh").args(["-c", "echo hello from $(hostname)"]).output()?;
/// assert_eq!(output.stdout, b"hello from sandbox\n");
///
/// // With limits and a directory of the host's.
/// let mut sandbox = Sandbox::new("sort");
/// sandbox.arg("/data/list").bind("/srv/data", "/data", true).memory(64 << 20).processes(8);
/// let status = Command::from(sandbox).status()?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Command {
    what: What,
    store: Option<Store>,
    id: Option<ContainerId>,
    wiring: Wiring,
    parent: Parent,
    parent_death_signal: Option<u32>,
    mount_commands: Vec<MountCommand>,
    name_service: NameService,
    no_cgroups: bool,
    systemd_cgroup: bool,
    no_pivot: bool,
    kill_on_drop: bool,
}

/// What runs.
#[derive(Clone, Debug)]
enum What {
    Sandbox(Box<Sandbox>),
    Bundle(Box<Bundle>),
}

impl From<Sandbox> for Command {
    fn from(sandbox: Sandbox) -> Self {
        Self::of(What::Sandbox(Box::new(sandbox)))
    }
}

impl From<&mut Sandbox> for Command {
    /// What a chain of [`Sandbox`]'s setters gives.
    fn from(sandbox: &mut Sandbox) -> Self {
        sandbox.clone().into()
    }
}

impl From<Bundle> for Command {
    fn from(bundle: Bundle) -> Self {
        Self::of(What::Bundle(Box::new(bundle)))
    }
}

impl Command {
    /// Runs `program` in a sandbox with safe defaults: see [`crate::sandbox`].
    pub fn new(program: impl Into<String>) -> Self {
        Sandbox::new(program).into()
    }

    /// Runs the process of a bundle's `config.json`.
    ///
    /// # Errors
    /// As [`Bundle::open`].
    ///
    /// ```
    /// assert!(cofferdam::Command::from_bundle("/nowhere").is_err());
    /// ```
    pub fn from_bundle(dir: impl AsRef<Path>) -> Result<Self> {
        Bundle::open(dir).map(Into::into)
    }

    /// Runs the process of a configuration. Its relative paths start from `/`; use
    /// [`Bundle::from_spec`] for others.
    ///
    /// ```
    /// let mut spec = cofferdam::template::spec(false);
    /// spec.root.as_mut().unwrap().path = "/srv/rootfs".into();
    /// let command = cofferdam::Command::from_spec(spec);
    /// ```
    #[must_use]
    pub fn from_spec(spec: Spec) -> Self {
        Bundle::from_spec("/", spec).into()
    }

    fn of(what: What) -> Self {
        Self {
            what,
            store: None,
            id: None,
            wiring: Wiring::default(),
            parent: Parent::Caller,
            parent_death_signal: None,
            mount_commands: Vec::new(),
            name_service: NameService::default(),
            no_cgroups: false,
            systemd_cgroup: false,
            no_pivot: false,
            kill_on_drop: false,
        }
    }

    /// Adds an argument of the program.
    pub fn arg(&mut self, arg: impl Into<String>) -> &mut Self {
        match &mut self.what {
            What::Sandbox(sandbox) => {
                sandbox.arg(arg);
            }
            What::Bundle(bundle) => process(bundle).args.push(arg.into()),
        }
        self
    }

    /// Adds arguments of the program.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl Into<String>>) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Sets a variable of the program's environment, which has nothing of the caller's unless it is said
    /// here.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        match &mut self.what {
            What::Sandbox(sandbox) => {
                sandbox.env(name, value);
            }
            What::Bundle(bundle) => exec::set_env(process(bundle), &name.into(), &value.into()),
        }
        self
    }

    /// Sets variables of the program's environment.
    pub fn envs<N: Into<String>, V: Into<String>>(
        &mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Starts the program in this directory of the container.
    pub fn current_dir(&mut self, directory: impl Into<String>) -> &mut Self {
        match &mut self.what {
            What::Sandbox(sandbox) => {
                sandbox.current_dir(directory);
            }
            What::Bundle(bundle) => process(bundle).cwd = directory.into(),
        }
        self
    }

    /// Gives the container a network of its own, made as this says: its interfaces with their addresses and
    /// routes, `/etc/hosts` and `/etc/resolv.conf`. All of it goes with the container.
    ///
    /// ```no_run
    /// use cofferdam::Command;
    /// use cofferdam::net::NetworkSpec;
    /// let network: NetworkSpec = serde_json::from_str(
    ///     r#"{"networks": [{"type": "veth", "bridge": "br0", "pool": "10.88.0.0/16"}]}"#,
    /// )?;
    /// let output = Command::new("ip").args(["addr", "show", "eth0"]).network(network).output()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn network(&mut self, network: NetworkSpec) -> &mut Self {
        match &mut self.what {
            What::Sandbox(sandbox) => {
                sandbox.network(Network::Private(network.into()));
            }
            What::Bundle(bundle) => crate::network::ask(&mut bundle.spec, &network),
        }
        self
    }

    wiring_setters!();

    /// Keeps the container's state there; without it, in [`Store::default`].
    pub fn store(&mut self, store: Store) -> &mut Self {
        self.store = Some(store);
        self
    }

    /// Gives the container this id; without it, one that no other has.
    pub fn id(&mut self, id: ContainerId) -> &mut Self {
        self.id = Some(id);
        self
    }

    /// Where the container's state is to be kept, if that was said.
    #[must_use]
    pub fn get_store(&self) -> Option<&Store> {
        self.store.as_ref()
    }

    /// The id that the container is to have, if one was given.
    ///
    /// ```
    /// let mut command = cofferdam::Command::new("true");
    /// assert!(command.get_id().is_none());
    /// command.id(cofferdam::ContainerId::new("box")?);
    /// assert_eq!(command.get_id().map(|id| id.as_str()), Some("box"));
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    #[must_use]
    pub fn get_id(&self) -> Option<&ContainerId> {
        self.id.as_ref()
    }

    /// Chooses whose child the container's first process is; without it, the caller's.
    pub fn parent(&mut self, parent: Parent) -> &mut Self {
        self.parent = parent;
        self
    }

    /// Has the container's first process sent this signal when the thread that spawns it ends: 9, and the
    /// container does not outlive it. Not for [`Command::prepare`]. See prctl(2), `PR_SET_PDEATHSIG`.
    pub fn parent_death_signal(&mut self, signal: u32) -> &mut Self {
        self.parent_death_signal = Some(signal);
        self
    }

    /// Runs a program of the host's beside one of the configuration's mounts; those of one mount in the order in
    /// which they are given.
    pub fn mount_command(&mut self, command: MountCommand) -> &mut Self {
        self.mount_commands.push(command);
        self
    }

    /// Says who answers the container's questions for names, where its network has an allow-list with names; a
    /// thread of the caller's without it. An ordinary user's allow-list takes a program in any case.
    pub fn name_service(&mut self, service: NameService) -> &mut Self {
        self.name_service = service;
        self
    }

    /// Lets systemd make the container's cgroup; `linux.cgroupsPath` is `SLICE:PREFIX:NAME` then. See
    /// `docs/cgroups.md`.
    pub fn systemd_cgroup(&mut self, systemd: bool) -> &mut Self {
        self.systemd_cgroup = systemd;
        self
    }

    /// Makes no cgroups: the container stays in the caller's, and has no limits, no
    /// [`Child::pause`] and no [`Child::stats`].
    pub fn no_cgroups(&mut self, without: bool) -> &mut Self {
        self.no_cgroups = without;
        self
    }

    /// Enters the root file system by moving its mount, where pivot_root(2) is not possible: the caller's root
    /// is a ramfs.
    pub fn no_pivot(&mut self, without: bool) -> &mut Self {
        self.no_pivot = without;
        self
    }

    /// Ends and removes the container when its [`Child`] is dropped. Without it, dropping a child that runs
    /// leaves it running, as [`std::process::Child`] does.
    pub fn kill_on_drop(&mut self, kill: bool) -> &mut Self {
        self.kill_on_drop = kill;
        self
    }

    /// Makes the container and runs its program; returns when it runs, or with what kept it from running.
    ///
    /// # Errors
    /// All that is wrong with the configuration at once, or the step that failed; nothing is left behind.
    /// [`crate::ErrorKind::Payload`] when it is the program that could not be executed.
    ///
    /// ```no_run
    /// let mut child = cofferdam::Command::new("sleep").arg("1").spawn()?;
    /// println!("process {} of container {}", child.pid(), child.id());
    /// child.wait()?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn spawn(&self) -> Result<Child> {
        self.launch(&Stdio::inherit(), &Stdio::inherit())?.run()
    }

    /// Makes the container, whose program waits for [`Child::start`]: its network and its like can be
    /// prepared meanwhile.
    ///
    /// # Errors
    /// As [`Command::spawn`], but for the program, which [`Child::start`] tells of.
    ///
    /// ```no_run
    /// let mut child = cofferdam::Command::new("true").create()?;
    /// println!("its namespaces are in /proc/{}/ns", child.pid());
    /// child.start()?;
    /// child.wait()?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn create(&self) -> Result<Child> {
        self.launch(&Stdio::inherit(), &Stdio::inherit())?.create()
    }

    /// Makes the container but for its program, which is said and started later, in well under a
    /// millisecond. The program of the command is what runs unless another is said then.
    ///
    /// # Errors
    /// As [`Command::create`].
    ///
    /// ```no_run
    /// use cofferdam::{Command, Exec};
    /// let prepared = Command::new("sh").prepare()?;
    /// let mut child = prepared.spawn(Exec::new("sleep").arg("1"))?;
    /// child.wait()?;
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn prepare(&self) -> Result<Prepared> {
        // What the program is to be connected to is opened when it comes.
        let bare = Self { wiring: Wiring::default(), ..self.clone() };
        bare.launch(&Stdio::null(), &Stdio::null())?.prepare(self.wiring.clone())
    }

    /// Runs the container to its end and collects what it wrote; it is removed.
    ///
    /// # Errors
    /// As [`Command::spawn`]. How the program ended is in the output.
    ///
    /// ```no_run
    /// let output = cofferdam::Command::new("uname").arg("-n").output()?;
    /// assert!(output.status.success());
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn output(&self) -> Result<Output> {
        self.launch(&Stdio::null(), &Stdio::piped())?.run()?.wait_with_output()
    }

    /// Runs the container to its end; it is removed.
    ///
    /// # Errors
    /// As [`Command::spawn`].
    ///
    /// ```no_run
    /// assert!(cofferdam::Command::new("true").status()?.success());
    /// # Ok::<(), cofferdam::Error>(())
    /// ```
    pub fn status(&self) -> Result<ExitStatus> {
        self.spawn()?.wait()
    }

    /// What is to be done, decided and opened: nothing of the command's is needed any more.
    fn launch(&self, input: &Stdio, output: &Stdio) -> Result<Launch> {
        let store = self.store.clone().unwrap_or_default();
        let id = self.id.clone().unwrap_or_else(ContainerId::unique);
        let bundle = match &self.what {
            What::Bundle(bundle) => bundle.as_ref().clone(),
            What::Sandbox(sandbox) => {
                let caller = crate::template::Caller::current();
                sandbox.bundle(store.root().join(id.as_str()), caller)
            }
        };
        Launch::new(self, (store, id, bundle), input, output)
    }
}

fn process(bundle: &mut Bundle) -> &mut ProcessSpec {
    bundle.spec.process.get_or_insert_default()
}
