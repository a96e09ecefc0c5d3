//! `sandbox`: run one program in a container made on the spot.

use cofferdam::sandbox::Sandbox;
use cofferdam::template::Caller;
use cofferdam::{CreateOptions, TerminalMode};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::exec::user_and_group;
use super::run::in_foreground;
use super::sandbox_network::NetworkFlags;
use crate::context::{Context, container_id};
use crate::failure::{Failure, Outcome};
use crate::units;

/// Run a program in a sandbox
///
/// The program sees the files of this host, but what it writes is gone when it ends; it has its own
/// processes, /tmp, /run and /dev, no network but loopback, no capabilities, no way to gain any, and a
/// seccomp filter. Options show it more. Signals go to it, and its exit code is the command's.
///
/// Ordinary users get a user namespace in which they are the only user, under their own id; with --user
/// they are seen under another id inside (--user 0 is root to itself), and what they write to --bind
/// directories is still theirs. Root gets no user namespace unless it asks for one (--user-namespace).
#[derive(Debug, clap::Args)]
#[command(name = "sandbox", override_usage = "cofferdam sandbox [OPTIONS] [--] COMMAND [ARG]...")]
pub(crate) struct SandboxFlags {
    /// Show a file or directory of the host, writable (may be repeated)
    #[arg(long, value_name = "SRC[:DST]")]
    bind: Vec<String>,
    /// Show a file or directory of the host, read-only (may be repeated)
    #[arg(long, value_name = "SRC[:DST]")]
    ro_bind: Vec<String>,
    /// Put an empty directory there, perhaps with a limit of its size (may be repeated)
    #[arg(long, value_name = "DST[:SIZE]")]
    tmpfs: Vec<String>,
    /// Take this directory as the root filesystem instead of the host's
    #[arg(long, value_name = "DIR")]
    rootfs: Option<PathBuf>,
    /// Make the root filesystem read-only instead of forgetting what is written
    #[arg(long)]
    read_only: bool,
    /// Limit of what is written to the root filesystem and forgotten
    #[arg(long, value_name = "SIZE", value_parser = size)]
    scratch: Option<u64>,
    /// Limit of memory; needs cgroups
    #[arg(long, value_name = "SIZE", value_parser = size)]
    memory: Option<u64>,
    /// Limit of CPU time, in processors (such as 0.5); needs cgroups
    #[arg(long, value_name = "N", value_parser = processors)]
    cpus: Option<f64>,
    /// Limit of the number of processes; needs cgroups
    #[arg(long, value_name = "N")]
    pids: Option<u64>,
    /// Set an environment variable, or take over the caller's when there is no value (may be repeated)
    #[arg(short, long, value_name = "NAME[=VALUE]")]
    env: Vec<String>,
    /// Directory to start in [default: the current one where the sandbox shows it, else /]
    #[arg(short, long, value_name = "DIR")]
    workdir: Option<String>,
    /// User id inside, perhaps with a group id [default: your own]
    #[arg(short, long, value_name = "UID[:GID]")]
    user: Option<String>,
    /// Make a user namespace also for root
    #[arg(long)]
    user_namespace: bool,
    /// Give the program a capability, such as CAP_NET_RAW (may be repeated)
    #[arg(long, value_name = "CAP")]
    cap_add: Vec<String>,
    /// Host name inside
    #[arg(long, value_name = "NAME", default_value = "sandbox")]
    hostname: String,
    /// Give the program a terminal of its own
    #[arg(short, long)]
    tty: bool,
    #[command(flatten)]
    network: NetworkFlags,
    /// Program and arguments
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
}

impl SandboxFlags {
    pub(crate) fn execute(self, context: &Context) -> Outcome {
        let sandbox = self.sandbox()?;
        let id = container_id(&name()?)?;
        let bundle = sandbox.bundle(context.store.root().join(id.as_str()), Caller::current());
        let options = CreateOptions {
            systemd_cgroup: context.systemd_cgroup,
            no_cgroups: context.no_cgroups,
            rootless: context.rootless,
            name_service: crate::options::name_service(),
            terminal: if self.tty { TerminalMode::Relayed } else { TerminalMode::Socket },
            ..CreateOptions::default()
        };
        in_foreground(context, &id, bundle, options, false, |_, _| {})
    }

    fn sandbox(&self) -> Result<Sandbox, Failure> {
        let (program, args) = self.command.split_first().ok_or_else(|| Failure::new("name a command"))?;
        let mut sandbox = Sandbox::new(program.as_str());
        sandbox
            .args(args.iter().map(String::as_str))
            .network(self.network.network(Caller::current().uid == 0)?)
            .read_only(self.read_only)
            .user_namespace(self.user_namespace)
            .hostname(self.hostname.as_str())
            .terminal(self.tty);
        self.view(&mut sandbox)?;
        self.person(&mut sandbox)?;
        if let Some(bytes) = self.memory {
            sandbox.memory(bytes);
        }
        if let Some(count) = self.cpus {
            sandbox.cpus(count);
        }
        if let Some(count) = self.pids {
            sandbox.processes(count);
        }
        Ok(sandbox)
    }

