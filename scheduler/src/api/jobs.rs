//! Jobs: put in, looked at, waited for.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use entity::job;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::auth::Auth;
use super::extract::{JsonBody, Params, Part};
use super::view::JobView;
use super::view_of::{job_view, job_views};
use super::{Api, form, trace_of};
use crate::caller::Scope;
use crate::intake::{Body, JobRequest};
use crate::problem::ProblemDocument;
use crate::{Problem, shapes};

/// Longest `wait`, in seconds.
const LONGEST_WAIT: u64 = 60;
/// Most jobs of a batch.
const MOST_OF_BATCH: usize = 1000;
/// Jobs on a page, if not asked for otherwise, and at most.
const PAGE: (u64, u64) = (50, 200);

/// How long to wait.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// Seconds to wait for the job's end, up to 60.
    #[param(maximum = 60)]
    wait: Option<u64>,
}

impl Wait {
    pub(crate) fn patience(&self) -> Result<Option<Duration>, Problem> {
        match self.wait {
            Some(seconds) if seconds > LONGEST_WAIT => {
                Err(Problem::field("wait", "must be 0 to 60 seconds"))
            }
            Some(0) | None => Ok(None),
            Some(seconds) => Ok(Some(Duration::from_secs(seconds))),
        }
    }
}

/// Puts a job in.
#[utoipa::path(
    post, path = "/v1/jobs", tag = "jobs", operation_id = "submit_job",
    params(Wait, ("Idempotency-Key" = Option<shapes::Key>, Header, description = "Required for changing kinds, here or in the body; unique in the platform, case-sensitive")),
    request_body(content(
        (JobRequest = "application/json", example = json!({
            "kind": "create", "server": "web1", "idempotency_key": "order-42", "account": {
                "reference": "whmcs:42", "username": "acme", "domain": "acme.example.com",
                "email": "owner@example.com", "package": "gold", "limits": {"disk_mb": 2000}},
        })),
        (shapes::JobForm = "application/x-www-form-urlencoded"),
    )),
    responses(
        (status = 202, description = "Taken in: its row is committed", headers(("Location", description = "The job's path")),
            content((JobView = "application/json"), (String = "text/plain"))),
        (status = 200, description = "The same request was taken in earlier: that job", headers(("Location", description = "The job's path")),
            content((JobView = "application/json"), (String = "text/plain"))),
        (status = 409, description = "The key was used for another request, or the account is taken"),
        (status = 503, description = "Not taken in, or not known: send it again with the same key"),
    ),
)]
pub(crate) async fn submit(
    State(api): State<Api>,
    Auth(caller): Auth,
    Params(wait): Params<Wait>,
    headers: HeaderMap,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let body = Body {
        json,
        idempotency_key: key_of(&headers)?,
        trace: trace_of(&headers),
    };
    let accepted = match api.intake.accept(&caller, vec![body]).await.pop() {
        Some(answer) => answer?,
        None => return Err(Problem::unavailable()),
    };
    let row = api.rested(&caller, accepted.job, patience).await?;
    let view = job_view(&api.store, &caller, &row).await?;
    let status = if accepted.new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let mut response = said(status, &headers, &view);
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/jobs/{}", view.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// The job as the client wants it.
fn said(status: StatusCode, headers: &HeaderMap, view: &JobView) -> Response {
    if form::wants_text(headers) {
        return (status, form::text_of(view)).into_response();
    }
    (status, Json(view)).into_response()
}

/// A batch of requests, each with its own `idempotency_key`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// 1 to 1,000 requests.
    #[schema(value_type = Vec<JobRequest>, min_items = 1, max_items = 1000)]
    jobs: Vec<Value>,
}

/// The answers to a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchAnswer {
    /// One for each request, in their order.
    items: Vec<BatchItem>,
}

/// The answer to one request of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BatchItem {
    /// As a request of its own would have been answered: 202, 200, 409, 422, ...
    status: u16,
    /// The job.
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<JobView>,
    /// The problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ProblemDocument>)]
    problem: Option<Value>,
}

