//! API tokens: made, found, revoked.

use std::collections::BTreeSet;

use entity::api_token;
use hosting::ServerName;
use jobs::store::{Store, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter,
    QueryOrder,
};
use secrecy::SecretString;

use super::{RegistryError, checked_name, servers::server_named};
use crate::caller::{Caller, Scope};
use crate::token::Token;

/// `last_used_at` is kept to the minute, so that a busy token is not a write a request.
const MINUTE_MS: i64 = 60_000;

/// A token to be made.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The platform's row.
    pub platform_id: i64,
    /// What it is for.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The only servers that it may touch; `None` = all.
    pub servers: Option<BTreeSet<ServerName>>,
    /// When it ends (milliseconds UTC).
    pub expires_at: Option<i64>,
}

/// A token that was made. Its text is shown now and never again.
#[derive(Debug)]
pub struct CreatedToken {
    /// The whole text.
    pub text: SecretString,
    /// Its row.
    pub row: api_token::Model,
}

/// Makes one.
///
/// # Errors
/// [`RegistryError::Invalid`] without a scope, [`RegistryError::NotFound`] for a server in its list
/// that does not exist, or the ledger's.
pub async fn create_token(store: &Store, new: &NewToken) -> Result<CreatedToken, RegistryError> {
    let name = checked_name("name", &new.name, 128)?;
    if new.scopes.is_empty() {
        return Err(RegistryError::invalid(
            "scope",
            "give at least one of the scopes",
        ));
    }
    for server in new.servers.iter().flatten() {
        server_named(store, server.as_str()).await?;
    }
    let token = Token::generate();
    let row = api_token::ActiveModel {
        public_id: Set(token.id().to_owned()),
        platform_id: Set(new.platform_id),
        name: Set(name),
        hash: Set(token.hash()),
        scopes: Set(json(&new.scopes)),
        servers: Set(new.servers.as_ref().map(json)),
        created_at: Set(store.now().await?),
        expires_at: Set(new.expires_at),
        last_used_at: Set(None),
        revoked_at: Set(None),
        ..Default::default()
    }
    .insert(store.writer_connection())
    .await?;
    Ok(CreatedToken {
        text: token.text(),
        row,
    })
}

/// All of them (of one platform), oldest first.
///
/// # Errors
/// The ledger's.
pub async fn tokens(
    store: &Store,
    platform_id: Option<i64>,
) -> Result<Vec<api_token::Model>, RegistryError> {
    let mut find = api_token::Entity::find();
    if let Some(id) = platform_id {
        find = find.filter(api_token::Column::PlatformId.eq(id));
    }
    Ok(find
        .order_by_asc(api_token::Column::Id)
        .all(store.reader())
        .await?)
}

/// Revokes one, by its public id. The next request with it is refused.
///
/// # Errors
/// [`RegistryError::NotFound`], or the ledger's.
pub async fn revoke_token(store: &Store, public_id: &str) -> Result<(), RegistryError> {
    let now = store.now().await?;
    let known = api_token::Entity::find()
        .filter(api_token::Column::PublicId.eq(public_id))
        .one(store.writer_connection())
        .await?;
    if known.is_none() {
        return Err(RegistryError::NotFound(format!("token `{public_id}`")));
    }
    api_token::Entity::update_many()
        .col_expr(api_token::Column::RevokedAt, Expr::value(now))
        .filter(api_token::Column::PublicId.eq(public_id))
        .filter(api_token::Column::RevokedAt.is_null())
        .exec(store.writer_connection())
        .await?;
    Ok(())
}

/// The caller behind a token's text; `None` = no valid token, whatever the reason. Asks SQL every time:
/// a revoked token is refused from the next request on.
///
/// # Errors
/// The ledger's.
pub async fn caller_of(store: &Store, text: &str) -> Result<Option<Caller>, StoreError> {
    let Some(token) = Token::parse(text) else {
        return Ok(None);
    };
    let row = api_token::Entity::find()
        .filter(api_token::Column::PublicId.eq(token.id()))
        .one(store.reader())
        .await?;
    let Some(row) = row.filter(|row| token.matches(&row.hash)) else {
        return Ok(None);
    };
    let now = store.now().await?;
    if !is_good(&row, now) {
        return Ok(None);
    }
    if row.last_used_at.is_none_or(|used| used <= now - MINUTE_MS) {
        note_use(store, row.id, now).await;
    }
    let unreadable = |what: &str, error: serde_json::Error| StoreError::Row {
        table: "api_token",
        id: row.id,
        why: format!("{what}: {error}"),
    };
    Ok(Some(Caller {
        platform_id: row.platform_id,
        token_id: Some(row.id),
        actor: format!("token:{}", row.public_id),
        scopes: serde_json::from_str(&row.scopes).map_err(|e| unreadable("scopes", e))?,
        servers: row
            .servers
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|e| unreadable("servers", e))?,
    }))
}

/// Whether the token of a caller that was let in is still good: a request can take a minute.
///
/// # Errors
/// The ledger's.
pub async fn is_still_valid(store: &Store, caller: &Caller) -> Result<bool, StoreError> {
    let Some(id) = caller.token_id else {
        return Ok(true);
    };
    let row = api_token::Entity::find_by_id(id)
        .one(store.reader())
        .await?;
    let now = store.now().await?;
    Ok(row.is_some_and(|row| is_good(&row, now)))
}

fn is_good(row: &api_token::Model, now: i64) -> bool {
    row.revoked_at.is_none() && row.expires_at.is_none_or(|end| end > now)
}

async fn note_use(store: &Store, id: i64, now: i64) {
    let noted = api_token::Entity::update_many()
        .col_expr(api_token::Column::LastUsedAt, Expr::value(now))
        .filter(api_token::Column::Id.eq(id))
        .filter(
            Condition::any()
                .add(api_token::Column::LastUsedAt.is_null())
                .add(api_token::Column::LastUsedAt.lte(now - MINUTE_MS)),
        )
        .exec(store.writer_connection())
        .await;
    // Nice to know, not worth refusing a request for.
    if let Err(error) = noted {
        tracing::debug!(failure = %error, "The use of token row {id} was not noted: {error}");
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "[]".to_owned())
}
