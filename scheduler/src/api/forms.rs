//! Jobs for platforms that post all their fields to one address for each action, and keep no keys.
//!
//! Which call repeats which is settled here, by the rule that the modules in `integrations/` follow: while a job is
//! not over, the same call means that job; afterwards the next call is another intent, under the next key.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use entity::job;
use jobs::store::JobFilter;
use jobs::{AccountState, JobKind, JobState};
use serde_json::{Map, Value};

use super::auth::Auth;
use super::extract::{JsonBody, Params, Part};
use super::jobs::Wait;
use super::view_of::job_view;
use super::{Api, form, trace_of};
use crate::caller::{Caller, Scope};
use crate::intake::{Accepted, Body, uses};
use crate::{Problem, shapes};

/// What names an account.
const NAMES: [&str; 4] = ["id", "reference", "username", "domain"];

/// Puts the job of an intent in, or finds it. Fields that the kind does not use are passed over, an account without
/// a reference is named by its domain, and a key is made where none is sent.
#[utoipa::path(
    post, path = "/v1/forms/{kind}", tag = "jobs", operation_id = "submit_form",
    params(("kind" = shapes::AskedKind, Path, description = "The kind of job"), Wait),
    request_body(content = shapes::FormOfKind, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 202, description = "Taken in: its row is committed", body = String, content_type = "text/plain"),
        (status = 200, description = "The job of the same intent", body = String, content_type = "text/plain"),
        (status = 409, description = "The account is taken"),
        (status = 503, description = "Not taken in, or not known: send it again"),
    ),
)]
pub(crate) async fn submit(
    State(api): State<Api>,
    Auth(caller): Auth,
    Part(kind): Part,
    Params(wait): Params<Wait>,
    headers: HeaderMap,
    JsonBody(json): JsonBody,
) -> Result<Response, Problem> {
    let patience = wait.patience()?;
    let kind: JobKind = kind
        .parse()
        .map_err(|error: jobs::UnknownKind| Problem::field("kind", error.to_string()))?;
    if let Some(scope) = Scope::of_kind(kind) {
        caller.need(scope)?;
    }
    let intent = Intent::of(kind, json);
    let accepted = api.intended(&caller, intent, trace_of(&headers)).await?;
    let row = api.rested(&caller, accepted.job, patience).await?;
    let view = job_view(&api.store, &caller, &row).await?;
    let status = if accepted.new {
        StatusCode::ACCEPTED
    } else {
        StatusCode::OK
    };
    Ok((status, form::text_of(&view)).into_response())
}

/// What a form asks for.
struct Intent {
    kind: JobKind,
    json: Value,
}

