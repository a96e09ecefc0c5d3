//! `Kill` and `Pids`: the processes of a container.
//!
//! Called by `service`.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use cofferdam::{ErrorKind, Result};
use containerd_shim_protos::api::{KillRequest, ProcessInfo};
use containerd_shim_protos::shim::oci::ProcessDetails;

use crate::events::pack;
use crate::failure::malformed;
use crate::process::finished;
use crate::service::Service;
use crate::task::Task;

const SIGKILL: i32 = 9;

/// All of them, with the ids of those that have one.
pub(crate) fn list(task: &Task) -> Result<Vec<ProcessInfo>> {
    let execs = task.execs();
    let named: BTreeMap<u32, &str> =
        execs.values().map(|entry| (entry.now().pid, entry.exec_id.as_str())).collect();
    let info = |pid: i32| {
        let pid = pid.unsigned_abs();
        let details = named.get(&pid).map(|exec_id| {
            let details = ProcessDetails { exec_id: (*exec_id).to_owned(), ..Default::default() };
            pack("containerd.runc.v1", &details)
        });
        ProcessInfo { pid, info: details.into(), ..Default::default() }
    };
    Ok(task.container()?.pids()?.into_iter().map(info).collect())
}

/// Sends a signal to one, or to every one.
pub(crate) fn kill(service: &Service, task: &Task, request: &KillRequest) -> Result<()> {
    let signal = i32::try_from(request.signal).map_err(|e| malformed("the signal", &e))?;
    if !request.exec_id.is_empty() {
        return service.entry(&request.id, &request.exec_id)?.kill(signal);
    }
    match task.container()?.kill(signal, request.all) {
        Err(e) if e.kind() == ErrorKind::WrongState => Err(finished()),
        other => {
            if signal == SIGKILL && other.is_ok() {
                // The library thaws what is to die.
                task.paused.store(false, Ordering::Relaxed);
            }
            other
        }
    }
}
