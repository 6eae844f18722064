//! An account's month: the sum of its ledger, and where the counter stood.

use sea_orm::entity::prelude::*;

/// An account's month: the sum of its ledger, and where the counter stood.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_month")]
pub struct Model {
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub month: String,
    /// The server.
    pub server_id: i64,
    /// = the sum of the booked deltas.
    pub total_bytes: i64,
    /// What of it operators have added by hand (less than zero: taken away): the panel's figure has no part in it.
    pub corrected_bytes: i64,
    /// The panel's last figure.
    pub last_raw: i64,
    /// Grows with every reset of a running counter, and with every accepted drop.
    pub epoch: i32,
    /// How many there were.
    pub resets: i32,
    /// drop, missing_final, implausible: an operator should look.
    pub flag: Option<String>,
    /// The figure that was flagged.
    pub flagged_raw: Option<i64>,
    /// What came in after the month was closed, not booked.
    pub late_bytes: i64,
    /// When the month was closed.
    pub closed_at: Option<i64>,
    /// The limit in MB; -1 = unlimited.
    pub traffic_limit_mb: Option<i64>,
    /// When the panel had given the last figure that was booked.
    pub as_of: i64,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
