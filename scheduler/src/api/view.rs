//! Jobs as outsiders see them.

use entity::account;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::shapes;

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobView {
    /// Its opaque id.
    #[schema(example = "01KAM2Q3W8Z6D0Y4T5N7B9C1EF")]
    pub id: String,
    /// Its kind.
    #[schema(value_type = shapes::Kind)]
    pub kind: String,
    /// Where it is.
    #[schema(value_type = shapes::JobState)]
    pub state: String,
    /// Its server's name.
    pub server: Option<String>,
    /// Its account.
    pub account: Option<AccountRef>,
    /// How often it was attempted.
    pub attempt: i32,
    /// How often at most, counting only attempts that use a try.
    pub max_attempts: i32,
    /// Not before.
    #[schema(format = DateTime)]
    pub due_at: String,
    /// What it waits for, computed now.
    pub waiting_for: Option<WaitingView>,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// When its last attempt began.
    #[schema(format = DateTime)]
    pub started_at: Option<String>,
    /// When it came to its end.
    #[schema(format = DateTime)]
    pub finished_at: Option<String>,
    /// What it brought.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// What went wrong last, while it has not succeeded.
    pub error: Option<ErrorView>,
    /// Whether `POST /v1/jobs/{id}/secret` has something for the token that asked for the job.
    pub secret_available: bool,
    /// The job whose edited copy this is.
    pub replay_of: Option<String>,
    /// Its attempts, oldest first.
    pub attempts: Vec<AttemptView>,
    /// The idempotency key that it was asked for with.
    pub idempotency_key: Option<String>,
    /// Why it was asked for.
    pub reason: Option<String>,
    /// For operators.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorView>,
}

/// An account, in short.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AccountRef {
    /// Hostler's id of it.
    pub id: String,
    /// The platform's id of it.
    pub reference: Option<String>,
    /// The login name.
    pub username: String,
    /// The main domain.
    pub domain: Option<String>,
    /// Where it is.
    #[schema(value_type = shapes::AccountState)]
    pub state: String,
}

impl AccountRef {
    pub(crate) fn of(row: &account::Model) -> Self {
        Self {
            id: row.public_id.clone(),
            reference: row.reference.clone(),
            username: row.username.clone(),
            domain: row.domain.clone(),
            state: row.state.clone(),
        }
    }
}

/// What a job waits for.
#[derive(Debug, Serialize, ToSchema)]
pub struct WaitingView {
    /// `earlier_job`, `server_paused`, `breaker_open`, `server_busy`, `maintenance`, `auth_hold`,
    /// `not_due`, `newer_worker`.
    pub reason: &'static str,
    /// The earlier job.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Until when, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub until: Option<String>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorView {
    /// Stable code.
    pub code: String,
    /// Its class.
    pub class: Option<String>,
    /// For the customer.
    pub message: Option<String>,
}

/// One attempt.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttemptView {
    /// Its ordinal.
    pub attempt: i32,
    /// `succeeded`, `already_so`, `retry`, `later`, `look_again`, `held`, `failed`, `returned`,
    /// `died`.
    pub outcome: String,
    /// When it began.
    #[schema(format = DateTime)]
    pub started_at: String,
    /// When a changing request may have left.
    #[schema(format = DateTime)]
    pub sent_at: Option<String>,
    /// When it ended.
    #[schema(format = DateTime)]
    pub finished_at: String,
    /// What went wrong.
    pub error: Option<ErrorView>,
    /// When the next one is due.
    #[schema(format = DateTime)]
    pub next_due_at: Option<String>,
    /// For operators: the worker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// For operators: method, path, status, timing, redacted excerpts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub detail: Option<Value>,
}

/// What only operators see of a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct OperatorView {
    /// Who asked.
    pub actor: String,
    /// The caller's request id.
    pub trace: Option<String>,
    /// Why it is held.
    pub hold_code: Option<String>,
    /// The worker that has it.
    pub worker: Option<String>,
    /// Since when it is unknown whether a change took effect.
    #[schema(format = DateTime)]
    pub in_doubt_since: Option<String>,
    /// What people and duties did to it, oldest first.
    pub events: Vec<EventView>,
}

/// A line of a job's history.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// Who.
    pub actor: String,
    /// What.
    pub event: String,
    /// The attempt's ordinal then.
    pub attempt: i32,
    /// Why.
    pub reason: Option<String>,
}
