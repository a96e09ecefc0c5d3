//! What this program does when a test starts it again: a role, in a process with one thread.

use std::fs;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use cofferdam_nsinit::{Config, namespaces};
use cofferdam_sys::{open, prctl, setns, setuid};

const ROLE: &str = "COFFERDAM_NSINIT_ROLE";
const FILE: &str = "COFFERDAM_NSINIT_CONFIG";
const REST: &str = "COFFERDAM_NSINIT_REST";

/// This program in a role.
pub(crate) fn role(name: &str, config: &std::path::Path, rest: &[String]) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.env(ROLE, name).env(FILE, config).env(REST, serde_json::to_string(rest).unwrap());
    command
}

/// What it writes; it must end well.
#[track_caller]
pub(crate) fn said(name: &str, config: &std::path::Path, rest: &[String]) -> String {
    let output = role(name, config, rest).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    text(&output)
}

pub(crate) fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Called before `main`.
pub(crate) fn play() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = PathBuf::from(std::env::var_os(FILE).unwrap());
    let config = Config::parse(&fs::read(&path).unwrap()).unwrap();
    let rest: Vec<String> = serde_json::from_str(&std::env::var(REST).unwrap()).unwrap();
    let done = match role.as_str() {
        "environment" => namespaces::load_container_environment(&config).map(|()| {
            for (name, value) in std::env::vars() {
                println!("{name}={value}");
            }
        }),
        "user" => namespaces::setup_user(&config).map(|()| tell_status()),
        "finalize" => namespaces::finalize_namespace(&config).map(|()| {
            tell_status();
            println!("Directory: {}", std::env::current_dir().unwrap().display());
        }),
        "setns" => below(&rest[0]),
        "joined" => join(&rest[0]).and_then(|()| namespaces::finalize_setns(&config, &rest[1..]).map(drop)),
        "death" => death(),
        "outside" => outside(&config),
        "init" => init(&config, &rest).map(drop),
        "bootstrap" => bootstrap(&config, &rest),
        "in place" => in_place(&rest),
        "holder" => holder(&config, &path),
        other => panic!("no role {other}"),
    };
    if let Err(error) = done {
        eprintln!("{error}");
        std::process::exit(70);
    }
    std::process::exit(0);
}

fn tell_status() {
    print!("{}", fs::read_to_string("/proc/self/status").unwrap());
    println!("Home: {}", std::env::var("HOME").unwrap_or_default());
}

/// A child in the PID namespace of a process.
fn below(pid: &str) -> cofferdam::Result<()> {
    let file = fs::File::open(format!("/proc/{pid}/ns/pid")).unwrap();
    setns::setns(std::os::fd::AsRawFd::as_raw_fd(&file), 0).unwrap();
    let status = Command::new("/proc/self/exe").env(ROLE, "joined").status().unwrap();
    std::process::exit(status.code().unwrap_or(99));
}

/// The namespaces of a process, but for that of processes and users.
fn join(pid: &str) -> cofferdam::Result<()> {
    let open = |name: &str| fs::File::open(format!("/proc/{pid}/ns/{name}")).unwrap();
    let files = ["ipc", "uts", "net", "mnt"].map(open);
    for file in files {
        setns::setns(std::os::fd::AsRawFd::as_raw_fd(&file), 0).unwrap();
    }
    Ok(())
}

/// The signal is lost with the user, and comes back.
fn death() -> cofferdam::Result<()> {
    prctl::set_pdeathsig(15).unwrap();
    let before = prctl::pdeathsig().unwrap();
    setuid::setresuid(1).unwrap();
    let lost = prctl::pdeathsig().unwrap();
    namespaces::restore_parent_death_signal(before)?;
    println!("{before} {lost} {}", prctl::pdeathsig().unwrap());
    Ok(())
}

/// Makes the namespaces and, as its child, their first process; its standard input is the pipe.
fn outside(config: &Config) -> cofferdam::Result<()> {
    setns::unshare(namespaces::get_namespace_flags(&config.namespaces)).unwrap();
    let status = Command::new("/proc/self/exe").env(ROLE, "init").status().unwrap();
    std::process::exit(status.code().unwrap_or(99));
}

fn init(config: &Config, rest: &[String]) -> cofferdam::Result<std::convert::Infallible> {
    let pipe: OwnedFd = fs::File::options().read(true).open("/dev/null").unwrap().into();
    let number = std::os::fd::AsRawFd::as_raw_fd(&pipe);
    // Standard input is the pipe: it changes places with the file.
    let kept: OwnedFd = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    open::dup_onto(number, 0).unwrap();
    // What a careless starter leaves open.
    open::set_cloexec(number, false).unwrap();
    std::mem::forget(pipe);
    let console = rest[0].as_str();
    let console = (!console.is_empty()).then(|| std::path::Path::new(console));
    namespaces::init(config, config.root_fs.as_ref(), console, kept, &rest[1..])
}

/// Started as runc starts its init; standard input is the pipe.
fn bootstrap(config: &Config, args: &[String]) -> cofferdam::Result<()> {
    let pipe: OwnedFd = std::os::fd::AsFd::as_fd(&std::io::stdin()).try_clone_to_owned().unwrap();
    let number = std::os::fd::IntoRawFd::into_raw_fd(pipe).to_string();
    cofferdam_sys::environ::set("_LIBCONTAINER_INITPIPE".as_ref(), number.as_ref()).unwrap();
    let inside = cofferdam_nsenter::bootstrap::run_as(cofferdam_nsenter::bootstrap::Release::Current);
    let pipe = inside.unwrap().unwrap().pipe.unwrap();
    namespaces::init(config, config.root_fs.as_ref(), None, pipe, args).map(drop)
}

/// The core's own function, with a configuration of the OCI.
fn in_place(rest: &[String]) -> cofferdam::Result<()> {
    let spec = cofferdam_nsinit::oci::parse_spec(rest[0].as_bytes()).unwrap();
    cofferdam::launch::in_place(&cofferdam::Bundle::from_spec("/", spec), &[]).map(drop)
}

/// Runs a container until it is killed.
fn holder(config: &Config, path: &std::path::Path) -> cofferdam::Result<()> {
    let data = path.parent().unwrap().join("data");
    let sleep = ["sleep".to_owned(), "1000".to_owned()];
    let io = namespaces::Io { stdout: cofferdam::Stdio::null(), ..namespaces::Io::inherit() };
    let (create, setup) = (&namespaces::default_create_command, &namespaces::default_setup_command);
    namespaces::exec(config, io, &data, &sleep, create, setup, |child| println!("{}", child.pid())).map(drop)
}

/// A pipe for standard output, and nothing to read.
pub(crate) fn quiet(command: &mut Command) -> &mut Command {
    command.stdin(Stdio::null()).stdout(Stdio::piped())
}
