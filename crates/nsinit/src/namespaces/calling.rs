//! What changes the calling process: its environment, its user, its parent death signal.
//!
//! Called by the last code before execve(2), in a process with one thread. What fails half-way has changed
//! what came before it.

use std::ffi::OsString;
use std::path::Path;

use cofferdam::{Error, ErrorKind, Result};
use cofferdam_oci::Pointer;
use cofferdam_sys::{Errno, environ, prctl, setns, setuid};

use crate::{Config, ExecUser};

const SIGKILL: i32 = 9;

/// The calling process must be alone: its ids and its environment are those of all its threads.
pub(super) fn alone(doing: &str) -> Result<()> {
    environ::single_threaded().map_err(|e| not_alone(doing, e))
}

fn not_alone(doing: &str, errno: Errno) -> Error {
    let error = Error::system(doing, errno);
    match errno {
        Errno::EBUSY => error
            .with_detail("the process has more than one thread")
            .with_hint("call it at the beginning of main, before threads are made"),
        _ => error,
    }
}

/// libcontainer's `LoadContainerEnvironment`: the calling process's environment becomes the configuration's,
/// and nothing of the old one stays.
///
/// # Errors
/// [`ErrorKind::Configuration`] for an entry without `=`; more than one thread. Nothing is changed then.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::load_container_environment};
/// load_container_environment(&Config::parse(br#"{"environment": ["HOME=/", "TERM=xterm"]}"#)?)?;
/// assert_eq!(std::env::vars().count(), 2);
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn load_container_environment(config: &Config) -> Result<()> {
    const DOING: &str = "replacing the environment";
    let mut variables: Vec<(OsString, OsString)> = Vec::new();
    for (index, pair) in config.environment.iter().enumerate() {
        let (name, value) = pair.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, DOING)
                .with_detail(format!("{pair:?} is not NAME=value"))
                .with_pointer(&config.place(&Pointer::new("/environment").index(index)))
        })?;
        variables.push((name.into(), value.into()));
    }
    environ::replace(&variables).map_err(|e| not_alone(DOING, e))
}

/// libcontainer's `SetupUser`: the calling process becomes the configuration's user, with that user's groups,
/// by /etc/passwd and /etc/group as it sees them; `HOME` is set unless it is.
///
/// # Errors
/// A user or group that is not known; `EPERM` without the right, or for groups that are not mapped; more
/// than one thread.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::setup_user};
/// setup_user(&Config::parse(br#"{"user": "daemon", "additional_groups": [29]}"#)?)?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn setup_user(config: &Config) -> Result<()> {
    alone("becoming the user")?;
    let own = cofferdam::template::Caller::current().uid;
    let user = ExecUser::of(config, own, Path::new("/"))?;
    let failed = |doing: &'static str, id: u32| {
        move |e: Errno| {
            Error::system(doing, e)
                .with_object(id.to_string())
                .with_pointer(&config.place(&Pointer::new("/user")))
        }
    };
    let groups = user.groups.iter().chain(&user.additional);
    let groups: Vec<u8> = groups.flat_map(|gid| gid.to_ne_bytes()).collect();
    setuid::setgroups(&groups).map_err(|e| {
        Error::system("setting supplementary groups", e)
            .with_pointer(&config.place(&Pointer::new("/additional_groups")))
    })?;
    setuid::setresgid(user.gid).map_err(failed("becoming group", user.gid))?;
    setuid::setresuid(user.uid).map_err(failed("becoming user", user.uid))?;
    if std::env::var_os("HOME").is_none_or(|home| home.is_empty()) {
        environ::set("HOME".as_ref(), user.home.as_ref()).map_err(|e| not_alone("setting HOME", e))?;
    }
    Ok(())
}

/// libcontainer's `RestoreParentDeathSignal`: gives the calling process the parent death signal back that it
/// had before it became another user, which takes it away. A process whose parent has ended meanwhile ends
/// by SIGKILL; in a new PID namespace, where the parent cannot be seen, that is not noticed.
///
/// 0 is no signal: nothing is done.
///
/// # Errors
/// `EINVAL` for no signal.
///
/// ```
/// use cofferdam_nsinit::namespaces::restore_parent_death_signal;
/// restore_parent_death_signal(0)?;
/// assert!(restore_parent_death_signal(1000).is_err());
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn restore_parent_death_signal(old: u32) -> Result<()> {
    let failed = |e: Errno| Error::system("setting the parent death signal", e).with_object(old.to_string());
    if old == 0 || prctl::pdeathsig().map_err(failed)? == old {
        return Ok(());
    }
    prctl::set_pdeathsig(old).map_err(failed)?;
    if std::os::unix::process::parent_id() == 1 {
        let own = i32::try_from(std::process::id()).unwrap_or_default();
        return setns::kill(own, SIGKILL).map_err(failed);
    }
    Ok(())
}
