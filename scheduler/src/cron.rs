//! The clock: nightly statistics, closing months, forgetting what is old.
//!
//! Any number of schedulers may run it. What decides is in SQL: a job's unique key, a statement that
//! changes nothing the second time, or the row of a duty's clock that only one of them wins.

mod overuse;
mod progress;
mod told;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use entity::{job, schedule, server};
use hosting::Month;
use jobs::faults::Point;
use jobs::queue::Doorbell;
use jobs::seal::Keyring;
use jobs::store::{NewJob, Store, StoreError, Target};
use jobs::{JobKind, JobSpec, OPERATOR, new_public_id};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, SqlErr,
};

pub use progress::{LastNight, MonthRead, last_nights};

use crate::nights::{self, Night};
use crate::registry::{self, RegistryError};

const ACTOR: &str = "cron";
const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// Rows that are let go of in one statement.
const BITE: u64 = 500;
/// Statements in one round, so that other duties get their turn.
const BITES: usize = 20;

/// How long things are kept, when months close, over which time nights are spread, what use is told of.
#[derive(Debug, Clone)]
pub struct Retention {
    /// Contents of jobs, attempts and events.
    pub jobs: Duration,
    /// The rows of jobs with their idempotency keys, counted from their intake; longer than `jobs`.
    pub keys: Duration,
    /// Readings. The ledger is kept for ever.
    pub readings: Duration,
    /// The day of the following month on which a month closes, in the panel's time zone.
    pub close_day: u32,
    /// The minutes over which the servers' nightly statistics are spread.
    pub spread_minutes: u32,
    /// Percent of a month's limit; platforms are told when an account reaches them.
    pub thresholds: Vec<u32>,
    /// Percent of a month's limit at which an account is suspended; `None` = none is.
    pub suspend_at: Option<u32>,
}

impl Default for Retention {
    fn default() -> Self {
        const MONTH: u64 = 30 * 86_400 + 43_200;
        Self {
            jobs: Duration::from_secs(13 * MONTH),
            keys: Duration::from_secs(26 * MONTH),
            readings: Duration::from_secs(26 * MONTH),
            close_day: 5,
            spread_minutes: 0,
            thresholds: vec![80, 100],
            suspend_at: None,
        }
    }
}

/// What a tick did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ticked {
    /// Jobs for statistics that were made.
    pub stats_jobs: usize,
    /// Messages to platforms about nights and use that were made.
    pub told: usize,
    /// Jobs that suspend for overuse or lift that.
    pub overuse: usize,
    /// Months of accounts that were closed.
    pub closed: u64,
    /// Secrets that were wiped because their time was over.
    pub wiped: u64,
    /// Rows that were let go of.
    pub pruned: u64,
}

/// The duties that the clock starts.
#[derive(Debug)]
pub struct Cron {
    store: Store,
    doorbell: Doorbell,
    keyring: Arc<Keyring>,
    retention: Retention,
    /// Up to which row jobs are stripped; found again after a restart.
    stripped: i64,
}

impl Cron {
    /// How often it looks.
    pub const EVERY: Duration = Duration::from_secs(20);

    /// Duties on that ledger.
    #[must_use]
    pub fn new(
        store: Store,
        doorbell: Doorbell,
        keyring: Arc<Keyring>,
        retention: Retention,
    ) -> Self {
        Self {
            store,
            doorbell,
            keyring,
            retention,
            stripped: 0,
        }
    }

    /// Does what is due at `now` (milliseconds UTC).
    ///
    /// # Errors
    /// The ledger's; what was done stays done, the rest is done by the next tick.
    pub async fn tick(&mut self, now: i64) -> Result<Ticked, RegistryError> {
        let mut ticked = Ticked {
            stats_jobs: self.nightly_stats(now).await?,
            ..Ticked::default()
        };
        if self.my_turn("tell_of_nights", MINUTE_MS, now).await? {
            ticked.told = self.tell_of_nights(now).await?;
        }
        if self.my_turn("overuse", MINUTE_MS, now).await? {
            ticked.overuse = self.lift_overuse(now).await?;
        }
        if self.my_turn("wipe_secrets", MINUTE_MS, now).await? {
            ticked.wiped = self.store.wipe_expired_secrets().await?;
        }
        if self.my_turn("close_months", HOUR_MS, now).await? {
            ticked.closed = self.close_months(now).await?;
        }
        if self.my_turn("prune", HOUR_MS, now).await? {
            ticked.pruned = self.prune(now).await?;
        }
        if self.my_turn("analyze", HOUR_MS, now).await? {
            self.store.analyze().await?;
        }
        Ok(ticked)
    }

