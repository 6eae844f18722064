//! What people and duties did to a job, besides its attempts.

use sea_orm::entity::prelude::*;

/// What people and duties did to a job, besides its attempts.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_event")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The job.
    pub job_id: i64,
    /// When.
    pub at: i64,
    /// Who: a token, an operator, a duty.
    pub actor: String,
    /// replayed, cancelled, superseded, released, secret_read, secret_acknowledged, parked, ...
    pub event: String,
    /// The attempt's ordinal then.
    pub attempt: i32,
    /// Why.
    pub reason: Option<String>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
