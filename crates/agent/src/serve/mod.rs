//! The agent at work: containers come from runtimes, their calls are answered by the policy, everything is logged.
//!
//! Called by the command line. One thread takes containers, one takes signals; each container's calls are answered by
//! threads of its own (`cofferdam_notify::Service`), so that none waits for another container's. Nothing here
//! decides: it asks the policy, and has handlers carry out what that says.

pub(crate) mod audit;
mod http;
pub(crate) mod metrics;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use cofferdam_notify::runtime::Server;
use cofferdam_notify::{Actors, Answer, Errno, Error, Limits, Registry, Request, Result, Service};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::handle::{Context, Done, Group, Line, carry_out, user_namespace, users};
use crate::policy::{Action, Call, Policy};
use crate::resolve::{Resolved, Resolver};
use audit::{Audit, Entry};
use metrics::Metrics;

/// What those get whose call could not be answered as the policy says.
const FAILED: Errno = Errno::EPERM;
/// Most helpers in a container's namespaces; one is enough for most.
const HELPERS: usize = 4;

/// How the agent is to work.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policy: Option<PathBuf>,
    pub(crate) resolver: Resolver,
    pub(crate) audit: Audit,
    pub(crate) workers: usize,
}

/// Everything that handlers share.
#[derive(Debug)]
pub(crate) struct Agent {
    settings: Settings,
    policy: RwLock<Arc<Policy>>,
    services: Mutex<Vec<Service>>,
    pub(crate) metrics: Metrics,
}

/// Reads a policy.
pub(crate) fn read(path: &Path) -> std::result::Result<Policy, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::io(format_args!("reading {}", path.display()), &e))?;
    Policy::parse(&text).map_err(|problems| {
        let lines: Vec<String> =
            problems.iter().map(|problem| format!("{}:{problem}", path.display())).collect();
        Failure::new(format!("the policy is refused\n{}", lines.join("\n")))
    })
}

impl Agent {
    /// With its policy read.
    pub(crate) fn new(settings: Settings) -> std::result::Result<Arc<Self>, Failure> {
        let policy = settings.policy.as_deref().map(read).transpose()?;
        let policy = RwLock::new(Arc::new(policy.unwrap_or_else(Policy::refuse_all)));
        Ok(Arc::new(Self { settings, policy, services: Mutex::default(), metrics: Metrics::default() }))
    }

