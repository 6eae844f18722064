//! Writing intents and outcomes, in groups.

mod accounts;
mod outcome;
mod rows;
mod servers;
mod shape;

use std::collections::{BTreeMap, BTreeSet};

use entity::{attempt, job};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::line::{lock_accounts, promote, row_lock};
use super::{Store, StoreError, padded, transact};
use crate::JobState;
use crate::faults::{Bug, Point};
use accounts::{apply_accounts, begin_creates, write_intent};
use rows::{insert_attempts, spend_secrets};
use servers::{checked, freed, held_for_credentials, lock_servers, take_up_held, with_failures};

pub use outcome::{Finish, Intent, JobError, Outcome, Report, ServerEffect};
pub(crate) use shape::POISON_AFTER;

/// How the attempt of a worker that is gone is closed.
pub(crate) const LOST: &str = "lost";

#[derive(sea_orm::FromQueryResult)]
struct Held {
    id: i64,
    public_id: String,
    fence: i64,
    attempt: i32,
    tries: i32,
    kind: String,
    lane: i32,
    account_id: Option<i64>,
    server_id: Option<i64>,
    started_at: Option<i64>,
    sent_at: Option<i64>,
    doubt_since: Option<i64>,
    looks: i32,
    worker_deaths: i32,
    owner: Option<String>,
    in_line: Option<i64>,
    lease_until: Option<i64>,
    webhook: Option<String>,
}

impl Held {
    /// Whether its lease still runs.
    fn holds(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }
}

