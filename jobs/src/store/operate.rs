//! The operator's hands: replay and cancel.

use std::collections::BTreeSet;

use entity::{job, job_event};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder,
};

use super::line::{close, lock_accounts, make_way, promote};
use super::{Ring, Store, StoreError, transact};
use crate::faults::{Bug, Point};
use crate::{AccountState, Event, JobKind, JobState, next};

/// What became of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// It is re-opened (the same row, the same place in the account's line).
    Reopened,
    /// It was not, for this reason.
    Refused(String),
}

/// What became of a cancel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancelled {
    /// It will not run.
    Done,
    /// It was not cancelled, for this reason.
    Refused(String),
}

/// Writes a line into a job's history.
pub(crate) async fn note(
    tx: &impl ConnectionTrait,
    job_id: i64,
    attempt: i32,
    actor: &str,
    event: &str,
    reason: Option<&str>,
    now: i64,
) -> Result<(), DbErr> {
    if Bug::NoHistory.is_on() {
        return Ok(());
    }
    let row = job_event::ActiveModel {
        job_id: Set(job_id),
        at: Set(now),
        actor: Set(actor.chars().take(160).collect()),
        event: Set(event.to_owned()),
        attempt: Set(attempt),
        reason: Set(reason.map(|text| text.chars().take(500).collect())),
        ..Default::default()
    };
    job_event::Entity::insert_many([row])
        .exec_without_returning(tx)
        .await?;
    Ok(())
}

impl Store {
    /// Writes a line into a job's history.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note(
        &self,
        job: &job::Model,
        actor: &str,
        event: &str,
        reason: Option<&str>,
    ) -> Result<(), StoreError> {
        let now = self.now().await?;
        Ok(note(&self.write, job.id, job.attempt, actor, event, reason, now).await?)
    }

    /// Re-opens a held, failed or cancelled job. One that a newer job of its account has overtaken is
    /// refused unless `force`.
    ///
    /// # Errors
    /// When the database does not answer, or there is no such job.
    pub async fn replay(
        &self,
        job_id: i64,
        actor: &str,
        reason: &str,
        force: bool,
    ) -> Result<(Replayed, Vec<Ring>), StoreError> {
        transact!(self, tx, {
            let row = locked(&tx, job_id).await?.ok_or_else(|| missing(job_id))?;
            let now = self.clock(&tx).await?;
            match refusal(&tx, &row, force).await? {
                Some(why) => (Replayed::Refused(why), Vec::new()),
                None => (
                    Replayed::Reopened,
                    reopen(&tx, &row, actor, reason, now).await?,
                ),
            }
        })
    }

    /// What [`Store::replay`] would do, without doing it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn replay_would(
        &self,
        row: &job::Model,
        force: bool,
    ) -> Result<Replayed, StoreError> {
        Ok(refusal(&self.read, row, force)
            .await?
            .map_or(Replayed::Reopened, Replayed::Refused))
    }

    /// Takes back a job that is not running.
    ///
    /// # Errors
    /// When the database does not answer, or there is no such job.
    pub async fn cancel(
        &self,
        job_id: i64,
        actor: &str,
        reason: Option<&str>,
    ) -> Result<(Cancelled, Vec<Ring>), StoreError> {
        transact!(self, tx, {
            let row = locked(&tx, job_id).await?.ok_or_else(|| missing(job_id))?;
            let now = self.clock(&tx).await?;
            let (outcome, mut rings) = cancel_in(&tx, &row, actor, reason, now).await?;
            if outcome == Cancelled::Done {
                rings.extend(self.tell(&tx, &[row.id], now).await?);
            }
            (outcome, rings)
        })
    }
}

fn missing(job_id: i64) -> StoreError {
    StoreError::NotFound(format!("job with row {job_id}"))
}

/// Locks the job's account, then reads the job.
async fn locked(tx: &impl ConnectionTrait, job_id: i64) -> Result<Option<job::Model>, DbErr> {
    let Some(row) = job::Entity::find_by_id(job_id).one(tx).await? else {
        return Ok(None);
    };
    if let Some(account_id) = row.account_id {
        lock_accounts(tx, &BTreeSet::from([account_id])).await?;
        return job::Entity::find_by_id(job_id).one(tx).await;
    }
    Ok(Some(row))
}

/// Why a replay is refused, if it is.
async fn refusal(
    connection: &impl ConnectionTrait,
    row: &job::Model,
    force: bool,
) -> Result<Option<String>, DbErr> {
    let state: JobState = row
        .state
        .parse()
        .map_err(|error: crate::UnknownState| DbErr::Custom(error.to_string()))?;
    if next(state, Event::Replay).is_none() {
        return Ok(Some(format!(
            "it is {state}; only held, failed and cancelled jobs can be replayed"
        )));
    }
    if row.kind.parse::<JobKind>().is_err() {
        let why = "a newer version made it, and only that one can replay it";
        return Ok(Some(why.to_owned()));
    }
    if force {
        return Ok(None);
    }
    let Some(account_id) = row.account_id else {
        return Ok(None);
    };
    let newer: Option<job::Model> = job::Entity::find()
        .filter(job::Column::AccountId.eq(account_id))
        .filter(job::Column::Id.gt(row.id))
        .filter(job::Column::Attempt.gt(0))
        .filter(job::Column::State.is_not_in([JobState::Failed.name(), JobState::Cancelled.name()]))
        .filter(
            job::Column::Kind.is_in(
                JobKind::ALL
                    .into_iter()
                    .filter(|kind| kind.changes())
                    .map(JobKind::name),
            ),
        )
        .order_by_desc(job::Column::Id)
        .one(connection)
        .await?;
    Ok(newer.map(|newer| {
        format!(
            "a newer job of its account has overtaken it ({} {}, {}); replay it by force only if its change is still wanted",
            newer.kind, newer.public_id, newer.state
        )
    }))
}

