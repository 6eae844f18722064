//! Traffic by day: the panel's own figures where it keeps them, else what is booked.
//!
//! Where it keeps none, a booking stands on the panel's date of its reading, or on the month's last when it
//! was read after that. So the days of a month add up to what was booked. After nights without a reading the
//! whole difference stands on one day that says how many it covers: nobody knows how it was spread.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, NaiveDate};
use chrono_tz::Tz;
use entity::{usage_day, usage_month};
use hosting::{Bytes, Month};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait};

use super::bulk::{self, Rows, Wanted};
use super::{Run, Taken};
use crate::matching::Matched;
use crate::usage::{Booking, Remark};

/// Writes the days of these bookings in their transaction, under the lock of their accounts. `months` are as
/// they stood before.
pub(super) async fn write<'a>(
    tx: &DatabaseTransaction,
    run: &Run,
    zone: Tz,
    taken: &Taken,
    booked: impl Iterator<Item = (i64, &'a Matched<'a>, &'a Booking)>,
    months: &BTreeMap<i64, usage_month::Model>,
) -> Result<(), DbErr> {
    let mut told = Vec::new();
    let mut grown = Vec::new();
    for (id, row, booking) in booked {
        match &row.usage.days {
            // What a closed month was made of does not change any more, and an older answer changes nothing.
            Some(_) if booking.after.closed || !is_usable(booking.remark) => {}
            Some(days) => told.extend(days.iter().map(|day| told_day(id, day, taken.answered_at))),
            None if booking.delta > Bytes::ZERO => {
                let last = months.get(&id).map(|month| month.as_of);
                grown.push(derived_day(
                    run.month,
                    zone,
                    taken,
                    (id, booking.delta),
                    last,
                ));
            }
            None => {}
        }
    }
    put(tx, changed(tx, told).await?, Over::Replaces).await?;
    put(tx, grown, Over::Adds).await
}

fn is_usable(remark: Remark) -> bool {
    match remark {
        Remark::None | Remark::Drop | Remark::Reset => true,
        Remark::Implausible | Remark::ClosedMonth | Remark::Overtaken => false,
    }
}

fn told_day(account_id: i64, day: &panels::DayUsage, as_of: i64) -> usage_day::Model {
    usage_day::Model {
        account_id,
        date: day.date.to_string(),
        bytes: day.traffic.as_i64(),
        source: "panel".to_owned(),
        span_days: 1,
        as_of,
    }
}

fn derived_day(
    month: Month,
    zone: Tz,
    taken: &Taken,
    (account_id, delta): (i64, Bytes),
    last: Option<i64>,
) -> usage_day::Model {
    let date = date_in(month, zone, taken.answered_at);
    usage_day::Model {
        account_id,
        date: date.to_string(),
        bytes: delta.as_i64(),
        source: "derived".to_owned(),
        span_days: span(month, last.map(|at| date_in(month, zone, at)), date),
        as_of: taken.answered_at,
    }
}

/// The panel's date of that moment (milliseconds UTC), or the day of the month that is nearest to it.
fn date_in(month: Month, zone: Tz, at: i64) -> NaiveDate {
    let first = month.first_day();
    let last = month.next().first_day().pred_opt().unwrap_or(first);
    let at = DateTime::from_timestamp_millis(at).unwrap_or_default();
    at.with_timezone(&zone).date_naive().clamp(first, last)
}

/// How many days a difference covers: those after the reading before it, or those since the month began.
fn span(month: Month, last: Option<NaiveDate>, date: NaiveDate) -> i32 {
    let days = match last {
        Some(last) => (date - last).num_days(),
        None => (date - month.first_day()).num_days() + 1,
    };
    i32::try_from(days).unwrap_or(1).max(1)
}

