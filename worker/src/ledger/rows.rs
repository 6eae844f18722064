//! The rows of a chunk: readings, what they do to their months, what is booked.

use std::collections::{BTreeMap, HashMap};

use chrono_tz::Tz;
use entity::usage_month;
use hosting::{Bytes, Limit};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

use super::bulk::Rows;
use super::days;
use super::months::{self, Before, month_row, new_month, previous_figures, put_months, standing};
use super::{Part, Present, Run, Taken, account_ids, by_account, lock_accounts};
use crate::attempt::Attempt;
use crate::flaw::Flaw;
use crate::matching::Matched;
use crate::usage::{Age, Booking, Remark, Standing, book};

/// A row with what it does.
struct Entry<'a> {
    row: &'a Matched<'a>,
    booking: Option<Booking>,
    flag: Option<&'static str>,
}

/// Writes one chunk: what is read first is locked first, accounts before their months. However many rows
/// there are, the statements are the same few.
pub(super) async fn write_chunk(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    taken: &Taken,
    chunk: &[Matched<'_>],
) -> Result<Part, DbErr> {
    let now = attempt.worker.store().clock(tx).await?;
    let ids = account_ids(chunk);
    let accounts = lock_accounts(tx, &ids).await?;
    let months = by_account(months::months(tx, &ids, run.month).await?);
    let before = previous_figures(tx, run, &ids).await?;
    let entries: Vec<Entry<'_>> = chunk
        .iter()
        .map(|row| {
            let month = row.account_id.and_then(|id| months.get(&id));
            let booking = booking(run, row, month, &before, age(month, taken, now));
            let flag = flag(run, row, booking.as_ref());
            Entry { row, booking, flag }
        })
        .collect();
    let readings = write_readings(attempt, tx, run, &entries, now).await?;
    write_ledger(attempt, tx, run, &entries, &readings, now).await?;
    days::write(tx, run, zone(attempt), taken, booked(&entries), &months).await?;
    // A running counter of which no good figure is known yet gets no month: its row would say zero, and the next
    // figure be booked as a whole.
    let is_known = |booking: &Booking| {
        run.counter == panels::Counter::MonthTotal || booking.after.last_raw.is_some()
    };
    let known = booked(&entries).filter(|(_, _, booking)| is_known(booking));
    let rows = known.map(|(id, row, booking)| {
        let old = months.get(&id).cloned();
        let old = old.unwrap_or_else(|| new_month(id, run, now));
        month_row(old, row, booking, taken.answered_at)
    });
    let (changed, new) = rows.partition(|row| months.contains_key(&row.account_id));
    put_months(tx, run.month, new, changed).await?;
    note_presence(tx, &accounts, chunk).await?;
    let sum = booked(&entries).map(|(_, _, booking)| booking.delta.get());
    let flags = entries.iter().filter_map(|entry| entry.flag);
    Ok(Part {
        booked: sum.fold(0, u64::saturating_add),
        flagged: flags.filter(|flag| *flag != "final").count(),
    })
}

/// What is booked: the account, the report's row, and what it does.
fn booked<'a>(
    entries: &'a [Entry<'a>],
) -> impl Iterator<Item = (i64, &'a Matched<'a>, &'a Booking)> {
    entries
        .iter()
        .filter_map(|entry| Some((entry.row.account_id?, entry.row, entry.booking.as_ref()?)))
}

/// The panel's; its days are in it.
fn zone(attempt: &Attempt<'_>) -> Tz {
    let server = attempt.claimed.server.as_ref();
    server
        .and_then(|server| server.time_zone.parse().ok())
        .unwrap_or(Tz::UTC)
}

/// Whether another figure has come since this one was asked for. A time that is still to come was written
/// before the clock was set back; it says nothing.
fn age(month: Option<&usage_month::Model>, taken: &Taken, now: i64) -> Age {
    let since_then = taken.asked_at + 1..=now;
    match month {
        Some(month) if since_then.contains(&month.as_of) => Age::Overtaken,
        _ => Age::Newest,
    }
}

/// What the row does to its account's month; `None` = nothing can be booked from it.
fn booking(
    run: &Run,
    row: &Matched<'_>,
    month: Option<&usage_month::Model>,
    before: &BTreeMap<i64, Before>,
    age: Age,
) -> Option<Booking> {
    let told = row.usage.traffic;
    let told = told.or(Flaw::UnknownIsZero.is_on().then_some(Bytes::ZERO));
    let (id, raw) = (row.account_id?, told?);
    let earlier = before.get(&id).copied().unwrap_or_default();
    if earlier.overtaken {
        return None;
    }
    let standing = match month {
        Some(month) => standing(month),
        None => Standing {
            last_raw: earlier.last_raw,
            epoch: earlier.epoch,
            ..Standing::default()
        },
    };
    Some(book(run.counter, &standing, raw, age))
}

