//! A container: its state, computed, and what can be done with it.

use std::path::Path;

use cofferdam_cgroup::usage::Usage;
use cofferdam_cgroup::{Cgroup, Stats};
use cofferdam_oci::{Resources, Spec, State};

use crate::create::{Until, create};
use crate::options::{CreateOptions, ExecOptions};
use crate::process::Process;
use crate::state::{CONFIG, START, Saved};
use crate::store::Store;
use crate::{Bundle, ContainerId, Error, ErrorKind, Result, exec, pid};

/// A container that exists.
///
/// ```no_run
/// use cofferdam::{Bundle, Container, ContainerId, CreateOptions, Store};
/// let store = Store::new("/run/example");
/// let bundle = Bundle::open("/bundle")?;
/// let (container, process) = Container::run(&store, &ContainerId::new("one")?, &bundle, CreateOptions::default())?;
/// let status = process.wait()?;
/// container.delete(true)?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Container {
    pub(crate) store: Store,
    pub(crate) id: ContainerId,
    pub(crate) saved: Saved,
}

/// What a container is at (`runtime.md`, State).
///
/// ```
/// assert_eq!(cofferdam::Status::Created.as_str(), "created");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It is being made, or was left half-made.
    Creating,
    /// It waits for `start`.
    Created,
    /// Its program runs.
    Running,
    /// Its processes are frozen.
    Paused,
    /// Its program has ended.
    Stopped,
}

