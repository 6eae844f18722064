//! An account's month as outsiders read it.

use hosting::Limit;
use serde::Serialize;
use utoipa::ToSchema;

use super::usage::UsageRow;
use crate::shapes;
use crate::times::{rfc3339, whole_mb};

/// An account's use, as billing platforms want it. What is not known is null, never zero.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerUsage {
    username: String,
    domain: Option<String>,
    reference: Option<String>,
    /// The account's state: one that was terminated in the month is told too, and its name or domain may live
    /// again in another line.
    state: String,
    /// Whole MB (2^20 bytes).
    disk_mb: Option<u64>,
    /// A number or `unlimited`.
    #[schema(value_type = Option<shapes::Limit>)]
    disk_limit_mb: Option<Limit>,
    /// Whole MB (2^20 bytes).
    traffic_mb: Option<u64>,
    /// A number or `unlimited`.
    #[schema(value_type = Option<shapes::Limit>)]
    traffic_limit_mb: Option<Limit>,
    /// When the traffic was read last.
    #[schema(format = DateTime)]
    as_of: Option<String>,
    disk_bytes: Option<i64>,
    /// When disk use was read; null when not in this month.
    #[schema(format = DateTime)]
    disk_as_of: Option<String>,
    traffic_bytes: Option<i64>,
}

impl From<&UsageRow> for ServerUsage {
    fn from(row: &UsageRow) -> Self {
        let bytes = row.used_bytes();
        Self {
            username: row.account.username.clone(),
            domain: row.account.domain.clone(),
            reference: row.account.reference.clone(),
            state: row.account.state.clone(),
            disk_mb: row.disk_bytes.map(whole_mb),
            disk_limit_mb: row.disk_limit,
            traffic_mb: bytes.map(whole_mb),
            traffic_limit_mb: row.traffic_limit,
            as_of: row.usage.as_ref().map(|usage| rfc3339(usage.as_of)),
            disk_bytes: row.disk_bytes,
            disk_as_of: row.disk_as_of.map(rfc3339),
            traffic_bytes: bytes,
        }
    }
}

/// An account's month with its overage.
#[derive(Debug, Serialize, ToSchema)]
pub struct AccountMonth {
    #[schema(value_type = shapes::Month)]
    month: String,
    account_id: String,
    server: String,
    #[serde(flatten)]
    usage: ServerUsage,
    /// Beyond the limit; null when traffic or limit is not known.
    overage_bytes: Option<i64>,
    /// Whole MB (2^20 bytes).
    overage_mb: Option<u64>,
    /// How often the panel's counter began again.
    resets: Option<i32>,
    /// An operator should look.
    flag: Option<String>,
    /// What came in after the month was closed, not booked.
    late_bytes: Option<i64>,
    /// When it was closed.
    #[schema(format = DateTime)]
    closed_at: Option<String>,
}

impl From<&UsageRow> for AccountMonth {
    fn from(row: &UsageRow) -> Self {
        let overage = row.overage_bytes();
        let month = row.usage.as_ref();
        Self {
            month: row.month.to_string(),
            account_id: row.account.public_id.clone(),
            server: row.server.clone(),
            usage: row.into(),
            overage_bytes: overage,
            overage_mb: overage.map(whole_mb),
            resets: month.map(|month| month.resets),
            flag: month.and_then(|month| month.flag.clone()),
            late_bytes: month.map(|month| month.late_bytes),
            closed_at: month.and_then(|month| month.closed_at).map(rfc3339),
        }
    }
}
