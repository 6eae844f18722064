//! One account, one incarnation: its months lie in its life.

use chrono::{NaiveTime, TimeDelta};
use entity::job;
use hosting::Month;
use sea_orm::{ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QuerySelect};

use super::Violation;
use super::month::violation;
use super::pages::OneMonth;
use crate::{JobKind, JobState};

/// Zones go from 14 hours before UTC's date to 12 behind it, and panels' clocks are not ours.
const SLACK: TimeDelta = TimeDelta::hours(36);

pub(super) async fn check(
    tx: &DatabaseTransaction,
    month: &OneMonth,
    found: &mut impl FnMut(Violation),
) -> Result<(), DbErr> {
    let row = &month.row;
    let mut tell = |rule, what| found(violation(rule, row.account_id, &row.month, what));
    let Some(account) = &month.account else {
        tell("no_account", "there is no such account".to_owned());
        return Ok(());
    };
    if account.server_id != row.server_id {
        let what = format!(
            "it was read on server row {}, the account {} is on {}",
            row.server_id, account.username, account.server_id
        );
        tell("other_server", what);
    }
    let Ok(named) = row.month.parse::<Month>() else {
        return Ok(());
    };
    // The panel lists whom it has; a month without traffic says nothing about a life.
    if row.total_bytes == 0 {
        return Ok(());
    }
    if let Some(terminated) = account.terminated_at
        && begin_ms(named) - SLACK.num_milliseconds() > terminated
    {
        let what = format!(
            "{} was terminated before (at {terminated} ms), and has {} bytes",
            account.username, row.total_bytes
        );
        tell("after_it_was_terminated", what);
    }
    let over_before = begin_ms(named.next()) + SLACK.num_milliseconds() < account.created_at;
    if over_before && was_made_by_us(tx, account.id).await? {
        let what = format!(
            "{} was made afterwards (at {} ms), and has {} bytes",
            account.username, account.created_at, row.total_bytes
        );
        tell("before_it_was_made", what);
    }
    Ok(())
}

/// An account that was imported is older than our row of it.
async fn was_made_by_us(tx: &DatabaseTransaction, account_id: i64) -> Result<bool, DbErr> {
    let made: Option<i64> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::AccountId.eq(account_id))
        .filter(job::Column::Kind.eq(JobKind::Create.name()))
        .filter(job::Column::State.eq(JobState::Succeeded.name()))
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(made.is_some())
}

fn begin_ms(month: Month) -> i64 {
    let begin = month.first_day().and_time(NaiveTime::MIN).and_utc();
    begin.timestamp_millis()
}
