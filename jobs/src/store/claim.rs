//! Winning jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity::{account, job, server};
use sea_orm::sea_query::{Expr, LockBehavior};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DbErr, EntityTrait, ExprTrait, PaginatorTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::gate::{Room, breaker_open, closed};
use super::line::row_lock;
use super::pick::{Places, ready_on};
use super::{Store, StoreError, padded, transact};
use crate::faults::Point;
use crate::{JobKind, JobSpec, JobState, Lane, PAYLOAD_VERSION};

/// How often a claim with an unknown end is looked up, over about half a minute.
const LOOKS_FOR_COMMIT: u32 = 16;

/// A job that this worker has won, until its lease ends. Every later write carries its fence.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The row as claimed (state `running`, the new fence).
    pub job: job::Model,
    /// Its kind and contents.
    pub spec: JobSpec,
    /// Its server, as it was under the gate's lock.
    pub server: Option<server::Model>,
    /// Its account.
    pub account: Option<account::Model>,
    /// The database's clock at the claim.
    pub claimed_at: i64,
}

impl Claimed {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        self.spec.kind()
    }

    /// Its lane.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane::from_number(self.job.lane)
    }
}

impl Store {
    /// Wins as many of these jobs as are due, ready and have room on their servers; the others stay as
    /// they are. Where a server has not room for all, those that have waited longest on it get it, rung or
    /// not: a flood of new rings must not keep an old job waiting. Never more than there are ids. A claim
    /// counts only when it has returned.
    ///
    /// # Errors
    /// When the database does not answer; then treat all as not claimed.
    pub async fn claim(&self, ids: &[i64], owner: &str) -> Result<Vec<Claimed>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut picked = Vec::new();
        let won: Result<Vec<Claimed>, StoreError> = transact!(self, tx, {
            let won = self.claim_in(&tx, ids, owner).await?;
            picked.clone_from(&won);
            won
        });
        let won = match won {
            Err(error) if error.may_be_committed() && !picked.is_empty() => {
                self.committed(picked, owner, error).await
            }
            other => other,
        };
        Point::Claimed.reach_each(won.iter().flatten().map(|won| &won.job));
        won
    }

    /// The answer to a claim's COMMIT is lost: what the rows say is ours, is. Else those jobs would wait for
    /// the end of a lease that nobody knows of. A commit that comes still later is left to that end.
    async fn committed(
        &self,
        picked: Vec<Claimed>,
        owner: &str,
        unknown: StoreError,
    ) -> Result<Vec<Claimed>, StoreError> {
        let ids: Vec<i64> = picked.iter().map(|won| won.job.id).collect();
        let mut wait = Duration::from_millis(100);
        for _ in 0..LOOKS_FOR_COMMIT {
            let look = async { Ok(self.held_by(owner, &ids).await?) };
            match super::in_time(look).await {
                Ok(held) => {
                    let ours = |won: &Claimed| held.contains(&(won.job.id, won.job.fence));
                    return Ok(picked.into_iter().filter(ours).collect());
                }
                Err(error) if !error.is_outage() => return Err(error),
                Err(_) => super::pause(wait).await,
            }
            wait = (wait * 2).min(Duration::from_secs(2));
        }
        Err(unknown)
    }

    /// Those of these jobs that run in that worker: row and fence.
    async fn held_by(&self, owner: &str, ids: &[i64]) -> Result<Vec<(i64, i64)>, DbErr> {
        job::Entity::find()
            .select_only()
            .columns([job::Column::Id, job::Column::Fence])
            .filter(job::Column::Id.is_in(padded(ids)))
            .filter(job::Column::State.eq(JobState::Running.name()))
            .filter(job::Column::Owner.eq(owner))
            .into_tuple()
            .all(&self.write)
            .await
    }

    async fn claim_in(
        &self,
        tx: &impl ConnectionTrait,
        ids: &[i64],
        owner: &str,
    ) -> Result<Vec<Claimed>, DbErr> {
        let gates = self.lock_gates(tx, ids).await?;
        let now = self.clock(tx).await?;
        let mut rooms = rooms(tx, &gates).await?;
        let mut candidates = candidates(tx, ids, now).await?;
        let longer = waiting_longer(tx, &candidates, &gates, &rooms, now).await?;
        candidates.extend(longer);
        candidates.sort_by_key(|row| (row.lane, row.due_at, row.id));
        let mut won = Vec::new();
        let mut held = Vec::new();
        for row in candidates {
            if won.len() == ids.len() {
                break;
            }
            let Ok(spec) = serde_json::from_str::<JobSpec>(&row.payload) else {
                held.push((
                    row.id,
                    "payload_unreadable",
                    "the job's payload cannot be read",
                ));
                continue;
            };
            let kind = spec.kind();
            let Some(server_id) = row.server_id else {
                won.push((row, spec));
                continue;
            };
            let (Some(gate), Some(room)) = (gates.get(&server_id), rooms.get_mut(&server_id))
            else {
                continue;
            };
            if closed(gate, kind, now).is_some() {
                continue;
            }
            // What has begun is not stopped half-way.
            let begins = kind == JobKind::Terminate && row.attempt == 0;
            if begins && self.guard_holds(tx, gate, now, &won).await? {
                held.push((row.id, "terminate_guard", GUARD));
                continue;
            }
            if room.take(kind, Lane::from_number(row.lane)) {
                won.push((row, spec));
            }
        }
        self.let_probes_through(tx, &gates, &won, now).await?;
        hold(tx, &held, now).await?;
        // Nobody is rung for what tells of it: the timers find it.
        let held: Vec<i64> = held.iter().map(|(id, ..)| *id).collect();
        self.tell(tx, &held, now).await?;
        self.take(tx, won, gates, owner, now).await
    }

    async fn lock_gates(
        &self,
        tx: &impl ConnectionTrait,
        ids: &[i64],
    ) -> Result<BTreeMap<i64, server::Model>, DbErr> {
        let servers: Vec<i64> = job::Entity::find()
            .select_only()
            .column(job::Column::ServerId)
            .distinct()
            .filter(job::Column::Id.is_in(padded(ids)))
            .filter(job::Column::ServerId.is_not_null())
            .filter(job::Column::State.is_in(CLAIMABLE))
            .into_tuple()
            .all(tx)
            .await?;
        if servers.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = server::Entity::find()
            .filter(server::Column::Id.is_in(padded(&servers)))
            .order_by_asc(server::Column::Id)
            .lock(row_lock(tx.get_database_backend()))
            .all(tx)
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    /// Whether a termination must wait for an operator: more than the server's number in this hour.
    async fn guard_holds(
        &self,
        tx: &impl ConnectionTrait,
        gate: &server::Model,
        now: i64,
        won: &[(job::Model, JobSpec)],
    ) -> Result<bool, DbErr> {
        if gate.max_terminates <= 0 || gate.guard_released_until.is_some_and(|until| until > now) {
            return Ok(false);
        }
        const HOUR: i64 = 3_600_000;
        let begun: Option<i64> = job::Entity::find()
            .select_only()
            .column_as(job::Column::Id.count(), "n")
            .filter(job::Column::Kind.eq(JobKind::Terminate.name()))
            .filter(job::Column::ServerId.eq(gate.id))
            .filter(job::Column::CreatedAt.gt(now - 73 * HOUR))
            .filter(job::Column::StartedAt.gt(now - HOUR))
            .into_tuple()
            .one(tx)
            .await?;
        let here = won
            .iter()
            .filter(|(row, spec)| {
                spec.kind() == JobKind::Terminate && row.server_id == Some(gate.id)
            })
            .count();
        // Those that were asked for long before they were due are not among these.
        let ended: i64 = account::Entity::find()
            .filter(account::Column::ServerId.eq(gate.id))
            .filter(account::Column::TerminatedAt.gt(now - HOUR))
            .count(tx)
            .await?
            .try_into()
            .unwrap_or(i64::MAX);
        let at_it: i64 = job::Entity::find()
            .filter(job::Column::ServerId.eq(gate.id))
            .filter(job::Column::LeaseUntil.is_not_null())
            .filter(job::Column::Kind.eq(JobKind::Terminate.name()))
            .filter(job::Column::StartedAt.gt(now - HOUR))
            .count(tx)
            .await?
            .try_into()
            .unwrap_or(i64::MAX);
        let begun = Ord::max(begun.unwrap_or(0), ended.saturating_add(at_it));
        let begun = begun.saturating_add(i64::try_from(here).unwrap_or(i64::MAX));
        Ok(begun >= i64::from(gate.max_terminates))
    }

    /// The next probe of an open breaker comes a minute after this one.
    async fn let_probes_through(
        &self,
        tx: &impl ConnectionTrait,
        gates: &BTreeMap<i64, server::Model>,
        won: &[(job::Model, JobSpec)],
        now: i64,
    ) -> Result<(), DbErr> {
        let every = std::time::Duration::from_millis(super::gate::PROBE_EVERY_MS.unsigned_abs());
        let next = now + crate::pace::millis(self.pace().of(every));
        let probed: BTreeSet<i64> = won.iter().filter_map(|(row, _)| row.server_id).collect();
        for id in probed
            .into_iter()
            .filter(|id| gates.get(id).is_some_and(breaker_open))
        {
            server::Entity::update_many()
                .col_expr(server::Column::BreakerProbeAt, Expr::value(next))
                .filter(server::Column::Id.eq(id))
                .exec(tx)
                .await?;
        }
        Ok(())
    }

    async fn take(
        &self,
        tx: &impl ConnectionTrait,
        won: Vec<(job::Model, JobSpec)>,
        gates: BTreeMap<i64, server::Model>,
        owner: &str,
        now: i64,
    ) -> Result<Vec<Claimed>, DbErr> {
        let mut by_lease: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
        for (row, spec) in &won {
            by_lease
                .entry(now + self.lease_ms(spec.kind()))
                .or_default()
                .push(row.id);
        }
        for (lease, ids) in &by_lease {
            take_rows(tx, ids, *lease, owner, now).await?;
        }
        let account_ids: Vec<i64> = won.iter().filter_map(|(row, _)| row.account_id).collect();
        let accounts = accounts_of(tx, &account_ids).await?;
        Point::ClaimTaken.reach_each(won.iter().map(|(row, _)| row));
        let mut claimed = Vec::with_capacity(won.len());
        for (row, spec) in won {
            let lease = now + self.lease_ms(spec.kind());
            claimed.push(Claimed {
                spec,
                server: row.server_id.and_then(|id| gates.get(&id).cloned()),
                account: row.account_id.and_then(|id| accounts.get(&id).cloned()),
                claimed_at: now,
                job: job::Model {
                    state: JobState::Running.name().to_owned(),
                    attempt: row.attempt + 1,
                    fence: row.fence + 1,
                    owner: Some(owner.to_owned()),
                    lease_until: Some(lease),
                    ready_lane: None,
                    phase: None,
                    sent_at: None,
                    started_at: Some(now),
                    ..row
                },
            });
        }
        Ok(claimed)
    }

    /// How long a claim of this kind is valid, in milliseconds. The margin over the attempt's own limit
    /// is not paced as far as the rest: a busy machine must not look like a dead one.
    fn lease_ms(&self, kind: JobKind) -> i64 {
        let margin = (kind.lease() - kind.attempt_limit())
            .mul_f64(0.2)
            .max(self.pace().of(kind.lease() - kind.attempt_limit()));
        crate::pace::millis(self.pace().of(kind.attempt_limit()) + margin)
    }
}

