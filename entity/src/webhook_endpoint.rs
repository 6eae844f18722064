//! Where a billing platform wants to be told.

use sea_orm::entity::prelude::*;

/// Where a billing platform wants to be told.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "webhook_endpoint")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose it is.
    pub platform_id: i64,
    /// Its name, unique in its platform.
    pub name: String,
    /// The address.
    pub url: String,
    /// When it was added.
    pub created_at: i64,
    /// When it was switched off.
    pub disabled_at: Option<i64>,
    /// Why.
    pub disabled_reason: Option<String>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
