//! Accounts' months as they are shown and exported.

use hosting::Month;
use jobs::store::Store;
use scheduler::registry::{self, AccountFilter, UsageRow};
use serde_json::{Value, json};

use crate::error::Failure;
use crate::time::stamp;

pub(super) async fn usage(
    store: &Store,
    month: Month,
    server: Option<&str>,
) -> Result<Vec<UsageRow>, Failure> {
    let filter = filter(store, server).await?;
    Ok(registry::month_usage(store, month, &filter).await?)
}

/// All accounts, or those of that server.
pub(super) async fn filter(store: &Store, server: Option<&str>) -> Result<AccountFilter, Failure> {
    let servers = match server {
        Some(name) => Some(vec![registry::server_named(store, name).await?.id]),
        None => None,
    };
    Ok(AccountFilter {
        servers,
        ..AccountFilter::default()
    })
}

pub(super) fn value(row: &UsageRow) -> Value {
    let usage = row.usage.as_ref();
    json!({
        "month": row.month.to_string(),
        "server": row.server,
        "account_id": row.account.public_id,
        "username": row.account.username,
        "domain": row.account.domain,
        "reference": row.account.reference,
        "traffic_bytes": usage.map(|usage| usage.total_bytes),
        "traffic_limit_mb": row.traffic_limit,
        "overage_bytes": row.overage_bytes(),
        "disk_bytes": row.disk_bytes,
        "disk_as_of": row.disk_as_of.map(stamp),
        "resets": usage.map(|usage| usage.resets),
        "flag": usage.and_then(|usage| usage.flag.clone()),
        "late_bytes": usage.map(|usage| usage.late_bytes),
        "closed_at": usage.and_then(|usage| usage.closed_at).map(stamp),
        "as_of": usage.map(|usage| stamp(usage.as_of)),
    })
}