const GUARD: &str = "more accounts of this server were to be terminated within an hour than its guard allows; \
                     an operator must release it";

/// Holds jobs that must not begin: (id, code, why).
async fn hold(
    tx: &impl ConnectionTrait,
    jobs: &[(i64, &'static str, &'static str)],
    now: i64,
) -> Result<(), DbErr> {
    for (id, code, why) in jobs {
        job::Entity::update_many()
            .col_expr(job::Column::State, Expr::value(JobState::Held.name()))
            .col_expr(job::Column::ReadyLane, Expr::value(None::<i32>))
            .col_expr(job::Column::HoldCode, Expr::value(*code))
            .col_expr(job::Column::ErrorCode, Expr::value(*code))
            .col_expr(job::Column::ErrorMessage, Expr::value(*why))
            .filter(job::Column::Id.eq(*id))
            .exec(tx)
            .await?;
        super::operate::note(tx, *id, 0, "claim", "held", Some(why), now).await?;
    }
    Ok(())
}

const CLAIMABLE: [&str; 2] = [JobState::Queued.name(), JobState::Retrying.name()];

/// Running jobs are counted in a statement of its own after the gates are locked: a count in the
/// locking statement would see the old snapshot.
async fn rooms(
    tx: &impl ConnectionTrait,
    gates: &BTreeMap<i64, server::Model>,
) -> Result<BTreeMap<i64, Room>, DbErr> {
    let counts = running(tx, &gates.keys().copied().collect::<Vec<_>>()).await?;
    let room =
        |gate: &server::Model| Room::of(gate, counts.get(&gate.id).map_or(&[][..], Vec::as_slice));
    Ok(gates.iter().map(|(id, gate)| (*id, room(gate))).collect())
}

