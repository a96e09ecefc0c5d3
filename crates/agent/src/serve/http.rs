//! Metrics and health over HTTP.
//!
//! Started by `serve` when an address is given. Read-only, one request after another, and answered by nobody who
//! answers calls.

use std::sync::Arc;
use std::thread::JoinHandle;

use tiny_http::{Header, Request, Response, Server};

use super::Agent;
use crate::failure::Failure;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The server, ended when dropped.
#[derive(Debug)]
pub(super) struct Http {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

struct Stop(Server);

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stop")
    }
}

/// Listens at an address such as `127.0.0.1:9400`.
pub(super) fn serve(address: &str, agent: &Arc<Agent>) -> Result<Http, Failure> {
    let server = Server::http(address).map_err(|e| Failure::new(format!("--metrics {address}: {e}")))?;
    let stop = Arc::new(Stop(server));
    let (of, agent) = (Arc::clone(&stop), Arc::clone(agent));
    let thread = std::thread::spawn(move || {
        while let Ok(request) = of.0.recv() {
            answer(request, &agent);
        }
    });
    Ok(Http { stop, thread: Some(thread) })
}

fn answer(request: Request, agent: &Agent) {
    let (status, kind, text) = match request.url().split('?').next() {
        Some("/metrics") => (200, OPENMETRICS, agent.metrics.text(agent.containers())),
        Some("/healthz") => (200, "text/plain", "ok\n".to_owned()),
        _ => (404, "text/plain", "/metrics or /healthz\n".to_owned()),
    };
    let mut response = Response::from_string(text).with_status_code(status);
    if let Ok(header) = Header::from_bytes("Content-Type", kind) {
        response = response.with_header(header);
    }
    // Who has hung up does not want to know.
    let _ = request.respond(response);
}

impl Drop for Http {
    fn drop(&mut self) {
        self.stop.0.unblock();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
