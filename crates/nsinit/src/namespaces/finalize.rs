//! FinalizeNamespace and FinalizeSetns: the last steps of a process before its program.
//!
//! Called in a process with one thread that is in its namespaces. What fails half-way has changed what came
//! before it: all that is left then is to end.

use std::convert::Infallible;
use std::os::unix::process::CommandExt;

use cofferdam::launch::Operations;
use cofferdam::{Error, ErrorKind, Result};
use cofferdam_child::op::Op;
use cofferdam_oci::Pointer;
use cofferdam_sys::{Errno, capset, close_range, prctl, rlimit};

use super::calling::{alone, load_container_environment, setup_user};
use crate::Config;

/// libcontainer's `FinalizeNamespace`: the calling process keeps the configuration's capabilities and drops all
/// others, from the bounding set too, becomes its user and goes to its directory; descriptors from 3 on are
/// closed when it executes a program.
///
/// # Errors
/// A capability that there is none of, or that the process does not have (`EPERM`); as [`setup_user`]; a
/// directory that is not there; more than one thread.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::finalize_namespace};
/// finalize_namespace(&Config::parse(br#"{"user": "daemon", "capabilities": ["KILL"], "working_dir": "/tmp"}"#)?)?;
/// # Ok::<(), cofferdam::Error>(())
/// ```
pub fn finalize_namespace(config: &Config) -> Result<()> {
    alone("finalizing the namespace")?;
    let kept = kept(config)?;
    let failed = |doing: &'static str| move |e: Errno| Error::system(doing, e);
    close_range::close_range(3, u32::MAX, close_range::CLOSE_RANGE_CLOEXEC)
        .map_err(failed("marking descriptors"))?;
    drop_bounding(kept)?;
    prctl::set_keepcaps(true).map_err(failed("keeping capabilities"))?;
    setup_user(config)?;
    prctl::set_keepcaps(false).map_err(failed("keeping capabilities no more"))?;
    capset::capset(kept, kept, kept).map_err(|e| {
        Error::system("dropping capabilities", e).with_pointer(&config.place(&Pointer::new("/capabilities")))
    })?;
    if !config.working_dir.is_empty() {
        std::env::set_current_dir(&config.working_dir).map_err(|e| {
            Error::io("going to the directory", &config.working_dir, &e)
                .with_pointer(&config.place(&Pointer::new("/working_dir")))
        })?;
    }
    Ok(())
}

fn kept(config: &Config) -> Result<u64> {
    let bit = |(index, name): (usize, &String)| {
        cofferdam_plan::capability_bit(&format!("CAP_{name}")).map(|bit| 1_u64 << bit).ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "dropping capabilities")
                .with_detail(format!("there is no capability {name}"))
                .with_pointer(&config.place(&Pointer::new("/capabilities").index(index)))
        })
    };
    config.capabilities.iter().enumerate().map(bit).try_fold(0, |all, one| Ok(all | one?))
}

fn drop_bounding(kept: u64) -> Result<()> {
    for capability in (0..64_u32).filter(|bit| kept >> bit & 1 == 0) {
        match prctl::drop_bounding(capability) {
            Ok(()) => {}
            // Past the last capability that this kernel knows.
            Err(Errno::EINVAL) => break,
            Err(e) => {
                let error = Error::system("dropping the bounding set", e);
                return Err(error.with_pointer(&Pointer::new("/capabilities")));
            }
        }
    }
    Ok(())
}

/// libcontainer's `FinalizeSetns`: what is left to do in a process that has joined a container's namespaces:
/// environment, limits, [`finalize_namespace`], AppArmor profile and SELinux label; then the program takes its
/// place. Does not return but with an error.
///
/// # Errors
/// As the functions that it calls; [`ErrorKind::Payload`] when the program cannot be executed.
///
/// ```no_run
/// use cofferdam_nsinit::{Config, namespaces::finalize_setns};
/// let config = Config::parse(&std::fs::read("container.json")?)?;
/// // The namespaces have been joined, as by `cofferdam_nsenter::bootstrap`.
/// let error = finalize_setns(&config, &["sh".to_owned()]).unwrap_err();
/// eprintln!("{error}");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn finalize_setns(config: &Config, args: &[String]) -> Result<Infallible> {
    let (program, rest) = args.split_first().ok_or_else(|| {
        Error::new(ErrorKind::Configuration, "executing").with_detail("there is no program")
    })?;
    load_container_environment(config)?;
    setup_rlimits(config)?;
    finalize_namespace(config)?;
    labels(config)?;
    let error = std::process::Command::new(program).args(rest).exec();
    let kind = Error::new(ErrorKind::Payload, "executing").with_object(program);
    Err(match error.raw_os_error() {
        Some(errno) => kind.with_errno(errno),
        None => kind.with_detail(error.to_string()),
    })
}

fn setup_rlimits(config: &Config) -> Result<()> {
    for (index, limit) in config.rlimits.iter().enumerate() {
        rlimit::set(limit.kind, limit.soft, limit.hard).map_err(|e| {
            let field = config.place(&Pointer::new("/rlimits").index(index));
            Error::system("setting resource limit", e)
                .with_object(limit.kind.to_string())
                .with_pointer(&field)
        })?;
    }
    Ok(())
}

/// Through a /proc that is verified to be one: what looks like it may be the container's.
fn labels(config: &Config) -> Result<()> {
    let (apparmor, selinux) = (&config.apparmor_profile, &config.process_label);
    if apparmor.is_empty() && selinux.is_empty() {
        return Ok(());
    }
    let mut operations = Operations::default();
    operations.push("opening /proc", "", Op::OpenProc {});
    if !apparmor.is_empty() {
        let value = format!("exec {apparmor}");
        let (file, fallback) = (c"thread-self/attr/apparmor/exec", c"thread-self/attr/exec");
        let op = Op::Label { file, fallback, value: value.as_bytes() };
        operations.push("applying AppArmor profile", apparmor, op);
    }
    if !selinux.is_empty() {
        let op = Op::Label { file: c"thread-self/attr/exec", fallback: c"", value: selinux.as_bytes() };
        operations.push("applying SELinux label", selinux, op);
    }
    operations.run_here()
}