    /// Takes containers until a signal says that it is enough.
    pub(crate) fn run(
        self: &Arc<Self>,
        server: Server,
        address: Option<&str>,
    ) -> std::result::Result<(), Failure> {
        let audit = self.settings.audit;
        let server = Arc::new(server);
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM]).map_err(|e| Failure::io("taking over signals", &e))?;
        let http = address.map(|address| http::serve(address, self)).transpose()?;
        let handle = signals.handle();
        let (agent, stopping) = (Arc::clone(self), Arc::clone(&server));
        let taker = std::thread::spawn(move || {
            for signal in signals.forever() {
                if signal == SIGHUP {
                    agent.reload();
                } else {
                    stopping.stop();
                }
            }
        });
        audit.event("ready", &[]);
        loop {
            match server.next() {
                Ok(Some(container)) => self.take(container),
                Ok(None) => break,
                // One runtime's fault.
                Err(e) => audit.event("refused", &[("reason", &e.to_string())]),
            }
        }
        self.end();
        drop(http);
        handle.close();
        let _ = taker.join();
        audit.event("stopped", &[]);
        Ok(())
    }

    /// What was received is answered, what was not gets ENOSYS when the listeners are closed.
    fn end(&self) {
        let services = std::mem::take(&mut *self.services());
        services.iter().for_each(Service::stop);
        for service in services {
            let _ = service.wait();
        }
    }

    /// Reads the policy again. A wrong one is refused as a whole, and the old one stays. No call is lost: one that is
    /// being answered gets the old policy's answer, the next the new one's.
    fn reload(&self) {
        let audit = self.settings.audit;
        let Some(path) = &self.settings.policy else {
            return audit.event("reload", &[("result", "there is no policy to read")]);
        };
        match read(path) {
            Ok(policy) => {
                *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
                audit.event("reload", &[("result", "done")]);
            }
            Err(failure) => audit.event("reload", &[("result", "refused"), ("reason", &failure.text)]),
        }
    }

    /// Begins to answer a container's calls.
    fn take(self: &Arc<Self>, said: cofferdam_notify::runtime::Container) {
        let audit = self.settings.audit;
        let id = said.state.state.id.clone();
        let Resolved { container, own } = match self.settings.resolver.resolve(&said.state) {
            Ok(resolved) => resolved,
            Err(why) => {
                // Its calls are refused: what was meant for it is not known.
                audit.event("unresolved", &[("container", &id), ("reason", &why)]);
                Resolved {
                    container: crate::policy::Container { id: id.clone(), ..Default::default() },
                    own: Some(Policy::refuse_all()),
                }
            }
        };
        let context = Arc::new(Context {
            group: Group::of(container.pid1),
            line: Line::now(),
            home: user_namespace(container.pid1),
            container,
            actors: Actors::new(HELPERS),
            since: Instant::now(),
        });
        let (agent, of) = (Arc::clone(self), Arc::clone(&context));
        let registry = Registry::new()
            .failing_with(FAILED)
            .otherwise(move |request| agent.answer(own.as_ref(), &of, request));
        let limits = Limits { workers: self.settings.workers, ..Limits::default() };
        let listener = said.listener.unanswered(FAILED);
        match Service::start(listener, Arc::new(registry), limits) {
            Ok(service) => {
                let mut services = self.services();
                services.retain(|service| !service.has_ended());
                services.push(service);
                audit.event("container", &[("container", &id)]);
            }
            Err(e) => audit.event("refused", &[("container", &id), ("reason", &e.to_string())]),
        }
    }

    /// How many containers are served.
    pub(crate) fn containers(&self) -> usize {
        let mut services = self.services();
        services.retain(|service| !service.has_ended());
        services.len()
    }

    fn services(&self) -> std::sync::MutexGuard<'_, Vec<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the policy, carries out what it says, and writes down what became of it. A handler that panics fails its
    /// own call and no other.
    fn answer(&self, own: Option<&Policy>, context: &Context, request: &Request) -> Result<Answer> {
        let begun = Instant::now();
        let name = request.name().unwrap_or("unknown");
        let shared = Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner));
        let mut entry = Entry::of(&context.container, request.tid().unwrap_or(0), name, request.args());
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let (action, rule) = judge(own, &shared, context, name, request)?;
            (entry.rule, entry.action) = (rule, action.name());
            carry_out(action, context, request)
        }));
        let outcome = outcome.unwrap_or_else(|_| Err(Error::Panicked(name.to_owned())));
        let done = outcome.unwrap_or_else(|e| Done {
            answer: Answer::Errno(e.for_caller().unwrap_or(FAILED)),
            reason: e.to_string(),
        });
        let words = words(&done.answer);
        (entry.answer, entry.reason) = (&words, &done.reason);
        let time = begun.elapsed();
        self.metrics.count(name, &words, time);
        self.settings.audit.call(&entry.took(time));
        Ok(done.answer)
    }
}

/// What the container's own rules say, or else the policy; and the deciding rule's name.
fn judge<'a>(
    own: Option<&'a Policy>,
    shared: &'a Policy,
    context: &Context,
    name: &str,
    request: &Request,
) -> Result<(&'a Action, &'a str)> {
    let (uid, gid) = if shared.asks_for_users() { users::of(request)? } else { (0, 0) };
    let call = Call { name, args: request.args(), uid, gid };
    let (action, rule) = match own.map(|own| own.decide(&context.container, &call)) {
        Some((action, Some(rule))) => (action, Some(rule)),
        // Without a resolver, or with wrong metadata, nothing else is asked.
        Some((action, None)) if own.is_some_and(|own| own.rules.is_empty()) => (action, None),
        _ => shared.decide(&context.container, &call),
    };
    Ok((action, rule.map_or("default", |rule| &rule.name)))
}

/// An answer in a word.
fn words(answer: &Answer) -> String {
    match answer {
        Answer::Errno(errno) => errno.name().to_owned(),
        Answer::Value(value) => value.to_string(),
        Answer::Continue(_) => "continue".to_owned(),
        Answer::Descriptor(_) => "descriptor".to_owned(),
        Answer::After(_, answer) => words(answer),
        _ => "other".to_owned(),
    }
}