/// Puts up to 1,000 jobs in, those that are right in one transaction.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "jobs", operation_id = "submit_jobs",
    request_body(content = Batch, example = json!({"jobs": [
        {"kind": "suspend", "account": {"reference": "whmcs:42"}, "idempotency_key": "bill-51"},
        {"kind": "unsuspend", "account": {"reference": "whmcs:42"}, "idempotency_key": "bill-52"},
    ]})),
    responses((status = 200, description = "One answer for each request", body = BatchAnswer)),
)]
pub(crate) async fn submit_batch(
    State(api): State<Api>,
    Auth(caller): Auth,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<BatchAnswer>, Problem> {
    // A NUL in one request is that one's problem.
    let requests = crate::intake::typed::<Batch>(&body.document())?.jobs;
    if requests.is_empty() || requests.len() > MOST_OF_BATCH {
        return Err(Problem::field("jobs", "must be 1 to 1000 requests"));
    }
    let trace = trace_of(&headers);
    let bodies = requests
        .into_iter()
        .map(|json| Body {
            json,
            idempotency_key: None,
            trace: trace.clone(),
        })
        .collect();
    let answers = api.intake.accept(&caller, bodies).await;
    let rows: Vec<job::Model> = answers
        .iter()
        .flatten()
        .map(|accepted| accepted.job.clone())
        .collect();
    let mut views = job_views(&api.store, &caller, &rows).await?.into_iter();
    let items = answers
        .into_iter()
        .map(|answer| match answer {
            Ok(accepted) => BatchItem {
                status: if accepted.new { 202 } else { 200 },
                job: views.next(),
                problem: None,
            },
            Err(problem) => BatchItem {
                status: problem.status.as_u16(),
                job: None,
                problem: Some(problem.to_json()),
            },
        })
        .collect();
    Ok(Json(BatchAnswer { items }))
}

/// One job.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs", operation_id = "get_job",
    params(("id" = String, Path, description = "The job"), Wait),
    responses(
        (status = 200, description = "The job", content((JobView = "application/json"), (String = "text/plain"))),
        (status = 404, description = "None, or another platform's"),
    ),
)]
pub(crate) async fn one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    Params(wait): Params<Wait>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.need(Scope::Read)?;
    let patience = wait.patience()?;
    let row = api.job_of(&caller, &id).await?;
    let row = api.rested(&caller, row, patience).await?;
    let view = job_view(&api.store, &caller, &row).await?;
    Ok(said(StatusCode::OK, &headers, &view))
}

/// Which jobs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only in these states (separated by commas).
    #[param(value_type = Option<shapes::JobStates>)]
    pub(crate) state: Option<String>,
    /// Only of this kind.
    #[param(value_type = Option<shapes::Kind>)]
    pub(crate) kind: Option<String>,
    /// Only of this server.
    #[param(example = "web1")]
    pub(crate) server: Option<String>,
    /// Only of this account: its id, or the platform's reference.
    pub(crate) account: Option<String>,
    /// Only accepted at or after this time (RFC 3339).
    #[param(value_type = Option<shapes::Time>)]
    pub(crate) since: Option<String>,
    /// Only with this idempotency key.
    pub(crate) idempotency_key: Option<String>,
    /// Only with this error or hold code.
    pub(crate) error_code: Option<String>,
    /// Jobs on a page, 1 to 200; 50 if not set.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u64>,
    /// `next_cursor` of the page before.
    pub(crate) cursor: Option<String>,
}

/// A page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobPage {
    /// The jobs, newest first.
    items: Vec<JobView>,
    /// Where the next page begins; null = there is none.
    next_cursor: Option<String>,
}

/// Jobs, newest first.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs", operation_id = "list_jobs", params(ListQuery),
    responses(
        (status = 200, description = "A page of jobs", body = JobPage),
        (status = 404, description = "No such server"),
    ),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Auth(caller): Auth,
    Params(query): Params<ListQuery>,
) -> Result<Json<JobPage>, Problem> {
    caller.need(Scope::Read)?;
    let limit = page_size(query.limit)?;
    let Some(mut filter) = api.job_filter(&caller, &query).await? else {
        return Ok(Json(JobPage {
            items: Vec::new(),
            next_cursor: None,
        }));
    };
    filter.limit = limit + 1;
    let mut rows = api.store.jobs(&filter).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > size;
    rows.truncate(size);
    let next_cursor = rows
        .last()
        .filter(|_| more)
        .map(|last| last.public_id.clone());
    let items = job_views(&api.store, &caller, &rows).await?;
    Ok(Json(JobPage { items, next_cursor }))
}

pub(crate) fn page_size(asked: Option<u64>) -> Result<u64, Problem> {
    let (usual, most) = PAGE;
    match asked {
        None => Ok(usual),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::field("limit", format!("must be 1 to {most}"))),
    }
}

fn key_of(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    headers
        .get("idempotency-key")
        .map(|value| {
            value.to_str().map(str::to_owned).map_err(|_| {
                Problem::field("idempotency_key", "must be of visible ASCII characters")
            })
        })
        .transpose()
}
