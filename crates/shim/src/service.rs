//! The shim's requests, one function each, and its containers.
//!
//! Called by the server's threads. Each request is decided by the room it belongs to; here they are found and
//! answered.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cofferdam::{Container, Error, ErrorKind, Result};
use containerd_shim_protos::api::{
    CheckpointTaskRequest, CloseIORequest, ConnectRequest, ConnectResponse, CreateTaskRequest,
    CreateTaskResponse, DeleteRequest, DeleteResponse, Empty, ExecProcessRequest, KillRequest, PauseRequest,
    PidsRequest, PidsResponse, ResizePtyRequest, ResumeRequest, ShutdownRequest, StartRequest, StartResponse,
    StateRequest, StateResponse, StatsRequest, StatsResponse, UpdateTaskRequest,
};
use containerd_shim_protos::events::task::{TaskExit, TaskPaused, TaskResumed};
use containerd_shim_protos::ttrpc::TtrpcContext;
use containerd_shim_protos::{Task as Requests, topics};

use crate::events::Events;
use crate::exits::{Exits, Word};
use crate::failure::{Answer, answer, malformed, not_found, wrong_state};
use crate::process::{Entry, Now};
use crate::task::Task;
use crate::{checkpoint, create, delete, exec, journal, metrics, processes};

/// The shim.
#[derive(Debug)]
pub(crate) struct Service {
    /// containerd's namespace.
    pub(crate) namespace: String,
    /// Where events are told.
    pub(crate) events: Events,
    /// Where processes are watched.
    pub(crate) exits: Arc<Exits>,
    tasks: Mutex<BTreeMap<String, Option<Arc<Task>>>>,
}

/// An id that is taken for a container that is being made.
#[derive(Debug)]
pub(crate) struct Reserved<'a> {
    service: &'a Service,
    id: Option<String>,
}

impl Reserved<'_> {
    /// It is made.
    pub(crate) fn fill(mut self, task: Task) {
        if let Some(id) = self.id.take() {
            self.service.tasks().insert(id, Some(Arc::new(task)));
        }
    }
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            self.service.tasks().remove(&id);
        }
    }
}

impl Service {
    /// One without containers.
    pub(crate) fn new(namespace: String, events: Events, exits: Arc<Exits>) -> Self {
        Self { namespace, events, exits, tasks: Mutex::default() }
    }

    fn tasks(&self) -> MutexGuard<'_, BTreeMap<String, Option<Arc<Task>>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an id.
    pub(crate) fn reserve(&self, id: &str) -> Result<Reserved<'_>> {
        let mut tasks = self.tasks();
        if tasks.contains_key(id) {
            return Err(Error::new(ErrorKind::AlreadyExists, "container already exists:").with_object(id));
        }
        tasks.insert(id.to_owned(), None);
        Ok(Reserved { service: self, id: Some(id.to_owned()) })
    }

    /// The container of that id.
    pub(crate) fn task(&self, id: &str) -> Result<Arc<Task>> {
        let task = self.tasks().get(id).cloned().flatten();
        task.ok_or_else(|| not_found(&format!("container {id}:")))
    }

    /// The process of that id, or the container's first.
    pub(crate) fn entry(&self, id: &str, exec_id: &str) -> Result<Arc<Entry>> {
        let task = self.task(id)?;
        if exec_id.is_empty() {
            return Ok(Arc::clone(&task.init));
        }
        let entry = task.execs().get(exec_id).map(Arc::clone);
        entry.ok_or_else(|| not_found(&format!("process {exec_id} of container {id}:")))
    }

    /// The container is gone.
    pub(crate) fn forget(&self, id: &str) {
        self.tasks().remove(id);
    }

    /// Deals with the end of a process, if it has ended; says whether it need not be watched any more.
    pub(crate) fn reap(&self, entry: &Entry, mut now: MutexGuard<'_, Now>) -> bool {
        if now.process.is_none() {
            return true;
        }
        let Some(end) = now.reap() else { return false };
        let event = TaskExit {
            container_id: entry.container.clone(),
            id: entry.id().to_owned(),
            pid: now.pid,
            exit_status: end.status,
            exited_at: Some(end.at).into(),
            ..Default::default()
        };
        self.events.send(topics::TASK_EXIT_EVENT_TOPIC, &event);
        drop(now);
        if entry.exec_id.is_empty()
            && let Ok(task) = self.task(&entry.container)
            && !task.own_pid_namespace
            && let Err(e) = task.container().and_then(|container| container.kill(9, true))
        {
            journal::complain(&task.id, &e);
        }
        true
    }
}

impl Requests for Service {
    fn state(&self, _: &TtrpcContext, request: StateRequest) -> Answer<StateResponse> {
        answer(self.task(&request.id).and_then(|task| {
            let entry = self.entry(&request.id, &request.exec_id)?;
            let mut state = entry.describe(task.paused.load(Ordering::Relaxed));
            state.bundle = task.bundle.display().to_string();
            Ok(state)
        }))
    }

