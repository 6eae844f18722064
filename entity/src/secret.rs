//! A sealed secret. The ciphertext is wiped as soon as it is spent.

use sea_orm::entity::prelude::*;

/// A sealed secret. The ciphertext is wiped as soon as it is spent.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "secret")]
pub struct Model {
    /// Drawn by the database.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose it is: `server:7`, `job:42`, `webhook:3`.
    pub owner: String,
    /// panel_secret, password, login_link, webhook_key.
    pub purpose: String,
    /// `worker` or `api`: whose key opens it.
    pub audience: String,
    /// The key that it is sealed to.
    pub key_id: String,
    /// The ciphertext, base64; NULL = wiped.
    pub sealed: Option<String>,
    /// The token that may read it, where only one may.
    pub token_id: Option<i64>,
    /// When it was sealed.
    pub created_at: i64,
    /// When it is to be wiped.
    pub expires_at: Option<i64>,
    /// When it was first read.
    pub read_at: Option<i64>,
    /// When it was wiped.
    pub wiped_at: Option<i64>,
}

/// No relations: rows are joined by id where they are read.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
