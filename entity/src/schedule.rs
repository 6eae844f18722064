//! A duty's clock: when it ran last, so that one of many schedulers runs it.

use sea_orm::entity::prelude::*;

/// A duty's clock: when it ran last, so that one of many schedulers runs it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "schedule")]
pub struct Model {
    /// Part of the key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// When it is due.
    pub next_at: i64,
    /// When it ran last.
    pub last_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
