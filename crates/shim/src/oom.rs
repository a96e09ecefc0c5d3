//! Containers that run out of memory, told to containerd.
//!
//! Called by `create`, and by `exits`, which waits for the kernel to say so. Version 2 changes a file that can be
//! polled; version 1 counts in an eventfd(2).

use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use cofferdam::Container;
use cofferdam::cgroup::{Oom, OomWatch};
use containerd_shim_protos::events::task::TaskOOM;
use containerd_shim_protos::topics;
use rustix::event::{EventfdFlags, PollFlags, eventfd};

use crate::exits::Word;
use crate::journal;
use crate::service::Service;

/// Version 1 tells before the kernel has chosen whom to kill.
const CHOOSING: Duration = Duration::from_millis(100);

/// The memory of a container.
#[derive(Debug)]
pub(crate) struct Watched {
    id: String,
    counters: OomWatch,
    counter: Option<OwnedFd>,
}

/// Watches it from now on, if it has a memory cgroup.
pub(crate) fn watch(service: &Service, container: &Container) {
    let Ok(counters) = container.oom_watch() else { return };
    let id = container.id().as_str().to_owned();
    let counter = match (counters.ask_every(), container.cgroup_paths().get("memory")) {
        (None, _) => None,
        (Some(_), Some(directory)) => match count(directory) {
            Ok(counter) => Some(counter),
            Err(e) => return journal::complain(&id, &e),
        },
        (Some(_), None) => return,
    };
    service.exits.tell(Word::Memory(Watched { id, counters, counter }));
}

/// An eventfd(2) that counts (`cgroup-v1/memory.txt`, OOM Control).
fn count(directory: &std::path::Path) -> std::io::Result<OwnedFd> {
    let counter = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
    let control = File::open(directory.join("memory.oom_control"))?;
    let line = format!("{} {}", counter.as_raw_fd(), control.as_raw_fd());
    fs::write(directory.join("cgroup.event_control"), line)?;
    Ok(counter)
}

impl Watched {
    /// What is polled.
    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_ref().map_or_else(|| self.counters.as_fd(), OwnedFd::as_fd)
    }

    /// What for.
    pub(crate) fn flags(&self) -> PollFlags {
        if self.counter.is_some() { PollFlags::IN } else { PollFlags::PRI }
    }

    /// Tells if it has run out; says whether it is still there.
    pub(crate) fn look(&mut self, service: &Service) -> bool {
        let patience = if self.counter.is_some() { CHOOSING } else { Duration::ZERO };
        let seen = self.counters.wait(patience);
        if let Some(counter) = &self.counter {
            let _ = rustix::io::read(counter, &mut [0; 8]);
        }
        match seen {
            Ok(Oom::Killed) => {
                let event = TaskOOM { container_id: self.id.clone(), ..Default::default() };
                service.events.send(topics::TASK_OOM_EVENT_TOPIC, &event);
                true
            }
            Ok(Oom::Nothing) => true,
            Ok(Oom::Gone) => false,
            Err(e) => {
                journal::complain(&self.id, &e);
                false
            }
        }
    }
}
