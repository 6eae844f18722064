//! What was booked: append only, never negative but for corrections.

use sea_orm::entity::prelude::*;

/// What was booked: append only, never negative but for corrections.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_ledger")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The account.
    pub account_id: i64,
    /// `2026-11`.
    pub month: String,
    /// delta, reset, correction, reopened.
    pub entry: String,
    /// What was booked.
    pub delta_bytes: i64,
    /// The month's total afterwards.
    pub total_bytes: i64,
    /// The reading that caused it.
    pub reading_id: Option<i64>,
    /// The job that booked it.
    pub job_id: Option<i64>,
    /// Who booked it.
    pub actor: String,
    /// Why, for corrections and re-openings.
    pub note: Option<String>,
    /// When.
    pub booked_at: i64,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