/// Those that are new or other than what is stored: a panel tells the whole month every night.
async fn changed(
    tx: &DatabaseTransaction,
    told: Vec<usage_day::Model>,
) -> Result<Vec<usage_day::Model>, DbErr> {
    let ids: BTreeSet<i64> = told.iter().map(|row| row.account_id).collect();
    let Some(first) = told.iter().map(|row| row.date.as_str()).min() else {
        return Ok(Vec::new());
    };
    let wanted = Wanted {
        columns: "usage_day.*",
        table: "usage_day",
        key: "account_id",
        only: Some(("usage_day.date >= {}", first.into())),
        locked: false,
    };
    let ids: Vec<i64> = ids.into_iter().collect();
    let wanted = wanted.of(tx.get_database_backend(), &ids);
    let stored = usage_day::Entity::find()
        .from_raw_sql(wanted)
        .all(tx)
        .await?;
    let stored: HashSet<(i64, String, i64, String)> = stored
        .into_iter()
        .map(|row| (row.account_id, row.date, row.bytes, row.source))
        .collect();
    let is_new = |row: &usage_day::Model| {
        let as_told = (
            row.account_id,
            row.date.clone(),
            row.bytes,
            row.source.clone(),
        );
        !stored.contains(&as_told)
    };
    Ok(told.into_iter().filter(is_new).collect())
}

/// What a day does to one that is stored.
#[derive(Debug, Clone, Copy)]
enum Over {
    Replaces,
    Adds,
}

async fn put(
    tx: &DatabaseTransaction,
    days: Vec<usage_day::Model>,
    over: Over,
) -> Result<(), DbErr> {
    if days.is_empty() {
        return Ok(());
    }
    let backend = tx.get_database_backend();
    let rows = || days.iter();
    let insert = Rows::new(backend)
        .ints("account_id", rows().map(|row| row.account_id))
        .texts("date", rows().map(|row| Some(&row.date)))
        .ints("bytes", rows().map(|row| row.bytes))
        .texts("source", rows().map(|row| Some(&row.source)))
        .ints("span_days", rows().map(|row| i64::from(row.span_days)))
        .ints("as_of", rows().map(|row| row.as_of))
        .insert_into("usage_day", &over.ending(backend));
    tx.execute_raw(insert).await?;
    Ok(())
}

impl Over {
    fn ending(self, backend: DbBackend) -> String {
        const KEY: &str = "account_id, date";
        match (self, backend) {
            (Over::Replaces, _) => {
                bulk::over(backend, KEY, &["bytes", "source", "span_days", "as_of"])
            }
            (Over::Adds, DbBackend::MySql) => {
                "ON DUPLICATE KEY UPDATE bytes = bytes + VALUES(bytes), \
                 span_days = GREATEST(span_days, VALUES(span_days)), as_of = VALUES(as_of)"
                    .to_owned()
            }
            (Over::Adds, _) => {
                let larger = if backend == DbBackend::Postgres {
                    "GREATEST"
                } else {
                    "MAX"
                };
                format!(
                    "ON CONFLICT ({KEY}) DO UPDATE SET bytes = usage_day.bytes + excluded.bytes, \
                     span_days = {larger}(usage_day.span_days, excluded.span_days), as_of = excluded.as_of"
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_after_the_month_counts_for_its_last_day() {
        let month: Month = "2026-11".parse().unwrap();
        let on = |text: &str| {
            let at = DateTime::parse_from_rfc3339(text).unwrap();
            date_in(month, Tz::Europe__Berlin, at.timestamp_millis()).to_string()
        };
        assert_eq!(on("2026-11-02T22:59:00Z"), "2026-11-02");
        assert_eq!(on("2026-11-02T23:01:00Z"), "2026-11-03");
        assert_eq!(on("2026-12-02T02:00:00Z"), "2026-11-30");
        assert_eq!(on("2026-10-30T02:00:00Z"), "2026-11-01");
    }

    #[test]
    fn a_span_is_the_days_since_the_last_reading_or_the_months_beginning() {
        let month: Month = "2026-11".parse().unwrap();
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        assert_eq!(span(month, None, day(4)), 4);
        assert_eq!(span(month, Some(day(3)), day(4)), 1);
        assert_eq!(span(month, Some(day(1)), day(4)), 3);
        assert_eq!(span(month, Some(day(4)), day(4)), 1);
        assert_eq!(
            span(month, Some(day(9)), day(4)),
            1,
            "a clock that was set back"
        );
    }
}
