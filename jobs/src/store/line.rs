//! The line of an account's jobs: who stands at its head, and whether the head may run.
//!
//! Everything that ends, adds or re-opens a job of a line calls [`promote`] before it commits, under the
//! account's row lock; nothing else makes a job a head.

use std::collections::{BTreeMap, BTreeSet};

use entity::{account, job};
use sea_orm::sea_query::{Expr, LockType};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
};

use super::{Ring, padded};
use crate::faults::Bug;
use crate::{AccountState, JobKind, JobState, Lane};

/// The lock that orders writers of a row without holding up foreign keys (PostgreSQL) and that all
/// three databases know.
pub(crate) fn row_lock(backend: DbBackend) -> LockType {
    if backend == DbBackend::Postgres {
        LockType::NoKeyUpdate
    } else {
        LockType::Update
    }
}

/// Locks accounts, by ascending id.
pub(crate) async fn lock_accounts(
    tx: &impl ConnectionTrait,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, account::Model>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<i64> = ids.iter().copied().collect();
    let rows = account::Entity::find()
        .filter(account::Column::Id.is_in(padded(&ids)))
        .order_by_asc(account::Column::Id)
        .lock(row_lock(tx.get_database_backend()))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Whether the head of an account's line may run. While the account's create has failed, or has met an
/// account of somebody else, only another go at it, or its removal, may.
pub(crate) fn may_run(account_state: &str, kind: &str) -> bool {
    ![AccountState::Failed.name(), AccountState::Conflict.name()].contains(&account_state)
        || kind == JobKind::Create.name()
        || kind == JobKind::Terminate.name()
}

#[derive(sea_orm::FromQueryResult)]
struct Standing {
    id: i64,
    open_of: i64,
    head_of: Option<i64>,
    kind: String,
    lane: i32,
    state: String,
    due_at: i64,
}

/// Gives each of these accounts' lines a head, if it has jobs and none. `accounts` = id and state as
/// they will be committed. Returns what may be rung after the commit.
pub(crate) async fn promote(
    tx: &impl ConnectionTrait,
    accounts: &BTreeMap<i64, String>,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    if accounts.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = accounts.keys().copied().collect();
    let firsts: Vec<(i64, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::OpenOf)
        .column_as(
            if Bug::LostOrder.is_on() {
                job::Column::Id.max()
            } else {
                job::Column::Id.min()
            },
            "first",
        )
        .filter(job::Column::OpenOf.is_in(padded(&ids)))
        .group_by(job::Column::OpenOf)
        .having(job::Column::HeadOf.count().eq(0))
        .into_tuple()
        .all(tx)
        .await?;
    let mut heads: BTreeMap<i64, i64> = firsts.into_iter().collect();
    prefer_a_way_out_of_failure(tx, accounts, &mut heads).await?;
    stand_at_head(tx, accounts, heads.values().copied().collect(), now).await
}

/// In the line of an account that was not made (its create failed, or a new one is asked for since), a
/// create or a terminate goes before what waits.
async fn prefer_a_way_out_of_failure(
    tx: &impl ConnectionTrait,
    accounts: &BTreeMap<i64, String>,
    heads: &mut BTreeMap<i64, i64>,
) -> Result<(), DbErr> {
    const UNMADE: [&str; 4] = [
        AccountState::Requested.name(),
        AccountState::Provisioning.name(),
        AccountState::Failed.name(),
        AccountState::Conflict.name(),
    ];
    let unmade: Vec<i64> = heads
        .keys()
        .copied()
        .filter(|id| {
            accounts
                .get(id)
                .is_some_and(|state| UNMADE.contains(&state.as_str()))
        })
        .collect();
    for account_id in unmade {
        let way_out = job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .filter(job::Column::OpenOf.eq(account_id))
            .filter(job::Column::Kind.is_in([JobKind::Create.name(), JobKind::Terminate.name()]))
            .order_by_asc(job::Column::Id)
            .into_tuple::<i64>()
            .one(tx)
            .await?;
        if let Some(id) = way_out {
            heads.insert(account_id, id);
        }
    }
    Ok(())
}

async fn stand_at_head(
    tx: &impl ConnectionTrait,
    accounts: &BTreeMap<i64, String>,
    heads: Vec<i64>,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let rows = standing(tx, Expr::col(job::Column::Id).is_in(padded(&heads))).await?;
    let (ready, waiting): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| {
        let state = accounts.get(&row.open_of).map_or("", String::as_str);
        row.state != JobState::Held.name() && may_run(state, &row.kind)
    });
    let ids = |rows: &[Standing]| rows.iter().map(|row| row.id).collect::<Vec<_>>();
    if !ready.is_empty() {
        job::Entity::update_many()
            .col_expr(job::Column::HeadOf, Expr::col(job::Column::OpenOf))
            .col_expr(job::Column::ReadyLane, Expr::col(job::Column::Lane))
            .filter(job::Column::Id.is_in(padded(&ids(&ready))))
            .exec(tx)
            .await?;
    }
    if !waiting.is_empty() {
        job::Entity::update_many()
            .col_expr(job::Column::HeadOf, Expr::col(job::Column::OpenOf))
            .filter(job::Column::Id.is_in(padded(&ids(&waiting))))
            .exec(tx)
            .await?;
    }
    let due = ready.iter().filter(|row| row.due_at <= now);
    Ok(due
        .map(|row| Ring {
            job_id: row.id,
            lane: Lane::from_number(row.lane),
        })
        .collect())
}

