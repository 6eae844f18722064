//! What a table tells of an account's month, column by column.

use std::borrow::Cow;

use hosting::Limit;

use crate::registry::usage::UsageRow;
use crate::times::whole_mb;

/// A column's values. `None` is what is not known.
#[derive(Clone, Copy)]
pub(super) enum Values {
    /// Text.
    Text(fn(&UsageRow) -> Option<Cow<'_, str>>),
    /// Whole numbers.
    Whole(fn(&UsageRow) -> Option<i64>),
    /// Limits in MB.
    Limit(fn(&UsageRow) -> Option<Limit>),
    /// Moments in milliseconds UTC.
    Time(fn(&UsageRow) -> Option<i64>),
}

/// The columns of every table, by name.
pub(super) const COLUMNS: [(&str, Values); 18] = [
    (
        "month",
        Values::Text(|row| Some(row.month.to_string().into())),
    ),
    ("server", Values::Text(|row| text(&row.server))),
    ("username", Values::Text(|row| text(&row.account.username))),
    (
        "domain",
        Values::Text(|row| maybe(row.account.domain.as_ref())),
    ),
    (
        "reference",
        Values::Text(|row| maybe(row.account.reference.as_ref())),
    ),
    (
        "account_id",
        Values::Text(|row| text(&row.account.public_id)),
    ),
    ("traffic_bytes", Values::Whole(UsageRow::used_bytes)),
    ("traffic_mb", Values::Whole(|row| mb(row.used_bytes()))),
    ("traffic_limit_mb", Values::Limit(|row| row.traffic_limit)),
    ("overage_bytes", Values::Whole(UsageRow::overage_bytes)),
    ("overage_mb", Values::Whole(|row| mb(row.overage_bytes()))),
    ("disk_mb", Values::Whole(|row| mb(row.disk_bytes))),
    (
        "resets",
        Values::Whole(|row| row.usage.as_ref().map(|usage| usage.resets.into())),
    ),
    (
        "flag",
        Values::Text(|row| maybe(row.usage.as_ref()?.flag.as_ref())),
    ),
    (
        "late_bytes",
        Values::Whole(|row| row.usage.as_ref().map(|usage| usage.late_bytes)),
    ),
    (
        "closed_at",
        Values::Time(|row| row.usage.as_ref()?.closed_at),
    ),
    (
        "as_of",
        Values::Time(|row| row.usage.as_ref().map(|usage| usage.as_of)),
    ),
    ("disk_as_of", Values::Time(|row| row.disk_as_of)),
];

fn text(text: &str) -> Option<Cow<'_, str>> {
    Some(text.into())
}

fn maybe(text: Option<&String>) -> Option<Cow<'_, str>> {
    text.map(|text| text.as_str().into())
}

fn mb(bytes: Option<i64>) -> Option<i64> {
    bytes.and_then(|bytes| i64::try_from(whole_mb(bytes)).ok())
}
