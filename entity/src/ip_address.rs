//! Which account holds which address of a server.

use sea_orm::entity::prelude::*;

/// Which account holds which address of a server.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "ip_address")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The server.
    pub server_id: i64,
    /// The address.
    pub address: String,
    /// Who holds it; NULL = free again.
    pub account_id: Option<i64>,
    /// Since when.
    pub assigned_at: Option<i64>,
    /// When it was given back last.
    pub released_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