async fn standing(
    tx: &impl ConnectionTrait,
    which: sea_orm::sea_query::SimpleExpr,
) -> Result<Vec<Standing>, DbErr> {
    job::Entity::find()
        .select_only()
        .columns([
            job::Column::Id,
            job::Column::OpenOf,
            job::Column::HeadOf,
            job::Column::Kind,
            job::Column::Lane,
            job::Column::State,
            job::Column::DueAt,
        ])
        .filter(which)
        .order_by_asc(job::Column::Id)
        .into_model::<Standing>()
        .all(tx)
        .await
}

/// A job that joins a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Joiner<'a> {
    pub(crate) kind: JobKind,
    pub(crate) public_id: &'a str,
    pub(crate) actor: &'a str,
    /// Its row, when it has been in the ledger before it joins: only older jobs make way for it then.
    pub(crate) row: Option<i64>,
}

/// What a job does to the line that it joins (design: supersede). Only jobs that were never claimed are
/// cancelled; returns their rows.
pub(crate) async fn supersede(
    tx: &impl ConnectionTrait,
    account_id: i64,
    by: Joiner<'_>,
    now: i64,
) -> Result<Vec<i64>, DbErr> {
    let rows = standing(tx, Expr::col(job::Column::OpenOf).eq(account_id)).await?;
    let overtaken = |row: &&Standing| match by.kind {
        JobKind::Terminate => {
            row.kind != JobKind::Create.name() && row.kind != JobKind::Terminate.name()
        }
        JobKind::Suspend => row.kind == JobKind::Unsuspend.name(),
        JobKind::Unsuspend => row.kind == JobKind::Suspend.name(),
        JobKind::SuspendOveruse => row.kind == JobKind::LiftOveruse.name(),
        JobKind::LiftOveruse => row.kind == JobKind::SuspendOveruse.name(),
        _ => false,
    };
    let mut ids: Vec<i64> = rows.iter().filter(overtaken).map(|row| row.id).collect();
    if by.kind == JobKind::Terminate {
        ids.extend(scheduled_changes(tx, account_id).await?);
    }
    ids.retain(|&id| by.row.is_none_or(|joiner| id < joiner));
    let ids = never_claimed(tx, &ids).await?;
    close(tx, &ids, JobState::Cancelled, now).await?;
    note_superseded(tx, &ids, by, now).await?;
    // A head that is not allowed to run makes way for what is.
    if matches!(by.kind, JobKind::Terminate | JobKind::Create) {
        step_back(tx, account_id, &rows).await?;
    }
    Ok(ids)
}

