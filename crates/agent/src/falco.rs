//! Events for Falco, in the form that the plugin of kinvolk/seccompagent reads: gRPC over a unix socket, one call of
//! `seccompagentfalco.SeccompAgentFalco/PublishEvent` for each system call.
//!
//! Made by `serve`; told of calls by the threads that answer them, which never wait for it: what a plugin that is slow
//! or away cannot take is counted and lost.

use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use http::uri::PathAndQuery;
use prost::Message;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic_prost::ProstCodec;

use crate::failure::Failure;
use crate::outward::Outward;
use crate::policy::Container;
use crate::serve::audit::Audit;
use crate::serve::metrics::{Metrics, Published};

/// Where the plugin listens unless something else is said.
pub(crate) const SOCKET: &str = "/run/seccomp-agent-falco-plugin/seccomp-agent-falco-plugin.sock";
const METHOD: &str = "/seccompagentfalco.SeccompAgentFalco/PublishEvent";
/// Most events that wait.
const WAITING: usize = 1024;
/// How long the plugin may take for one.
const PATIENCE: Duration = Duration::from_secs(1);

/// `PublishEventRequest`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Event {
    /// The notification's cookie.
    #[prost(uint64, tag = "1")]
    pub(crate) id: u64,
    /// The calling thread, as the agent sees it.
    #[prost(uint64, tag = "2")]
    pub(crate) pid: u64,
    #[prost(string, tag = "3")]
    pub(crate) syscall: String,
    /// The plugin takes for granted that it is there.
    #[prost(message, optional, tag = "4")]
    pub(crate) k8s: Option<Workload>,
}

/// `KubernetesWorkload`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(crate) struct Workload {
    #[prost(string, tag = "1")]
    pub(crate) namespace: String,
    #[prost(string, tag = "2")]
    pub(crate) pod: String,
    #[prost(string, tag = "3")]
    pub(crate) container: String,
    /// The container's first process.
    #[prost(uint64, tag = "4")]
    pub(crate) pid: u64,
    /// The process whose filter it is.
    #[prost(uint64, tag = "5")]
    pub(crate) pid_filter: u64,
}

/// `PublishEventResponse`.
#[derive(Clone, PartialEq, Eq, Message)]
struct Accepted {}

impl Event {
    pub(crate) fn of(container: &Container, id: u64, tid: i32, syscall: &str) -> Self {
        let number = |pid: i32| u64::try_from(pid).unwrap_or_default();
        let workload = Workload {
            namespace: container.namespace.clone(),
            pod: container.pod.clone(),
            container: container.name.clone(),
            pid: number(container.pid1),
            pid_filter: number(container.pid),
        };
        Self { id, pid: number(tid), syscall: syscall.to_owned(), k8s: Some(workload) }
    }
}

#[derive(Debug)]
enum Item {
    Event(Event),
    /// Tell when everything before has been dealt with.
    Flush(SyncSender<()>),
}

/// The way to the plugin.
#[derive(Debug)]
pub(crate) struct Falco {
    to: Sender<Item>,
    published: Published,
}

impl Falco {
    /// To the plugin that listens at this socket, now or later.
    pub(crate) fn start(
        socket: &Path,
        outward: &Outward,
        audit: Audit,
        metrics: &Metrics,
    ) -> Result<Self, Failure> {
        let wrong =
            |why: &dyn std::fmt::Display| Failure::new(format!("--falco {}: {why}", socket.display()));
        let path = socket.to_str().ok_or_else(|| wrong(&"the path is not text"))?;
        let endpoint = Endpoint::from_shared(format!("unix:{path}")).map_err(|e| wrong(&e))?;
        let (to, from) = channel(WAITING);
        let published = metrics.published.clone();
        let endpoint = endpoint.timeout(PATIENCE).connect_timeout(PATIENCE);
        let counted = published.clone();
        outward.spawn(async move { pass_on(endpoint.connect_lazy(), from, audit, &counted).await });
        Ok(Self { to, published })
    }

    /// Has an event sent, if there is room.
    pub(crate) fn publish(&self, event: Event) {
        if self.to.try_send(Item::Event(event)).is_err() {
            self.published.dropped();
        }
    }

    /// Waits until what was published has been sent, or has had its time.
    pub(crate) fn flush(&self) {
        let (done, wait) = sync_channel(1);
        if self.to.try_send(Item::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(PATIENCE);
        }
    }
}

/// Sends events in their order. That the plugin does not take them is said once, and that it does again.
async fn pass_on(channel: Channel, mut from: Receiver<Item>, audit: Audit, published: &Published) {
    let mut client = Grpc::new(channel);
    let mut failing = false;
    while let Some(item) = from.recv().await {
        let event = match item {
            Item::Event(event) => event,
            Item::Flush(done) => {
                let _ = done.try_send(());
                continue;
            }
        };
        match send(&mut client, event).await {
            Ok(()) => {
                published.sent();
                if std::mem::take(&mut failing) {
                    audit.event("falco", &[("result", "events are taken")]);
                }
            }
            Err(why) => {
                published.failed();
                if !std::mem::replace(&mut failing, true) {
                    audit.event("falco", &[("result", "events are lost"), ("reason", &why)]);
                }
            }
        }
    }
}

async fn send(client: &mut Grpc<Channel>, event: Event) -> Result<(), String> {
    client.ready().await.map_err(|e| e.to_string())?;
    let codec = ProstCodec::<Event, Accepted>::default();
    let request = tonic::Request::new(event);
    let answer = client.unary(request, PathAndQuery::from_static(METHOD), codec).await;
    answer.map(drop).map_err(|status| format!("{}: {}", status.code(), status.message()))
}

#[cfg(test)]
mod tests;
