//! `Create` and `Start` of a container: its root filesystem, its streams, the library's part.
//!
//! Called by `service`. What was made is undone when a later step fails.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};

use cofferdam::{Bundle, Container, CreateOptions, Error, Process, Result, Streams};
use containerd_shim_protos::api::CreateTaskRequest;
use containerd_shim_protos::events::task::{TaskCreate, TaskIO, TaskStart};
use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::topics;

use crate::bundle::{self, Note};
use crate::checkpoint::{self, Restoring};
use crate::exits::Word;
use crate::failure::wrong_state;
use crate::io::{self, Ends, Held, Names, Whose};
use crate::mounts::Mounted;
use crate::options::Options;
use crate::process::{Entry, Now};
use crate::service::Service;
use crate::task::Task;
use crate::{journal, oom, terminal};

/// Makes a container, up to where its program waits; gives the number of its first process.
pub(crate) fn create(service: &Service, request: &CreateTaskRequest) -> Result<u32> {
    let id = bundle::id(&request.id)?;
    let place = service.reserve(&request.id)?;
    let _at_work = service.exits.at_work();
    let options = Options::read(request.options.as_ref())?;
    let store = bundle::store(&options.0.root, &service.namespace);
    let directory = PathBuf::from(&request.bundle);
    // `delete` must know where to look, whenever the shim dies.
    let mut note = Note { root: store.root().to_owned(), pid: 0 };
    note.write(&directory)?;
    let mounted = Mounted::make(&request.rootfs, &directory.join("rootfs"))?;
    let document = Bundle::open(&directory)?;
    let names = names(request);
    let whose = Whose { namespace: &service.namespace, id: &request.id, owner: options.owner() };
    let init = Arc::new(Entry::new(&request.id, "", names));
    let task = Task {
        id: request.id.clone(),
        bundle: document.dir.clone(),
        container: OnceLock::new(),
        restoring: Mutex::default(),
        init: Arc::clone(&init),
        execs: Default::default(),
        own_pid_namespace: has_own_pid_namespace(&document),
        mounted: mounted.is_some(),
        owner: options.owner(),
        paused: AtomicBool::new(false),
    };
    if let Some(images) = checkpoint::images(&request.checkpoint, &options) {
        let restoring = Restoring { images, store, id, bundle: document, options };
        let task = Task { restoring: Mutex::new(Some(restoring)), ..task };
        return Ok(finish(service, request, place, task, mounted));
    }
    let (streams, opened) = streams(&init.names, whose)?;
    let (container, process) = Container::prepare(
        &store,
        &id,
        &document,
        CreateOptions { stdio: streams, ..options.create(&document) },
    )?;
    let pid = match adopt(service, &init, &mut init.now(), process, opened) {
        Ok(pid) => pid,
        Err(e) => {
            container.delete(true).map(drop).unwrap_or_else(|e| journal::complain(&request.id, &e));
            return Err(e);
        }
    };
    note.pid = pid;
    // Only the answer of `delete` after a death would lack it.
    note.write(&document.dir).unwrap_or_else(|e| journal::complain(&request.id, &e));
    let _ = task.container.set(container);
    Ok(finish(service, request, place, task, mounted))
}

/// Tells of it, and lets it be found.
fn finish(
    service: &Service,
    request: &CreateTaskRequest,
    place: crate::service::Reserved<'_>,
    task: Task,
    mounted: Option<Mounted>,
) -> u32 {
    let pid = task.init.now().pid;
    mounted.into_iter().for_each(Mounted::keep);
    let io = TaskIO {
        stdin: request.stdin.clone(),
        stdout: request.stdout.clone(),
        stderr: request.stderr.clone(),
        terminal: request.terminal,
        ..Default::default()
    };
    let mut event = TaskCreate {
        container_id: request.id.clone(),
        bundle: request.bundle.clone(),
        io: MessageField::some(io),
        checkpoint: request.checkpoint.clone(),
        pid,
        ..Default::default()
    };
    for mount in &request.rootfs {
        event.rootfs.push(Default::default());
        if let Some(last) = event.rootfs.last_mut() {
            (last.type_, last.source) = (mount.type_.clone(), mount.source.clone());
            (last.target, last.options) = (mount.target.clone(), mount.options.clone());
        }
    }
    service.events.send(topics::TASK_CREATE_EVENT_TOPIC, &event);
    place.fill(task);
    pid
}

fn names(request: &CreateTaskRequest) -> Names {
    Names {
        terminal: request.terminal,
        stdin: request.stdin.clone(),
        stdout: request.stdout.clone(),
        stderr: request.stderr.clone(),
    }
}

/// What the process is given, and what is to be copied if it has a terminal instead.
pub(crate) fn streams(names: &Names, whose: Whose<'_>) -> Result<(Streams, (Option<Ends>, Held))> {
    let (ends, held) = io::open(names, whose)?;
    if names.terminal {
        return Ok((Streams::Null, (Some(ends), held)));
    }
    Ok((ends.streams()?, (None, held)))
}

/// Takes a process that has just been made: its terminal is copied, its end is watched.
pub(crate) fn adopt(
    service: &Service,
    entry: &Arc<Entry>,
    now: &mut Now,
    process: Process,
    (ends, mut held): (Option<Ends>, Held),
) -> Result<u32> {
    if let (Some(master), Some(ends)) = (process.terminal(), ends) {
        let master = master.try_clone_to_owned();
        let master = master.map_err(|e| Error::io("keeping", "the terminal", &e))?;
        held.terminal = Some(terminal::copy(master, ends)?);
    }
    let number = process.pid();
    let watched = now.made(process, held)?;
    service.exits.tell(Word::Process(Arc::clone(entry), watched, number));
    Ok(now.pid)
}

/// Lets its program run.
pub(crate) fn start(service: &Service, task: &Arc<Task>) -> Result<u32> {
    let _at_work = service.exits.at_work();
    let mut now = task.init.now();
    if now.ended.is_some() {
        return Err(wrong_state("cannot start a stopped process"));
    }
    if now.started {
        return Err(wrong_state("cannot start a running process"));
    }
    checkpoint::restore(service, task, &task.restoring, &mut now)?;
    let container = task.container()?;
    if container.status()? == cofferdam::Status::Created {
        container.start()?;
    }
    now.started = true;
    oom::watch(service, container);
    let event = TaskStart { container_id: task.id.clone(), pid: now.pid, ..Default::default() };
    service.events.send(topics::TASK_START_EVENT_TOPIC, &event);
    Ok(now.pid)
}

fn has_own_pid_namespace(bundle: &Bundle) -> bool {
    let namespaces = bundle.spec.linux.as_ref().map(|linux| linux.namespaces.as_slice()).unwrap_or_default();
    namespaces.iter().any(|ns| ns.kind == "pid" && ns.path.as_ref().is_none_or(|path| path.is_empty()))
}

/// Where the root filesystem is mounted.
pub(crate) fn rootfs(bundle: &Path) -> PathBuf {
    bundle.join("rootfs")
}
