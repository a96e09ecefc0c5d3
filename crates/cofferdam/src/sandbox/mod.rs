//! A sandbox made on the spot: a program, what it may see and what it may use, and nothing else.
//!
//! Called by `cofferdam sandbox` and by embedders. Describes only: [`Sandbox::bundle`] turns the
//! description into an ordinary configuration, which [`crate::Container::run`] runs like any other.
//!
//! Unless told otherwise the program sees the host's files copy-on-write (what it writes is gone at the
//! end), has its own processes, network without a way out, `/tmp`, `/run`, `/dev` and `/proc`, no
//! capabilities, no way to gain any, and the system calls of the baseline seccomp profile.

mod spec;
mod view;

use std::path::{Path, PathBuf};

use cofferdam_net::NetworkSpec;

use crate::Bundle;
use crate::template::{Caller, PATH};

/// What the network of a sandbox is.
///
/// ```
/// use cofferdam::sandbox::Network;
/// assert_eq!(Network::default(), Network::None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// Its own, with the loopback device only.
    #[default]
    None,
    /// The host's.
    Host,
    /// Its own, made as this says: with a bridge, addresses and routes, for example.
    ///
    /// ```
    /// use cofferdam::net::{InterfaceSpec, NetworkSpec};
    /// use cofferdam::sandbox::{Network, Sandbox};
    /// let bridged = InterfaceSpec {
    ///     kind: "veth".into(),
    ///     bridge: "br0".into(),
    ///     pool: "10.88.0.0/16".into(),
    ///     ..InterfaceSpec::default()
    /// };
    /// let network = NetworkSpec { networks: vec![bridged], ..NetworkSpec::default() };
    /// let mut sandbox = Sandbox::new("ping");
    /// sandbox.arg("10.88.0.1").network(Network::Private(network.into()));
    /// ```
    Private(Box<NetworkSpec>),
}

/// Describes a sandbox, in the manner of [`std::process::Command`].
///
/// ```
/// use cofferdam::{sandbox::Sandbox, template::Caller};
///
/// let mut sandbox = Sandbox::new("ls");
/// sandbox.arg("-l").bind("/srv/data", "/data", false).memory(64 << 20);
/// let bundle = sandbox.bundle("/run/user/1000/example", Caller { uid: 1000, gid: 1000 });
/// assert_eq!(bundle.spec.process.unwrap().args, ["ls", "-l"]);
/// ```
#[derive(Clone, Debug)]
pub struct Sandbox {
    args: Vec<String>,
    env: Vec<(String, String)>,
    directory: Directory,
    user: Option<(u32, u32)>,
    rootfs: PathBuf,
    read_only: bool,
    scratch: Option<u64>,
    mounts: Vec<View>,
    network: Network,
    user_namespace: bool,
    capabilities: Vec<String>,
    hostname: String,
    terminal: bool,
    memory: Option<u64>,
    cpus: Option<f64>,
    processes: Option<u64>,
}

/// Where the program starts.
#[derive(Clone, Debug)]
enum Directory {
    /// There, whether it exists or not.
    Fixed(String),
    /// There when the sandbox shows it, else in `/`.
    IfVisible(PathBuf),
}

/// Something put over the root filesystem.
#[derive(Clone, Debug)]
enum View {
    /// The host's `source` at `destination`.
    Bind { source: PathBuf, destination: String, read_only: bool },
    /// An empty directory that is gone at the end, of at most `size` bytes.
    Tmpfs { destination: String, size: Option<u64> },
}

impl Sandbox {
    /// A sandbox for `program`, which is looked up in the sandbox's `PATH`.
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            args: vec![program.into()],
            env: vec![
                ("PATH".to_owned(), PATH.to_owned()),
                ("HOME".to_owned(), "/".to_owned()),
                ("TERM".to_owned(), "xterm".to_owned()),
                ("LANG".to_owned(), "C.UTF-8".to_owned()),
            ],
            directory: Directory::Fixed("/".to_owned()),
            user: None,
            rootfs: PathBuf::from("/"),
            read_only: false,
            scratch: None,
            mounts: Vec::new(),
            network: Network::None,
            user_namespace: false,
            capabilities: Vec::new(),
            hostname: "sandbox".to_owned(),
            terminal: false,
            memory: None,
            cpus: None,
            processes: None,
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

