//! Accounts, and the traffic of one.

use entity::{account, usage_day, usage_ledger, usage_month, usage_reading};
use hosting::Month;
use jobs::AccountState;
use jobs::store::{Store, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

/// Which accounts to list; everything that is set must hold.
#[derive(Debug, Default, Clone)]
pub struct AccountFilter {
    /// Only of this platform.
    pub platform_id: Option<i64>,
    /// Only on these servers.
    pub servers: Option<Vec<i64>>,
    /// Only in this state.
    pub state: Option<AccountState>,
    /// Only this row.
    pub id: Option<i64>,
    /// Only rows after this one: the cursor.
    pub after: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// A page of accounts.
#[derive(Debug)]
pub struct AccountPage {
    /// The accounts, oldest first.
    pub items: Vec<account::Model>,
    /// Whether there are more.
    pub more: bool,
}

/// Accounts, oldest first, also terminated ones.
///
/// # Errors
/// The ledger's.
pub async fn accounts(store: &Store, filter: &AccountFilter) -> Result<AccountPage, StoreError> {
    let mut find = filtered(filter);
    if let Some(state) = filter.state {
        find = find.filter(account::Column::State.eq(state.name()));
    }
    let mut items = find
        .order_by_asc(account::Column::Id)
        .limit(filter.limit + 1)
        .all(store.reader())
        .await?;
    let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
    let more = items.len() > limit;
    items.truncate(limit);
    Ok(AccountPage { items, more })
}

/// The same without terminated, failed and foreign ones.
///
/// # Errors
/// The ledger's.
pub async fn live_accounts(
    store: &Store,
    filter: &AccountFilter,
) -> Result<Vec<account::Model>, StoreError> {
    Ok(filtered(filter)
        .filter(account::Column::State.is_not_in([
            AccountState::Terminated.name(),
            AccountState::Failed.name(),
            AccountState::Conflict.name(),
        ]))
        .order_by_asc(account::Column::Id)
        .limit(filter.limit)
        .all(store.reader())
        .await?)
}

pub(super) fn filtered(filter: &AccountFilter) -> Select<account::Entity> {
    let mut find = account::Entity::find();
    if let Some(id) = filter.platform_id {
        find = find.filter(account::Column::PlatformId.eq(id));
    }
    if let Some(servers) = &filter.servers {
        find = find.filter(account::Column::ServerId.is_in(servers.iter().copied()));
    }
    if let Some(id) = filter.id {
        find = find.filter(account::Column::Id.eq(id));
    }
    if let Some(after) = filter.after {
        find = find.filter(account::Column::Id.gt(after));
    }
    find
}

/// The account of that public id, terminated or not.
///
/// # Errors
/// The ledger's.
pub async fn account_by_id(
    store: &Store,
    public_id: &str,
) -> Result<Option<account::Model>, StoreError> {
    Ok(account::Entity::find()
        .filter(account::Column::PublicId.eq(public_id))
        .one(store.reader())
        .await?)
}

/// An account's traffic of some months.
#[derive(Debug)]
pub struct Traffic {
    /// One row a month.
    pub months: Vec<usage_month::Model>,
    /// What was booked, oldest first: deltas, resets, corrections.
    pub ledger: Vec<usage_ledger::Model>,
    /// What the panel reported, oldest first.
    pub readings: Vec<usage_reading::Model>,
    /// By the panel's dates, oldest first.
    pub days: Vec<usage_day::Model>,
}

/// Most rows of the ledger and of the readings that are told at once (a year of nights fits often).
const MOST: u64 = 5000;

/// Reads it, from the first to the last of these months.
///
/// # Errors
/// The ledger's.
pub async fn account_traffic(
    store: &Store,
    account_id: i64,
    from: Month,
    to: Month,
) -> Result<Traffic, StoreError> {
    let days = usage_day::Entity::find()
        .filter(usage_day::Column::AccountId.eq(account_id))
        .filter(usage_day::Column::Date.between(format!("{from}-01"), format!("{to}-31")))
        .order_by_asc(usage_day::Column::Date)
        .limit(MOST)
        .all(store.reader())
        .await?;
    let (from, to) = (from.to_string(), to.to_string());
    let months = usage_month::Entity::find()
        .filter(usage_month::Column::AccountId.eq(account_id))
        .filter(usage_month::Column::Month.between(from.as_str(), to.as_str()))
        .order_by_asc(usage_month::Column::Month)
        .all(store.reader())
        .await?;
    let ledger = usage_ledger::Entity::find()
        .filter(usage_ledger::Column::AccountId.eq(account_id))
        .filter(usage_ledger::Column::Month.between(from.as_str(), to.as_str()))
        .order_by_asc(usage_ledger::Column::Id)
        .limit(MOST)
        .all(store.reader())
        .await?;
    let readings = usage_reading::Entity::find()
        .filter(usage_reading::Column::AccountId.eq(account_id))
        .filter(usage_reading::Column::Month.between(from.as_str(), to.as_str()))
        .order_by_asc(usage_reading::Column::Id)
        .limit(MOST)
        .all(store.reader())
        .await?;
    Ok(Traffic {
        months,
        ledger,
        readings,
        days,
    })
}
