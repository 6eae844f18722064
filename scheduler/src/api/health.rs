//! Whether this process, and Hostler as a whole, can work; and what there is not.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use entity::{
    account, api_token, attempt, billing_platform, ip_address, job, job_event, schedule, secret,
    server, usage_ledger, usage_month, usage_reading, webhook_endpoint,
};
use jobs::Lane;
use jobs::store::{Store, StoreError};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, PaginatorTrait, QueryFilter, QuerySelect};
use serde::Serialize;
use utoipa::ToSchema;

use super::Api;
use crate::Problem;

/// A job that is due and free to start for so long, while nothing runs, means that there is no worker.
const NO_WORKER_AFTER_MS: i64 = 30_000;

/// A database that hangs must not make this hang.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const UNREACHABLE: &str = "the database cannot be reached";

/// Whether jobs are taken in and processed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether all is well.
    ready: bool,
    /// What is not.
    failing: Vec<&'static str>,
    /// `up` or `down`; without it jobs are found by the timers: slower, not lost.
    doorbell: &'static str,
}

/// Whether jobs are taken in and processed.
#[utoipa::path(
    get, path = "/readyz", tag = "health", operation_id = "is_ready", security(()),
    responses(
        (status = 200, description = "Ready", body = Readiness),
        (status = 503, description = "Not ready; `failing` says why", body = Readiness),
    ),
)]
pub(crate) async fn ready(State(api): State<Api>) -> Response {
    let mut failing = Vec::new();
    match tokio::time::timeout(ANSWER_WITHIN, state_of_ledger(&api.store)).await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(why))) => failing.push(why),
        Err(_) => failing.push(UNREACHABLE),
        Ok(Err(error)) => {
            tracing::warn!(failure = %error, "Not ready: {error}");
            failing.push(if error.is_outage() {
                UNREACHABLE
            } else {
                "the database does not have this version's schema; run `hostler migrate`"
            });
        }
    }
    if api.workers_ready.as_ref().is_some_and(|ready| !ready()) {
        failing.push("the workers of this process do not look for jobs");
    }
    let status = if failing.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let answer = Readiness {
        ready: failing.is_empty(),
        failing,
        doorbell: if api.doorbell.is_up() { "up" } else { "down" },
    };
    (status, Json(answer)).into_response()
}

async fn state_of_ledger(store: &Store) -> Result<Option<&'static str>, StoreError> {
    check_schema(store).await?;
    if let Err(error) = store.writable().await {
        tracing::warn!(failure = %error, "Not ready: the database takes no changes: {error}");
        return Ok(Some("the database takes no changes"));
    }
    let Some(ring) = store.pick(Lane::Interactive, 1).await?.pop() else {
        return Ok(None);
    };
    let now = store.now().await?;
    let Some(row) = store.job_by_row(ring.job_id).await? else {
        return Ok(None);
    };
    if row.due_at > now - NO_WORKER_AFTER_MS {
        return Ok(None);
    }
    let running = job::Entity::find()
        .filter(job::Column::LeaseUntil.gt(now))
        .count(store.reader())
        .await?;
    let waited = running == 0 && row.due_at <= now - NO_WORKER_AFTER_MS;
    Ok(waited.then_some("jobs are due and no worker takes them"))
}

/// Asks every table for every column that this version knows.
async fn check_schema(store: &Store) -> Result<(), DbErr> {
    macro_rules! ask {
        ($($table:ident),*) => {
            $( $table::Entity::find().limit(1).all(store.reader()).await?; )*
        };
    }
    ask!(
        account,
        api_token,
        attempt,
        billing_platform,
        ip_address,
        job,
        job_event,
        schedule,
        secret,
        server,
        usage_ledger,
        usage_month,
        usage_reading,
        webhook_endpoint
    );
    Ok(())
}

/// Metrics in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "get_metrics", security(()),
    responses((status = 200, description = "Prometheus' text format", body = String, content_type = "text/plain")),
)]
pub(crate) async fn metrics(State(api): State<Api>) -> Response {
    let text = api
        .metrics
        .as_ref()
        .map(metrics_exporter_prometheus::PrometheusHandle::render)
        .unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

/// A path that does not exist.
pub(crate) async fn no_such_path() -> Problem {
    Problem::not_found("such path; GET /openapi.json lists them")
}

/// A method that the path does not take.
pub(crate) async fn no_such_method() -> Response {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "no_such_method",
        "The path does not take this method",
        "GET /openapi.json lists them",
    )
    .into_response()
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always true.
    alive: bool,
}

/// Nothing but a word: the process answers.
#[utoipa::path(
    get, path = "/healthz", tag = "health", operation_id = "is_alive", security(()),
    responses((status = 200, description = "It answers", body = Alive)),
)]
pub(crate) async fn alive() -> Json<Alive> {
    Json(Alive { alive: true })
}
