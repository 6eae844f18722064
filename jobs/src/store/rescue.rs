//! What time does: leases that ended, scheduled jobs that join their line, heads that are missing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity::{attempt, job};
use sea_orm::sea_query::{Expr, LockBehavior};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::finish::{LOST, POISON_AFTER};
use super::line::{Joiner, lock_accounts, promote, row_lock, supersede};
use super::{Ring, Store, StoreError, padded, transact};
use crate::faults::{Bug, Point};
use crate::{JobKind, JobState, Lane};

/// Before a job whose worker is gone is looked at again.
const SETTLE: Duration = Duration::from_secs(5);
/// Between jobs that had lost a worker before: one of them may be what kills, and the others must not be with it
/// again when it does.
const APART: Duration = Duration::from_secs(15);

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Swept {
    /// Jobs taken back from workers that are gone.
    pub rescued: usize,
    /// The rows of those of them that are parked because it was the third worker.
    pub parked: Vec<i64>,
    /// Scheduled jobs that have joined their line.
    pub joined: usize,
    /// To ring.
    pub rings: Vec<Ring>,
}

impl Store {
    /// Takes back jobs whose lease has ended. The fence grows at once, so that a late outcome of the old
    /// owner is refused. A change that may have left makes the job one in doubt. One that is parked leaves
    /// its account's line in the same transaction, unless it must keep the others waiting.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn rescue(&self, limit: u64) -> Result<Swept, StoreError> {
        let now = self.now().await?;
        let ended: Vec<(i64, Option<i64>, i32)> = job::Entity::find()
            .select_only()
            .columns([
                job::Column::Id,
                job::Column::AccountId,
                job::Column::WorkerDeaths,
            ])
            .filter(job::Column::LeaseUntil.lt(now + early()))
            .order_by_asc(job::Column::LeaseUntil)
            .limit(limit)
            .into_tuple()
            .all(&self.read)
            .await?;
        if ended.is_empty() {
            return Ok(Swept::default());
        }
        let ids: Vec<i64> = ended.iter().map(|(id, ..)| *id).collect();
        // Only these may leave their line, and the accounts' locks come before those of jobs.
        let parking: BTreeSet<i64> = ended
            .iter()
            .filter(|(_, _, deaths)| deaths + 1 >= POISON_AFTER)
            .filter_map(|(_, account, _)| *account)
            .collect();
        let swept = transact!(self, tx, { self.rescue_in(&tx, &ids, &parking).await? })?;
        if swept.rescued > 0 {
            Point::Rescued.reach_each(ids);
        }
        Ok(swept)
    }

    async fn rescue_in(
        &self,
        tx: &impl ConnectionTrait,
        ids: &[i64],
        parking: &BTreeSet<i64>,
    ) -> Result<Swept, DbErr> {
        let accounts = lock_accounts(tx, parking).await?;
        let now = self.clock(tx).await?;
        let rows = lock_ended(tx, ids, now).await?;
        let mut swept = Swept::default();
        let mut suspects = 0;
        for row in &rows {
            let parked = row.worker_deaths + 1 >= POISON_AFTER && !Bug::NeverParked.is_on();
            if parked && row.account_id.is_some_and(|id| !parking.contains(&id)) {
                // It has died again since it was looked up: the next sweep parks it.
                continue;
            }
            let wait = if row.worker_deaths > 0 {
                suspects += 1;
                SETTLE + APART * (suspects - 1)
            } else {
                SETTLE
            };
            let due_at = now + crate::pace::millis(self.pace().of(wait));
            take_back(tx, row, parked, now, due_at).await?;
            note_lost(tx, row, parked, now, due_at).await?;
            Point::RescueWritten.reach(row);
            swept.rescued += 1;
            if parked {
                swept.parked.push(row.id);
            }
        }
        let states = accounts
            .into_iter()
            .map(|(id, account)| (id, account.state))
            .collect();
        swept.rings = promote(tx, &states, now).await?;
        swept.rings.extend(self.tell(tx, &swept.parked, now).await?);
        Ok(swept)
    }

    /// Lets scheduled jobs that are due join their account's line.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn join_lines(&self, limit: u64) -> Result<Swept, StoreError> {
        let now = self.now().await?;
        let mut due: Vec<job::Model> = job::Entity::find()
            .filter(job::Column::JoinsAt.lte(now))
            .order_by_asc(job::Column::JoinsAt)
            .limit(limit)
            .all(&self.read)
            .await?;
        if due.is_empty() {
            return Ok(Swept::default());
        }
        due.sort_by_key(|row| row.id);
        let accounts: BTreeSet<i64> = due.iter().filter_map(|row| row.account_id).collect();
        let ids: Vec<i64> = due.iter().map(|row| row.id).collect();
        let swept = transact!(self, tx, {
            let locked = lock_accounts(&tx, &accounts).await?;
            let now = self.clock(&tx).await?;
            let mut overtaken = Vec::new();
            for row in &due {
                overtaken.extend(overtake(&tx, row, now).await?);
            }
            let joined = job::Entity::update_many()
                .col_expr(job::Column::OpenOf, Expr::col(job::Column::AccountId))
                .col_expr(job::Column::JoinsAt, Expr::value(None::<i64>))
                .filter(job::Column::Id.is_in(padded(&ids)))
                .filter(job::Column::State.eq(JobState::Queued.name()))
                .filter(job::Column::JoinsAt.lte(now))
                .exec(&tx)
                .await?;
            let states = locked
                .into_iter()
                .map(|(id, row)| (id, row.state))
                .collect();
            let mut rings = promote(&tx, &states, now).await?;
            rings.extend(self.tell(&tx, &overtaken, now).await?);
            Point::JoinWritten.reach_each(&due);
            Swept {
                joined: usize::try_from(joined.rows_affected).unwrap_or(usize::MAX),
                rings,
                ..Swept::default()
            }
        })?;
        Point::Joined.reach_each(&due);
        Ok(swept)
    }

    /// Gives every line without a head one. Finds nothing unless something is broken; scans all
    /// unfinished jobs, so run it every few minutes. Returns how many lines were mended.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn repair(&self) -> Result<Vec<Ring>, StoreError> {
        let headless: Vec<i64> = job::Entity::find()
            .select_only()
            .column(job::Column::OpenOf)
            .filter(job::Column::OpenOf.is_not_null())
            .group_by(job::Column::OpenOf)
            .having(job::Column::HeadOf.count().eq(0))
            .limit(1000)
            .into_tuple()
            .all(&self.read)
            .await?;
        if headless.is_empty() {
            return Ok(Vec::new());
        }
        let accounts: BTreeSet<i64> = headless.into_iter().collect();
        transact!(self, tx, {
            let locked = lock_accounts(&tx, &accounts).await?;
            let now = self.clock(&tx).await?;
            let states: BTreeMap<i64, String> = locked
                .into_iter()
                .map(|(id, row)| (id, row.state))
                .collect();
            promote(&tx, &states, now).await?
        })
    }

    /// Refreshes the planner's statistics of the job table; without them lists of ids become full scans.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn analyze(&self) -> Result<(), StoreError> {
        let sql = match self.backend() {
            DbBackend::MySql => "ANALYZE TABLE job",
            _ => "ANALYZE job",
        };
        self.write.execute_unprepared(sql).await?;
        Ok(())
    }
}

