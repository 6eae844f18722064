//! A month's traffic of many accounts, read in rounds.

use std::collections::BTreeMap;

use entity::{account, server, usage_month, usage_reading};
use hosting::{Limit, Limits, Month};
use jobs::AccountState;
use jobs::store::{Store, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;

use super::accounts::{AccountFilter, filtered};
use super::overage::{disk_limit, overage, traffic_limit};

/// Accounts looked at in one round.
const ROUND: u64 = 1000;

/// One account's month. What is not known is `None`, never zero.
#[derive(Debug, Clone)]
pub struct UsageRow {
    /// The account.
    pub account: account::Model,
    /// Its server's name.
    pub server: String,
    /// The month.
    pub month: Month,
    /// What is booked, if a reading came in.
    pub usage: Option<usage_month::Model>,
    /// The limit of its traffic in MB.
    pub traffic_limit: Option<Limit>,
    /// Disk use in bytes at the month's last reading that told it, or the account's latest.
    pub disk_bytes: Option<i64>,
    /// When that reading was taken; `None` = not in this month.
    pub disk_as_of: Option<i64>,
    /// The limit of its disk use in MB.
    pub disk_limit: Option<Limit>,
}

impl UsageRow {
    /// What is booked, if a reading came in.
    #[must_use]
    pub fn used_bytes(&self) -> Option<i64> {
        self.usage.as_ref().map(|usage| usage.total_bytes)
    }

    /// Bytes beyond the limit; `None` when traffic or limit is not known.
    #[must_use]
    pub fn overage_bytes(&self) -> Option<i64> {
        overage(self.used_bytes(), self.traffic_limit)
    }
}

/// The month of every account of the filter that has a reading in it or is live, by account, at most so
/// many at a time as one round has. The filter's `after`, `limit` and `state` are not used.
///
/// Each account comes once, as it stood when its round was read. A month that is closed does not change any
/// more, so its rounds are one picture; those of an open month may lie before and after a booking.
#[derive(Debug)]
pub struct MonthRounds {
    store: Store,
    month: Month,
    filter: AccountFilter,
    servers: BTreeMap<i64, Server>,
}

/// What is told of an account's server.
#[derive(Debug)]
struct Server {
    name: String,
    packages: BTreeMap<String, Limits>,
}

impl MonthRounds {
    /// Before the first round.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn begin(
        store: &Store,
        month: Month,
        filter: &AccountFilter,
    ) -> Result<Self, StoreError> {
        let servers = server::Entity::find().all(store.reader()).await?;
        Ok(Self {
            store: store.clone(),
            month,
            filter: AccountFilter {
                after: None,
                ..filter.clone()
            },
            servers: servers.into_iter().map(Server::of).collect(),
        })
    }

    /// The next round; it may be empty. `None` = that was all.
    ///
    /// # Errors
    /// The ledger's; the same round can be asked for again.
    pub async fn next(&mut self) -> Result<Option<Vec<UsageRow>>, StoreError> {
        let accounts = filtered(&self.filter)
            .order_by_asc(account::Column::Id)
            .limit(ROUND)
            .all(self.store.reader())
            .await?;
        let Some(last) = accounts.last().map(|account| account.id) else {
            return Ok(None);
        };
        let ids: Vec<i64> = accounts.iter().map(|row| row.id).collect();
        let mut usage = months_of(&self.store, &ids, self.month).await?;
        let mut disks = last_disks(&self.store, &ids, self.month).await?;
        self.filter.after = Some(last);
        let rows = accounts.into_iter().filter_map(|account| {
            let booked = usage.remove(&account.id);
            let disk = disks.remove(&account.id);
            let wanted = booked.is_some() || is_live(&account);
            wanted.then(|| self.row(account, booked, disk.as_ref()))
        });
        Ok(Some(rows.collect()))
    }

    fn row(
        &self,
        account: account::Model,
        usage: Option<usage_month::Model>,
        disk: Option<&usage_reading::Model>,
    ) -> UsageRow {
        let own: Limits = serde_json::from_str(&account.limits).unwrap_or_default();
        let server = self.servers.get(&account.server_id);
        let package = account.package.as_ref();
        let package = package.and_then(|name| server?.packages.get(name));
        let told = usage.as_ref().and_then(|usage| usage.traffic_limit_mb);
        let disk_told = disk.and_then(|reading| reading.disk_limit_mb);
        UsageRow {
            traffic_limit: traffic_limit(&own, told.map(Limit::from_column), package),
            disk_bytes: disk
                .and_then(|reading| reading.disk_bytes)
                .or(account.disk_bytes),
            disk_as_of: disk.map(|reading| reading.read_at),
            disk_limit: disk_limit(&own, disk_told.map(Limit::from_column), package),
            server: server.map(|server| server.name.clone()).unwrap_or_default(),
            account,
            month: self.month,
            usage,
        }
    }
}

impl Server {
    fn of(row: server::Model) -> (i64, Self) {
        #[derive(Default, Deserialize)]
        struct Config {
            #[serde(default)]
            packages: Vec<Package>,
        }
        #[derive(Deserialize)]
        struct Package {
            name: String,
            #[serde(default)]
            limits: Limits,
        }
        let config: Config = row
            .config
            .as_deref()
            .and_then(|config| serde_json::from_str(config).ok())
            .unwrap_or_default();
        let packages = config.packages.into_iter();
        let server = Self {
            name: row.name,
            packages: packages.map(|one| (one.name, one.limits)).collect(),
        };
        (row.id, server)
    }
}

/// All of a server's or an account's at once, where they are few: [`MonthRounds`] put together.
///
/// # Errors
/// The ledger's.
pub async fn month_usage(
    store: &Store,
    month: Month,
    filter: &AccountFilter,
) -> Result<Vec<UsageRow>, StoreError> {
    let mut rounds = MonthRounds::begin(store, month, filter).await?;
    let mut rows = Vec::new();
    while let Some(round) = rounds.next().await? {
        rows.extend(round);
    }
    Ok(rows)
}

fn is_live(account: &account::Model) -> bool {
    ![
        AccountState::Terminated.name(),
        AccountState::Failed.name(),
        AccountState::Conflict.name(),
    ]
    .contains(&account.state.as_str())
}

async fn months_of(
    store: &Store,
    accounts: &[i64],
    month: Month,
) -> Result<BTreeMap<i64, usage_month::Model>, StoreError> {
    let rows = usage_month::Entity::find()
        .filter(usage_month::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(usage_month::Column::Month.eq(month.to_string()))
        .all(store.reader())
        .await?;
    Ok(rows.into_iter().map(|row| (row.account_id, row)).collect())
}

/// The newest readings that tell disk use, which is a figure of its own: it is never part of the traffic.
async fn last_disks(
    store: &Store,
    accounts: &[i64],
    month: Month,
) -> Result<BTreeMap<i64, usage_reading::Model>, StoreError> {
    let newest: Vec<i64> = usage_reading::Entity::find()
        .select_only()
        .column_as(usage_reading::Column::Id.max(), "newest")
        .filter(usage_reading::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(usage_reading::Column::Month.eq(month.to_string()))
        .filter(usage_reading::Column::DiskBytes.is_not_null())
        .group_by(usage_reading::Column::AccountId)
        .into_tuple()
        .all(store.reader())
        .await?;
    if newest.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = usage_reading::Entity::find()
        .filter(usage_reading::Column::Id.is_in(newest))
        .all(store.reader())
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| row.account_id.map(|id| (id, row)))
        .collect())
}
