//! The rows of months: what is booked of each account.

use std::collections::BTreeMap;

use entity::usage_month;
use hosting::{Bytes, Limit, Month};
use panels::Counter;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait};

use super::Run;
use super::bulk::{Rows, Wanted};
use crate::flaw::Flaw;
use crate::matching::Matched;
use crate::usage::{Booking, Flag, Remark, Standing};

/// The months of these accounts, whose rows are locked already. Everybody but the closing of a month locks those
/// first, and [`put_months`] sees when one was closed meanwhile: no need to lock a second row of each.
pub(super) async fn months(
    tx: &DatabaseTransaction,
    ids: &[i64],
    month: Month,
) -> Result<Vec<usage_month::Model>, DbErr> {
    let wanted = Wanted {
        columns: "usage_month.*",
        table: "usage_month",
        key: "account_id",
        only: Some(("usage_month.month = {}", month.to_string().into())),
        // A plain read of MariaDB's would be of when the transaction began.
        locked: tx.get_database_backend() == DbBackend::MySql,
    };
    let wanted = wanted.of(tx.get_database_backend(), ids);
    usage_month::Entity::find()
        .from_raw_sql(wanted)
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
    let this = run.month.to_string();
    // Of each account the last month but this one: a later one, or else the one before.
    let wanted = Wanted {
        columns: "usage_month.*",
        table: "usage_month",
        key: "account_id",
        only: Some((
            "usage_month.month = (SELECT max(other.month) FROM usage_month AS other \
             WHERE other.account_id = usage_month.account_id AND other.month <> {})",
            this.as_str().into(),
        )),
        locked: false,
    };
    let wanted = wanted.of(tx.get_database_backend(), ids);
    let rows: Vec<usage_month::Model> = usage_month::Entity::find()
        .from_raw_sql(wanted)
        .all(tx)
        .await?;
    let before = rows.into_iter().map(|row| {
        let before = Before {
            last_raw: Bytes::from_i64(row.last_raw).filter(|_| !Flaw::FigureIsLost.is_on()),
            epoch: if Flaw::EpochIsLost.is_on() {
                0
            } else {
                row.epoch
            },
            overtaken: row.month > this,
        };
        (row.account_id, before)
    });
    Ok(before.collect())
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
        corrected: row.corrected_bytes,
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
        corrected_bytes: 0,
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
        traffic_limit_mb: row
            .usage
            .traffic_limit
            .map(Limit::as_column)
            .or(old.traffic_limit_mb),
        as_of,
        ..old
    }
}

/// Writes months that are new, and those that have changed over what stands there. Who closed one is not ours
/// to write.
///
/// # Errors
/// [`DbErr::RecordNotUpdated`] when one was closed or opened since it was read: it is to be read again.
pub(super) async fn put_months(
    tx: &DatabaseTransaction,
    month: Month,
    new: Vec<usage_month::Model>,
    changed: Vec<usage_month::Model>,
) -> Result<(), DbErr> {
    let backend = tx.get_database_backend();
    if !new.is_empty() {
        let insert = columns(backend, &new)
            .same("month", month.to_string())
            .ints("server_id", new.iter().map(|row| row.server_id))
            .insert_into("usage_month", "");
        tx.execute_raw(insert).await?;
    }
    if changed.is_empty() {
        return Ok(());
    }
    let set: Vec<String> = WRITTEN
        .iter()
        .enumerate()
        .map(|(place, column)| format!("{column} = t.c{}", place + 2))
        .collect();
    // A month is text of digits and a dash.
    let only = format!(
        "usage_month.month = '{month}' AND (usage_month.closed_at IS NULL) = (t.c{} IS NULL)",
        WRITTEN.len() + 2
    );
    let update = columns(backend, &changed)
        .ints("closed_at", changed.iter().map(|row| row.closed_at))
        .update("usage_month", "account_id", &set.join(", "), &only);
    let written = tx.execute_raw(update).await?.rows_affected();
    if written == changed.len() as u64 {
        Ok(())
    } else {
        Err(DbErr::RecordNotUpdated)
    }
}

/// What a night writes, in the order of [`columns`].
const WRITTEN: [&str; 9] = [
    "total_bytes",
    "last_raw",
    "epoch",
    "resets",
    "flag",
    "flagged_raw",
    "late_bytes",
    "traffic_limit_mb",
    "as_of",
];

fn columns(backend: DbBackend, months: &[usage_month::Model]) -> Rows {
    let rows = || months.iter();
    Rows::new(backend)
        .ints("account_id", rows().map(|row| row.account_id))
        .ints(WRITTEN[0], rows().map(|row| row.total_bytes))
        .ints(WRITTEN[1], rows().map(|row| row.last_raw))
        .ints(WRITTEN[2], rows().map(|row| i64::from(row.epoch)))
        .ints(WRITTEN[3], rows().map(|row| i64::from(row.resets)))
        .texts(WRITTEN[4], rows().map(|row| row.flag.as_ref()))
        .ints(WRITTEN[5], rows().map(|row| row.flagged_raw))
        .ints(WRITTEN[6], rows().map(|row| row.late_bytes))
        .ints(WRITTEN[7], rows().map(|row| row.traffic_limit_mb))
        .ints(WRITTEN[8], rows().map(|row| row.as_of))
}