    fn create(&self, _: &TtrpcContext, request: CreateTaskRequest) -> Answer<CreateTaskResponse> {
        let pid = answer(create::create(self, &request))?;
        Ok(CreateTaskResponse { pid, ..Default::default() })
    }

    fn start(&self, _: &TtrpcContext, request: StartRequest) -> Answer<StartResponse> {
        let pid = answer(self.task(&request.id).and_then(|task| {
            if request.exec_id.is_empty() {
                return create::start(self, &task);
            }
            exec::start(self, &task, &self.entry(&request.id, &request.exec_id)?)
        }))?;
        Ok(StartResponse { pid, ..Default::default() })
    }

    fn delete(&self, _: &TtrpcContext, request: DeleteRequest) -> Answer<DeleteResponse> {
        answer(delete::delete(self, &request))
    }

    fn pids(&self, _: &TtrpcContext, request: PidsRequest) -> Answer<PidsResponse> {
        let processes = answer(self.task(&request.id).and_then(|task| processes::list(&task)))?;
        Ok(PidsResponse { processes, ..Default::default() })
    }

    fn pause(&self, _: &TtrpcContext, request: PauseRequest) -> Answer<Empty> {
        let task = answer(self.task(&request.id))?;
        answer(task.container().and_then(Container::pause))?;
        task.paused.store(true, Ordering::Relaxed);
        let event = TaskPaused { container_id: request.id, ..Default::default() };
        self.events.send(topics::TASK_PAUSED_EVENT_TOPIC, &event);
        Ok(Empty::default())
    }

    fn resume(&self, _: &TtrpcContext, request: ResumeRequest) -> Answer<Empty> {
        let task = answer(self.task(&request.id))?;
        answer(task.container().and_then(Container::resume))?;
        task.paused.store(false, Ordering::Relaxed);
        let event = TaskResumed { container_id: request.id, ..Default::default() };
        self.events.send(topics::TASK_RESUMED_EVENT_TOPIC, &event);
        Ok(Empty::default())
    }

    fn kill(&self, _: &TtrpcContext, request: KillRequest) -> Answer<Empty> {
        answer(self.task(&request.id).and_then(|task| processes::kill(self, &task, &request)))?;
        Ok(Empty::default())
    }

    fn exec(&self, _: &TtrpcContext, request: ExecProcessRequest) -> Answer<Empty> {
        answer(self.task(&request.id).and_then(|task| exec::add(self, &task, &request)))?;
        Ok(Empty::default())
    }

    fn resize_pty(&self, _: &TtrpcContext, request: ResizePtyRequest) -> Answer<Empty> {
        answer(self.entry(&request.id, &request.exec_id).and_then(
            |entry| match &entry.now().held.terminal {
                Some(terminal) => terminal.resize(request.width, request.height),
                None => Err(wrong_state("the process has no terminal")),
            },
        ))?;
        Ok(Empty::default())
    }

    fn close_io(&self, _: &TtrpcContext, request: CloseIORequest) -> Answer<Empty> {
        let entry = answer(self.entry(&request.id, &request.exec_id))?;
        if request.stdin {
            entry.now().close_input();
        }
        Ok(Empty::default())
    }

    fn checkpoint(&self, _: &TtrpcContext, request: CheckpointTaskRequest) -> Answer<Empty> {
        answer(self.task(&request.id).and_then(|task| checkpoint::checkpoint(self, &task, &request)))?;
        Ok(Empty::default())
    }

    fn update(&self, _: &TtrpcContext, request: UpdateTaskRequest) -> Answer<Empty> {
        answer(self.task(&request.id).and_then(|task| {
            let resources = cofferdam::oci::parse(&request.resources.value);
            task.container()?.update(&resources.map_err(|e| malformed("the resources", &e.message))?)
        }))?;
        Ok(Empty::default())
    }

    fn stats(&self, _: &TtrpcContext, request: StatsRequest) -> Answer<StatsResponse> {
        let stats = answer(self.task(&request.id).and_then(|task| metrics::of(task.container()?)))?;
        Ok(StatsResponse { stats: Some(stats).into(), ..Default::default() })
    }

    fn connect(&self, _: &TtrpcContext, request: ConnectRequest) -> Answer<ConnectResponse> {
        // Asked for a container that is not there yet, it still says who it is.
        let task_pid = self.task(&request.id).map_or(0, |task| task.init.now().pid);
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(ConnectResponse { shim_pid: std::process::id(), task_pid, version, ..Default::default() })
    }

    fn shutdown(&self, _: &TtrpcContext, _: ShutdownRequest) -> Answer<Empty> {
        // Asked after each container of the pod: it is meant when none is left.
        if self.tasks().is_empty() {
            self.exits.tell(Word::Leave);
        }
        Ok(Empty::default())
    }
}
