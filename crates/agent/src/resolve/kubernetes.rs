//! Pods as the Kubernetes API knows them.
//!
//! Made by `serve`; asked in the thread that waits for others (`outward`), never by those who answer calls. Each
//! question has its time, there are few at once, and answers are kept for a few seconds.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod as ApiPod;
use kube::api::{Api, ListParams, PartialObjectMeta};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::pod::{Pod, Wanted};
use crate::failure::Failure;

/// How long an answer is believed.
const FRESH: Duration = Duration::from_secs(5);
/// How long the API may take for one.
const ANSWER: Duration = Duration::from_secs(2);
/// Most questions at once.
const QUESTIONS: usize = 8;
/// Most pods that are remembered; a node has fewer.
const REMEMBERED: usize = 1024;

/// How the API is reached, and what is believed of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// Instead of the usual places, which are those of kubectl, then those in a pod.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The node that the agent is on.
    pub(crate) node: Option<String>,
    /// How long a container's calls wait for its pod to be found.
    pub(crate) patience: Duration,
    /// Whether annotations of pods are rules.
    pub(crate) trusted: bool,
}

/// The API, and what it said lately.
pub(crate) struct Kubernetes {
    client: Client,
    access: Access,
    questions: Semaphore,
    /// Whoever lists pods does so for all who wait.
    listing: tokio::sync::Mutex<()>,
    known: Mutex<Vec<(Instant, Arc<Pod>)>>,
}

/// Why a pod was not found.
#[derive(Debug)]
enum Missing {
    /// Asking again soon may help.
    Unanswered(String),
    /// It will not.
    Refused(String),
}

