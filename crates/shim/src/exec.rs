//! `Exec`, and `Start` of what it added: another process in a container.
//!
//! Called by `service`.

use std::sync::Arc;

use cofferdam::oci::{self, Process as Spec};
use cofferdam::{Error, ErrorKind, ExecOptions, Result, TerminalMode};
use containerd_shim_protos::api::ExecProcessRequest;
use containerd_shim_protos::events::task::{TaskExecAdded, TaskExecStarted};
use containerd_shim_protos::topics;

use crate::create::{adopt, streams};
use crate::failure::{malformed, wrong_state};
use crate::io::{Names, Whose};
use crate::process::Entry;
use crate::service::Service;
use crate::task::Task;

/// Notes what is to be started.
pub(crate) fn add(service: &Service, task: &Task, request: &ExecProcessRequest) -> Result<()> {
    let mut spec: Spec = oci::parse(&request.spec.value).map_err(|e| malformed("the process", &e.message))?;
    spec.terminal = request.terminal;
    let names = Names {
        terminal: request.terminal,
        stdin: request.stdin.clone(),
        stdout: request.stdout.clone(),
        stderr: request.stderr.clone(),
    };
    let mut execs = task.execs();
    if request.exec_id.is_empty() || execs.contains_key(&request.exec_id) {
        return Err(Error::new(ErrorKind::AlreadyExists, "process already exists:")
            .with_object(request.exec_id.clone()));
    }
    let entry = Entry::new(&task.id, &request.exec_id, names);
    entry.now().spec = Some(Box::new(spec));
    execs.insert(request.exec_id.clone(), Arc::new(entry));
    drop(execs);
    let event = TaskExecAdded {
        container_id: task.id.clone(),
        exec_id: request.exec_id.clone(),
        ..Default::default()
    };
    service.events.send(topics::TASK_EXEC_ADDED_EVENT_TOPIC, &event);
    Ok(())
}

/// Starts it; gives its number.
pub(crate) fn start(service: &Service, task: &Task, entry: &Arc<Entry>) -> Result<u32> {
    let _at_work = service.exits.at_work();
    let spec = entry.now().spec.take();
    let spec = spec.ok_or_else(|| wrong_state("cannot start a process that has been started"))?;
    let whose = Whose { namespace: &service.namespace, id: &entry.exec_id, owner: task.owner };
    let (stdio, opened) = streams(&entry.names, whose)?;
    let options =
        ExecOptions { process: *spec, stdio, terminal: TerminalMode::Own, ..ExecOptions::default() };
    let process = task.container()?.exec(options)?;
    // Its end may only be told after its beginning.
    let mut now = entry.now();
    let pid = adopt(service, entry, &mut now, process, opened)?;
    now.started = true;
    let event = TaskExecStarted {
        container_id: task.id.clone(),
        exec_id: entry.exec_id.clone(),
        pid,
        ..Default::default()
    };
    service.events.send(topics::TASK_EXEC_STARTED_EVENT_TOPIC, &event);
    Ok(pid)
}