    /// What it sees. Empty directories come first, so that something can be shown inside them.
    fn view(&self, sandbox: &mut Sandbox) -> Result<(), Failure> {
        if let Some(directory) = &self.rootfs {
            sandbox.rootfs(real(directory)?);
        }
        if let Some(bytes) = self.scratch {
            sandbox.scratch(bytes);
        }
        for tmpfs in &self.tmpfs {
            let (destination, bytes) = match tmpfs.split_once(':') {
                Some((destination, bytes)) => (destination, Some(size(bytes).map_err(Failure::new)?)),
                None => (tmpfs.as_str(), None),
            };
            sandbox.tmpfs(destination, bytes);
        }
        let binds = self.bind.iter().map(|bind| (bind, false));
        for (bind, read_only) in binds.chain(self.ro_bind.iter().map(|bind| (bind, true))) {
            let (source, destination) = bind.split_once(':').unwrap_or((bind, ""));
            let source = real(Path::new(source))?;
            let same = source.to_string_lossy().into_owned();
            let destination = if destination.is_empty() { same } else { destination.to_owned() };
            sandbox.bind(source, destination, read_only);
        }
        Ok(())
    }

    /// Who it is: user, environment, directory, capabilities.
    fn person(&self, sandbox: &mut Sandbox) -> Result<(), Failure> {
        if let Some(user) = &self.user {
            let (uid, gid) = user_and_group(user)?;
            sandbox.user(uid, gid.unwrap_or_else(|| if uid == 0 { 0 } else { Caller::current().gid }));
        }
        for name in ["HOME", "TERM", "LANG"] {
            if let Ok(value) = std::env::var(name) {
                sandbox.env(name, value);
            }
        }
        for variable in &self.env {
            match variable.split_once('=') {
                Some((name, value)) => {
                    sandbox.env(name, value);
                }
                None => {
                    if let Ok(value) = std::env::var(variable) {
                        sandbox.env(variable.as_str(), value);
                    }
                }
            }
        }
        for cap in &self.cap_add {
            let name = cap.to_ascii_uppercase();
            sandbox.capability(if name.starts_with("CAP_") { name } else { format!("CAP_{name}") });
        }
        match (&self.workdir, std::env::current_dir()) {
            (Some(directory), _) => sandbox.current_dir(directory.as_str()),
            (None, Ok(directory)) => sandbox.current_dir_if_visible(directory),
            (None, Err(_)) => sandbox.current_dir("/"),
        };
        Ok(())
    }
}

/// The path as the kernel sees it: absolute, without links.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::io(format_args!("finding {}", path.display()), &error))
}

/// A name that no other sandbox has: 16 hexadecimal digits from the kernel's random numbers.
fn name() -> Result<String, Failure> {
    let mut random = [0; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut random))
        .map_err(|error| Failure::io("reading /dev/urandom", &error))?;
    Ok(format!("sandbox-{:016x}", u64::from_ne_bytes(random)))
}

fn size(text: &str) -> Result<u64, String> {
    let bytes = units::bytes(text)?;
    u64::try_from(bytes).ok().filter(|&bytes| bytes > 0).ok_or_else(|| format!("invalid size: '{text}'"))
}

fn processors(text: &str) -> Result<f64, String> {
    let count = text.parse::<f64>().ok().filter(|count| count.is_finite() && *count > 0.0);
    count.ok_or_else(|| format!("'{text}' is not a number of processors"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        flags: SandboxFlags,
    }

    fn spec(words: &[&str]) -> cofferdam::oci::Spec {
        let line: Line = clap::Parser::parse_from([&["x"], words].concat());
        line.flags.sandbox().unwrap().bundle("/run/x", Caller { uid: 7, gid: 8 }).spec
    }

    #[test]
    fn a_bind_is_shown_where_it_is_unless_told() {
        let spec = spec(&["--ro-bind=/usr:/data", "--bind=/etc", "--tmpfs=/mnt:1m", "--", "ls", "-l"]);
        let last = &spec.mounts[spec.mounts.len() - 3..];
        assert_eq!(last[0].destination, "/mnt");
        assert!(last[0].options.contains(&"size=1048576".to_owned()));
        assert_eq!((last[1].destination.as_str(), last[1].source.as_deref()), ("/etc", Some("/etc")));
        assert_eq!((last[2].destination.as_str(), last[2].source.as_deref()), ("/data", Some("/usr")));
        assert!(last[2].options.contains(&"rro".to_owned()));
        assert_eq!(spec.process.unwrap().args, ["ls", "-l"]);
    }

    #[test]
    fn root_inside_is_root_in_both_ids() {
        let user = spec(&["--user=0", "--", "id"]).process.unwrap().user;
        assert_eq!((user.uid, user.gid), (0, 0));
        assert_eq!(spec(&["--user=5:6", "--", "id"]).process.unwrap().user.gid, 6);
    }

    #[test]
    fn capabilities_need_no_prefix() {
        let process = spec(&["--cap-add=net_raw", "--", "id"]).process.unwrap();
        assert_eq!(process.capabilities.unwrap().effective, ["CAP_NET_RAW"]);
    }

    #[test]
    fn no_two_sandboxes_have_one_name() {
        assert_ne!(name().unwrap(), name().unwrap());
    }

    #[test]
    fn limits_are_numbers() {
        assert_eq!(size("1m"), Ok(1 << 20));
        assert!(size("0").is_err() && size("-1").is_err());
        assert!(processors("0").is_err() && processors("inf").is_err() && processors("x").is_err());
    }
}