/// Jobs of these whose lease has ended, locked. A row that is being finished just now is skipped: its outcome
/// is better than ours.
async fn lock_ended(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    now: i64,
) -> Result<Vec<job::Model>, DbErr> {
    let find = job::Entity::find()
        .filter(job::Column::Id.is_in(padded(ids)))
        .filter(job::Column::State.eq(JobState::Running.name()))
        .filter(job::Column::LeaseUntil.lt(now + early()))
        .order_by_asc(job::Column::Id);
    match tx.get_database_backend() {
        DbBackend::Sqlite => find.all(tx).await,
        backend => {
            find.lock_with_behavior(row_lock(backend), LockBehavior::SkipLocked)
                .all(tx)
                .await
        }
    }
}

/// How long before its end a lease is taken for ended: not at all.
fn early() -> i64 {
    i64::from(Bug::EarlyRescue.is_on()) * 3_600_000
}

/// What a scheduled job does to the line when its time has come.
async fn overtake(
    tx: &impl ConnectionTrait,
    row: &job::Model,
    now: i64,
) -> Result<Vec<i64>, DbErr> {
    let (Some(account_id), Ok(kind)) = (row.account_id, row.kind.parse::<JobKind>()) else {
        return Ok(Vec::new());
    };
    let joiner = Joiner {
        kind,
        public_id: &row.public_id,
        actor: &row.actor,
        row: Some(row.id),
    };
    supersede(tx, account_id, joiner, now).await
}

