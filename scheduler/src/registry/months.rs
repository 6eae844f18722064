//! Closing a month: what comes in later is kept apart, visible, and not booked.

use chrono_tz::Tz;
use entity::{server, usage_ledger, usage_month};
use hosting::Month;
use jobs::store::{ClosedMonth, Store};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::RegistryError;

/// Where a month stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonthState {
    /// It runs.
    Open,
    /// It is over on the panel's calendar, and not closed yet: what comes in is booked.
    Closing,
    /// It is closed: what comes in is late.
    Closed,
}

impl MonthState {
    /// Derived, never stored: `now` is in milliseconds UTC, `zone` the panel's.
    #[must_use]
    pub fn of(month: Month, closed_at: Option<i64>, zone: Tz, now: i64) -> Self {
        if closed_at.is_some() {
            Self::Closed
        } else if is_over(month, zone, now) {
            Self::Closing
        } else {
            Self::Open
        }
    }

    /// As people read it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closing => "closing",
            Self::Closed => "closed",
        }
    }
}

/// Whether the month is over where the panel is.
fn is_over(month: Month, zone: Tz, now: i64) -> bool {
    let now = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default();
    month < Month::of(&now.with_timezone(&zone))
}

/// Closes a month of a server at `now` (milliseconds UTC): [`Store::close_month`], for a month that is over.
///
/// # Errors
/// [`RegistryError::Invalid`] when the month is not over in the panel's time zone, or the ledger's.
pub async fn close_month(
    store: &Store,
    server: &server::Model,
    month: Month,
    actor: &str,
    now: i64,
) -> Result<ClosedMonth, RegistryError> {
    let zone: Tz = server.time_zone.parse().unwrap_or(Tz::UTC);
    if !is_over(month, zone, now) {
        return Err(RegistryError::invalid(
            "month",
            format!("{month} is not over on server {}", server.name),
        ));
    }
    Ok(store.close_month(server, month, actor, now).await?)
}

/// Months of a server that are open although `last` and all before it should be closed, oldest first. What an
/// operator has opened again stays open until it is closed by hand.
///
/// # Errors
/// The ledger's.
pub async fn open_months(
    store: &Store,
    server_id: i64,
    last: Month,
) -> Result<Vec<Month>, RegistryError> {
    let months: Vec<String> = usage_month::Entity::find()
        .select_only()
        .column(usage_month::Column::Month)
        .distinct()
        .filter(usage_month::Column::ServerId.eq(server_id))
        .filter(usage_month::Column::Month.lte(last.to_string()))
        .filter(usage_month::Column::ClosedAt.is_null())
        .filter(Expr::exists(reopened()).not())
        .order_by_asc(usage_month::Column::Month)
        .into_tuple()
        .all(store.reader())
        .await?;
    Ok(months.iter().filter_map(|text| text.parse().ok()).collect())
}

/// That the ledger says of the account's month that it was opened again.
fn reopened() -> SelectStatement {
    let of = |column| Expr::col((usage_ledger::Entity, column));
    let month = |column| Expr::col((usage_month::Entity, column));
    Query::select()
        .expr(Expr::value(1))
        .from(usage_ledger::Entity)
        .and_where(of(usage_ledger::Column::AccountId).eq(month(usage_month::Column::AccountId)))
        .and_where(of(usage_ledger::Column::Month).eq(month(usage_month::Column::Month)))
        .and_where(of(usage_ledger::Column::Entry).eq("reopened"))
        .take()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_over_when_it_is_over_on_the_panel() {
        let month: Month = "2026-11".parse().unwrap();
        // 2026-12-01T05:00Z: in Auckland it is afternoon, in Honolulu it is November.
        let now = 1_796_101_200_000;
        for (zone, state) in [
            (Tz::Pacific__Auckland, MonthState::Closing),
            (Tz::UTC, MonthState::Closing),
            (Tz::Pacific__Honolulu, MonthState::Open),
        ] {
            assert_eq!(MonthState::of(month, None, zone, now), state, "{zone}");
            assert_eq!(
                MonthState::of(month, Some(1), zone, now),
                MonthState::Closed
            );
        }
    }
}
