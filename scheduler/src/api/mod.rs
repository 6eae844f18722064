//! The HTTP API. Its router is the list of everything that can be asked: nothing internal has a path.

mod accounts;
mod auth;
mod document;
mod export;
mod extract;
mod form;
mod forms;
mod health;
mod jobs;
mod limits;
mod lookup;
mod operate;
mod rules;
mod secret;
mod servers;
mod usage;
mod view;
mod view_of;

use std::sync::Arc;
use std::time::Duration;

use ::jobs::new_public_id;
use ::jobs::queue::Doorbell;
use ::jobs::seal::Keyring;
use ::jobs::store::Store;
use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::Semaphore;

use crate::Problem;
use crate::intake::Intake;
use crate::registry::RegistryError;
use crate::serve::ReadyProbe;
use crate::wait::Waiters;
pub(crate) use auth::Auth;
pub use document::document;
use limits::Limits;
pub use view::{AccountRef, AttemptView, ErrorView, EventView, JobView, OperatorView, WaitingView};
pub use view_of::{job_view, job_views};

/// Longest body of a request, in bytes.
const BODY: usize = 64 * 1024;
/// Longest body of a batch, in bytes.
const BATCH_BODY: usize = 4 * 1024 * 1024;
/// Longest time for a request: the longest wait, and some.
const REQUEST_TIME: Duration = Duration::from_secs(70);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the API works with.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

/// See [`Api`].
pub struct Parts {
    store: Store,
    doorbell: Doorbell,
    keyring: Arc<Keyring>,
    intake: Intake,
    waiters: Waiters,
    limits: Limits,
    /// Places of exports.
    exports: Arc<Semaphore>,
    metrics: Option<PrometheusHandle>,
    workers_ready: Option<ReadyProbe>,
}

impl std::ops::Deref for Api {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

impl Api {
    /// An API on that ledger. `requests_a_second` is for each token.
    #[must_use]
    pub fn new(
        store: Store,
        doorbell: Doorbell,
        keyring: Arc<Keyring>,
        waiters: Waiters,
        requests_a_second: u32,
    ) -> Self {
        Self(Arc::new(Parts {
            intake: Intake::new(store.clone(), doorbell.clone(), Arc::clone(&keyring)),
            store,
            doorbell,
            keyring,
            waiters,
            limits: Limits::new(requests_a_second),
            exports: Arc::new(Semaphore::new(export::AT_ONCE)),
            metrics: None,
            workers_ready: None,
        }))
    }

    /// The same with what `/metrics` and `/readyz` ask besides. Before it is cloned.
    #[must_use]
    pub fn with(
        self,
        metrics: Option<PrometheusHandle>,
        workers_ready: Option<ReadyProbe>,
    ) -> Self {
        match Arc::try_unwrap(self.0) {
            Ok(parts) => Self(Arc::new(Parts {
                metrics,
                workers_ready,
                ..parts
            })),
            Err(shared) => Self(shared),
        }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The router of everything.
    pub fn router(self) -> Router {
        let routes = Router::new()
            .route("/v1/jobs", post(jobs::submit).get(jobs::list))
            .route(
                "/v1/jobs/batch",
                post(jobs::submit_batch).layer(DefaultBodyLimit::max(BATCH_BODY)),
            )
            .route("/v1/forms/{kind}", post(forms::submit))
            .route("/v1/jobs/replay", post(operate::replay_many))
            .route("/v1/jobs/cancel", post(operate::cancel_many))
            .route("/v1/jobs/{id}", get(jobs::one))
            .route("/v1/jobs/{id}/replay", post(operate::replay_one))
            .route("/v1/jobs/{id}/cancel", post(operate::cancel_one))
            .route("/v1/jobs/{id}/secret", post(secret::read))
            .route("/v1/jobs/{id}/secret/ack", post(secret::acknowledge))
            .route("/v1/servers", get(servers::list))
            .route("/v1/servers/{name}", get(servers::one))
            .route("/v1/servers/{name}/packages", get(servers::packages))
            .route("/v1/servers/{name}/accounts", get(servers::accounts))
            .route("/v1/servers/{name}/usage", get(servers::usage))
            .route("/v1/accounts/{id}", get(accounts::one))
            .route("/v1/accounts/{id}/traffic", get(accounts::traffic))
            .route("/v1/usage", get(usage::month))
            .route("/healthz", get(health::alive))
            .route("/readyz", get(health::ready))
            .route("/metrics", get(health::metrics))
            .route("/openapi.json", get(document::describe))
            .fallback(health::no_such_path)
            .method_not_allowed_fallback(health::no_such_method);
        routes
            .merge(crate::dashboard::routes())
            .layer(DefaultBodyLimit::max(BODY))
            .layer(from_fn(guard))
            .with_state(self)
    }
}

/// Around every request: its id, its time, what a browser may not do, what is counted.
async fn guard(mut request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let method = request.method().clone();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or("none", MatchedPath::as_str)
        .to_owned();
    let mut response = if from_another_site(request.headers()) && method != Method::GET {
        Problem::forbidden("it comes from another site's page").into_response()
    } else {
        match tokio::time::timeout(REQUEST_TIME, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::unavailable().into_response(),
        }
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    let labels = [
        ("method", method.to_string()),
        ("route", route),
        ("status", response.status().as_u16().to_string()),
    ];
    metrics::counter!("hostler_http_requests_total", &labels).increment(1);
    response
}

/// The client's request id if it is a plain word, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let given = headers.get(REQUEST_ID).filter(|value| {
        let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:".contains(b);
        (1..=128).contains(&value.len()) && value.as_bytes().iter().all(plain)
    });
    match given {
        Some(id) => id.clone(),
        None => HeaderValue::from_str(&new_public_id())
            .unwrap_or_else(|_| HeaderValue::from_static("none")),
    }
}

pub(crate) fn trace_of(headers: &HeaderMap) -> Option<String> {
    headers
        .get(REQUEST_ID)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned)
}

/// A browser that has kept Basic credentials must not send them for another site's page.
fn from_another_site(headers: &HeaderMap) -> bool {
    headers
        .get("sec-fetch-site")
        .is_some_and(|site| site != "same-origin" && site != "none")
}

pub(crate) fn registry_problem(error: RegistryError) -> Problem {
    match error {
        RegistryError::Store(error) => error.into(),
        RegistryError::Invalid { field, message } => Problem::field(field, message),
        RegistryError::NotFound(what) => Problem::not_found(&what),
        RegistryError::Taken(what) => {
            Problem::conflict("taken", format!("there is already {what}"))
        }
        RegistryError::InUse(why) => Problem::conflict("in_use", why),
        RegistryError::Seal(error) => {
            tracing::error!(failure = %error, "A secret could not be sealed: {error}");
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "Something is wrong here",
                "the operator's log says more",
            )
        }
    }
}