async fn take_back(
    tx: &impl ConnectionTrait,
    row: &job::Model,
    parked: bool,
    now: i64,
    due_at: i64,
) -> Result<(), DbErr> {
    use job::Column as C;
    // A kind that only a newer worker knows may change something.
    let reads = row
        .kind
        .parse::<JobKind>()
        .is_ok_and(|kind| !kind.changes());
    let in_doubt = !reads && row.phase.is_some();
    let mut update = job::Entity::update_many()
        .col_expr(C::Fence, Expr::col(C::Fence).add(1))
        .col_expr(C::LeaseUntil, Expr::value(None::<i64>))
        .col_expr(C::Owner, Expr::value(None::<String>))
        .col_expr(C::WorkerDeaths, Expr::col(C::WorkerDeaths).add(1));
    if in_doubt {
        // A new doubt: looks at an earlier one say nothing of it.
        update = update
            .col_expr(C::DoubtSince, Expr::value(row.sent_at.or(row.doubt_since)))
            .col_expr(C::Looks, Expr::value(0));
    }
    update = if parked {
        update
            .col_expr(C::State, Expr::value(JobState::Held.name()))
            .col_expr(C::FinishedAt, Expr::value(now))
            .col_expr(C::HoldCode, Expr::value("poison"))
            .col_expr(C::ErrorCode, Expr::value("poison"))
            .col_expr(
                C::ErrorMessage,
                Expr::value("three workers died while they had this job"),
            )
    } else {
        update
            .col_expr(C::State, Expr::value(JobState::Retrying.name()))
            .col_expr(C::ReadyLane, Expr::col(C::Lane))
            .col_expr(C::DueAt, Expr::value(due_at))
    };
    // A create, and anything in doubt, keeps what is behind it waiting.
    let blocks = row.kind == JobKind::Create.name() || in_doubt || row.doubt_since.is_some();
    if parked && !blocks {
        update = update
            .col_expr(C::HeadOf, Expr::value(None::<i64>))
            .col_expr(C::OpenOf, Expr::value(None::<i64>));
    }
    update
        .filter(C::Id.eq(row.id))
        .filter(C::Fence.eq(row.fence))
        .exec(tx)
        .await?;
    Ok(())
}

async fn note_lost(
    tx: &impl ConnectionTrait,
    row: &job::Model,
    parked: bool,
    now: i64,
    due_at: i64,
) -> Result<(), DbErr> {
    let lost = attempt::ActiveModel {
        job_id: Set(row.id),
        fence: Set(row.fence),
        attempt: Set(row.attempt),
        owner: Set(row.owner.clone()),
        started_at: Set(row.started_at.unwrap_or(now)),
        sent_at: Set(row.sent_at),
        finished_at: Set(now),
        outcome: Set(LOST.to_owned()),
        error_class: Set(Some("internal".to_owned())),
        error_code: Set(Some("worker_lost".to_owned())),
        error_message: Set(Some("the worker that had this job is gone".to_owned())),
        detail: Set(None),
        next_due_at: Set((!parked).then_some(due_at)),
    };
    attempt::Entity::insert_many([lost])
        .exec_without_returning(tx)
        .await?;
    if parked {
        let why = "three workers died while they had this job";
        super::operate::note(tx, row.id, row.attempt, "rescue", "parked", Some(why), now).await?;
    }
    Ok(())
}

impl Ring {
    /// A ring for this row.
    #[must_use]
    pub fn of(row: &job::Model) -> Self {
        Self {
            job_id: row.id,
            lane: Lane::from_number(row.lane),
        }
    }
}
