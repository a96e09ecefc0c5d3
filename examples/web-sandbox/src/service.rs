//! HTTP: what is let in, and how answers and refusals look. Called by axum; programs are `running`'s.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, FromRequest, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use cofferdam::ErrorKind;
use serde_json::json;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::running::{Sandboxes, Wish};

/// How long a client may take to send its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who may run, and who may wait for it.
#[derive(Debug)]
pub(crate) struct Admission {
    running: Semaphore,
    inside: Semaphore,
}

impl Admission {
    pub(crate) fn new(running: usize, waiting: usize) -> Self {
        let inside = running.saturating_add(waiting).min(Semaphore::MAX_PERMITS);
        Self { running: Semaphore::new(running.min(inside)), inside: Semaphore::new(inside) }
    }

    /// A turn, when it comes; none for whom there is no more room to wait.
    async fn turn(&self) -> Option<(SemaphorePermit<'_>, SemaphorePermit<'_>)> {
        let inside = self.inside.try_acquire().ok()?;
        Some((inside, self.running.acquire().await.ok()?))
    }
}

struct Service {
    sandboxes: Sandboxes,
    admission: Admission,
}

pub(crate) fn router(sandboxes: Sandboxes, admission: Admission, body: usize) -> Router {
    Router::new()
        .route("/run", post(run))
        .route("/health", get(async || "well\n"))
        .layer(DefaultBodyLimit::max(body))
        .with_state(Arc::new(Service { sandboxes, admission }))
}

async fn run(State(service): State<Arc<Service>>, request: Request) -> Response {
    let wish = match timeout(PATIENCE, Json::<Wish>::from_request(request, &())).await {
        Ok(Ok(Json(wish))) => wish,
        Ok(Err(refused)) => return refusal(refused.status(), &refused.body_text()),
        Err(_) => return refusal(StatusCode::REQUEST_TIMEOUT, "the request was not sent in time"),
    };
    if wish.command.is_empty() {
        return refusal(StatusCode::UNPROCESSABLE_ENTITY, "command: there must be a program");
    }
    let Some(_turn) = service.admission.turn().await else {
        let refused = refusal(StatusCode::SERVICE_UNAVAILABLE, "too many programs run and wait already");
        return ([(header::RETRY_AFTER, "1")], refused).into_response();
    };
    match service.sandboxes.run(wish).await {
        Ok(answer) => Json(answer).into_response(),
        Err(e) => {
            let status = match e.kind() {
                ErrorKind::Payload | ErrorKind::Configuration => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::INTERNAL_SERVER_ERROR,
            };
            refusal(status, &e.to_string())
        }
    }
}

fn refusal(status: StatusCode, why: &str) -> Response {
    (status, Json(json!({ "error": why }))).into_response()
}
