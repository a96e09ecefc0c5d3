//! Being the shim: a server on the socket that `start` made, until the last container has gone.
//!
//! Called by `main`.

use std::fs::{self, File};
use std::os::fd::{AsFd, IntoRawFd};
use std::sync::Arc;

use cofferdam::{Error, Result};
use containerd_shim_protos::ttrpc::Server;
use containerd_shim_protos::{Task, create_task};

use crate::args::Args;
use crate::events::Events;
use crate::service::Service;
use crate::waits::Wait;
use crate::{exits, journal, own_cgroup};

/// containerd says where its events go.
const EVENTS: &str = "TTRPC_ADDRESS";

/// The same requests under two names: containerd 2 renamed them without a change.
const NAMES: [&str; 2] = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

/// Is it.
pub(crate) fn run(args: &Args) -> Result<()> {
    let failed = |e: &std::io::Error| Error::io("taking the socket from", "standard input", e);
    let listener = std::io::stdin().as_fd().try_clone_to_owned().map_err(|e| failed(&e))?;
    let null = File::open("/dev/null").map_err(|e| failed(&e))?;
    rustix::stdio::dup2_stdin(&null).map_err(|e| failed(&e.into()))?;
    journal::open();
    let own = rustix::process::getpid();
    rustix::process::set_child_subreaper(Some(own))
        .map_err(|e| Error::io("becoming", "a subreaper", &e.into()))?;
    let (exits, watch) = exits::prepare()?;
    let address = std::env::var(EVENTS).unwrap_or_default();
    let events = Events::start(address, &args.namespace)?;
    let service = Arc::new(Service::new(args.namespace.clone(), events, exits));
    let mut server = Server::new()
        .add_listener(listener.into_raw_fd())
        .map_err(|e| serving(&e))?
        .set_thread_count_min(1)
        .set_thread_count_default(2)
        .set_thread_count_max(4);
    for name in NAMES {
        let requests = create_task(Arc::clone(&service) as Arc<dyn Task + Send + Sync>);
        let mut requests: std::collections::HashMap<_, _> = requests
            .into_iter()
            .filter_map(|(path, handler)| Some((format!("/{name}/{}", path.rsplit('/').next()?), handler)))
            .collect();
        requests.insert(format!("/{name}/Wait"), Box::new(Wait(Arc::clone(&service))));
        server = server.register_service(requests);
    }
    server.start().map_err(|e| serving(&e))?;
    let watched = watch.run(&service);
    // Whoever connects from now on finds nobody, and starts another.
    let _ = fs::remove_file(&args.socket);
    service.events.flush();
    own_cgroup::leave();
    watched
}

fn serving(error: &dyn std::fmt::Display) -> Error {
    Error::new(cofferdam::ErrorKind::System, "serving on the socket").with_detail(error.to_string())
}
