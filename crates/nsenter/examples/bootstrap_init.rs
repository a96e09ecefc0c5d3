//! A program that can be started the way runc starts its init: `cofferdam_nsenter::bootstrap` in its shortest
//! whole form. What it does inside is its argument's: `init` is what runc says, the others are for tests.
//!
//! As `init` it is a (very small) init of runc 1.0 and 1.1: it reads the configuration, tells the parent that
//! it is ready, waits for the word to run, changes the root and executes.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use cofferdam_nsenter::bootstrap::{self, Init};
use serde::Deserialize;
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<ExitCode, Failure> {
    let word = std::env::args().nth(1).unwrap_or_default();
    if word == "threaded" {
        // Too early: the bootstrap must come first.
        std::thread::spawn(std::thread::park);
    }
    let Some(init) = bootstrap::run()? else { return Ok(ExitCode::SUCCESS) };
    let done = match word.as_str() {
        "init" => return run(init),
        "facts" => facts(&init),
        "fail" => Err("as it was told to".into()),
        "status" => return Ok(ExitCode::from(7)),
        "signal" => {
            Command::new("/bin/kill").args(["-TERM", &std::process::id().to_string()]).status()?;
            Ok(())
        }
        other => Err(format!("{other}: no such word").into()),
    };
    if let Err(error) = done {
        init.fail(&error.to_string())?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What the parent sends after the bootstrap, of which this program needs little.
#[derive(Deserialize)]
struct Config {
    args: Vec<String>,
    env: Vec<String>,
    cwd: String,
    config: Container,
}

#[derive(Deserialize)]
struct Container {
    rootfs: String,
}

fn run(init: Init) -> Result<ExitCode, Failure> {
    let config = match agree(&init) {
        Ok(config) => config,
        Err(error) => {
            init.fail(&error.to_string())?;
            return Ok(ExitCode::FAILURE);
        }
    };
    let Init { pipe, log_pipe, fifo, .. } = init;
    // The parent reads both to their end: all went well.
    drop((pipe, log_pipe));
    if let Some(fifo) = fifo {
        // Until `start` opens the other end; while /proc is still the host's.
        wait_for_start(fifo.as_raw_fd())?;
    }
    std::os::unix::fs::chroot(&config.config.rootfs)?;
    std::env::set_current_dir(&config.cwd)?;
    let (name, arguments) = config.args.split_first().ok_or("no program")?;
    let mut command = Command::new(name);
    command.args(arguments).env_clear();
    command.envs(config.env.iter().filter_map(|pair| pair.split_once('=')));
    Err(command.exec().into())
}

/// Gets the configuration, and goes through the two meetings that the parent expects.
fn agree(init: &Init) -> Result<Config, Failure> {
    let mut pipe = File::from(init.pipe.as_ref().ok_or("no init pipe")?.try_clone()?);
    let config: Config = receive(&mut pipe)?;
    for (say, hear) in [("procHooks", "procResume"), ("procReady", "procRun")] {
        pipe.write_all(json!({"type": say, "fd": -1}).to_string().as_bytes())?;
        let answer: Value = receive(&mut pipe)?;
        if answer["type"] != hear {
            return Err(format!("{answer} in the place of {hear}").into());
        }
    }
    Ok(config)
}

/// The descriptor was opened with O_PATH: it is opened again for writing, through /proc.
fn wait_for_start(fifo: i32) -> io::Result<()> {
    let mut fifo = OpenOptions::new().write(true).open(format!("/proc/self/fd/{fifo}"))?;
    fifo.write_all(b"0")
}

/// One value, and not a byte more.
fn receive<T: for<'a> Deserialize<'a>>(pipe: &mut File) -> Result<T, Failure> {
    let mut values = serde_json::Deserializer::from_reader(pipe).into_iter();
    Ok(values.next().ok_or("the parent has gone")??)
}

/// What this process is, in one line on the init pipe.
fn facts(init: &Init) -> Result<(), Failure> {
    let dumpable = rustix::process::dumpable_behavior()? != rustix::process::DumpableBehavior::NotDumpable;
    // Whoever changes its user is not any more, and may not even look into itself from a user namespace.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::Dumpable)?;
    let mut namespaces = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/ns")? {
        let entry = entry?;
        let link = fs::read_link(entry.path())?;
        namespaces.insert(entry.file_name().display().to_string(), link.display().to_string());
    }
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}"));
    let mut descriptors = BTreeMap::new();
    for entry in fs::read_dir("/proc/self/fd")? {
        let entry = entry?;
        let link = fs::read_link(entry.path()).unwrap_or_default();
        descriptors.insert(entry.file_name().display().to_string(), link.display().to_string());
    }
    let line = json!({
        "pid": std::process::id(),
        "parent": std::os::unix::process::parent_id(),
        "namespaces": namespaces,
        "comm": read("comm")?,
        "status": read("status")?,
        "stat": read("stat")?,
        "uid_map": read("uid_map")?,
        "gid_map": read("gid_map")?,
        "setgroups": read("setgroups")?,
        "oom_score_adj": read("oom_score_adj")?,
        "timens_offsets": read("timens_offsets")?,
        "dumpable": dumpable,
        "descriptors": descriptors,
        "kind": init.kind.map(|kind| format!("{kind:?}")),
        "release": format!("{:?}", init.release),
    });
    let mut pipe = File::from(init.pipe.as_ref().ok_or("no init pipe")?.try_clone()?);
    writeln!(pipe, "{line}")?;
    // The parent looks at us from outside, too, until it says a byte or closes the pipe.
    let _ = pipe.read(&mut [0; 1])?;
    Ok(())
}
