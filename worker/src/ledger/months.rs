//! The rows of months: what is booked of each account.

use std::collections::BTreeMap;

use entity::usage_month;
use hosting::{Bytes, Limit, Month};
use panels::Counter;
use sea_orm::sea_query::OnConflict;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, IntoActiveModel,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::{Run, lock_of};
use crate::matching::Matched;
use crate::usage::{Booking, Flag, Remark, Standing};

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
pub(super) async fn previous_figures(
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
pub(super) struct Before {
    pub(super) last_raw: Option<Bytes>,
    pub(super) epoch: i32,
    pub(super) overtaken: bool,
}

pub(super) fn standing(row: &usage_month::Model) -> Standing {
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

pub(super) fn month_row(
    old: usage_month::Model,
    row: &Matched<'_>,
    booking: &Booking,
    answered_at: i64,
) -> usage_month::Model {
    let after = &booking.after;
    let as_of = match booking.remark {
        Remark::Overtaken => old.as_of,
        _ => answered_at,
    };
    usage_month::Model {
        total_bytes: after.total.as_i64(),
        last_raw: after.last_raw.unwrap_or_default().as_i64(),
        epoch: after.epoch,
        resets: after.resets,
        flag: after.flag.map(|flag| flag.name().to_owned()),
        flagged_raw: after.flagged_raw.map(Bytes::as_i64),
        late_bytes: after.late.as_i64(),
        traffic_limit_mb: row.usage.traffic_limit.map(in_mb).or(old.traffic_limit_mb),
        as_of,
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

/// A limit as its column holds it: MB, -1 = unlimited.
pub(super) fn in_mb(limit: Limit) -> i64 {
    match limit {
        Limit::AtMost(mb) => i64::try_from(mb).unwrap_or(i64::MAX),
        Limit::Unlimited => -1,
    }
}
