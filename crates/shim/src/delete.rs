//! `Delete`, asked of the shim, and `delete`, asked of the program when the shim has died.
//!
//! Called by `service` and `main`. Both leave nothing: process, cgroups, state and mounts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use cofferdam::{ErrorKind, Result};
use containerd_shim_protos::api::{DeleteRequest, DeleteResponse};
use containerd_shim_protos::events::task::TaskDelete;
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::topics;

use crate::args::Args;
use crate::bundle::{self, Note};
use crate::failure::{malformed, say, wrong_state};
use crate::process::{Entry, Now};
use crate::service::Service;
use crate::task::Task;
use crate::{clock, create, journal, mounts};

/// Status of a process that was killed with SIGKILL.
const KILLED: u32 = 128 + 9;

/// A process that has ended, or with the first one the container.
pub(crate) fn delete(service: &Service, request: &DeleteRequest) -> Result<DeleteResponse> {
    let _at_work = service.exits.at_work();
    let task = service.task(&request.id)?;
    let entry = service.entry(&request.id, &request.exec_id)?;
    if entry.exec_id.is_empty() {
        return whole(service, &task);
    }
    let mut now = entry.now();
    if now.process.is_some() && now.reap().is_none() {
        return Err(wrong_state("cannot delete a running process"));
    }
    now.held.finish();
    task.execs().remove(&request.exec_id);
    let response = response(&now);
    now.never_ran();
    Ok(response)
}

fn whole(service: &Service, task: &Arc<Task>) -> Result<DeleteResponse> {
    if task.init.now().started && !has_ended(service, &task.init) {
        return Err(wrong_state("cannot delete a running process"));
    }
    if let Some(container) = task.container.get() {
        for warning in container.clone().delete(false)? {
            journal::complain(&task.id, &warning);
        }
    }
    // One that was never started has ended by that.
    has_ended(service, &task.init);
    if task.mounted {
        mounts::unmount(&create::rootfs(&task.bundle))?;
    }
    let mut now = task.init.now();
    now.held.finish();
    let response = response(&now);
    now.never_ran();
    drop(now);
    service.forget(&task.id);
    let event = TaskDelete {
        container_id: task.id.clone(),
        pid: response.pid,
        exit_status: response.exit_status,
        exited_at: response.exited_at.clone(),
        ..Default::default()
    };
    service.events.send(topics::TASK_DELETE_EVENT_TOPIC, &event);
    Ok(response)
}

fn has_ended(service: &Service, entry: &Entry) -> bool {
    service.reap(entry, entry.now())
}

fn response(now: &Now) -> DeleteResponse {
    let mut response = DeleteResponse { pid: now.pid, ..Default::default() };
    if let Some(end) = &now.ended {
        (response.exit_status, response.exited_at) = (end.status, Some(end.at.clone()).into());
    }
    response
}

/// What a dead shim left of one container.
pub(crate) fn run(args: &Args) -> Result<()> {
    let directory =
        if args.bundle.is_empty() { PathBuf::from(".") } else { Path::new(&args.bundle).to_owned() };
    let note = Note::read(&directory);
    let store = match &note {
        Some(note) => cofferdam::Store::new(&note.root),
        None => bundle::store("", &args.namespace),
    };
    match store.remove(&bundle::id(&args.id)?) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    mounts::unmount(&create::rootfs(&directory))?;
    let response = DeleteResponse {
        pid: note.map_or(0, |note| note.pid),
        exit_status: KILLED,
        exited_at: Some(clock::now()).into(),
        ..Default::default()
    };
    say(&response.write_to_bytes().map_err(|e| malformed("the answer", &e))?)
}
