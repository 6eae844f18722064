//! An account's traffic by day: what its panel says of the day, or what was booked on it.

use sea_orm::entity::prelude::*;

/// An account's traffic by day: what its panel says of the day, or what was booked on it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "usage_day")]
pub struct Model {
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: i64,
    /// Part of the key: the panel's date, `2026-11-03`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub date: String,
    /// The day's traffic.
    pub bytes: i64,
    /// panel = its own figure of the day; derived = the differences that were booked on it.
    pub source: String,
    /// How many days it covers, this one as the last: more than 1 after nights without a reading.
    pub span_days: i32,
    /// When the panel had given the last figure that went into it.
    pub as_of: i64,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