impl Kubernetes {
    /// To be made in the thread that waits for others. Nobody is asked yet.
    pub(crate) async fn new(access: Access) -> Result<Self, Failure> {
        let failed = |e: &dyn std::error::Error| Failure::new(format!("the Kubernetes API: {}", causes(e)));
        let mut config = match &access.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(|e| failed(&e))?;
                let made = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await;
                made.map_err(|e| failed(&e))?
            }
            None => Config::infer().await.map_err(|e| failed(&e))?,
        };
        // What is tried again, and when, is decided here.
        config.default_retry = false;
        config.connect_timeout = Some(ANSWER);
        let client = Client::try_from(config).map_err(|e| failed(&e))?;
        Ok(Self {
            client,
            access,
            questions: Semaphore::new(QUESTIONS),
            listing: tokio::sync::Mutex::default(),
            known: Mutex::default(),
        })
    }

    /// Whether annotations of pods are rules.
    pub(crate) fn trusts_pods(&self) -> bool {
        self.access.trusted
    }

    /// Finds a pod, asking again while there is time.
    pub(crate) async fn find_in_time(&self, wanted: &Wanted) -> Result<Arc<Pod>, String> {
        let mut last = "too much else to ask".to_owned();
        let mut pause = Duration::from_millis(100);
        let asking = async {
            loop {
                match self.find(wanted).await {
                    Ok(pod) => return Ok(pod),
                    Err(Missing::Refused(why)) => return Err(why),
                    Err(Missing::Unanswered(why)) => last = why,
                }
                sleep(pause).await;
                pause = pause.saturating_mul(2);
            }
        };
        let end = Instant::now().checked_add(self.access.patience);
        let outcome = match end {
            Some(end) => timeout_at(end, asking).await,
            None => Ok(asking.await),
        };
        let why = match outcome {
            Ok(Ok(pod)) => return Ok(pod),
            Ok(Err(why)) => why,
            Err(_) => format!("{last}; given up after {:?}", self.access.patience),
        };
        Err(format!("{wanted}: {why}"))
    }

    async fn find(&self, wanted: &Wanted) -> Result<Arc<Pod>, Missing> {
        if let Some(pod) = self.remembered(wanted) {
            return Ok(pod);
        }
        let Ok(_question) = self.questions.acquire().await else {
            return Err(Missing::Refused("nobody asks any more".to_owned()));
        };
        let late = || Missing::Unanswered(format!("the API did not answer within {ANSWER:?}"));
        if wanted.is_named() {
            let asked = Api::<ApiPod>::namespaced(self.client.clone(), &wanted.namespace);
            let answer = timeout(ANSWER, asked.get_metadata(&wanted.name)).await.map_err(|_| late())?;
            let pod = Arc::new(read(answer.map_err(missing)?)?);
            self.remember(vec![Arc::clone(&pod)]);
            let other = || Missing::Refused("the API knows another pod by that name".to_owned());
            return pod.is(wanted).then_some(pod).ok_or_else(other);
        }
        let Some(node) = &self.access.node else {
            let why = "only its uid is known, and the node's name is not (hint: NODE_NAME, or --node)";
            return Err(Missing::Refused(why.to_owned()));
        };
        let _listing = self.listing.lock().await;
        if let Some(pod) = self.remembered(wanted) {
            return Ok(pod);
        }
        let which = ListParams::default().fields(&format!("spec.nodeName={node}"));
        let asked = Api::<ApiPod>::all(self.client.clone());
        let answer = timeout(ANSWER, asked.list_metadata(&which)).await.map_err(|_| late())?;
        let pods =
            answer.map_err(missing)?.items.into_iter().take(REMEMBERED).map(|pod| read(pod).map(Arc::new));
        let pods = pods.collect::<Result<Vec<_>, _>>()?;
        let found = pods.iter().find(|pod| pod.is(wanted)).cloned();
        self.remember(pods);
        found.ok_or_else(|| Missing::Refused(format!("no pod of node {node} has that uid")))
    }

    fn known(&self) -> MutexGuard<'_, Vec<(Instant, Arc<Pod>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, wanted: &Wanted) -> Option<Arc<Pod>> {
        let known = self.known();
        let fresh = |(since, _): &&(Instant, Arc<Pod>)| since.elapsed() < FRESH;
        known.iter().filter(fresh).map(|(_, pod)| pod).find(|pod| pod.is(wanted)).cloned()
    }

    fn remember(&self, pods: Vec<Arc<Pod>>) {
        let now = Instant::now();
        let mut known = self.known();
        let again = |pod: &Pod| pods.iter().any(|new| new.namespace == pod.namespace && new.name == pod.name);
        known.retain(|(since, pod)| since.elapsed() < FRESH && !again(pod));
        let room = REMEMBERED.saturating_sub(known.len());
        known.extend(pods.into_iter().take(room).map(|pod| (now, pod)));
    }
}

/// What of a document matters.
fn read(document: PartialObjectMeta<ApiPod>) -> Result<Pod, Missing> {
    let meta = document.metadata;
    match (meta.namespace, meta.name, meta.uid) {
        (Some(namespace), Some(name), Some(uid)) => Ok(Pod {
            namespace,
            name,
            uid,
            labels: meta.labels.unwrap_or_default(),
            annotations: meta.annotations.unwrap_or_default(),
        }),
        _ => Err(Missing::Refused("the API's answer is no pod: it has no name, namespace or uid".to_owned())),
    }
}

/// What an error means, and what it is in a line.
fn missing(error: kube::Error) -> Missing {
    match &error {
        kube::Error::Api(status) => {
            let why = match status.code {
                404 => "the API knows no such pod".to_owned(),
                code => format!("the API answers {code} {}: {}", status.reason, status.message),
            };
            let later = status.code == 429 || status.code >= 500;
            if later { Missing::Unanswered(why) } else { Missing::Refused(why) }
        }
        kube::Error::SerdeError(e) => Missing::Refused(format!("the API's answer is no pod: {e}")),
        other => Missing::Unanswered(format!("the API cannot be reached: {}", causes(other))),
    }
}

/// An error with what it comes from, as far as that says more.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        next = cause.source();
    }
    text
}

impl std::fmt::Debug for Kubernetes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").field("access", &self.access).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
