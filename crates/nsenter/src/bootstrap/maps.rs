//! What one process writes for another below /proc: id maps, setgroups, time offsets; and oom_score_adj.
//!
//! Called by stage 0, which still has the rights that stage 1 gives up.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use cofferdam_sys::Errno;

use super::log::Log;
use super::message::{Bootstrap, IdRange, TimeOffset, lines};
use super::{Error, Result};

/// Value of the caller's own /proc/self/oom_score_adj, which children inherit.
pub(super) fn oom_score_adj(log: &Log, value: Option<i32>) -> Result<()> {
    let Some(value) = value else { return Ok(()) };
    log.debug(format_args!("oom_score_adj becomes {value}"));
    write("/proc/self/oom_score_adj", &value.to_string()).map_err(|e| e.asked_by("OOM_SCORE_ADJ_ATTR"))
}

/// Both id maps of the process, after setgroups(2) is denied where the kernel wants that.
pub(super) fn ids(log: &Log, pid: i32, asked: &Bootstrap) -> Result<()> {
    if asked.rootless && !asked.setgroups {
        match write(&format!("/proc/{pid}/setgroups"), "deny") {
            // Linux before 3.19 has no such file, and no such rule.
            Err(error) if error.errno != Some(Errno::ENOENT) => return Err(error.asked_by("SETGROUP_ATTR")),
            _ => {}
        }
    }
    map(log, &Map { pid, file: "uid_map", lines: &asked.uid_map, tool: asked.uid_map_tool.as_deref() })
        .map_err(|error| error.asked_by("UIDMAP_ATTR"))?;
    map(log, &Map { pid, file: "gid_map", lines: &asked.gid_map, tool: asked.gid_map_tool.as_deref() })
        .map_err(|error| error.asked_by("GIDMAP_ATTR"))
}

/// The offsets of the time namespace that the process has made for its children.
pub(super) fn time_offsets(log: &Log, pid: i32, offsets: &[TimeOffset]) -> Result<()> {
    log.debug(format_args!("time offsets of {pid} become {:?}", lines(offsets)));
    write(&format!("/proc/{pid}/timens_offsets"), &lines(offsets))
        .map_err(|error| error.asked_by("TIMENSOFFSET_ATTR"))
}

struct Map<'a> {
    pid: i32,
    file: &'static str,
    lines: &'a [IdRange],
    tool: Option<&'a Path>,
}

fn map(log: &Log, map: &Map<'_>) -> Result<()> {
    if map.lines.is_empty() {
        return Ok(());
    }
    let text = lines(map.lines);
    let path = format!("/proc/{}/{}", map.pid, map.file);
    log.debug(format_args!("{path} becomes {text:?}"));
    match (write(&path, &text), map.tool) {
        // Whoever may not write it himself may have ranges that a set-user-ID program writes for him.
        (Err(error), Some(tool)) if error.errno == Some(Errno::EPERM) => run(tool, map),
        (written, _) => written,
    }
}

/// newuidmap(1) or newgidmap(1), with nothing of our environment.
fn run(tool: &Path, map: &Map<'_>) -> Result<()> {
    let mut command = Command::new(tool);
    command.env_clear().stdin(Stdio::null()).arg(map.pid.to_string());
    for line in map.lines {
        command.args(line.to_string().split(' '));
    }
    let failed = |why: String| Error::new("running the mapping tool", format!("{}: {why}", tool.display()));
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(status.to_string()).hint("are the ranges in /etc/subuid and /etc/subgid?")),
        Err(error) => Err(failed("executing it".to_owned()).io(&error)),
    }
}

/// In one write, as these files demand.
fn write(path: &str, text: &str) -> Result<()> {
    let failed = |error: &std::io::Error| Error::new("writing", format!("{text:?} to {path}")).io(error);
    let mut file = OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
    file.write_all(text.as_bytes()).map_err(|error| failed(&error))
}