impl Intent {
    /// Without what the kind has no use for.
    fn of(kind: JobKind, json: Value) -> Self {
        let mut fields = match json {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert("kind".to_owned(), kind.name().into());
        let account = fields.get_mut("account").and_then(Value::as_object_mut);
        if kind.has_account() {
            if let Some(account) = account {
                account.retain(|name, _| {
                    NAMES.contains(&name.as_str()) || uses(kind).contains(&name.as_str())
                });
                name_by_domain(kind, account);
            }
        } else {
            fields.remove("account");
        }
        let json = Value::Object(fields);
        Self { kind, json }
    }

    /// The beginning of its keys; `None` = it needs none, or has its own.
    fn stem(&self) -> Option<String> {
        if !self.kind.changes() || self.json.get("idempotency_key").is_some() {
            return None;
        }
        let text = |name: &str| self.json["account"][name].as_str();
        let server = self.json["server"].as_str().unwrap_or_default();
        let account = match (text("id").or(text("reference")), text("username")) {
            (Some(own), _) => own.to_owned(),
            (None, Some(username)) => format!("{server}/{username}"),
            (None, None) => return None,
        };
        Some(format!("form:{account}:{}:", self.kind))
    }

    /// Whether another body is another intent, and not the same one in other words.
    fn is_told_by_body(&self) -> bool {
        use JobKind::{ChangeLimits, ChangePackage, ChangePassword, Move};
        [ChangeLimits, ChangePackage, ChangePassword, Move].contains(&self.kind)
    }
}

/// Such platforms have no number of a service at hand when they create it.
fn name_by_domain(kind: JobKind, account: &mut Map<String, Value>) {
    let named = |name: &str| account.contains_key(name);
    let nameless = !named("id") && !named("reference");
    if nameless
        && (kind == JobKind::Create || !named("username"))
        && let Some(domain) = account.get("domain").cloned()
    {
        account.insert("reference".to_owned(), domain);
    }
}

impl Api {
    /// The job of an intent: one that is not over, or a new one.
    async fn intended(
        &self,
        caller: &Caller,
        intent: Intent,
        trace: Option<String>,
    ) -> Result<Accepted, Problem> {
        let Some(stem) = intent.stem() else {
            return self.asked(caller, &intent, None, trace).await;
        };
        let (mut generation, mut newest) = self.newest_of(caller, &stem).await?;
        if let Some(row) = &newest
            && self.is_over(row).await?
        {
            newest = None;
        }
        if newest.is_none() {
            generation += 1;
        }
        let key = format!("{stem}{generation}");
        let answer = self.asked(caller, &intent, Some(key), trace.clone()).await;
        match (answer, newest) {
            (Err(problem), Some(job)) if problem.code == "idempotency_key_reused" => {
                if intent.is_told_by_body() {
                    let next = format!("{stem}{}", generation + 1);
                    return self.asked(caller, &intent, Some(next), trace).await;
                }
                Ok(Accepted { job, new: false })
            }
            (answer, _) => answer,
        }
    }

    async fn asked(
        &self,
        caller: &Caller,
        intent: &Intent,
        key: Option<String>,
        trace: Option<String>,
    ) -> Result<Accepted, Problem> {
        let body = Body {
            json: intent.json.clone(),
            idempotency_key: key,
            trace,
        };
        let answer = self.intake.accept(caller, vec![body]).await.pop();
        answer.unwrap_or_else(|| Err(Problem::unavailable()))
    }

    /// The last number under that stem, and its job. The numbers have no gaps.
    async fn newest_of(
        &self,
        caller: &Caller,
        stem: &str,
    ) -> Result<(u64, Option<job::Model>), Problem> {
        let (mut known, mut free, mut newest) = (0, 1, None);
        while let Some(row) = self.job_under(caller, stem, free).await? {
            (known, free, newest) = (free, free * 2, Some(row));
        }
        while free - known > 1 {
            let middle = known.midpoint(free);
            match self.job_under(caller, stem, middle).await? {
                Some(row) => (known, newest) = (middle, Some(row)),
                None => free = middle,
            }
        }
        Ok((known, newest))
    }

    async fn job_under(
        &self,
        caller: &Caller,
        stem: &str,
        number: u64,
    ) -> Result<Option<job::Model>, Problem> {
        let filter = JobFilter {
            platform_id: Some(caller.platform_id),
            idem_key: Some(format!("{stem}{number}")),
            limit: 1,
            ..JobFilter::default()
        };
        Ok(self.store.jobs(&filter).await?.pop())
    }

    /// Whether an intent was carried out or given up. A create is not over while its account is there.
    async fn is_over(&self, row: &job::Model) -> Result<bool, Problem> {
        let state = row.state.as_str();
        if row.kind == JobKind::Create.name() && state == JobState::Succeeded.name() {
            let account = match row.account_id {
                Some(id) => self.store.account_by_row(id).await?,
                None => None,
            };
            let gone = [
                AccountState::Terminated,
                AccountState::Failed,
                AccountState::Conflict,
            ];
            return Ok(account.is_none_or(|row| gone.iter().any(|gone| row.state == gone.name())));
        }
        let over = [JobState::Succeeded, JobState::Failed, JobState::Cancelled];
        Ok(over.iter().any(|over| state == over.name()))
    }
}
