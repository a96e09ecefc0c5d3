//! The agent at work: containers come from runtimes, their calls are answered by the policy, everything is logged.
//!
//! Called by the command line. One thread takes containers, one takes signals; each container's calls are answered by
//! threads of its own (`cofferdam_notify::Service`), so that none waits for another container's. Nothing here
//! decides: it asks the policy, and has handlers carry out what that says.

mod answer;
pub(crate) mod audit;
mod containers;
mod http;
pub(crate) mod metrics;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cofferdam_notify::runtime::Server;
use cofferdam_notify::{Errno, Service};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::failure::Failure;
use crate::falco::{self, Falco};
use crate::outward::Outward;
use crate::policy::Policy;
use crate::resolve::Resolver;
use crate::resolve::kubernetes::{Access, Kubernetes};
use audit::Audit;
use metrics::Metrics;

/// What those get whose call could not be answered as the policy says.
const FAILED: Errno = Errno::EPERM;

/// How the agent is to work.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) policy: Option<PathBuf>,
    pub(crate) resolver: Resolver,
    pub(crate) audit: Audit,
    pub(crate) workers: usize,
    /// Most calls of one container that are answered in a second, unless the policy says otherwise; 0 is no limit.
    pub(crate) rate: u32,
    /// The socket of Falco's plugin, if it is not at its usual place, or is to be told by a resolver without metadata.
    pub(crate) falco: Option<PathBuf>,
    /// How pods are found, for the resolver that does.
    pub(crate) kubernetes: Option<Access>,
}

/// Everything that handlers share.
#[derive(Debug)]
pub(crate) struct Agent {
    settings: Settings,
    policy: RwLock<Arc<Policy>>,
    services: Mutex<Vec<Arc<Service>>>,
    pub(crate) metrics: Metrics,
    outward: Option<Outward>,
    falco: Option<Falco>,
    kubernetes: Option<Kubernetes>,
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
    pub(crate) fn new(mut settings: Settings) -> std::result::Result<Arc<Self>, Failure> {
        let policy = settings.policy.as_deref().map(read).transpose()?;
        let metrics = Metrics::default();
        let told = settings.falco.is_some() || settings.resolver.reads_metadata();
        let outward = (told || settings.kubernetes.is_some()).then(Outward::start).transpose()?;
        let (mut falco, mut kubernetes) = (None, None);
        if let Some(outward) = &outward {
            let socket = settings.falco.as_deref().unwrap_or_else(|| Path::new(falco::SOCKET));
            falco = Some(Falco::start(socket, outward, settings.audit, &metrics)?);
            let access = settings.kubernetes.take();
            kubernetes = access.map(|access| outward.wait(Kubernetes::new(access))).transpose()?;
        }
        Ok(Arc::new(Self {
            policy: RwLock::new(Arc::new(policy.unwrap_or_else(Policy::refuse_all))),
            services: Mutex::default(),
            settings,
            metrics,
            outward,
            falco,
            kubernetes,
        }))
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
        services.iter().for_each(|service| service.stop());
        for service in services {
            let _ = service.wait();
        }
        if let Some(falco) = &self.falco {
            falco.flush();
        }
    }

    /// To whom a call is told. Where metadata is read, containers ask for it.
    fn falco(&self, asked: bool) -> Option<&Falco> {
        let all = self.settings.falco.is_some() && !self.settings.resolver.reads_metadata();
        self.falco.as_ref().filter(|_| asked || all)
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
}