impl Store {
    /// Writes a group of intents and outcomes in one transaction. Rows whose fence is not the claim's
    /// any more are left out and reported as stale.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be written: then nothing of the group was.
    pub async fn write_group(
        &self,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<Report, StoreError> {
        transact!(self, tx, {
            self.write_group_in(&tx, intents, finishes).await?
        })
    }

    /// After a write whose COMMIT had no answer was repeated: what the first time wrote is not stale.
    /// What it freed is found by the timers.
    pub(crate) async fn less_written_before(
        &self,
        mut report: Report,
        finishes: &[Finish],
    ) -> Result<Report, StoreError> {
        for finish in finishes {
            if !report.stale.contains(&finish.job_id) {
                continue;
            }
            // A rescue closes the attempt under the same fence, as lost.
            let ours = attempt::Entity::find_by_id((finish.job_id, finish.fence))
                .filter(attempt::Column::Outcome.ne(LOST))
                .one(&self.write)
                .await?;
            if ours.is_some() {
                report.stale.retain(|id| *id != finish.job_id);
                report.settled.push(finish.job_id);
            }
        }
        Ok(report)
    }

    async fn write_group_in(
        &self,
        tx: &impl ConnectionTrait,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<Report, DbErr> {
        let (server_ids, account_ids) = self.touched(tx, intents, finishes).await?;
        let mut gates = lock_servers(tx, &server_ids).await?;
        let mut accounts = lock_accounts(tx, &account_ids).await?;
        let ids: BTreeSet<i64> = intents
            .iter()
            .map(|i| i.job_id)
            .chain(finishes.iter().map(|f| f.job_id))
            .collect();
        let held = lock_running(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
        let now = self.clock(tx).await?;
        let mut report = Report::default();
        let valid = |job_id: i64, fence: i64| {
            held.get(&job_id)
                .filter(|row| row.fence == fence || Bug::NoFence.is_on())
        };
        // An outcome is good as long as nobody else has the job. A change must not leave that late: whoever
        // takes the job back may do so while it is on its way.
        for intent in intents {
            match valid(intent.job_id, intent.fence).filter(|row| !intent.sends || row.holds(now)) {
                Some(row) => {
                    write_intent(tx, row, intent, now).await?;
                    Point::IntentWritten.reach(row.id);
                }
                None => report.stale.push(intent.job_id),
            }
        }
        begin_creates(tx, intents, &held, &mut accounts, now).await?;
        let mut ended = Vec::new();
        for finish in finishes {
            match valid(finish.job_id, finish.fence) {
                Some(row) => ended.push((row, finish)),
                None => report.stale.push(finish.job_id),
            }
        }
        let rings = self.apply_effects(tx, &ended, &mut gates, now).await?;
        report.rings.extend(rings);
        apply_accounts(tx, &ended, &mut accounts, now).await?;
        self.write_outcomes(tx, &ended, now, &mut report).await?;
        Point::OutcomeWritten.reach_each(ended.iter().map(|(row, _)| row.id));
        spend_secrets(tx, &ended, now).await?;
        insert_attempts(tx, &ended, now, |finish, row| {
            self.next_due(row, finish, now)
        })
        .await?;
        let to_tell = ended.iter().filter(|(row, _)| row.webhook.is_some());
        let to_tell: Vec<i64> = to_tell.map(|(row, _)| row.id).collect();
        report.rings.extend(self.tell(tx, &to_tell, now).await?);
        let states = accounts
            .into_iter()
            .map(|(id, row)| (id, row.state))
            .collect();
        report.rings.extend(promote(tx, &states, now).await?);
        Point::LinePromoted.reach_each(ended.iter().map(|(row, _)| row.id));
        for server_id in checked(&ended) {
            let rings = take_up_held(tx, server_id, &account_ids, now).await?;
            report.rings.extend(rings);
        }
        report.freed = freed(&ended);
        Ok(report)
    }

    /// The rows that have to be locked before the jobs: servers with an effect, accounts of the jobs that
    /// end, and of the creates that begin.
    async fn touched(
        &self,
        tx: &impl ConnectionTrait,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<(BTreeSet<i64>, BTreeSet<i64>), DbErr> {
        let ending: BTreeSet<i64> = finishes.iter().map(|finish| finish.job_id).collect();
        let sending = intents.iter().filter(|intent| intent.sends);
        let ids: Vec<i64> = sending
            .map(|intent| intent.job_id)
            .chain(ending.iter().copied())
            .collect();
        if ids.is_empty() {
            return Ok((BTreeSet::new(), BTreeSet::new()));
        }
        let rows: Vec<(i64, Option<i64>, Option<i64>, String)> = job::Entity::find()
            .select_only()
            .columns([
                job::Column::Id,
                job::Column::ServerId,
                job::Column::AccountId,
                job::Column::Kind,
            ])
            .filter(job::Column::Id.is_in(padded(&ids)))
            .into_tuple()
            .all(tx)
            .await?;
        let of = |wanted: fn(&ServerEffect) -> bool| -> BTreeSet<i64> {
            let jobs = finishes.iter().filter(|finish| wanted(&finish.server));
            let jobs: BTreeSet<i64> = jobs.map(|finish| finish.job_id).collect();
            let rows = rows.iter().filter(|row| jobs.contains(&row.0));
            rows.filter_map(|row| row.1).collect()
        };
        let mut servers =
            of(|effect| !matches!(effect, ServerEffect::None | ServerEffect::Reached));
        // That a server answered is written only where a failure stands against it: an ordinary outcome
        // must not queue at the gate.
        servers.extend(with_failures(tx, &of(|effect| *effect == ServerEffect::Reached)).await?);
        let mut accounts: BTreeSet<i64> = rows.iter().filter_map(|row| row.2).collect();
        let good_check = |finish: &&Finish| matches!(finish.server, ServerEffect::Checked { .. });
        if finishes.iter().any(|finish| good_check(&finish)) {
            let held = held_for_credentials(tx, &servers).await?;
            accounts.extend(held.iter().filter_map(|row| row.account_id));
        }
        Ok((servers, accounts))
    }
}

async fn lock_running(
    tx: &impl ConnectionTrait,
    ids: &[i64],
) -> Result<BTreeMap<i64, Held>, DbErr> {
    use job::Column as C;
    let rows = job::Entity::find()
        .select_only()
        .columns([
            C::Id,
            C::PublicId,
            C::Fence,
            C::Attempt,
            C::Tries,
            C::Kind,
            C::Lane,
            C::AccountId,
            C::ServerId,
            C::StartedAt,
            C::SentAt,
            C::DoubtSince,
            C::Looks,
            C::WorkerDeaths,
            C::Owner,
            C::LeaseUntil,
            C::Webhook,
        ])
        .column_as(C::OpenOf, "in_line")
        .filter(C::Id.is_in(padded(ids)))
        .filter(C::State.eq(JobState::Running.name()))
        .order_by_asc(C::Id)
        .lock(row_lock(tx.get_database_backend()))
        .into_model::<Held>()
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
