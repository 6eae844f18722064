//! The installation's name, one row.

use sea_orm::entity::prelude::*;

/// The installation's name, one row.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "installation")]
pub struct Model {
    /// Always 1.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Names this ledger in the markers that are left on panels.
    pub name: String,
    /// When it was drawn.
    pub created_at: i64,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
