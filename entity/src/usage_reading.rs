//! One figure that a panel reported, as reported.

use sea_orm::entity::prelude::*;

/// One figure that a panel reported, as reported.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_reading")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server.
    pub server_id: i64,
    /// The account; NULL = nobody we know has that name.
    pub account_id: Option<i64>,
    /// The login name as sent.
    pub username: String,
    /// `2026-11`.
    pub month: String,
    /// The panel's figure of the month.
    pub traffic_bytes: Option<i64>,
    /// The panel's limit in MB; -1 = unlimited.
    pub traffic_limit_mb: Option<i64>,
    /// Disk use.
    pub disk_bytes: Option<i64>,
    /// Disk limit in MB; -1 = unlimited.
    pub disk_limit_mb: Option<i64>,
    /// When, by our database's clock.
    pub read_at: i64,
    /// The job that read it.
    pub job_id: i64,
    /// Its fence then.
    pub fence: i64,
    /// drop, reset, unmatched, conflict, deleted, implausible, final, closed_month, overtaken, duplicate_home.
    pub flag: Option<String>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
