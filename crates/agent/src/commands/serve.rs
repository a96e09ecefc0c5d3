//! Without a command: the agent itself.

use std::path::PathBuf;
use std::time::Duration;

use cofferdam_notify::runtime::Server;

use crate::failure::{Failure, Outcome};
use crate::resolve::Resolver;
use crate::resolve::kubernetes::Access;
use crate::serve::audit::{Audit, Format};
use crate::serve::{Agent, Settings};
use crate::words;

/// Serve containers.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Answer the calls of containers whose runtimes connect to this unix socket (linux.seccomp.listenerPath)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The policy, a TOML file; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How containers are known: none, policy, annotations, metadata or kubernetes [default: policy]
    #[arg(long, value_name = "NAME", hide_possible_values = true)]
    resolver: Option<Resolver>,
    /// Serve metrics (/metrics) and health (/healthz) over HTTP at this address, such as 127.0.0.1:9400
    #[arg(long, value_name = "ADDR")]
    metrics: Option<String>,
    /// Format of the audit log on standard output: text or json
    #[arg(long, value_name = "FORMAT", default_value = "text", hide_possible_values = true)]
    log_format: Format,
    /// Most calls of one container that are worked on at once
    #[arg(long, value_name = "N", default_value_t = 4)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: u16,
    /// Most calls of one container that are answered in a second, after a tenth of a second's worth at once; more wait.
    /// 0 is no limit. The policy's limits come first
    #[arg(long, value_name = "N", default_value_t = 5000)]
    rate: u32,
    /// Tell Falco's plugin for seccomp agents, which listens at this socket, of every call; with a resolver that reads
    /// metadata, of those of containers that say MIDDLEWARE=falco
    #[arg(long, value_name = "SOCKET")]
    falco: Option<PathBuf>,
    #[command(flatten)]
    kubernetes: Kubernetes,
}

/// For the resolver `kubernetes`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "With --resolver kubernetes")]
struct Kubernetes {
    /// How the API is reached, instead of KUBECONFIG, ~/.kube/config, or a pod's service account
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The node that the agent is on; NODE_NAME says so, too
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
    /// How long a container's calls wait for its pod to be found, before they are refused until it is
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    lookup_timeout: Duration,
    /// Take keys from pods' annotations, too (cofferdam-agent/KEY): whoever may make pods may then say what is done
    #[arg(long)]
    trust_pods: bool,
}

fn time(text: &str) -> Result<Duration, String> {
    words::duration(text).ok_or_else(|| "no duration (hint: such as 5s)".to_owned())
}

impl Kubernetes {
    fn access(self) -> Access {
        Access {
            kubeconfig: self.kubeconfig,
            node: self.node.or_else(|| std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty())),
            patience: self.lookup_timeout,
            trusted: self.trust_pods,
        }
    }

    /// The flag that says something, if one does.
    fn given(&self) -> Option<&'static str> {
        let flags = [
            (self.kubeconfig.is_some(), "--kubeconfig"),
            (self.node.is_some(), "--node"),
            (self.trust_pods, "--trust-pods"),
        ];
        flags.into_iter().find(|(given, _)| *given).map(|(_, flag)| flag)
    }
}

impl Serve {
    pub(crate) fn execute(self) -> Outcome {
        let Some(path) = &self.socket else {
            return Err(Failure::new("nothing to do (hint: --socket PATH, or a command, see --help)"));
        };
        if self.policy.is_some() && self.resolver == Some(Resolver::None) {
            return Err(Failure::new("--policy does not apply with --resolver none"));
        }
        let resolver = self.resolver.unwrap_or(Resolver::Policy);
        let asks = resolver == Resolver::Kubernetes;
        if let Some(flag) = self.kubernetes.given().filter(|_| !asks) {
            return Err(Failure::new(format!("{flag} needs --resolver kubernetes")));
        }
        let agent = Agent::new(Settings {
            policy: self.policy,
            resolver,
            falco: self.falco,
            kubernetes: asks.then(|| self.kubernetes.access()),
            audit: Audit(self.log_format),
            workers: usize::from(self.workers),
            rate: self.rate,
        })?;
        let failed = |e| Failure::new(format!("{}: {e}", path.display()));
        let server = Server::bind(path).map_err(failed)?;
        agent.run(server, self.metrics.as_deref())?;
        Ok(0)
    }
}
