//! Where billing platforms want to be told. Set by an operator, never by a request.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use entity::{secret, webhook_endpoint as endpoint};
use jobs::seal::Keyring;
use jobs::store::{Audience, NewSecret, Purpose, Store, StoreError};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};
use secrecy::SecretString;

use super::{RegistryError, checked_name, taken_or};

/// An endpoint and the key that signs its messages, shown now and never again.
#[derive(Debug)]
pub struct AddedWebhook {
    /// Its row.
    pub row: endpoint::Model,
    /// The key, `whsec_` and base64 of 32 bytes (Standard Webhooks).
    pub key: SecretString,
    /// Until when the key before signs too (milliseconds UTC).
    pub old_until: Option<i64>,
}

/// Adds one.
///
/// # Errors
/// [`RegistryError::Invalid`] for an address that is not https, [`RegistryError::Taken`], the ledger's.
pub async fn add_webhook(
    store: &Store,
    keyring: &Keyring,
    platform_id: i64,
    name: &str,
    url: &str,
) -> Result<AddedWebhook, RegistryError> {
    let name = checked_name("name", name, 128)?;
    let url = super::servers::checked_url(url)?;
    let key = new_key();
    let now = store.now().await?;
    let tx = store.begin().await?;
    let row = endpoint::ActiveModel {
        platform_id: Set(platform_id),
        name: Set(name.clone()),
        url: Set(url),
        created_at: Set(now),
        disabled_at: Set(None),
        disabled_reason: Set(None),
        ..Default::default()
    }
    .insert(&tx)
    .await
    .map_err(|error| taken_or(error, || format!("a webhook `{name}` of this platform")))?;
    let first = sealed(keyring, Purpose::WebhookKey, row.id, &key)?;
    store.put_secrets_in(&tx, &[first]).await?;
    tx.commit().await.map_err(StoreError::from)?;
    Ok(AddedWebhook {
        row,
        key,
        old_until: None,
    })
}

/// All of them (of one platform), oldest first.
///
/// # Errors
/// The ledger's.
pub async fn webhooks(
    store: &Store,
    platform_id: Option<i64>,
) -> Result<Vec<endpoint::Model>, RegistryError> {
    let mut find = endpoint::Entity::find();
    if let Some(id) = platform_id {
        find = find.filter(endpoint::Column::PlatformId.eq(id));
    }
    Ok(find
        .order_by_asc(endpoint::Column::Id)
        .all(store.reader())
        .await?)
}

/// Gives an endpoint a new key, and switches it on again if it was switched off. For the time of `overlap`
/// messages are signed with the key before, too, so that a receiver can change over without losing one.
///
/// # Errors
/// [`RegistryError::NotFound`], or the ledger's.
pub async fn rotate_webhook(
    store: &Store,
    keyring: &Keyring,
    platform_id: i64,
    name: &str,
    overlap: Duration,
) -> Result<AddedWebhook, RegistryError> {
    let row = named(store, platform_id, name).await?;
    let key = new_key();
    let now = store.now().await?;
    let tx = store.begin().await?;
    let row = endpoint::ActiveModel {
        id: sea_orm::ActiveValue::Unchanged(row.id),
        disabled_at: Set(None),
        disabled_reason: Set(None),
        ..Default::default()
    }
    .update(&tx)
    .await?;
    // The row is ours now: nobody else rotates meanwhile.
    let kept = store
        .live_secrets(&tx, &owner(row.id), Audience::Worker)
        .await?;
    let last = kept.into_iter().find(|kept| kept.expires_at.is_none());
    let in_first_place = |last: &secret::Model| last.purpose == Purpose::WebhookKey.name();
    let place = if last.as_ref().is_some_and(in_first_place) {
        Purpose::OtherWebhookKey
    } else {
        Purpose::WebhookKey
    };
    let next = sealed(keyring, place, row.id, &key)?;
    store.put_secrets_in(&tx, &[next]).await?;
    let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    let old_until = last.as_ref().map(|_| now.saturating_add(overlap));
    if let Some(last) = last {
        secret::Entity::update_many()
            .col_expr(secret::Column::ExpiresAt, Expr::value(old_until))
            .filter(secret::Column::Id.eq(last.id))
            .exec(&tx)
            .await?;
    }
    tx.commit().await.map_err(StoreError::from)?;
    Ok(AddedWebhook {
        row,
        key,
        old_until,
    })
}

/// Removes one and wipes its key; messages that are still on their way end.
///
/// # Errors
/// [`RegistryError::NotFound`], or the ledger's.
pub async fn remove_webhook(
    store: &Store,
    platform_id: i64,
    name: &str,
) -> Result<(), RegistryError> {
    let row = named(store, platform_id, name).await?;
    endpoint::Entity::delete_by_id(row.id)
        .exec(store.writer_connection())
        .await?;
    store.wipe_secrets(&owner(row.id), Audience::Worker).await?;
    Ok(())
}

async fn named(
    store: &Store,
    platform_id: i64,
    name: &str,
) -> Result<endpoint::Model, RegistryError> {
    endpoint::Entity::find()
        .filter(endpoint::Column::PlatformId.eq(platform_id))
        .filter(endpoint::Column::Name.eq(name))
        .one(store.writer_connection())
        .await?
        .ok_or_else(|| RegistryError::NotFound(format!("webhook `{name}` of this platform")))
}

fn owner(id: i64) -> String {
    format!("webhook:{id}")
}

fn sealed(
    keyring: &Keyring,
    place: Purpose,
    id: i64,
    key: &SecretString,
) -> Result<NewSecret, RegistryError> {
    let sealed = keyring
        .worker
        .seal(Audience::Worker, place, &owner(id), key)?;
    Ok(sealed)
}

fn new_key() -> SecretString {
    SecretString::from(format!(
        "whsec_{}",
        BASE64.encode(rand::random::<[u8; 32]>())
    ))
}
