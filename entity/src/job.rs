//! A job: the ledger's main row. `claims.md`'s key columns carry the proof that it may run.

use sea_orm::entity::prelude::*;

/// A job: the ledger's main row. `claims.md`'s key columns carry the proof that it may run.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The opaque id outside (ULID); unique.
    pub public_id: String,
    /// Whose it is; 0 = the operator's and our own.
    pub platform_id: i64,
    /// The idempotency key, unique in its platform.
    pub idem_key: String,
    /// Keyed hash of the request's body.
    pub body_hash: String,
    /// `jobs::JobKind` by name.
    pub kind: String,
    /// 0 interactive, 1 bulk.
    pub lane: i32,
    /// The server, where it has one.
    pub server_id: Option<i64>,
    /// The account, where it has one.
    pub account_id: Option<i64>,
    /// `jobs::JobSpec` as JSON; never holds a secret.
    pub payload: String,
    /// The version of that shape.
    pub payload_version: i32,
    /// queued, running, retrying, held, succeeded, failed, cancelled.
    pub state: String,
    /// Not before.
    pub due_at: i64,
    /// Set while a scheduled job stands outside of its account's line.
    pub joins_at: Option<i64>,
    /// Ordinal of the last attempt, never reset.
    pub attempt: i32,
    /// Attempts that count against the maximum.
    pub tries: i32,
    /// That maximum.
    pub max_tries: i32,
    /// When it is too old to be tried again.
    pub expires_at: Option<i64>,
    /// How often a worker died with it.
    pub worker_deaths: i32,
    /// Grows at every claim and rescue; every later write carries it.
    pub fence: i64,
    /// The worker that has it.
    pub owner: Option<String>,
    /// Until when; set exactly while running.
    pub lease_until: Option<i64>,
    /// = lane exactly while claimable.
    pub ready_lane: Option<i32>,
    /// = account while it is the head of its line; unique.
    pub head_of: Option<i64>,
    /// = account while it stands in the line.
    pub open_of: Option<i64>,
    /// `sent` once a changing request may have left in this attempt.
    pub phase: Option<String>,
    /// When.
    pub sent_at: Option<i64>,
    /// Since when it is unknown whether a change took effect.
    pub doubt_since: Option<i64>,
    /// How often the panel was looked at since then.
    pub looks: i32,
    /// Committed steps, JSON object.
    pub progress: Option<String>,
    /// Why it is held, as a stable code.
    pub hold_code: Option<String>,
    /// The result, JSON object.
    pub result: Option<String>,
    /// Class of the last error.
    pub error_class: Option<String>,
    /// Its stable code.
    pub error_code: Option<String>,
    /// Its text for the customer.
    pub error_message: Option<String>,
    /// Who asked for it.
    pub actor: String,
    /// Why, as asked.
    pub reason: Option<String>,
    /// Name of the webhook endpoint to tell.
    pub webhook: Option<String>,
    /// The job whose edited copy it is.
    pub replay_of: Option<i64>,
    /// The caller's request id.
    pub trace: Option<String>,
    /// When it was accepted.
    pub created_at: i64,
    /// When its last attempt began.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
