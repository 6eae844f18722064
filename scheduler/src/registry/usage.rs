//! A month's traffic of many accounts, and its overage.

use std::collections::BTreeMap;

use entity::{account, server, usage_month, usage_reading};
use hosting::{Bytes, Limit, LimitName, Limits, Month};
use jobs::AccountState;
use jobs::store::{Store, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::accounts::{AccountFilter, filtered};
use crate::times::{limit_of, rfc3339, whole_mb};

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
    /// Disk use in bytes at the last reading.
    pub disk_bytes: Option<i64>,
    /// The limit of its disk use in MB.
    pub disk_limit: Option<Limit>,
}

impl UsageRow {
    /// Bytes beyond the limit; `None` when traffic or limit is not known.
    #[must_use]
    pub fn overage_bytes(&self) -> Option<i64> {
        let used = self.usage.as_ref()?.total_bytes;
        match self.traffic_limit? {
            Limit::Unlimited => Some(0),
            Limit::AtMost(mb) => {
                let limit = Bytes::from_mb(mb).map_or(i64::MAX, Bytes::as_i64);
                Some(used.saturating_sub(limit).max(0))
            }
        }
    }
}

/// The month of every account of the filter that has a reading in it or is live, by account.
/// The filter's `after`, `limit` and `state` are not used: it is all of them.
///
/// # Errors
/// The ledger's.
pub async fn month_usage(
    store: &Store,
    month: Month,
    filter: &AccountFilter,
) -> Result<Vec<UsageRow>, StoreError> {
    let names: BTreeMap<i64, String> = server::Entity::find()
        .all(store.reader())
        .await?
        .into_iter()
        .map(|row| (row.id, row.name))
        .collect();
    let mut rows = Vec::new();
    let mut round = AccountFilter {
        after: None,
        ..filter.clone()
    };
    loop {
        let accounts = filtered(&round)
            .order_by_asc(account::Column::Id)
            .limit(ROUND)
            .all(store.reader())
            .await?;
        let Some(last) = accounts.last() else {
            return Ok(rows);
        };
        round.after = Some(last.id);
        let ids: Vec<i64> = accounts.iter().map(|row| row.id).collect();
        let mut usage = months_of(store, &ids, month).await?;
        let mut readings = last_readings(store, &ids, month).await?;
        for account in accounts {
            let booked = usage.remove(&account.id);
            if booked.is_none() && !is_live(&account) {
                continue;
            }
            let server = names.get(&account.server_id).cloned().unwrap_or_default();
            let reading = readings.remove(&account.id);
            rows.push(row(account, server, month, booked, reading.as_ref()));
        }
    }
}

fn row(
    account: account::Model,
    server: String,
    month: Month,
    usage: Option<usage_month::Model>,
    reading: Option<&usage_reading::Model>,
) -> UsageRow {
    let overrides: Limits = serde_json::from_str(&account.limits).unwrap_or_default();
    let told = usage.as_ref().and_then(|usage| usage.traffic_limit_mb);
    UsageRow {
        traffic_limit: told
            .map(limit_of)
            .or_else(|| overrides.get(LimitName::TrafficMb)),
        disk_bytes: reading
            .and_then(|reading| reading.disk_bytes)
            .or(account.disk_bytes),
        disk_limit: reading
            .and_then(|reading| reading.disk_limit_mb)
            .map(limit_of)
            .or_else(|| overrides.get(LimitName::DiskMb)),
        account,
        server,
        month,
        usage,
    }
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

async fn last_readings(
    store: &Store,
    accounts: &[i64],
    month: Month,
) -> Result<BTreeMap<i64, usage_reading::Model>, StoreError> {
    let newest: Vec<i64> = usage_reading::Entity::find()
        .select_only()
        .column_as(usage_reading::Column::Id.max(), "newest")
        .filter(usage_reading::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(usage_reading::Column::Month.eq(month.to_string()))
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

/// The month as CSV with a header line. Text that a spreadsheet would take for a formula begins with an
/// apostrophe.
///
/// # Errors
/// Never in practice: it is written to memory.
pub fn month_csv(rows: &[UsageRow]) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "month",
        "server",
        "username",
        "domain",
        "reference",
        "account_id",
        "traffic_bytes",
        "traffic_mb",
        "traffic_limit_mb",
        "overage_bytes",
        "overage_mb",
        "disk_mb",
        "resets",
        "flag",
        "late_bytes",
        "closed_at",
        "as_of",
    ])?;
    for row in rows {
        let usage = row.usage.as_ref();
        let number = |value: Option<i64>| value.map(|n| n.to_string()).unwrap_or_default();
        let time = |value: Option<i64>| value.map(rfc3339).unwrap_or_default();
        let bytes = usage.map(|usage| usage.total_bytes);
        let overage = row.overage_bytes();
        let mb = |bytes: Option<i64>| bytes.map(|n| whole_mb(n).to_string()).unwrap_or_default();
        writer.write_record([
            row.month.to_string(),
            plain(&row.server),
            plain(&row.account.username),
            plain(row.account.domain.as_deref().unwrap_or_default()),
            plain(row.account.reference.as_deref().unwrap_or_default()),
            row.account.public_id.clone(),
            number(bytes),
            mb(bytes),
            row.traffic_limit
                .map(|limit| limit.to_string())
                .unwrap_or_default(),
            number(overage),
            mb(overage),
            mb(row.disk_bytes),
            usage.map(|u| u.resets.to_string()).unwrap_or_default(),
            usage.and_then(|u| u.flag.clone()).unwrap_or_default(),
            number(usage.map(|u| u.late_bytes)),
            time(usage.and_then(|u| u.closed_at)),
            time(usage.map(|u| u.as_of)),
        ])?;
    }
    let bytes = writer
        .into_inner()
        .map_err(|error| csv::Error::from(error.into_error()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// OWASP's rule for CSV: what begins like a formula is made text.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for (text, safe) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("whmcs:42", "whmcs:42"),
        ] {
            assert_eq!(plain(text), safe);
        }
    }
}
