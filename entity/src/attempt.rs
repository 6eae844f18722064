//! One attempt at a job, written when it ended.

use sea_orm::entity::prelude::*;

/// One attempt at a job, written when it ended.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attempt")]
pub struct Model {
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: i64,
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub fence: i64,
    /// Its ordinal.
    pub attempt: i32,
    /// The worker.
    pub owner: Option<String>,
    /// When it was claimed.
    pub started_at: i64,
    /// When a changing request may have left.
    pub sent_at: Option<i64>,
    /// When it ended.
    pub finished_at: i64,
    /// succeeded, already_so, retry, later, throttled, look_again, held, failed, lost.
    pub outcome: String,
    /// Class of the error.
    pub error_class: Option<String>,
    /// Stable code.
    pub error_code: Option<String>,
    /// The customer's text.
    pub error_message: Option<String>,
    /// The operator's detail, JSON, redacted.
    pub detail: Option<String>,
    /// When the next attempt is due.
    pub next_due_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