/// What holds a lease on these servers: (kind, count) a server.
pub(crate) async fn running(
    connection: &impl ConnectionTrait,
    servers: &[i64],
) -> Result<BTreeMap<i64, Vec<(String, i64)>>, DbErr> {
    let mut counts: BTreeMap<i64, Vec<(String, i64)>> = BTreeMap::new();
    if servers.is_empty() {
        return Ok(counts);
    }
    let rows: Vec<(i64, String, i64)> = job::Entity::find()
        .select_only()
        .column(job::Column::ServerId)
        .column(job::Column::Kind)
        .column_as(job::Column::Id.count(), "n")
        .filter(job::Column::LeaseUntil.is_not_null())
        .filter(job::Column::ServerId.is_in(padded(servers)))
        .group_by(job::Column::ServerId)
        .group_by(job::Column::Kind)
        .into_tuple()
        .all(connection)
        .await?;
    for (server_id, kind, count) in rows {
        counts.entry(server_id).or_default().push((kind, count));
    }
    Ok(counts)
}

async fn candidates(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    now: i64,
) -> Result<Vec<job::Model>, DbErr> {
    let find = job::Entity::find()
        .filter(job::Column::Id.is_in(padded(ids)))
        .filter(job::Column::State.is_in(CLAIMABLE))
        .filter(job::Column::DueAt.lte(now))
        .filter(job::Column::PayloadVersion.lte(PAYLOAD_VERSION))
        .order_by_asc(job::Column::Lane)
        .order_by_asc(job::Column::Id);
    let backend = tx.get_database_backend();
    let rows = if backend == DbBackend::Sqlite {
        find.all(tx).await?
    } else {
        find.lock_with_behavior(row_lock(backend), LockBehavior::SkipLocked)
            .all(tx)
            .await?
    };
    // By id and state the primary key is used; whether it may run is then looked up in the row itself.
    Ok(rows
        .into_iter()
        .filter(|row| row.ready_lane.is_some())
        .collect())
}