impl Status {
    /// The specification's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Creating => "creating",
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl Container {
    pub(crate) fn from_saved(store: Store, id: ContainerId, saved: Saved) -> Self {
        Self { store, id, saved }
    }

    /// Makes a container whose program waits for [`Container::start`].
    ///
    /// # Errors
    /// All rejections of the configuration at once, or the step that failed; nothing is left behind.
    pub fn create(store: &Store, id: &ContainerId, bundle: &Bundle, options: CreateOptions) -> Result<Self> {
        create(store, id, bundle, options, Until::Ready).map(|(container, _)| container)
    }

    /// As [`Container::create`], handing out the process that waits: what [`Container::start`] lets run,
    /// to be awaited by whoever created it.
    ///
    /// # Errors
    /// As [`Container::create`].
    pub fn prepare(
        store: &Store,
        id: &ContainerId,
        bundle: &Bundle,
        options: CreateOptions,
    ) -> Result<(Self, Process)> {
        create(store, id, bundle, options, Until::Ready)
    }

    /// Makes a container and runs its program at once.
    ///
    /// # Errors
    /// As [`Container::create`].
    pub fn run(
        store: &Store,
        id: &ContainerId,
        bundle: &Bundle,
        options: CreateOptions,
    ) -> Result<(Self, Process)> {
        let poststart = !bundle.spec.hooks.poststart.is_empty();
        let (container, process) = create(store, id, bundle, options, Until::Running)?;
        if poststart && let Err(e) = container.poststart() {
            let _ = process.wait();
            return Err(e.with_also(container.delete(true).unwrap_or_else(|e| vec![e])));
        }
        Ok((container, process))
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &ContainerId {
        &self.id
    }

    /// What it is at, computed from its process, its cgroup and its start socket.
    ///
    /// # Errors
    /// When its cgroup cannot be asked.
    pub fn status(&self) -> Result<Status> {
        if self.saved.pid == 0 || self.saved.restoring {
            return Ok(Status::Creating);
        }
        if self.pid().is_none() {
            return Ok(Status::Stopped);
        }
        if self.cgroup().is_frozen()? {
            return Ok(Status::Paused);
        }
        Ok(if self.waits() { Status::Created } else { Status::Running })
    }

    /// Whether it waits for `start`. One that was killed leaves the socket: then it is the program that
    /// the process executes, not ours, that tells.
    fn waits(&self) -> bool {
        let own = |exe: std::path::PathBuf| exe.to_string_lossy().starts_with("/memfd:cofferdam");
        (self.saved.prepared || self.dir().join(START).exists())
            && std::fs::read_link(format!("/proc/{}/exe", self.saved.pid)).map_or(true, own)
    }

    /// The first process's number in the caller's PID namespace, while it is there.
    #[must_use]
    pub fn pid(&self) -> Option<i32> {
        pid::alive(self.saved.pid, self.saved.start_time).then_some(self.saved.pid)
    }

    /// The state as the specification has it.
    ///
    /// # Errors
    /// As [`Container::status`].
    pub fn state(&self) -> Result<State> {
        let status = self.status()?;
        Ok(State { pid: self.pid().unwrap_or(0), ..self.saved.state(status.as_str()) })
    }

    /// The bundle's directory.
    #[must_use]
    pub fn bundle(&self) -> &Path {
        &self.saved.bundle
    }

    /// The root filesystem's directory.
    #[must_use]
    pub fn rootfs(&self) -> &Path {
        &self.saved.rootfs
    }

    /// Where its state is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its cgroup directories by controller; the empty name is that of version 2.
    #[must_use]
    pub fn cgroup_paths(&self) -> std::collections::BTreeMap<String, std::path::PathBuf> {
        self.saved.cgroup.paths()
    }

    /// The interfaces of its network, as far as they are the runtime's work: addresses of pools, for
    /// example, are known only since it was made.
    ///
    /// ```no_run
    /// # fn f(container: &cofferdam::Container) {
    /// for interface in container.network_interfaces() {
    ///     println!("{}: {}", interface.name, interface.addresses.join(", "));
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn network_interfaces(&self) -> &[crate::NetworkInterface] {
        self.saved.network.as_ref().map(|network| network.interfaces.as_slice()).unwrap_or_default()
    }

    /// When it was made, RFC 3339 with nanoseconds, UTC.
    #[must_use]
    pub fn created(&self) -> &str {
        &self.saved.created
    }

    /// The user who made it.
    #[must_use]
    pub fn owner_uid(&self) -> u32 {
        self.saved.owner
    }

    /// The configuration that it was made from.
    ///
    /// # Errors
    /// When the copy in the state directory is gone or broken.
    pub fn spec(&self) -> Result<Spec> {
        let path = self.dir().join(CONFIG);
        let bytes = crate::bundle::read_bounded(&path, "reading the container's configuration")?;
        cofferdam_oci::parse_spec(&bytes).map_err(|e| {
            Error::new(ErrorKind::System, "reading the container's configuration")
                .with_object(path.display().to_string())
                .with_detail(e.to_string())
        })
    }

    /// Freezes all its processes.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] unless it is created or running.
    pub fn pause(&self) -> Result<()> {
        match self.status()? {
            Status::Created | Status::Running => Ok(self.cgroup().freeze()?),
            _ => Err(self.wrong_state("container not running or created")),
        }
    }

    /// Thaws them.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] unless it is paused.
    pub fn resume(&self) -> Result<()> {
        match self.status()? {
            Status::Paused => Ok(self.cgroup().thaw()?),
            _ => Err(self.wrong_state("container not paused")),
        }
    }

    /// Changes its limits.
    ///
    /// # Errors
    /// All rejections at once, or the write that failed; [`ErrorKind::WrongState`] when it has stopped.
    pub fn update(&self, resources: &Resources) -> Result<()> {
        if self.pid().is_none() {
            return Err(self.wrong_state("container not running"));
        }
        self.cgroup().update(resources).map_err(|e| match e {
            cofferdam_cgroup::UpdateError::Rejected(rejects) => Error::rejected(rejects),
            cofferdam_cgroup::UpdateError::Failed(e) => e.into(),
        })
    }

    /// The numbers of all its processes in the caller's PID namespace.
    ///
    /// # Errors
    /// When its cgroup cannot be read.
    pub fn pids(&self) -> Result<Vec<i32>> {
        let all = self.cgroup().pids(true)?;
        Ok(all.into_iter().filter_map(|p| i32::try_from(p).ok()).collect())
    }

    /// What it uses, as far as this host counts it.
    ///
    /// # Errors
    /// When its cgroup cannot be read.
    pub fn usage(&self) -> Result<Usage> {
        Ok(self.cgroup().usage()?)
    }

    /// What it uses, in runc's form: what is not counted is zero.
    ///
    /// # Errors
    /// When its cgroup cannot be read.
    pub fn stats(&self) -> Result<Stats> {
        Ok(self.cgroup().stats()?)
    }

    /// Tells of processes that the kernel killed for lack of memory.
    ///
    /// # Errors
    /// When its memory cgroup cannot be watched.
    pub fn oom_watch(&self) -> Result<cofferdam_cgroup::OomWatch> {
        Ok(self.cgroup().oom_watch()?)
    }

    /// Starts another process in it.
    ///
    /// # Errors
    /// [`ErrorKind::WrongState`] unless it runs; all rejections at once; the step that failed.
    pub fn exec(&self, options: ExecOptions) -> Result<Process> {
        exec::exec(self, options)
    }

    pub(crate) fn dir(&self) -> std::path::PathBuf {
        self.store.dir(&self.id)
    }

    pub(crate) fn cgroup(&self) -> Cgroup {
        Cgroup::load(self.saved.cgroup.clone())
    }

    pub(crate) fn wrong_state(&self, what: &str) -> Error {
        Error::new(ErrorKind::WrongState, what)
    }
}
