//! A token of a billing platform or an operator; only its hash is kept.

use sea_orm::entity::prelude::*;

/// A token of a billing platform or an operator; only its hash is kept.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_token")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The part of the token that finds the row; unique.
    pub public_id: String,
    /// Whose it is.
    pub platform_id: i64,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret part, hex.
    pub hash: String,
    /// JSON list.
    pub scopes: String,
    /// JSON list of server names that it may touch; NULL = all.
    pub servers: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When it ends.
    pub expires_at: Option<i64>,
    /// When it was used last (to the minute).
    pub last_used_at: Option<i64>,
    /// When it was revoked.
    pub revoked_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