    /// One `get_stats` for each server, month and night. However many nights were missed, only the last
    /// one is made up for: a reading covers its whole month.
    async fn nightly_stats(&self, now: i64) -> Result<usize, StoreError> {
        let clocks = self.clocks("stats:").await?;
        let mut made = 0;
        for server in self.enabled_servers().await? {
            let zone = zone_of(&server);
            let minutes =
                nights::spread(server.stats_at, self.retention.spread_minutes, &server.name);
            let night = match nights::last_night(zone, minutes, now) {
                Ok(night) => night,
                Err(error) => {
                    tracing::warn!(server = %server.name, failure = %error, "Server {} has no nightly statistics: {error}", server.name);
                    continue;
                }
            };
            let clock = format!("stats:{}", server.id);
            let last = clocks.get(&clock).copied();
            // A clock that once ran far ahead must not stop the nights for as long: the jobs' keys keep
            // each night single.
            let had = last.is_some_and(|last| night.at <= last && last <= now + DAY_MS);
            if had || night.at < server.created_at {
                continue;
            }
            let last_date = last
                .filter(|last| *last <= now + DAY_MS)
                .and_then(|at| nights::date_of(zone, at));
            Point::NightBegun.reach(JobKind::GetStats.name());
            made += self.ask_for_stats(&server, night, last_date).await?;
            self.set_clock(&clock, night.at, now).await?;
            Point::NightSet.reach(JobKind::GetStats.name());
        }
        Ok(made)
    }

    async fn ask_for_stats(
        &self,
        server: &server::Model,
        night: Night,
        last: Option<chrono::NaiveDate>,
    ) -> Result<usize, StoreError> {
        let jobs: Vec<NewJob> = nights::months(night.date, last)
            .into_iter()
            .map(|month| self.stats_job(server.id, month, night))
            .collect();
        let (answers, rings) = self.store.submit(&jobs).await?;
        Point::NightAsked.reach(JobKind::GetStats.name());
        self.doorbell.ring(&rings).await;
        // A refusal is another scheduler's job under the same key.
        Ok(answers.iter().flatten().filter(|answer| answer.new).count())
    }

    fn stats_job(&self, server_id: i64, month: Month, night: Night) -> NewJob {
        let key = stats_key(server_id, month, night.date);
        NewJob {
            public_id: new_public_id(),
            platform_id: OPERATOR,
            body_hash: self.keyring.intake.hash(key.as_bytes()),
            idem_key: key,
            spec: JobSpec::GetStats { month },
            server_id: Some(server_id),
            target: Target::Nobody,
            due_at: None,
            actor: ACTOR.to_owned(),
            reason: None,
            webhook: None,
            trace: None,
            secrets: Vec::new(),
            replay_of: None,
        }
    }

    async fn close_months(&self, now: i64) -> Result<u64, RegistryError> {
        use chrono::Datelike;
        let mut closed = 0;
        for server in registry::servers(&self.store).await? {
            let Some(today) = nights::date_of(zone_of(&server), now) else {
                continue;
            };
            let previous = nights::month_of(today).previous();
            let last = if today.day() >= self.retention.close_day {
                previous
            } else {
                previous.previous()
            };
            for month in registry::open_months(&self.store, server.id, last).await? {
                let done = registry::close_month(&self.store, &server, month, ACTOR, now).await?;
                self.doorbell.ring(&done.rings).await;
                closed += done.accounts;
            }
        }
        Ok(closed)
    }

    async fn prune(&mut self, now: i64) -> Result<u64, StoreError> {
        let before = |age: Duration| now - i64::try_from(age.as_millis()).unwrap_or(i64::MAX / 2);
        let mut pruned = 0;
        for _ in 0..BITES {
            let jobs = before(self.retention.jobs);
            match self.store.strip_jobs(jobs, self.stripped, BITE).await? {
                Some(last) => {
                    self.stripped = last;
                    pruned += 1;
                }
                None => break,
            }
        }
        let keys = before(self.retention.keys.max(self.retention.jobs));
        let readings = before(self.retention.readings);
        for _ in 0..BITES {
            let gone = self.store.delete_stripped_jobs(keys, BITE).await?
                + self.store.prune_readings(readings, BITE).await?
                + self
                    .store
                    .prune_secrets(before(self.retention.jobs), BITE)
                    .await?;
            pruned += gone;
            if gone == 0 {
                break;
            }
        }
        Ok(pruned)
    }