/// Jobs that have waited longest on servers that have no room for all that is asked for.
async fn waiting_longer(
    tx: &impl ConnectionTrait,
    asked: &[job::Model],
    gates: &BTreeMap<i64, server::Model>,
    rooms: &BTreeMap<i64, Room>,
    now: i64,
) -> Result<Vec<job::Model>, DbErr> {
    let mut older = Vec::new();
    for (server_id, room) in rooms {
        let open = gates
            .get(server_id)
            .is_some_and(|gate| closed(gate, JobKind::Create, now).is_none());
        for lane in [Lane::Interactive, Lane::Bulk] {
            let wanted = asked
                .iter()
                .filter(|row| row.server_id == Some(*server_id) && row.lane == lane.number());
            let creates = wanted
                .clone()
                .filter(|row| row.kind == JobKind::Create.name());
            // Creates have fewer places, and run short of them while others have plenty.
            let scarce =
                |wanted: usize, places: u64| wanted > 0 && places > 0 && wanted as u64 >= places;
            let scarce = scarce(wanted.count(), room.places(lane))
                || scarce(creates.count(), room.places_for_creates());
            if open && scarce {
                let places = Places::of(*server_id, room, lane);
                older.extend(ready_on(tx, &[places], lane, now).await?);
            }
        }
    }
    let known: BTreeSet<i64> = asked.iter().map(|row| row.id).collect();
    let ids: Vec<i64> = older
        .into_iter()
        .map(|ring| ring.job_id)
        .filter(|id| !known.contains(id))
        .collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    candidates(tx, &ids, now).await
}

async fn take_rows(
    tx: &impl ConnectionTrait,
    ids: &[i64],
    lease: i64,
    owner: &str,
    now: i64,
) -> Result<(), DbErr> {
    use job::Column as C;
    let taken = job::Entity::update_many()
        .col_expr(C::State, Expr::value(JobState::Running.name()))
        .col_expr(C::ReadyLane, Expr::value(None::<i32>))
        .col_expr(C::Attempt, Expr::col(C::Attempt).add(1))
        .col_expr(C::Fence, Expr::col(C::Fence).add(1))
        .col_expr(C::LeaseUntil, Expr::value(lease))
        .col_expr(C::Owner, Expr::value(owner))
        .col_expr(C::Phase, Expr::value(None::<String>))
        .col_expr(C::SentAt, Expr::value(None::<i64>))
        .col_expr(C::StartedAt, Expr::value(now))
        .filter(C::Id.is_in(padded(ids)))
        .filter(C::State.is_in(CLAIMABLE))
        .exec(tx)
        .await?;
    if taken.rows_affected == ids.len() as u64 {
        Ok(())
    } else {
        Err(DbErr::Custom("a locked job changed its state".into()))
    }
}

async fn accounts_of(
    tx: &impl ConnectionTrait,
    ids: &[i64],
) -> Result<BTreeMap<i64, account::Model>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = account::Entity::find()
        .filter(account::Column::Id.is_in(padded(ids)))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}