/// What stands on the reading.
fn flag(run: &Run, row: &Matched<'_>, booking: Option<&Booking>) -> Option<&'static str> {
    let remark = booking.map_or(Remark::None, |booking| booking.remark);
    match remark {
        Remark::Drop => Some("drop"),
        Remark::Reset => Some("reset"),
        Remark::Implausible => Some("implausible"),
        Remark::ClosedMonth => Some("closed_month"),
        Remark::Overtaken => Some("overtaken"),
        Remark::None => {
            let elsewhere = row.account_id.is_some_and(|id| run.elsewhere.contains(&id));
            row.flag
                .or(run.is_final.then_some("final"))
                .or(elsewhere.then_some("duplicate_home"))
        }
    }
}

/// Writes the readings; their ids by account. An account has at most one row in a report.
async fn write_readings(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    entries: &[Entry<'_>],
    now: i64,
) -> Result<HashMap<i64, i64>, DbErr> {
    let job = &attempt.claimed.job;
    let rows = || entries.iter();
    let usages = || entries.iter().map(|entry| entry.row.usage);
    let insert = Rows::new(tx.get_database_backend())
        .same("server_id", run.server_id)
        .same("month", run.month.to_string())
        .same("read_at", now)
        .same("job_id", job.id)
        .same("fence", job.fence)
        .ints("account_id", rows().map(|entry| entry.row.account_id))
        .texts("username", usages().map(|usage| Some(&usage.username)))
        .ints(
            "traffic_bytes",
            usages().map(|usage| usage.traffic.map(Bytes::as_i64)),
        )
        .ints(
            "traffic_limit_mb",
            usages().map(|usage| usage.traffic_limit.map(Limit::as_column)),
        )
        .ints(
            "disk_bytes",
            usages().map(|usage| usage.disk.map(Bytes::as_i64)),
        )
        .ints(
            "disk_limit_mb",
            usages().map(|usage| usage.disk_limit.map(Limit::as_column)),
        )
        .texts("flag", rows().map(|entry| entry.flag))
        .insert_into("usage_reading", "RETURNING account_id, id");
    let written = tx.query_all_raw(insert).await?;
    let mut ids = HashMap::with_capacity(written.len());
    for row in written {
        let (account, reading): (Option<i64>, i64) =
            (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        ids.extend(account.map(|account| (account, reading)));
    }
    Ok(ids)
}

/// Books what is new, and that a counter was reset even if that brought nothing.
async fn write_ledger(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    entries: &[Entry<'_>],
    readings: &HashMap<i64, i64>,
    now: i64,
) -> Result<(), DbErr> {
    let new: Vec<(i64, &Booking)> = booked(entries)
        .filter(|(_, _, booking)| booking.delta > Bytes::ZERO || booking.remark == Remark::Reset)
        .map(|(id, _, booking)| (id, booking))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let entry = |remark| match remark {
        Remark::Reset => Some("reset"),
        _ => Some("delta"),
    };
    let rows = || new.iter();
    let insert = Rows::new(tx.get_database_backend())
        .same("month", run.month.to_string())
        .same("job_id", attempt.claimed.job.id)
        .same("actor", attempt.claimed.job.actor.as_str())
        .same("booked_at", now)
        .ints("account_id", rows().map(|(id, _)| *id))
        .texts("entry", rows().map(|(_, booking)| entry(booking.remark)))
        .ints(
            "delta_bytes",
            rows().map(|(_, booking)| booking.delta.as_i64()),
        )
        .ints(
            "total_bytes",
            rows().map(|(_, booking)| booking.after.total.as_i64()),
        )
        .ints(
            "reading_id",
            rows().map(|(id, _)| readings.get(id).copied()),
        )
        .insert_into("usage_ledger", "");
    tx.execute_raw(insert).await?;
    Ok(())
}

/// Who was reported is not missing; its disk use is kept where it changed.
async fn note_presence(
    tx: &DatabaseTransaction,
    accounts: &[Present],
    chunk: &[Matched<'_>],
) -> Result<(), DbErr> {
    let there = chunk.iter().filter(|row| !row.usage.deleted);
    let disk: HashMap<i64, Option<i64>> = there
        .filter_map(|row| Some((row.account_id?, row.usage.disk.map(Bytes::as_i64))))
        .collect();
    let changed: Vec<(i64, Option<i64>)> = accounts
        .iter()
        .filter_map(|account| {
            let now = disk.get(&account.id)?.or(account.disk_bytes);
            let same = now == account.disk_bytes && account.missing_nights == 0;
            (!same).then_some((account.id, now))
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let update = Rows::new(tx.get_database_backend())
        .ints("id", changed.iter().map(|(id, _)| *id))
        .ints("disk_bytes", changed.iter().map(|(_, bytes)| *bytes))
        .update(
            "account",
            "id",
            "disk_bytes = t.c2, missing_nights = 0",
            "true",
        );
    tx.execute_raw(update).await?;
    Ok(())
}
