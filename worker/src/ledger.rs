//! Writing readings, months and the ledger of traffic.
//!
//! In chunks, one transaction each, with the job's fence checked under its row's lock: a worker that was
//! given up books nothing. The accounts are locked before their months are read, so that two runs at one
//! time come one after the other, and the second finds nothing new.

mod bulk;
mod days;
mod months;
mod rows;
mod run;

use std::collections::BTreeSet;

use entity::{job, usage_month};
use hosting::Month;
use jobs::faults::Point;
use jobs::{JobState, store::StoreError};
use sea_orm::sea_query::LockType;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    FromQueryResult, QueryFilter, QuerySelect,
};

pub(crate) use run::{Run, Taken};

use bulk::{Rows, Wanted};

use crate::attempt::{Attempt, Halt};
use crate::matching::{self, Matched};
use crate::usage::Flag;

/// Names that a result lists; the readings have them all.
const LISTED: usize = 20;

/// Accounts in one transaction.
const CHUNK: usize = 1000;

/// What a run has written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Rows of the report.
    pub(crate) accounts: usize,
    /// The sum of the deltas, in bytes.
    pub(crate) booked: u64,
    /// Rows that belong to nobody we know.
    pub(crate) unmatched: usize,
    /// The names of the first of them.
    pub(crate) unmatched_names: Vec<String>,
    /// Readings that an operator should look at.
    pub(crate) flagged: usize,
    /// The accounts that the report shows to be on the panel.
    pub(crate) seen: BTreeSet<i64>,
}

/// Runs the body in a transaction in which the job is still ours; again from its beginning after a deadlock
/// and the like. The body must return at the first error: MariaDB has then ended the transaction. A macro,
/// because a closure's future that borrows is not known to be `Send`.
macro_rules! in_transaction {
    ($attempt:expr, $tx:ident, $body:expr) => {{
        let store = $attempt.worker.store();
        let mut round = 0_u32;
        loop {
            round += 1;
            let once = async {
                let transaction = store.begin().await?;
                let $tx = &transaction;
                if !is_ours($attempt, $tx).await? {
                    return Ok(None);
                }
                let value = $body;
                Point::ChunkBooked.reach(&$attempt.claimed.job);
                transaction.commit().await?;
                Ok::<_, DbErr>(Some(value))
            };
            match once.await {
                Ok(Some(value)) => break Ok(value),
                Ok(None) => break Err(Halt::Lost),
                Err(error) => {
                    let error = StoreError::from(error);
                    if !store.may_repeat(&error, round).await {
                        break Err(Halt::Store(error));
                    }
                }
            }
        }
    }};
}

/// Writes a report.
///
/// # Errors
/// [`Halt::Lost`] when the claim is no longer valid; chunks that were committed before stay, and are found
/// as booked by the next run.
pub(crate) async fn write(
    attempt: &Attempt<'_>,
    run: &Run,
    taken: &Taken,
) -> Result<Written, Halt> {
    let matched = matching::assign(&run.known, &taken.report.accounts);
    let mut written = Written {
        accounts: matched.len(),
        ..Written::default()
    };
    for chunk in matched.chunks(CHUNK) {
        let part = in_transaction!(
            attempt,
            tx,
            rows::write_chunk(attempt, tx, run, taken, chunk).await?
        )?;
        Point::ChunkCommitted.reach(&attempt.claimed.job);
        written.booked = written.booked.saturating_add(part.booked);
        written.flagged += part.flagged;
        for row in chunk.iter().filter(|row| row.account_id.is_none()) {
            written.unmatched += 1;
            if written.unmatched_names.len() < LISTED {
                written.unmatched_names.push(row.usage.username.to_string());
            }
        }
        written.seen.extend(present_ids(chunk));
    }
    Ok(written)
}

/// Counts a night for each of these accounts, which the report lacks.
pub(crate) async fn count_missing(attempt: &Attempt<'_>, missing: &[i64]) -> Result<(), Halt> {
    for chunk in missing.chunks(CHUNK) {
        in_transaction!(attempt, tx, {
            let backend = tx.get_database_backend();
            let update = Rows::new(backend).ints("id", chunk.iter().copied()).update(
                "account",
                "id",
                "missing_nights = account.missing_nights + 1",
                "account.live_key IS NOT NULL",
            );
            tx.execute_raw(update).await?;
        })?;
    }
    Ok(())
}

/// Notes that an account is terminated without a last reading of that month.
pub(crate) async fn flag_missing_final(attempt: &Attempt<'_>, month: Month) -> Result<(), Halt> {
    let run = Run::of_one(attempt, panels::Counter::MonthTotal, month)?;
    let account_id = attempt.account()?.id;
    in_transaction!(attempt, tx, {
        let now = attempt.worker.store().clock(tx).await?;
        lock_accounts(tx, &[account_id]).await?;
        let found = months::months(tx, &[account_id], month).await?;
        let (old, mut row) = match found.into_iter().next() {
            Some(row) => (true, row),
            None => (false, months::new_month(account_id, &run, now)),
        };
        row.flag = Some(Flag::MissingFinal.name().to_owned());
        let (changed, new) = [row].into_iter().partition(|_| old);
        months::put_months(tx, month, new, changed).await?;
    })
}

/// Locks the job's row and tells whether this claim still holds it.
async fn is_ours(attempt: &Attempt<'_>, tx: &DatabaseTransaction) -> Result<bool, DbErr> {
    let held: Option<i64> = job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::Id.eq(attempt.claimed.job.id))
        .filter(job::Column::State.eq(JobState::Running.name()))
        .filter(job::Column::Fence.eq(attempt.claimed.job.fence))
        .lock(lock_of(tx))
        .into_tuple()
        .one(tx)
        .await?;
    Ok(held.is_some())
}

/// What booking needs to know of an account.
#[derive(Debug, FromQueryResult)]
struct Present {
    id: i64,
    missing_nights: i32,
    disk_bytes: Option<i64>,
}

/// Locks account rows, by ascending id as everybody does.
async fn lock_accounts(tx: &DatabaseTransaction, ids: &[i64]) -> Result<Vec<Present>, DbErr> {
    let wanted = Wanted {
        columns: "account.id, account.missing_nights, account.disk_bytes",
        table: "account",
        key: "id",
        only: None,
        locked: true,
    };
    Present::find_by_statement(wanted.of(tx.get_database_backend(), ids))
        .all(tx)
        .await
}

/// The lock that does not hold up those who only refer to the row (PostgreSQL).
fn lock_of(tx: &DatabaseTransaction) -> LockType {
    if tx.get_database_backend() == DbBackend::Postgres {
        LockType::NoKeyUpdate
    } else {
        LockType::Update
    }
}

/// What a chunk has written.
struct Part {
    booked: u64,
    flagged: usize,
}

/// Ascending.
fn account_ids(chunk: &[Matched<'_>]) -> Vec<i64> {
    let mut ids: Vec<i64> = chunk.iter().filter_map(|row| row.account_id).collect();
    ids.sort_unstable();
    ids
}

/// Those that the panel has; what is deleted there has its traffic in the report nevertheless.
fn present_ids(chunk: &[Matched<'_>]) -> impl Iterator<Item = i64> {
    let there = chunk.iter().filter(|row| !row.usage.deleted);
    there.filter_map(|row| row.account_id)
}

fn by_account(
    rows: Vec<usage_month::Model>,
) -> std::collections::BTreeMap<i64, usage_month::Model> {
    rows.into_iter().map(|row| (row.account_id, row)).collect()
}
