//! Replay and cancel over HTTP.

use axum::Json;
use axum::extract::State;
use jobs::store::JobFilter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Api;
use super::auth::Auth;
use super::extract::{JsonBody, Part};
use super::jobs::ListQuery;
use super::view::JobView;
use super::view_of::job_view;
use crate::caller::{Caller, Scope};
use crate::operate::{Action, act, found, may_act_on, would};
use crate::{Problem, shapes};

/// Why one job is replayed or cancelled.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct OneRequest {
    /// Why, for the history. Without control characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
    /// Replay: also if a newer job has overtaken it; needs the scope `operate`.
    #[serde(default)]
    force: bool,
}

/// Replays one job: the same row is re-opened.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/replay", tag = "operate", operation_id = "replay_job",
    params(("id" = String, Path, description = "The job")),
    request_body = Option<OneRequest>,
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = 409, description = "Refused, with the reason"),
    ),
)]
pub(crate) async fn replay_one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    body: JsonBody,
) -> Result<Json<JobView>, Problem> {
    let request: OneRequest = body.typed()?;
    let action = Action::Replay {
        force: request.force,
        reason: checked(request.reason)?.unwrap_or_else(|| "asked over the API".to_owned()),
    };
    one(&api, &caller, &id, &action).await
}

/// Cancels one job that is not running.
#[utoipa::path(
    post, path = "/v1/jobs/{id}/cancel", tag = "operate", operation_id = "cancel_job",
    params(("id" = String, Path, description = "The job")),
    request_body = Option<OneRequest>,
    responses(
        (status = 200, description = "The job as it is now", body = JobView),
        (status = 409, description = "Refused, with the reason"),
    ),
)]
pub(crate) async fn cancel_one(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(id): Part,
    body: JsonBody,
) -> Result<Json<JobView>, Problem> {
    let request: OneRequest = body.typed()?;
    let action = Action::Cancel {
        reason: checked(request.reason)?,
    };
    one(&api, &caller, &id, &action).await
}

async fn one(
    api: &Api,
    caller: &Caller,
    id: &str,
    action: &Action,
) -> Result<Json<JobView>, Problem> {
    let row = api.job_of(caller, id).await?;
    if !may_act_on(caller, &row) {
        return Err(Problem::forbidden(format!(
            "it does not allow jobs of the kind `{}`",
            row.kind
        )));
    }
    let done = act(
        &api.store,
        &api.doorbell,
        caller,
        std::slice::from_ref(&row),
        action,
    )
    .await?;
    if let Some(why) = done.into_iter().find_map(|done| done.refused) {
        return Err(Problem::conflict("refused", why));
    }
    let row = api.store.job_by_row(row.id).await?.unwrap_or(row);
    Ok(Json(job_view(&api.store, caller, &row).await?))
}

/// Which jobs, and how.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManyRequest {
    /// Which jobs; everything that is set must hold, and something must be.
    filter: FilterRequest,
    /// Only say what would be done.
    #[serde(default)]
    dry_run: bool,
    /// Replay: also those that a newer job has overtaken; needs the scope `operate`.
    #[serde(default)]
    force: bool,
    /// Why, for the history. Without control characters.
    #[serde(default)]
    #[schema(max_length = 500)]
    reason: Option<String>,
}

/// Which jobs.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FilterRequest {
    /// States, separated by commas. Replay: `held,failed` if not set; cancel: `queued,retrying`.
    #[serde(default)]
    #[schema(value_type = Option<shapes::JobStates>)]
    state: Option<String>,
    /// Kind.
    #[serde(default)]
    #[schema(value_type = Option<shapes::Kind>)]
    kind: Option<String>,
    /// Server's name.
    #[serde(default)]
    server: Option<String>,
    /// Account's id or reference.
    #[serde(default)]
    account: Option<String>,
    /// Accepted at or after (RFC 3339).
    #[serde(default)]
    #[schema(value_type = Option<shapes::Time>)]
    since: Option<String>,
    /// Error or hold code.
    #[serde(default)]
    error_code: Option<String>,
}