/// Those of these jobs that no worker ever had. Locks their rows: a claim does not take the account's
/// lock, and may have been faster than what was read before.
async fn never_claimed(tx: &impl ConnectionTrait, ids: &[i64]) -> Result<Vec<i64>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::Id.is_in(padded(ids)))
        .filter(job::Column::State.eq(JobState::Queued.name()))
        .filter(job::Column::Attempt.eq(0))
        .order_by_asc(job::Column::Id)
        .lock(row_lock(tx.get_database_backend()))
        .into_tuple()
        .all(tx)
        .await
}

async fn note_superseded(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    by: Joiner<'_>,
    now: i64,
) -> Result<(), DbErr> {
    if ids.is_empty() {
        return Ok(());
    }
    let why = format!("superseded by {} (job {})", by.kind, by.public_id);
    job::Entity::update_many()
        .col_expr(job::Column::ErrorCode, Expr::value("superseded"))
        .col_expr(job::Column::ErrorMessage, Expr::value(why.as_str()))
        .filter(job::Column::Id.is_in(padded(ids)))
        .exec(tx)
        .await?;
    for id in ids {
        super::operate::note(tx, *id, 0, by.actor, "superseded", Some(&why), now).await?;
    }
    Ok(())
}

/// Jobs of the account that wait for their time outside of its line.
async fn scheduled_changes(tx: &impl ConnectionTrait, account_id: i64) -> Result<Vec<i64>, DbErr> {
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::AccountId.eq(account_id))
        .filter(job::Column::JoinsAt.is_not_null())
        .into_tuple()
        .all(tx)
        .await
}

/// Takes the head's place away from a job that stands there without being allowed to run.
async fn step_back(
    tx: &impl ConnectionTrait,
    account_id: i64,
    rows: &[Standing],
) -> Result<(), DbErr> {
    let idle = rows
        .iter()
        .any(|row| row.head_of.is_some() && row.state == JobState::Queued.name());
    if !idle {
        return Ok(());
    }
    job::Entity::update_many()
        .col_expr(job::Column::HeadOf, Expr::value(None::<i64>))
        .filter(job::Column::HeadOf.eq(account_id))
        .filter(job::Column::ReadyLane.is_null())
        .filter(job::Column::State.eq(JobState::Queued.name()))
        .exec(tx)
        .await?;
    Ok(())
}

/// The same for a job that is re-opened: it gets its old place back, so a head that is younger and was
/// never claimed steps back too.
pub(crate) async fn make_way(
    tx: &impl ConnectionTrait,
    account_id: i64,
    for_row: i64,
) -> Result<(), DbErr> {
    let rows = standing(tx, Expr::col(job::Column::OpenOf).eq(account_id)).await?;
    step_back(tx, account_id, &rows).await?;
    job::Entity::update_many()
        .col_expr(job::Column::HeadOf, Expr::value(None::<i64>))
        .col_expr(job::Column::ReadyLane, Expr::value(None::<i32>))
        .filter(job::Column::HeadOf.eq(account_id))
        .filter(job::Column::Id.gt(for_row))
        .filter(job::Column::State.eq(JobState::Queued.name()))
        .filter(job::Column::Attempt.eq(0))
        .exec(tx)
        .await?;
    Ok(())
}

/// Ends jobs that are not running, in that state.
pub(crate) async fn close(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    state: JobState,
    now: i64,
) -> Result<u64, DbErr> {
    if ids.is_empty() {
        return Ok(0);
    }
    let closed = job::Entity::update_many()
        .col_expr(job::Column::State, Expr::value(state.name()))
        .col_expr(job::Column::FinishedAt, Expr::value(now))
        .col_expr(job::Column::HeadOf, Expr::value(None::<i64>))
        .col_expr(job::Column::OpenOf, Expr::value(None::<i64>))
        .col_expr(job::Column::ReadyLane, Expr::value(None::<i32>))
        .col_expr(job::Column::JoinsAt, Expr::value(None::<i64>))
        .filter(job::Column::Id.is_in(padded(ids)))
        .filter(job::Column::State.is_in([
            JobState::Queued.name(),
            JobState::Retrying.name(),
            JobState::Held.name(),
        ]))
        .exec(tx)
        .await?;
    Ok(closed.rows_affected)
}
