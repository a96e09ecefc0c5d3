//! The network of a user without rights over the host's: a program that carries packets, pasta(1) or
//! slirp4netns(1), and an allow-list inside of the container's own namespace.
//!
//! Called by `wires`. The program's number is in a file of the container's directory, and that file's name, or
//! that of another one there, on its command line: so it is known also to whoever comes after a crash.

use std::fs::{File, read_to_string};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cofferdam_net::{Protocol, PublishPlan, UserMode};

use super::service::{self, SavedService};
use crate::{Error, ErrorKind, Result, pid};

const PASTA: &str = "pasta";
const SLIRP: &str = "slirp4netns";
const DOING: &str = "starting the user's network";

/// Where the program's number is.
fn pid_file(state: &Path) -> PathBuf {
    state.join("user-network.pid")
}

fn failed(program: &Path, error: &std::io::Error) -> Error {
    Error::io(DOING, program, error)
}

/// The first program of these that is installed.
fn find(mode: UserMode) -> Result<PathBuf> {
    let names: &[&str] = match mode {
        UserMode::Auto => &[PASTA, SLIRP],
        UserMode::Pasta => &[PASTA],
        UserMode::Slirp4netns => &[SLIRP],
    };
    let path = std::env::var_os("PATH").unwrap_or_else(|| crate::template::PATH.into());
    let is_program = |path: &PathBuf| {
        std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let all = names.iter().flat_map(|name| std::env::split_paths(&path).map(move |dir| dir.join(name)));
    all.into_iter().find(is_program).ok_or_else(|| {
        Error::new(ErrorKind::Host, DOING)
            .with_detail(format!("no {} is installed", names.join(" and no ")))
            .with_hint(
                "install the package passt (which has pasta) or slirp4netns; or make the container as root",
            )
    })
}

/// Starts it for a container; it has made the interface `eth0` when this returns.
pub(super) fn start(mode: UserMode, publish: &[PublishPlan], pid: i32, state: &Path) -> Result<()> {
    let program = find(mode)?;
    let log = state.join("user-network.log");
    let open = || File::create(&log).map_err(|e| Error::io("opening", &log, &e));
    let mut command = Command::new(&program);
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(open()?);
    let done = if program.ends_with(PASTA) {
        pasta(command, &program, publish, pid, state)
    } else {
        slirp(command, &program, publish, pid, state)
    };
    done.map_err(|error| match read_to_string(&log).ok().as_deref().and_then(last_words) {
        Some(words) => error.with_detail(words),
        None => error,
    })
}

/// What it said last, but for what is only about its own log.
fn last_words(text: &str) -> Option<String> {
    let said = |line: &&str| !line.trim().is_empty() && !line.ends_with("to syslog");
    text.lines().rfind(said).map(str::to_owned)
}

/// It leaves when everything is there, and goes on in a process of its own whose number it writes.
fn pasta(
    mut command: Command,
    program: &Path,
    publish: &[PublishPlan],
    pid: i32,
    state: &Path,
) -> Result<()> {
    // The host's own loopback is not the router, and nothing inside is the host's.
    let fixed = ["--config-net", "--quiet", "--no-map-gw", "--ns-ifname", "eth0", "-T", "none", "-U", "none"];
    command.args(fixed).arg("--pid").arg(pid_file(state));
    for (flag, protocol) in [("-t", Protocol::Tcp), ("-u", Protocol::Udp)] {
        let ports: Vec<_> = publish.iter().filter(|port| port.protocol == protocol).map(pasta_port).collect();
        if ports.is_empty() {
            command.args([flag, "none"]);
        }
        for port in &ports {
            command.args([flag, port]);
        }
    }
    let status = command.arg(pid.to_string()).status().map_err(|e| failed(program, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Host, DOING).with_detail(format!("{}: {status}", program.display())))
}

fn pasta_port(port: &PublishPlan) -> String {
    let (host, inside) = (port.host_port, port.container_port);
    port.host_address.map_or_else(|| format!("{host}:{inside}"), |at: IpAddr| format!("{at}/{host}:{inside}"))
}

/// It says when everything is there, and stays in the process that it was started in.
fn slirp(
    mut command: Command,
    program: &Path,
    publish: &[PublishPlan],
    pid: i32,
    state: &Path,
) -> Result<()> {
    if let Some(port) = publish.first() {
        return Err(Error::new(ErrorKind::Host, DOING)
            .with_detail("with slirp4netns ports are not published")
            .with_pointer(&port.pointer)
            .with_hint("install pasta (the package passt)"));
    }
    let (mut ready, its) = std::io::pipe().map_err(|e| failed(program, &e))?;
    let fixed = ["--configure", "--mtu=65520", "--disable-host-loopback", "--ready-fd=0"];
    // Nobody speaks to this socket; its name says whose the program is.
    command.arg("--api-socket").arg(state.join("user-network.sock"));
    let child = command.args(fixed).arg(pid.to_string()).arg("eth0").stdin(its).spawn();
    let child = child.map_err(|e| failed(program, &e))?;
    let file = pid_file(state);
    std::fs::write(&file, child.id().to_string()).map_err(|e| Error::io("writing", &file, &e))?;
    drop(command);
    match ready.read(&mut [0; 1]) {
        Ok(1) => Ok(()),
        _ => Err(Error::new(ErrorKind::Host, DOING).with_detail("slirp4netns ended before it was ready")),
    }
}

/// Ends what [`start`] started, if that is there.
pub(super) fn end(state: &Path) -> Result<()> {
    let number = read_to_string(pid_file(state)).ok().and_then(|text| text.trim().parse::<i32>().ok());
    let Some(number) = number.filter(|number| is_ours(*number, state)) else { return Ok(()) };
    let start_time = pid::stat(number).map_or(0, |stat| stat.start_time);
    service::end(&SavedService { pid: number, start_time })
}

/// Whether that process is one that was started for this container: its command line has a file of its directory.
fn is_ours(number: i32, state: &Path) -> bool {
    let words = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let mut words = words.split('\0');
    let is_one = words.next().is_some_and(|program| program.ends_with(PASTA) || program.ends_with(SLIRP));
    is_one && words.any(|word| word.contains(&*format!("{}/", state.display())))
}
