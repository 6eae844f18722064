//! The rows of a chunk: readings, what they do to their months, what is booked.

use std::collections::BTreeMap;

use entity::{account, usage_ledger, usage_month, usage_reading};
use hosting::{Bytes, Limit, Month};
use panels::Counter;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict};
use sea_orm::{
    ActiveModelTrait,
    ActiveValue::{NotSet, Set},
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::{Part, Run, account_ids, by_account, lock_accounts, lock_of};
use crate::attempt::Attempt;
use crate::matching::Matched;
use crate::usage::{Booking, Flag, Remark, Standing, book};

/// Writes one chunk: what is read first is locked first, accounts before their months.
pub(super) async fn write_chunk(
    attempt: &Attempt<'_>,
    tx: &DatabaseTransaction,
    run: &Run,
    chunk: &[Matched<'_>],
) -> Result<Part, DbErr> {
    let now = attempt.worker.store().clock(tx).await?;
    let ids = account_ids(chunk);
    let accounts = lock_accounts(tx, &ids).await?;
    let months = by_account(months(tx, &ids, run.month).await?);
    let before = previous_figures(tx, run, &ids).await?;
    let mut booked = Vec::new();
    let mut readings = Vec::with_capacity(chunk.len());
    let mut flagged = 0;
    for row in chunk {
        let booking = booking(run, row, &months, &before);
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
                now,
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

/// The months of these accounts, locked: closing a month waits for us, or we see it closed.
pub(super) async fn months(
    tx: &DatabaseTransaction,
    ids: &[i64],
    month: Month,
) -> Result<Vec<usage_month::Model>, DbErr> {
    usage_month::Entity::find()
        .filter(usage_month::Column::AccountId.is_in(ids.iter().copied()))
        .filter(usage_month::Column::Month.eq(month.to_string()))
        .order_by_asc(usage_month::Column::AccountId)
        .lock(lock_of(tx))
        .all(tx)
        .await
}

/// Where running counters stood in the months before: (last figure, epoch) an account. An account that has
/// a later month already is left out of the booking: its counter has run on.
async fn previous_figures(
    tx: &DatabaseTransaction,
    run: &Run,
    ids: &[i64],
) -> Result<BTreeMap<i64, Before>, DbErr> {
    if run.counter == Counter::MonthTotal {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<usage_month::Model> = usage_month::Entity::find()
        .filter(usage_month::Column::AccountId.is_in(ids.iter().copied()))
        .filter(usage_month::Column::Month.ne(run.month.to_string()))
        .order_by_asc(usage_month::Column::Month)
        .all(tx)
        .await?;
    let this = run.month.to_string();
    let mut before: BTreeMap<i64, Before> = BTreeMap::new();
    for row in rows {
        let entry = before.entry(row.account_id).or_default();
        if row.month > this {
            entry.overtaken = true;
        } else {
            entry.last_raw = Bytes::from_i64(row.last_raw);
            entry.epoch = row.epoch;
        }
    }
    Ok(before)
}

#[derive(Debug, Default, Clone, Copy)]
struct Before {
    last_raw: Option<Bytes>,
    epoch: i32,
    overtaken: bool,
}

/// What the row does to its account's month; `None` = nothing can be booked from it.
fn booking(
    run: &Run,
    row: &Matched<'_>,
    months: &BTreeMap<i64, usage_month::Model>,
    before: &BTreeMap<i64, Before>,
) -> Option<Booking> {
    let (id, raw) = (row.account_id?, row.usage.traffic?);
    let earlier = before.get(&id).copied().unwrap_or_default();
    if earlier.overtaken {
        return None;
    }
    let standing = match months.get(&id) {
        Some(month) => standing(month),
        None => Standing {
            last_raw: earlier.last_raw,
            epoch: earlier.epoch,
            ..Standing::default()
        },
    };
    Some(book(run.counter, &standing, raw))
}

fn standing(row: &usage_month::Model) -> Standing {
    Standing {
        total: Bytes::from_i64(row.total_bytes).unwrap_or_default(),
        last_raw: Bytes::from_i64(row.last_raw),
        epoch: row.epoch,
        resets: row.resets,
        flag: row.flag.as_deref().and_then(Flag::from_name),
        flagged_raw: row.flagged_raw.and_then(Bytes::from_i64),
        late: Bytes::from_i64(row.late_bytes).unwrap_or_default(),
        closed: row.closed_at.is_some(),
    }
}

/// What stands on the reading.
fn flag(run: &Run, row: &Matched<'_>, booking: Option<&Booking>) -> Option<&'static str> {
    let remark = booking.map_or(Remark::None, |booking| booking.remark);
    match remark {
        Remark::Drop => Some("drop"),
        Remark::Reset => Some("reset"),
        Remark::Implausible => Some("implausible"),
        Remark::ClosedMonth => Some("closed_month"),
        Remark::None => row.flag.or(run.is_final.then_some("final")),
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

/// A limit as its column holds it: MB, -1 = unlimited.
fn in_mb(limit: Limit) -> i64 {
    match limit {
        Limit::AtMost(mb) => i64::try_from(mb).unwrap_or(i64::MAX),
        Limit::Unlimited => -1,
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

/// A month that begins.
pub(super) fn new_month(account_id: i64, run: &Run, now: i64) -> usage_month::Model {
    usage_month::Model {
        account_id,
        month: run.month.to_string(),
        server_id: run.server_id,
        total_bytes: 0,
        last_raw: 0,
        epoch: 0,
        resets: 0,
        flag: None,
        flagged_raw: None,
        late_bytes: 0,
        closed_at: None,
        traffic_limit_mb: None,
        as_of: now,
    }
}

fn month_row(
    old: usage_month::Model,
    row: &Matched<'_>,
    booking: &Booking,
    now: i64,
) -> usage_month::Model {
    let after = &booking.after;
    usage_month::Model {
        total_bytes: after.total.as_i64(),
        last_raw: after.last_raw.unwrap_or_default().as_i64(),
        epoch: after.epoch,
        resets: after.resets,
        flag: after.flag.map(|flag| flag.name().to_owned()),
        flagged_raw: after.flagged_raw.map(Bytes::as_i64),
        late_bytes: after.late.as_i64(),
        traffic_limit_mb: row.usage.traffic_limit.map(in_mb).or(old.traffic_limit_mb),
        as_of: now,
        ..old
    }
}

/// Writes months over what stood there. Who closed one is not ours to write.
pub(super) async fn put_months(
    tx: &DatabaseTransaction,
    rows: Vec<usage_month::Model>,
) -> Result<(), DbErr> {
    use usage_month::Column as C;
    if rows.is_empty() {
        return Ok(());
    }
    let over = OnConflict::columns([C::AccountId, C::Month])
        .update_columns([
            C::TotalBytes,
            C::LastRaw,
            C::Epoch,
            C::Resets,
            C::Flag,
            C::FlaggedRaw,
            C::LateBytes,
            C::TrafficLimitMb,
            C::AsOf,
        ])
        .to_owned();
    let rows = rows
        .into_iter()
        .map(|row| row.into_active_model().reset_all());
    usage_month::Entity::insert_many(rows)
        .on_conflict(over)
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

/// Who was reported is not missing; its disk use is kept where it changed.
async fn note_presence(
    tx: &DatabaseTransaction,
    accounts: &[account::Model],
    chunk: &[Matched<'_>],
) -> Result<(), DbErr> {
    use account::Column as C;
    let back: Vec<i64> = accounts
        .iter()
        .filter(|account| account.missing_nights > 0)
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
