//! Jobs: put in, looked at, waited for.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use entity::job;
use jobs::store::{JobFilter, Selector};
use jobs::{JobKind, JobState};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use super::auth::Auth;
use super::extract::{JsonBody, Params};
use super::view::{JobView, job_view, job_views};
use super::{Api, trace_of};
use crate::caller::{Caller, Scope};
use crate::intake::{Body, JobRequest};
use crate::{Problem, registry, times};

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
    fn patience(&self) -> Result<Option<Duration>, Problem> {
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
    post, path = "/v1/jobs", tag = "jobs",
    params(Wait, ("Idempotency-Key" = Option<String>, Header, description = "Required for changing kinds, here or in the body; unique in the platform, case-sensitive")),
    request_body = JobRequest,
    responses(
        (status = 202, description = "Taken in: its row is committed", body = JobView),
        (status = 200, description = "The same request was taken in earlier: that job", body = JobView),
        (status = 409, description = "The key was used for another request, or the account is taken"),
        (status = 422, description = "Not valid; `errors` names the fields"),
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
    let row = api.rested(accepted.job, patience).await?;
    let view = job_view(&api.store, &caller, &row).await?;
    let status = if accepted.new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    let mut response = (status, Json(&view)).into_response();
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/jobs/{}", view.id)) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

/// A batch of requests, each with its own `idempotency_key`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Batch {
    /// 1 to 1,000 requests.
    #[schema(value_type = Vec<JobRequest>)]
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
    #[schema(value_type = Option<Object>)]
    problem: Option<Value>,
}

/// Puts up to 1,000 jobs in, those that are right in one transaction.
#[utoipa::path(
    post, path = "/v1/jobs/batch", tag = "jobs",
    request_body = Batch,
    responses((status = 200, description = "One answer for each request", body = BatchAnswer)),
)]
pub(crate) async fn submit_batch(
    State(api): State<Api>,
    Auth(caller): Auth,
    headers: HeaderMap,
    body: JsonBody,
) -> Result<Json<BatchAnswer>, Problem> {
    let requests = match body.0 {
        Value::Array(requests) => requests,
        _ => body.typed::<Batch>()?.jobs,
    };
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
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job"), Wait),
    responses((status = 200, body = JobView), (status = 404, description = "None, or another platform's")),
)]
pub(crate) async fn one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Path(id): Path<String>,
    Params(wait): Params<Wait>,
) -> Result<Json<JobView>, Problem> {
    caller.need(Scope::Read)?;
    let patience = wait.patience()?;
    let row = api.job_of(&caller, &id).await?;
    let row = api.rested(row, patience).await?;
    Ok(Json(job_view(&api.store, &caller, &row).await?))
}

/// Which jobs to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only in these states (separated by commas).
    pub(crate) state: Option<String>,
    /// Only of this kind.
    pub(crate) kind: Option<String>,
    /// Only of this server.
    pub(crate) server: Option<String>,
    /// Only of this account: its id, or the platform's reference.
    pub(crate) account: Option<String>,
    /// Only accepted at or after this time (RFC 3339).
    pub(crate) since: Option<String>,
    /// Only with this idempotency key.
    pub(crate) idempotency_key: Option<String>,
    /// Only with this error or hold code.
    pub(crate) error_code: Option<String>,
    /// Jobs on a page, 1 to 200.
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
    get, path = "/v1/jobs", tag = "jobs", params(ListQuery),
    responses((status = 200, body = JobPage)),
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

impl Api {
    /// The job of that id, if the caller may see it; of what it may not see it learns nothing.
    pub(crate) async fn job_of(&self, caller: &Caller, id: &str) -> Result<job::Model, Problem> {
        let row = self.store.job(id).await?;
        let row = row.filter(|row| caller.sees_platform(Some(row.platform_id)));
        let Some(row) = row else {
            return Err(Problem::not_found("such job"));
        };
        if caller.servers.is_none() || self.on_allowed_server(caller, row.server_id).await? {
            Ok(row)
        } else {
            Err(Problem::not_found("such job"))
        }
    }

