//! Without a command: the agent itself.

use std::path::PathBuf;

use cofferdam_notify::runtime::Server;

use crate::failure::{Failure, Outcome};
use crate::resolve::Resolver;
use crate::serve::audit::{Audit, Format};
use crate::serve::{Agent, Settings};

/// Serve containers.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Answer the calls of containers whose runtimes connect to this unix socket (linux.seccomp.listenerPath)
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The policy, a TOML file; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How containers are known: none, policy, annotations or metadata [default: policy]
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
}

impl Serve {
    pub(crate) fn execute(self) -> Outcome {
        let Some(path) = &self.socket else {
            return Err(Failure::new("nothing to do (hint: --socket PATH, or a command, see --help)"));
        };
        if self.policy.is_some() && self.resolver == Some(Resolver::None) {
            return Err(Failure::new("--policy does not apply with --resolver none"));
        }
        let agent = Agent::new(Settings {
            policy: self.policy,
            resolver: self.resolver.unwrap_or(Resolver::Policy),
            audit: Audit(self.log_format),
            workers: usize::from(self.workers),
        })?;
        let failed = |e| Failure::new(format!("{}: {e}", path.display()));
        let server = Server::bind(path).map_err(failed)?;
        agent.run(server, self.metrics.as_deref())?;
        Ok(0)
    }
}
