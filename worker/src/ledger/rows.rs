//! The rows of a chunk: readings, what they do to their months, what is booked.

use std::collections::{BTreeMap, BTreeSet};

use entity::{account, usage_ledger, usage_month, usage_reading};
use hosting::Bytes;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::months::{
    self, Before, in_mb, month_row, new_month, previous_figures, put_months, standing,
};
use super::{Part, Run, Taken, account_ids, by_account, lock_accounts, present_ids};
use crate::attempt::Attempt;
use crate::matching::Matched;
use crate::usage::{Age, Booking, Remark, Standing, book};

/// Writes one chunk: what is read first is locked first, accounts before their months.
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
    let mut booked = Vec::new();
    let mut readings = Vec::with_capacity(chunk.len());
    let mut flagged = 0;
    for row in chunk {
        let month = row.account_id.and_then(|id| months.get(&id));
        let booking = booking(run, row, month, &before, age(month, taken, now));
        let flag = flag(run, row, booking.as_ref());
        flagged += usize::from(flag.is_some_and(|flag| flag != "final"));
        readings.push(reading(attempt, run, row, flag, now));
        if let (Some(id), Some(booking)) = (row.account_id, booking) {
            booked.push((id, row, booking));
        }
    }
    for part in readings.chunks(500) {
        usage_reading::Entity::insert_many(part.to_vec())
            .exec_without_returning(tx)
            .await?;
    }
    write_ledger(attempt, tx, run, &booked, now).await?;
    let rows = booked
        .iter()
        .map(|(id, row, booking)| {
            let old = months.get(id).cloned();
            month_row(
                old.unwrap_or_else(|| new_month(*id, run, now)),
                row,
                booking,
                taken.answered_at,
            )
        })
        .collect();
    put_months(tx, rows).await?;
    note_presence(tx, &accounts, chunk).await?;
    let sum = booked.iter().map(|(_, _, booking)| booking.delta.get());
    Ok(Part {
        booked: sum.fold(0, u64::saturating_add),
        flagged,
    })
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
    let (id, raw) = (row.account_id?, row.usage.traffic?);
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

fn reading(
    attempt: &Attempt<'_>,
    run: &Run,
    row: &Matched<'_>,
    flag: Option<&'static str>,
    now: i64,
) -> usage_reading::ActiveModel {
    let usage = row.usage;
    usage_reading::ActiveModel {
        id: NotSet,
        server_id: Set(run.server_id),
        account_id: Set(row.account_id),
        username: Set(usage.username.to_string()),
        month: Set(run.month.to_string()),
        traffic_bytes: Set(usage.traffic.map(Bytes::as_i64)),
        traffic_limit_mb: Set(usage.traffic_limit.map(in_mb)),
        disk_bytes: Set(usage.disk.map(Bytes::as_i64)),
        disk_limit_mb: Set(usage.disk_limit.map(in_mb)),
        read_at: Set(now),
        job_id: Set(attempt.claimed.job.id),
        fence: Set(attempt.claimed.job.fence),
        flag: Set(flag.map(str::to_owned)),
    }
}

/// Books what is new, and that a counter was reset even if that brought nothing.
async fn write_ledger(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    booked: &[(i64, &Matched<'_>, Booking)],
    now: i64,
) -> Result<(), DbErr> {
    let new: Vec<&(i64, &Matched<'_>, Booking)> = booked
        .iter()
        .filter(|(_, _, booking)| booking.delta > Bytes::ZERO || booking.remark == Remark::Reset)
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = new.iter().map(|(id, _, _)| *id).collect();
    let readings = reading_ids(attempt, tx, run, &ids).await?;
    let rows = new
        .into_iter()
        .map(|(id, _, booking)| usage_ledger::ActiveModel {
            id: NotSet,
            account_id: Set(*id),
            month: Set(run.month.to_string()),
            entry: Set(if booking.remark == Remark::Reset {
                "reset"
            } else {
                "delta"
            }
            .to_owned()),
            delta_bytes: Set(booking.delta.as_i64()),
            total_bytes: Set(booking.after.total.as_i64()),
            reading_id: Set(readings.get(id).copied()),
            job_id: Set(Some(attempt.claimed.job.id)),
            actor: Set(attempt.claimed.job.actor.clone()),
            note: Set(None),
            booked_at: Set(now),
        });
    usage_ledger::Entity::insert_many(rows)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// The readings of this transaction, by account: the newest of each that this claim has written.
async fn reading_ids(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    ids: &[i64],
) -> Result<BTreeMap<i64, i64>, DbErr> {
    use usage_reading::Column as C;
    let rows: Vec<(Option<i64>, i64)> = usage_reading::Entity::find()
        .select_only()
        .columns([C::AccountId, C::Id])
        .filter(C::AccountId.is_in(ids.iter().copied()))
        .filter(C::Month.eq(run.month.to_string()))
        .filter(C::JobId.eq(attempt.claimed.job.id))
        .filter(C::Fence.eq(attempt.claimed.job.fence))
        .order_by_asc(C::Id)
        .into_tuple()
        .all(tx)
        .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(account, id)| account.map(|account| (account, id)))
        .collect())
}

/// Who was reported is not missing; its disk use is kept where it changed.
async fn note_presence(
    tx: &DatabaseTransaction,
    accounts: &[account::Model],
    chunk: &[Matched<'_>],
) -> Result<(), DbErr> {
    use account::Column as C;
    let present: BTreeSet<i64> = present_ids(chunk).collect();
    let back: Vec<i64> = accounts
        .iter()
        .filter(|account| account.missing_nights > 0 && present.contains(&account.id))
        .map(|account| account.id)
        .collect();
    if !back.is_empty() {
        account::Entity::update_many()
            .col_expr(C::MissingNights, Expr::value(0))
            .filter(C::Id.is_in(back))
            .exec(tx)
            .await?;
    }
    let disk: BTreeMap<i64, i64> = chunk
        .iter()
        .filter(|row| !row.usage.deleted)
        .filter_map(|row| Some((row.account_id?, row.usage.disk?.as_i64())))
        .collect();
    let changed: Vec<(i64, i64)> = accounts
        .iter()
        .filter_map(|account| {
            let bytes = *disk.get(&account.id)?;
            (account.disk_bytes != Some(bytes)).then_some((account.id, bytes))
        })
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let mut case = CaseStatement::new();
    for (id, bytes) in &changed {
        case = case.case(Expr::col(C::Id).eq(*id), Expr::value(*bytes));
    }
    account::Entity::update_many()
        .col_expr(C::DiskBytes, case.into())
        .filter(C::Id.is_in(changed.iter().map(|(id, _)| *id)))
        .exec(tx)
        .await?;
    Ok(())
}