    /// Puts in those of these jobs, all of one kind, that are not in the ledger yet; how many were.
    async fn submit_missing(&self, jobs: &[NewJob]) -> Result<usize, StoreError> {
        let mut new = 0;
        for part in jobs.chunks(usize::try_from(BITE).unwrap_or(1)) {
            let Some(kind) = part.first().map(|job| job.spec.kind()) else {
                continue;
            };
            let keys = part.iter().map(|job| job.idem_key.as_str());
            let there: Vec<(i64, String)> = job::Entity::find()
                .select_only()
                .columns([job::Column::PlatformId, job::Column::IdemKey])
                .filter(job::Column::IdemKey.is_in(keys))
                .filter(job::Column::Kind.eq(kind.name()))
                .into_tuple()
                .all(self.store.reader())
                .await?;
            let there: HashSet<(i64, String)> = there.into_iter().collect();
            let missing = part
                .iter()
                .filter(|job| !there.contains(&(job.platform_id, job.idem_key.clone())));
            let missing: Vec<NewJob> = missing.cloned().collect();
            if missing.is_empty() {
                continue;
            }
            let (answers, rings) = self.store.submit(&missing).await?;
            self.doorbell.ring(&rings).await;
            new += answers.iter().flatten().filter(|answer| answer.new).count();
        }
        Ok(new)
    }

    async fn enabled_servers(&self) -> Result<Vec<server::Model>, StoreError> {
        Ok(server::Entity::find()
            .filter(server::Column::RemovedAt.is_null())
            .filter(server::Column::Enabled.eq(true))
            .all(self.store.reader())
            .await?)
    }

    /// When the duties whose names begin so ran last.
    async fn clocks(&self, prefix: &str) -> Result<HashMap<String, i64>, StoreError> {
        let rows = schedule::Entity::find()
            .filter(schedule::Column::Name.starts_with(prefix))
            .all(self.store.reader())
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|row| row.last_at.map(|at| (row.name, at)))
            .collect())
    }

    async fn set_clock(&self, name: &str, last_at: i64, now: i64) -> Result<(), StoreError> {
        let set = schedule::Entity::update_many()
            .col_expr(schedule::Column::LastAt, Expr::value(last_at))
            .col_expr(schedule::Column::NextAt, Expr::value(now))
            .filter(schedule::Column::Name.eq(name))
            .exec(self.store.writer_connection())
            .await?;
        if set.rows_affected == 0 {
            self.insert_clock(name, now, last_at).await?;
        }
        Ok(())
    }

    /// Whether this scheduler wins the duty's turn: the row of its clock is the lock.
    async fn my_turn(&self, name: &str, every: i64, now: i64) -> Result<bool, StoreError> {
        let won = schedule::Entity::update_many()
            .col_expr(schedule::Column::NextAt, Expr::value(now + every))
            .col_expr(schedule::Column::LastAt, Expr::value(now))
            .filter(schedule::Column::Name.eq(name))
            .filter(schedule::Column::NextAt.lte(now))
            .exec(self.store.writer_connection())
            .await?;
        if won.rows_affected == 1 {
            return Ok(true);
        }
        let known = schedule::Entity::find_by_id(name)
            .one(self.store.writer_connection())
            .await?;
        match known {
            // A machine whose clock runs far ahead must not stop the duty for as long.
            Some(row) if row.next_at > now + every + DAY_MS => {
                self.take_back(&row, now + every, now).await
            }
            Some(_) => Ok(false),
            None => self.insert_clock(name, now + every, now).await,
        }
    }

    async fn take_back(
        &self,
        ahead: &schedule::Model,
        next_at: i64,
        now: i64,
    ) -> Result<bool, StoreError> {
        let won = schedule::Entity::update_many()
            .col_expr(schedule::Column::NextAt, Expr::value(next_at))
            .col_expr(schedule::Column::LastAt, Expr::value(now))
            .filter(schedule::Column::Name.eq(ahead.name.as_str()))
            .filter(schedule::Column::NextAt.eq(ahead.next_at))
            .exec(self.store.writer_connection())
            .await?;
        Ok(won.rows_affected == 1)
    }

    /// `false` = another scheduler was first.
    async fn insert_clock(
        &self,
        name: &str,
        next_at: i64,
        last_at: i64,
    ) -> Result<bool, StoreError> {
        let row = schedule::ActiveModel {
            name: Set(name.to_owned()),
            next_at: Set(next_at),
            last_at: Set(Some(last_at)),
        };
        match row.insert(self.store.writer_connection()).await {
            Ok(_) => Ok(true),
            Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => {
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// What makes a night's job single.
fn stats_key(server_id: i64, month: Month, night: chrono::NaiveDate) -> String {
    format!("get_stats:{server_id}:{month}:{night}")
}

fn zone_of(server: &server::Model) -> Tz {
    server.time_zone.parse().unwrap_or(Tz::UTC)
}