/// Whether a newer change of the same account has begun and has not come to nothing.
pub(crate) async fn was_overtaken(
    connection: &impl ConnectionTrait,
    row: &job::Model,
) -> Result<bool, DbErr> {
    let (Some(account_id), true) = (
        row.account_id,
        row.kind.parse::<JobKind>().is_ok_and(JobKind::changes),
    ) else {
        return Ok(false);
    };
    let newer = job::Entity::find()
        .filter(job::Column::AccountId.eq(account_id))
        .filter(job::Column::Id.gt(row.id))
        .filter(job::Column::Attempt.gt(0))
        .filter(job::Column::State.is_in([
            JobState::Succeeded.name(),
            JobState::Running.name(),
            JobState::Retrying.name(),
        ]))
        .filter(
            job::Column::Kind.is_in(
                JobKind::ALL
                    .into_iter()
                    .filter(|kind| kind.changes())
                    .map(JobKind::name),
            ),
        )
        .one(connection)
        .await?;
    Ok(newer.is_some())
}

/// Re-opens a row that may be re-opened, under its account's lock.
pub(crate) async fn reopen(
    tx: &impl ConnectionTrait,
    row: &job::Model,
    actor: &str,
    reason: &str,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    use job::Column as C;
    let in_line = row
        .account_id
        .filter(|_| row.kind.parse::<JobKind>().is_ok_and(JobKind::changes));
    let kind = row.kind.parse::<JobKind>();
    let expires_at = kind
        .as_ref()
        .ok()
        .map(|kind| now + crate::pace::millis(kind.policy().max_age));
    let mut update = job::Entity::update_many()
        .col_expr(C::State, Expr::value(JobState::Queued.name()))
        .col_expr(C::DueAt, Expr::value(now))
        .col_expr(C::Tries, Expr::value(0))
        .col_expr(C::WorkerDeaths, Expr::value(0))
        .col_expr(C::Looks, Expr::value(0))
        .col_expr(C::HoldCode, Expr::value(None::<String>))
        .col_expr(C::FinishedAt, Expr::value(None::<i64>))
        .col_expr(C::ExpiresAt, Expr::value(expires_at));
    update = match in_line {
        Some(account_id) => {
            make_way(tx, account_id, row.id).await?;
            update
                .col_expr(C::OpenOf, Expr::value(account_id))
                .col_expr(C::HeadOf, Expr::value(None::<i64>))
                .col_expr(C::ReadyLane, Expr::value(None::<i32>))
        }
        None => update.col_expr(C::ReadyLane, Expr::col(C::Lane)),
    };
    update
        .filter(C::Id.eq(row.id))
        .filter(C::State.eq(row.state.as_str()))
        .exec(tx)
        .await?;
    note(
        tx,
        row.id,
        row.attempt,
        actor,
        "replayed",
        Some(reason),
        now,
    )
    .await?;
    Point::ReplayWritten.reach(row);
    match in_line {
        Some(account_id) => {
            let account = entity::account::Entity::find_by_id(account_id)
                .one(tx)
                .await?;
            let state = account.map_or_else(
                || AccountState::Requested.name().to_owned(),
                |row| row.state,
            );
            promote(tx, &[(account_id, state)].into(), now).await
        }
        None => Ok(vec![Ring::of(row)]),
    }
}

async fn cancel_in(
    tx: &impl ConnectionTrait,
    row: &job::Model,
    actor: &str,
    reason: Option<&str>,
    now: i64,
) -> Result<(Cancelled, Vec<Ring>), DbErr> {
    let state: JobState = row
        .state
        .parse()
        .map_err(|error: crate::UnknownState| DbErr::Custom(error.to_string()))?;
    if next(state, Event::Cancel).is_none() {
        return Ok((Cancelled::Refused(format!("it is {state}")), Vec::new()));
    }
    if state == JobState::Retrying && row.doubt_since.is_some() {
        let why = "it is not known yet whether its change took effect; that is being looked up";
        return Ok((Cancelled::Refused(why.to_owned()), Vec::new()));
    }
    if close(tx, &[row.id], JobState::Cancelled, now).await? == 0 {
        return Ok((
            Cancelled::Refused("it has just started".to_owned()),
            Vec::new(),
        ));
    }
    note(tx, row.id, row.attempt, actor, "cancelled", reason, now).await?;
    Point::CancelWritten.reach(row);
    let Some(account_id) = row.account_id else {
        return Ok((Cancelled::Done, Vec::new()));
    };
    let mut account_state = entity::account::Entity::find_by_id(account_id)
        .one(tx)
        .await?
        .map(|account| account.state)
        .unwrap_or_default();
    // A create that will not run leaves an account that was not made.
    let unmade = [
        AccountState::Requested.name(),
        AccountState::Provisioning.name(),
        AccountState::Conflict.name(),
    ]
    .contains(&account_state.as_str());
    if row.kind == JobKind::Create.name() && unmade {
        let failed = super::AccountChange {
            state: Some(AccountState::Failed),
            ..super::AccountChange::default()
        };
        super::accounts::apply(tx, account_id, &failed, now).await?;
        AccountState::Failed.name().clone_into(&mut account_state);
    }
    let rings = promote(tx, &[(account_id, account_state)].into(), now).await?;
    Ok((Cancelled::Done, rings))
}
