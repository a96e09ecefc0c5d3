//! Writing a user namespace's id maps, by ourselves or by newuidmap(1) and newgidmap(1).

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_oci::{IdMapping, Pointer};
use cofferdam_plan::{IdMaps, Setgroups};

use crate::helper::Helper;
use crate::{Error, ErrorKind, Result};

/// Writes all of it for the process `pid`, in the order that the kernel demands.
pub(crate) fn write(maps: &IdMaps, pid: i32) -> Result<()> {
    if maps.setgroups == Setgroups::Deny {
        one(&format!("/proc/{pid}/setgroups"), b"deny", "/linux/gidMappings")?;
    }
    match &maps.helpers {
        None => {
            one(&format!("/proc/{pid}/gid_map"), text(&maps.gid).as_bytes(), "/linux/gidMappings")?;
            one(&format!("/proc/{pid}/uid_map"), text(&maps.uid).as_bytes(), "/linux/uidMappings")
        }
        Some((uid, gid)) => {
            helper(gid, pid, &maps.gid, "/linux/gidMappings")?;
            helper(uid, pid, &maps.uid, "/linux/uidMappings")
        }
    }
}

fn text(list: &[IdMapping]) -> String {
    list.iter().map(|m| format!("{} {} {}\n", m.container_id, m.host_id, m.size)).collect()
}

/// A map is written in one call or not at all.
fn one(path: &str, bytes: &[u8], pointer: &str) -> Result<()> {
    let write = || fs::OpenOptions::new().write(true).open(path)?.write_all(bytes);
    write().map_err(|e| {
        let error = Error::io("writing", path, &e).with_pointer(&Pointer::new(pointer));
        match e.raw_os_error() {
            Some(1) => {
                error.with_hint("the kernel lets root, or newuidmap(1), map ids that are not one's own")
            }
            Some(22) => error.with_hint("ranges overlap, or are not mapped in the namespace we are in"),
            _ => error,
        }
    })
}

fn helper(program: &Path, pid: i32, list: &[IdMapping], pointer: &str) -> Result<()> {
    let mut command = Command::new(program);
    command.arg(pid.to_string()).stdin(Stdio::null());
    for m in list {
        command.args([m.container_id.to_string(), m.host_id.to_string(), m.size.to_string()]);
    }
    let failed = || Error::new(ErrorKind::Host, "running").with_object(program.display().to_string());
    let mut run = || {
        let mut helper = Helper::start(command.stdout(Stdio::null()).stderr(Stdio::piped()))?;
        let said = helper.child.stderr.take().map(std::io::read_to_string).transpose()?;
        Ok((helper.wait()?, said.unwrap_or_default()))
    };
    let (status, said) = run().map_err(|e| Error::io("running", program, &e))?;
    if status.success() {
        return Ok(());
    }
    Err(failed()
        .with_detail(said.trim())
        .with_pointer(&Pointer::new(pointer))
        .with_hint("the ranges must be listed for the user in /etc/subuid and /etc/subgid"))
}