    /// Sets a variable of the environment, which is otherwise `PATH`, `HOME`, `TERM` and `LANG` only.
    pub fn env(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        let (name, value) = (name.into(), value.into());
        self.env.retain(|(other, _)| *other != name);
        self.env.push((name, value));
        self
    }

    /// Starts the program in this directory of the sandbox; without it, in `/`.
    pub fn current_dir(&mut self, directory: impl Into<String>) -> &mut Self {
        self.directory = Directory::Fixed(directory.into());
        self
    }

    /// Starts the program in this directory of the host where the sandbox shows it, else in `/`.
    pub fn current_dir_if_visible(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.directory = Directory::IfVisible(directory.into());
        self
    }

    /// Runs the program as this user and group; without it, as the caller's.
    ///
    /// In a user namespace these are only names for the caller: files that it makes are the caller's.
    pub fn user(&mut self, uid: u32, gid: u32) -> &mut Self {
        self.user = Some((uid, gid));
        self
    }

    /// Takes this directory as the root filesystem; without it, the host's `/`.
    pub fn rootfs(&mut self, directory: impl Into<PathBuf>) -> &mut Self {
        self.rootfs = directory.into();
        self
    }

    /// Makes the root filesystem read-only, instead of forgetting what is written to it.
    pub fn read_only(&mut self, read_only: bool) -> &mut Self {
        self.read_only = read_only;
        self
    }

    /// Lets the program write at most this many bytes to the root filesystem; without it, half of the
    /// memory (see tmpfs(5)).
    pub fn scratch(&mut self, bytes: u64) -> &mut Self {
        self.scratch = Some(bytes);
        self
    }

    /// Shows the host's `source` (an absolute path) at `destination`: what is written there stays.
    pub fn bind(
        &mut self,
        source: impl Into<PathBuf>,
        destination: impl Into<String>,
        read_only: bool,
    ) -> &mut Self {
        let (source, destination) = (source.into(), destination.into());
        self.mounts.push(View::Bind { source, destination, read_only });
        self
    }

    /// Puts an empty directory at `destination`, of at most `size` bytes; it is gone at the end.
    pub fn tmpfs(&mut self, destination: impl Into<String>, size: Option<u64>) -> &mut Self {
        self.mounts.push(View::Tmpfs { destination: destination.into(), size });
        self
    }

    /// Chooses the network.
    pub fn network(&mut self, network: Network) -> &mut Self {
        self.network = network;
        self
    }

    /// Makes a user namespace also when the caller is root; other callers always get one.
    pub fn user_namespace(&mut self, always: bool) -> &mut Self {
        self.user_namespace = always;
        self
    }

    /// Gives the program a capability, by name (`CAP_NET_RAW`); without it, it has none.
    pub fn capability(&mut self, name: impl Into<String>) -> &mut Self {
        self.capabilities.push(name.into());
        self
    }

    /// Sets the host name that the program sees; without it, `sandbox`.
    pub fn hostname(&mut self, name: impl Into<String>) -> &mut Self {
        self.hostname = name.into();
        self
    }

    /// Gives the program a terminal of its own.
    pub fn terminal(&mut self, terminal: bool) -> &mut Self {
        self.terminal = terminal;
        self
    }

    /// Limits memory, in bytes; needs a cgroup.
    pub fn memory(&mut self, bytes: u64) -> &mut Self {
        self.memory = Some(bytes);
        self
    }

    /// Limits CPU time to that of `count` processors; needs a cgroup.
    pub fn cpus(&mut self, count: f64) -> &mut Self {
        self.cpus = Some(count);
        self
    }

    /// Limits the number of processes; needs a cgroup.
    pub fn processes(&mut self, count: u64) -> &mut Self {
        self.processes = Some(count);
        self
    }

    /// The configuration of this sandbox for `caller`, kept in `directory` (which need not exist).
    #[must_use]
    pub fn bundle(&self, directory: impl AsRef<Path>, caller: Caller) -> Bundle {
        Bundle::from_spec(directory.as_ref(), spec::spec(self, caller))
    }
}
