//! Billing platforms.

use entity::billing_platform as platform;
use jobs::OPERATOR;
use jobs::store::Store;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder,
};

use super::{RegistryError, checked_name, taken_or};

/// The name by which the operator's own platform (row 0, which has no row) is meant.
pub const OPERATOR_PLATFORM: &str = "operator";

/// Adds one.
///
/// # Errors
/// [`RegistryError::Taken`], [`RegistryError::Invalid`], or the ledger's.
pub async fn add_platform(store: &Store, name: &str) -> Result<platform::Model, RegistryError> {
    let name = checked_name("platform", name, 128)?;
    if name == OPERATOR_PLATFORM {
        return Err(RegistryError::Taken(format!("a platform `{name}`")));
    }
    let now = store.now().await?;
    let row = platform::ActiveModel {
        name: Set(name.clone()),
        created_at: Set(now),
        ..Default::default()
    };
    row.insert(store.writer_connection())
        .await
        .map_err(|error| taken_or(error, || format!("a platform `{name}`")))
}

/// All of them, oldest first.
///
/// # Errors
/// The ledger's.
pub async fn platforms(store: &Store) -> Result<Vec<platform::Model>, RegistryError> {
    Ok(platform::Entity::find()
        .order_by_asc(platform::Column::Id)
        .all(store.reader())
        .await?)
}

/// The row id of the platform of that name; `operator` is the operator's own.
///
/// # Errors
/// [`RegistryError::NotFound`], or the ledger's.
pub async fn platform_named(store: &Store, name: &str) -> Result<i64, RegistryError> {
    if name == OPERATOR_PLATFORM {
        return Ok(OPERATOR);
    }
    platform::Entity::find()
        .filter(platform::Column::Name.eq(name))
        .one(store.reader())
        .await?
        .map(|row| row.id)
        .ok_or_else(|| RegistryError::NotFound(format!("platform `{name}`")))
}