/// What was done, or would be.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManyAnswer {
    /// Whether nothing was done.
    dry_run: bool,
    /// The jobs that it was (or would be) done to.
    done: Vec<String>,
    /// The others, with the reasons.
    refused: Vec<RefusedJob>,
    /// Whether there are more than one call looks at (1,000).
    more: bool,
}

/// A job that was refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedJob {
    /// The job.
    id: String,
    /// Why.
    reason: String,
}

/// Replays all jobs that a filter finds.
#[utoipa::path(
    post, path = "/v1/jobs/replay", tag = "operate", operation_id = "replay_jobs",
    request_body = ManyRequest,
    responses(
        (status = 200, description = "What was done, or would be", body = ManyAnswer),
        (status = 404, description = "No such server"),
    ),
)]
pub(crate) async fn replay_many(
    State(api): State<Api>,
    Auth(caller): Auth,
    body: JsonBody,
) -> Result<Json<ManyAnswer>, Problem> {
    let request: ManyRequest = body.typed()?;
    let action = Action::Replay {
        force: request.force,
        reason: checked(request.reason.clone())?.unwrap_or_else(|| "asked over the API".to_owned()),
    };
    many(&api, &caller, request, "held,failed", &action).await
}

/// Cancels all jobs that a filter finds.
#[utoipa::path(
    post, path = "/v1/jobs/cancel", tag = "operate", operation_id = "cancel_jobs",
    request_body = ManyRequest,
    responses(
        (status = 200, description = "What was done, or would be", body = ManyAnswer),
        (status = 404, description = "No such server"),
    ),
)]
pub(crate) async fn cancel_many(
    State(api): State<Api>,
    Auth(caller): Auth,
    body: JsonBody,
) -> Result<Json<ManyAnswer>, Problem> {
    let request: ManyRequest = body.typed()?;
    let action = Action::Cancel {
        reason: checked(request.reason.clone())?,
    };
    many(&api, &caller, request, "queued,retrying", &action).await
}

async fn many(
    api: &Api,
    caller: &Caller,
    request: ManyRequest,
    usual_states: &str,
    action: &Action,
) -> Result<Json<ManyAnswer>, Problem> {
    caller.need(Scope::Read)?;
    let filter = filter_of(api, caller, request.filter, usual_states).await?;
    let (rows, more) = match filter {
        Some(filter) => found(&api.store, filter).await?,
        None => (Vec::new(), false),
    };
    let all = if request.dry_run {
        would(&api.store, caller, &rows, action).await?
    } else {
        act(&api.store, &api.doorbell, caller, &rows, action).await?
    };
    let mut answer = ManyAnswer {
        dry_run: request.dry_run,
        done: Vec::new(),
        refused: Vec::new(),
        more,
    };
    for job in all {
        match job.refused {
            None => answer.done.push(job.id),
            Some(reason) => answer.refused.push(RefusedJob { id: job.id, reason }),
        }
    }
    Ok(Json(answer))
}

async fn filter_of(
    api: &Api,
    caller: &Caller,
    filter: FilterRequest,
    usual_states: &str,
) -> Result<Option<JobFilter>, Problem> {
    let set = [
        &filter.state,
        &filter.kind,
        &filter.server,
        &filter.account,
        &filter.since,
        &filter.error_code,
    ];
    if set.iter().all(|field| field.is_none()) {
        return Err(Problem::field(
            "filter",
            "must hold at least one of state, kind, server, account, since, error_code",
        ));
    }
    let query = ListQuery {
        state: Some(filter.state.unwrap_or_else(|| usual_states.to_owned())),
        kind: filter.kind,
        server: filter.server,
        account: filter.account,
        since: filter.since,
        error_code: filter.error_code,
        ..ListQuery::default()
    };
    api.job_filter(caller, &query).await
}

fn checked(reason: Option<String>) -> Result<Option<String>, Problem> {
    match reason {
        Some(text) if text.chars().count() > 500 || text.chars().any(char::is_control) => {
            Err(Problem::field(
                "reason",
                "must have at most 500 characters, without control characters",
            ))
        }
        other => Ok(other),
    }
}
