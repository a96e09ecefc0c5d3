//! Init: the calling process becomes a container's first.

use std::convert::Infallible;
use std::fs::File;
use std::io::{BufReader, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{PermissionsExt, fchown};
use std::path::Path;

use cofferdam::oci::{Mount, Spec};
use cofferdam::{Bundle, CreateOptions, Error, ErrorKind, Result, launch};
use cofferdam_sys::{Errno, Fd, open, setns, tty};
use serde::Deserialize;

use super::calling::{alone, load_container_environment};
use crate::{Config, NetworkState, lower};

/// libcontainer's `Init`: does in the calling process, which is in the new namespaces of the configuration
/// already, what a container's first process does; then the program takes its place. Namespaces that are
/// joined by their path are joined here. Does not return but with an error.
///
/// `pipe` is the socket to whoever started the process: a [`NetworkState`] in JSON is read from it first, which
/// is also how the parent says that cgroups and networks are ready. A failure is written to it as
/// `{"message":…}`; that it is closed without a word says that the program runs. `console` is a terminal of
/// the caller's, which becomes the program's.
///
/// [`super::exec`] needs none of this: its first process is the core's own.
///
/// # Errors
/// More than one thread; all that is wrong with the configuration; the step that failed. All that is left
/// then is to end.
///
/// ```no_run
/// use cofferdam_nsenter::bootstrap;
/// use cofferdam_nsinit::{Config, namespaces::init};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     // Started the way runc starts its init: the last process comes out here, inside.
///     if let Some(inside) = bootstrap::run()? {
///         let config = Config::parse(&std::fs::read("/srv/box/container.json")?)?;
///         let pipe = inside.pipe.ok_or("no pipe")?;
///         init(&config, "/srv/box/root".as_ref(), None, pipe, &["sh".to_owned()])?;
///     }
///     Ok(())
/// }
/// ```
pub fn init(
    config: &Config,
    root_fs: &Path,
    console: Option<&Path>,
    pipe: impl Into<OwnedFd>,
    args: &[String],
) -> Result<Infallible> {
    let mut pipe = File::from(pipe.into());
    // The program may not inherit it, and must close it.
    let cloexec = open::set_cloexec(pipe.as_raw_fd(), true).map_err(|e| Error::system("marking the pipe", e));
    cloexec.and_then(|()| set_up(config, root_fs, console, &mut pipe, args)).inspect_err(|error| {
        // What is unread would make the kernel answer the parent with a reset instead of these words.
        let _ = pipe.read_to_end(&mut Vec::new());
        let _ = writeln!(pipe, "{}", serde_json::json!({ "message": error.to_string() }));
    })
}

/// Takes over a descriptor that the calling process was started with: the pipe for [`init`], whose number
/// libcontainer's parent gave in the variable `pipe`. Nobody else may close it.
///
/// # Errors
/// When it is one of the standard streams, or not open.
///
/// ```
/// use cofferdam_nsinit::namespaces::inherited_pipe;
/// assert!(inherited_pipe(2).is_err() && inherited_pipe(1000).is_err());
/// ```
pub fn inherited_pipe(number: i32) -> Result<OwnedFd> {
    let failed =
        |e: Errno| Error::system("taking over the descriptor of the pipe", e).with_object(number.to_string());
    if number <= 2 {
        return Err(failed(Errno::EBADF));
    }
    open::set_cloexec(number, true).map_err(failed)?;
    Ok(Fd::own(number).into())
}

fn set_up(
    config: &Config,
    root_fs: &Path,
    console: Option<&Path>,
    pipe: &mut File,
    args: &[String],
) -> Result<Infallible> {
    alone("becoming the container's first process")?;
    let root = root_fs.canonicalize().map_err(|e| Error::io("finding the root filesystem", root_fs, &e))?;
    load_container_environment(config)?;
    network_state(pipe)?;
    if let Some((_, at, _)) = lower::with_commands(config).next() {
        return Err(Error::new(ErrorKind::Configuration, "becoming the container's first process")
            .with_detail("commands beside mounts are run by Exec only")
            .with_pointer(&config.place(&at)));
    }
    let spec = translated(config, &root, console, args)?;
    super::relabel::sources(config)?;
    let console = console.map(|path| open_console(config, path)).transpose()?;
    session(console.as_ref())?;
    launch::in_place(&Bundle::from_spec(root, spec), &[pipe.as_raw_fd()])
        .map_err(|e| lower::told_in(config, e))
}

fn translated(config: &Config, root: &Path, console: Option<&Path>, args: &[String]) -> Result<Spec> {
    let config = Config { root_fs: root.display().to_string(), tty: false, ..config.clone() };
    // Whoever started this process has made its network.
    let finish = |spec: &mut Spec| drop(spec.annotations.remove(cofferdam::NETWORK_ANNOTATION));
    let options = CreateOptions { no_cgroups: true, ..CreateOptions::default() };
    let mut spec = super::judge::spec(&config, root, args, finish, &options)?;
    if let Some(path) = console {
        spec.mounts.push(Mount {
            destination: "/dev/console".to_owned(),
            kind: Some("bind".to_owned()),
            source: Some(path.display().to_string()),
            options: vec!["bind".to_owned()],
            ..Mount::default()
        });
    }
    Ok(spec)
}

/// The parent's word that everything outside is ready.
fn network_state(pipe: &mut File) -> Result<NetworkState> {
    let failed = |why: String| {
        Error::new(ErrorKind::System, "reading the network state from the pipe").with_detail(why)
    };
    // In one piece, with the newline after it: what is left unread would reset the parent's end.
    let mut values = serde_json::Deserializer::from_reader(BufReader::new(pipe));
    Option::<NetworkState>::deserialize(&mut values)
        .map(Option::unwrap_or_default)
        .map_err(|e| failed(e.to_string()))
}

fn open_console(config: &Config, path: &Path) -> Result<File> {
    let failed = |e: std::io::Error| Error::io("opening the console", path, &e);
    let name = crate::c_path(path)?;
    let fd = open::open(&name, open::O_RDWR | open::O_NOCTTY)
        .map_err(|e| Error::system("opening the console", e).with_object(path.display().to_string()))?;
    let console = File::from(OwnedFd::from(fd));
    console.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    // Inside of the user namespace its root is 0, whoever that is outside.
    let own = cofferdam::template::Caller::current();
    let _ = super::get_host_root_uid(config)?;
    fchown(&console, Some(own.uid), Some(own.gid)).map_err(failed)?;
    Ok(console)
}

/// A session of its own, with the console as its terminal.
fn session(console: Option<&File>) -> Result<()> {
    match setns::setsid() {
        // A bootstrap has made one.
        Err(Errno::EPERM) if leads_session() => {}
        other => other.map_err(|e| Error::system("making a session", e))?,
    }
    let Some(console) = console else { return Ok(()) };
    let failed = |e: Errno| Error::system("taking the console", e);
    for stream in 0..3 {
        open::dup_onto(console.as_raw_fd(), stream).map_err(failed)?;
    }
    tty::make_controlling(0).map_err(failed)
}

/// Whether the calling process leads its session: field 6 of /proc/self/stat is its number then.
fn leads_session() -> bool {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let own = stat.split_ascii_whitespace().next();
    let session = stat.rsplit(')').next().and_then(|rest| rest.split_ascii_whitespace().nth(3));
    own.is_some() && own == session
}
