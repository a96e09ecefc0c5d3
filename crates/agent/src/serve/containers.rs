//! Containers that come: who they are is found out, and their calls begin to be answered.
//!
//! Called by the server's loop, once for each container. What takes time, a question to Kubernetes, is waited for
//! elsewhere (`outward`); the container's calls wait meanwhile, in the kernel, and no other container does.

use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cofferdam_notify::{Actors, Limits, Listener, Registry, Service};

use super::{Agent, FAILED};
use crate::handle::{Context, Group, Line, user_namespace};
use crate::policy::Container;
use crate::resolve::pod::Wanted;
use crate::resolve::{self, Own};

/// Most helpers in a container's namespaces; one is enough for most.
const HELPERS: usize = 4;
/// When a pod that was not found in time is looked for again: at first, and at the latest.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

impl Agent {
    /// Begins to answer a container's calls.
    pub(super) fn take(self: &Arc<Self>, said: cofferdam_notify::runtime::Container) {
        let mut container = resolve::container(&said.state);
        let listener = said.listener.unanswered(FAILED);
        let own = match self.settings.resolver.resolve(&mut container) {
            Ok(own) => own,
            Err(why) => return drop(self.refuse(listener, &container, &why)),
        };
        // All of this may be another's by the time that a question is answered.
        let context = Context {
            group: Group::of(container.pid1),
            line: Line::now(container.pid1),
            home: user_namespace(container.pid1),
            actors: Actors::new(HELPERS),
            since: Instant::now(),
            container,
        };
        match (&self.outward, self.pod_of(&context.container)) {
            (Some(outward), Some(wanted)) => {
                let agent = Arc::clone(self);
                outward.spawn(async move { agent.introduce(listener, context, wanted).await });
            }
            _ => self.serve(listener, context, own),
        }
    }

    /// The pod to ask for, if there is anybody to ask.
    fn pod_of(&self, container: &Container) -> Option<Wanted> {
        self.kubernetes.as_ref()?;
        let cgroup = std::fs::read_to_string(format!("/proc/{}/cgroup", container.pid1));
        Wanted::of(container, &cgroup.unwrap_or_default())
    }

    /// Finds out which pod a container is of, then serves it. One whose pod is not found in time is refused everything
    /// until it is.
    async fn introduce(self: Arc<Self>, listener: Listener, mut context: Context, wanted: Wanted) {
        let why = match self.describe(&mut context.container, &wanted).await {
            Ok(own) => return self.serve(listener, context, own),
            Err(why) => why,
        };
        let Some(service) = self.refuse(listener, &context.container, &why) else { return };
        let mut pause = AGAIN.0;
        while !service.has_ended() {
            tokio::time::sleep(pause).await;
            pause = pause.saturating_mul(2).min(AGAIN.1);
            if let Ok(own) = self.describe(&mut context.container, &wanted).await {
                self.settings.audit.event("resolved", &[("container", &context.container.id)]);
                return service.replace(self.registry(context, own));
            }
        }
    }

    async fn describe(&self, container: &mut Container, wanted: &Wanted) -> Result<Own, String> {
        let kubernetes = self.kubernetes.as_ref().ok_or("there is nobody to ask")?;
        let pod = kubernetes.find_in_time(wanted).await?;
        pod.describe(container, kubernetes.trusts_pods()).map_err(|why| format!("{wanted}: {why}"))
    }

    /// Answers by the container's own rules and the policy.
    fn serve(self: &Arc<Self>, listener: Listener, context: Context, own: Own) {
        let container = context.container.clone();
        let registry = self.registry(context, own);
        if self.start(listener, &container, registry).is_some() {
            self.settings.audit.event("container", &[("container", &container.id)]);
        }
    }

    /// Refuses every call, for this reason: what was meant for the container is not known.
    fn refuse(
        self: &Arc<Self>,
        listener: Listener,
        container: &Container,
        why: &str,
    ) -> Option<Arc<Service>> {
        self.settings.audit.event("unresolved", &[("container", &container.id), ("reason", why)]);
        let (agent, of) = (Arc::clone(self), container.clone());
        let registry =
            Registry::new().failing_with(FAILED).otherwise(move |request| agent.refuse_call(&of, request));
        self.start(listener, container, Arc::new(registry))
    }

    fn registry(self: &Arc<Self>, context: Context, own: Own) -> Arc<Registry> {
        let agent = Arc::clone(self);
        let answer = move |request: &_| agent.answer(&own, &context, request);
        Arc::new(Registry::new().failing_with(FAILED).otherwise(answer))
    }

    fn start(
        &self,
        listener: Listener,
        container: &Container,
        registry: Arc<Registry>,
    ) -> Option<Arc<Service>> {
        let rate = self.rate(container);
        let limits = Limits { workers: self.settings.workers, rate, ..Limits::default() };
        match Service::start(listener, registry, limits) {
            Ok(service) => {
                let service = Arc::new(service);
                let mut services = self.services();
                services.retain(|service| !service.has_ended());
                services.push(Arc::clone(&service));
                Some(service)
            }
            Err(e) => {
                let reason = e.to_string();
                self.settings.audit.event("refused", &[("container", &container.id), ("reason", &reason)]);
                None
            }
        }
    }

    /// Most calls of a container that are answered in a second: as the policy says, or else the command line.
    fn rate(&self, container: &Container) -> Option<u32> {
        let said = self.policy().rate(container).unwrap_or(self.settings.rate);
        (said > 0).then_some(said)
    }

    /// How many containers are served.
    pub(crate) fn containers(&self) -> usize {
        let mut services = self.services();
        services.retain(|service| !service.has_ended());
        services.len()
    }

    pub(super) fn services(&self) -> MutexGuard<'_, Vec<Arc<Service>>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
