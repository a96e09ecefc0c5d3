//! `start`: says where the shim of the container's group listens, and starts it if there is none.
//!
//! Called by `main`, in the bundle. The socket is made here and handed to the shim, so that it can be connected to
//! from the moment on at which its address is said: nobody waits for the shim to be ready.

use std::fs;
use std::io::{IsTerminal, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use cofferdam::{Error, Result};

use crate::address::{self, Place};
use crate::args::Args;
use crate::options::Options;
use crate::own_cgroup::{self, OwnCgroup};
use crate::{bundle, failure};

/// Where containerd finds the address again after it was restarted.
const ADDRESS: &str = "address";

/// Does it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let group = bundle::group(Path::new("."), &args.id)?;
    let path = address::path(&args.address, &args.namespace, &group);
    let url = address::url(&path);
    if let Place::Ours(listener) = address::claim(&path)? {
        let begin = || {
            let own = OwnCgroup::make(&options()?.0.shim_cgroup)?;
            Ok((spawn(args, &path, listener, &own)?, own))
        };
        let (shim, own) = begin().inspect_err(|_: &Error| drop(fs::remove_file(&path)))?;
        arrange(&shim);
        own.join(shim.id()).inspect_err(|_| {
            let _ = rustix::process::kill_process(
                rustix::process::Pid::from_child(&shim),
                rustix::process::Signal::KILL,
            );
        })?;
    }
    fs::write(ADDRESS, &url).map_err(|e| Error::io("writing", ADDRESS, &e))?;
    failure::say(url.as_bytes())
}

/// What containerd was told to pass on, on standard input.
fn options() -> Result<Options> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().lock();
    if !input.is_terminal() {
        input.read_to_end(&mut bytes).map_err(|e| Error::io("reading options from", "standard input", &e))?;
    }
    Options::sent(&bytes)
}

/// The shim gets the socket as standard input. Nobody waits for it: it becomes init's, or the subreaper's.
fn spawn(args: &Args, path: &Path, listener: UnixListener, own: &OwnCgroup) -> Result<Child> {
    let program = std::env::current_exe().map_err(|e| Error::io("finding", "/proc/self/exe", &e))?;
    let mut command = Command::new(&program);
    command.args(["-namespace", &args.namespace, "-id", &args.id, "-address", &args.address]);
    command.arg("-socket").arg(path);
    if args.debug {
        command.arg("-debug");
    }
    // Threads that mostly wait need no arenas of memory of their own.
    command.env("MALLOC_ARENA_MAX", "1");
    command.env(own_cgroup::MADE, own.told());
    command.stdin(Stdio::from(OwnedFd::from(listener))).stdout(Stdio::null()).stderr(Stdio::null());
    command.process_group(0);
    command.spawn().map_err(|e| Error::io("starting", &program, &e))
}

/// The kernel is to end the shim after containerd, if it must: one worse than what started us.
fn arrange(shim: &Child) {
    const WORST: i32 = 1000;
    let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    let score = fs::read_to_string(format!("/proc/{parent}/oom_score_adj"));
    if let Some(score) = score.ok().and_then(|score| score.trim().parse::<i32>().ok()) {
        // Lowering needs a right that a user namespace does not give, and nothing depends on it.
        let _ = fs::write(format!("/proc/{}/oom_score_adj", shim.id()), (score + 1).min(WORST).to_string());
    }
}