    async fn on_allowed_server(
        &self,
        caller: &Caller,
        server_id: Option<i64>,
    ) -> Result<bool, Problem> {
        let allowed = self.allowed_servers(caller).await?;
        Ok(server_id.is_some_and(|id| allowed.is_none_or(|servers| servers.contains(&id))))
    }

    /// The rows of the servers that the caller may touch; `None` = all.
    pub(crate) async fn allowed_servers(
        &self,
        caller: &Caller,
    ) -> Result<Option<Vec<i64>>, Problem> {
        if caller.servers.is_none() {
            return Ok(None);
        }
        let servers = registry::servers(&self.store)
            .await
            .map_err(super::registry_problem)?;
        Ok(Some(
            servers
                .into_iter()
                .filter(|row| caller.may_touch(&row.name))
                .map(|row| row.id)
                .collect(),
        ))
    }

    /// The job once it has come to rest, or as it is when the patience is over.
    async fn rested(
        &self,
        row: job::Model,
        patience: Option<Duration>,
    ) -> Result<job::Model, Problem> {
        let Some(patience) = patience else {
            return Ok(row);
        };
        // Registered first, read afterwards: an end in between is seen by one of the two.
        let mut place = self.waiters.register(row.id);
        let Some(now) = self.store.job_by_row(row.id).await? else {
            return Ok(row);
        };
        if is_settled(&now) {
            return Ok(now);
        }
        place.rested(patience).await;
        Ok(self.store.job_by_row(row.id).await?.unwrap_or(now))
    }

    /// The filter of a query, with what the caller may see; `None` = nothing can match.
    pub(crate) async fn job_filter(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Option<JobFilter>, Problem> {
        let mut filter = JobFilter {
            platform_id: (!caller.sees_all()).then_some(caller.platform_id),
            servers: self.allowed_servers(caller).await?,
            idem_key: query.idempotency_key.clone(),
            error_code: query.error_code.clone(),
            ..JobFilter::default()
        };
        if let Some(states) = &query.state {
            filter.states = states
                .split(',')
                .map(|state| {
                    state
                        .trim()
                        .parse::<JobState>()
                        .map_err(|error| Problem::field("state", error.to_string()))
                })
                .collect::<Result<_, _>>()?;
        }
        if let Some(kind) = &query.kind {
            let kind = kind
                .parse::<JobKind>()
                .map_err(|error| Problem::field("kind", error.to_string()))?;
            filter.kind = Some(kind);
        }
        if let Some(since) = &query.since {
            let at = times::parse_rfc3339(since).map_err(|why| Problem::field("since", why))?;
            filter.since = Some(at);
        }
        if let Some(name) = &query.server {
            let row = self.server_of(caller, name).await?;
            filter.servers = Some(vec![row.id]);
        }
        if let Some(account) = &query.account {
            match self.account_of(caller, account).await? {
                Some(id) => filter.account_id = Some(id),
                None => return Ok(None),
            }
        }
        if let Some(cursor) = &query.cursor {
            let row = self.store.job(cursor).await?;
            let row = row.filter(|row| caller.sees_platform(Some(row.platform_id)));
            let before = row.ok_or_else(|| {
                Problem::field("cursor", "is not a next_cursor of this list; begin again")
            })?;
            filter.before = Some(before.id);
        }
        Ok(Some(filter))
    }

    /// The row of an account by its id or the caller's reference.
    async fn account_of(&self, caller: &Caller, text: &str) -> Result<Option<i64>, Problem> {
        let by_id = self.store.account(&Selector::Id(text.to_owned())).await?;
        if let Some(row) = by_id.filter(|row| caller.sees_platform(row.platform_id)) {
            return Ok(Some(row.id));
        }
        let Ok(reference) = text.parse() else {
            return Ok(None);
        };
        let selector = Selector::Reference {
            platform_id: caller.platform_id,
            reference,
        };
        Ok(self.store.account(&selector).await?.map(|row| row.id))
    }
}

fn is_settled(row: &job::Model) -> bool {
    row.state
        .parse::<JobState>()
        .is_ok_and(JobState::is_settled)
}

/// The problem of a path that takes no such method or does not exist.
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

/// Nothing but a word: the process answers.
pub(crate) async fn alive() -> Json<Value> {
    Json(json!({"alive": true}))
}
