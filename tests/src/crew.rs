//! Workers at work at the same time, and their own log of it: the oracle of the rules of order.
//!
//! The log says when a worker was told that it has a job and when it began to give it back; the
//! database is not asked.

#![expect(
    clippy::expect_used,
    reason = "a scenario whose set-up fails must fail at once"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entity::job;
use futures::future::join_all;
use jobs::store::{Claimed, Outcome, Store};
use jobs::{JobState, Lane};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::servers::TestDatabase;
use crate::world::{done, ended};

/// What becomes of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It succeeds.
    Done,
    /// Another attempt is due at once.
    Retry,
    /// It fails for good.
    Fail,
    /// Its worker is gone, and nothing is written.
    Crash,
}

/// Workers, each with connections of its own.
#[derive(Debug)]
pub struct Crew {
    size: usize,
    ahead: Duration,
    log: Arc<Mutex<Log>>,
    busy: Arc<AtomicUsize>,
}

/// What workers noted, in the order in which they noted it.
#[derive(Debug, Default, Clone)]
pub struct Log {
    events: Vec<Event>,
    /// Attempts whose worker is gone.
    pub crashed: BTreeSet<(i64, i64)>,
    /// Outcomes that were refused.
    pub stale: usize,
}

#[derive(Debug, Clone, Copy)]
struct Event {
    begins: bool,
    job: i64,
    attempt: i32,
    account: Option<i64>,
    server: Option<i64>,
}

impl Crew {
    /// So many workers.
    #[must_use]
    pub fn of(size: usize) -> Self {
        Self {
            size,
            ahead: Duration::ZERO,
            log: Arc::default(),
            busy: Arc::default(),
        }
    }

    /// The same crew, later: its clocks are that much further ahead.
    pub fn later(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// Works until nothing can be claimed and nobody has a job in hand. Returns the log of all its work.
    pub async fn work(
        &self,
        database: &TestDatabase,
        fate: impl Fn(&Claimed) -> Fate + Sync,
    ) -> Log {
        self.work_until(database, fate, || true).await
    }

    /// The same, and goes on while `over` says no.
    pub async fn work_until(
        &self,
        database: &TestDatabase,
        fate: impl Fn(&Claimed) -> Fate + Sync,
        over: impl Fn() -> bool + Sync,
    ) -> Log {
        let workers = (0..self.size).map(|number| async move {
            let store = database.store().await;
            store.advance_clock(self.ahead);
            (number, store)
        });
        let workers = join_all(workers).await;
        let (fate, over) = (&fate, &over);
        join_all(workers.iter().map(|(number, store)| async move {
            let name = format!("worker-{number}");
            loop {
                let done = over();
                // Whether others are busy is looked at before the search: what they free must be seen.
                let alone = self.busy.load(Ordering::SeqCst) == 0;
                let worked = self.turn(store, &name, *number, fate).await;
                if done && alone && !worked {
                    return;
                }
                tokio::task::yield_now().await;
            }
        }))
        .await;
        self.log.lock().expect("no worker panicked").clone()
    }

    /// Looks for work and does it. Returns whether there was any.
    async fn turn(
        &self,
        store: &Store,
        name: &str,
        number: usize,
        fate: &(impl Fn(&Claimed) -> Fate + Sync),
    ) -> bool {
        let mut ids = waiting(store).await;
        for lane in [Lane::Interactive, Lane::Bulk] {
            let rings = store.pick(lane, 16).await.expect("picked");
            ids.extend(rings.iter().map(|ring| ring.job_id));
        }
        if ids.is_empty() {
            return false;
        }
        // Each looks at another part first, as workers of several processes do.
        let middle = (number * 7) % ids.len();
        ids.rotate_left(middle);
        self.busy.fetch_add(1, Ordering::SeqCst);
        let won = store
            .claim(&ids[..ids.len().min(24)], name)
            .await
            .expect("claimed");
        self.note(true, &won);
        let mut finishes = Vec::new();
        let mut crashed = Vec::new();
        for won in &won {
            let outcome = match fate(won) {
                Fate::Done => done(),
                Fate::Retry => Outcome::Retry {
                    after: Duration::ZERO,
                },
                Fate::Fail => Outcome::Failed,
                Fate::Crash => {
                    crashed.push((won.job.id, won.job.fence));
                    continue;
                }
            };
            finishes.push(ended(won, outcome));
        }
        self.hold(store, &won).await;
        self.note(false, &won);
        let report = store.write_group(&[], &finishes).await.expect("written");
        let mut log = self.log.lock().expect("no worker panicked");
        log.stale += report.stale.len();
        log.crashed.extend(crashed);
        self.busy.fetch_sub(1, Ordering::SeqCst);
        !won.is_empty()
    }

    /// The panel takes its time: until somebody else has noted something too, or nobody is there.
    async fn hold(&self, store: &Store, won: &[Claimed]) {
        if won.is_empty() {
            return;
        }
        let noted = || self.log.lock().expect("no worker panicked").events.len();
        let before = noted();
        for round in 0..40 {
            store.now().await.expect("answered");
            if round > 2 && noted() > before {
                return;
            }
        }
    }

    fn note(&self, begins: bool, won: &[Claimed]) {
        let events = won.iter().map(|won| Event {
            begins,
            job: won.job.id,
            attempt: won.job.attempt,
            account: won.job.account_id,
            server: won.job.server_id,
        });
        let mut log = self.log.lock().expect("no worker panicked");
        log.events.extend(events);
    }
}

/// Jobs that wait for whatever reason: a doorbell promises nothing, so a claim must refuse most of them.
async fn waiting(store: &Store) -> Vec<i64> {
    let states = [JobState::Queued.name(), JobState::Retrying.name()];
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::State.is_in(states))
        .order_by_asc(job::Column::Id)
        .limit(40)
        .into_tuple()
        .all(store.reader())
        .await
        .expect("answered")
}

impl Log {
    /// How often a job was won.
    #[must_use]
    pub fn claims(&self) -> usize {
        self.events.iter().filter(|event| event.begins).count()
    }

    /// No account had two jobs in hand at once.
    pub fn assert_no_overlap(&self) {
        let mut in_hand: BTreeMap<i64, i64> = BTreeMap::new();
        for event in &self.events {
            let Some(account) = event.account else {
                continue;
            };
            if event.begins {
                let other = in_hand.insert(account, event.job);
                assert_eq!(
                    other, None,
                    "account {account} had another job while {event:?} began"
                );
            } else {
                in_hand.remove(&account);
            }
        }
    }

    /// The jobs of an account were begun by ascending row, except `exempt` ones (replays).
    pub fn assert_in_order(&self, exempt: &[i64]) {
        let mut last: BTreeMap<i64, i64> = BTreeMap::new();
        let begun = self.events.iter().filter(|event| event.begins);
        for event in begun.filter(|event| !exempt.contains(&event.job)) {
            let Some(account) = event.account else {
                continue;
            };
            let earlier = last.insert(account, event.job);
            assert!(
                earlier.is_none_or(|earlier| earlier <= event.job),
                "{event:?} was begun after {earlier:?}"
            );
        }
    }

    /// Every claim of a job had an ordinal of its own, from 1 without gaps.
    pub fn assert_attempts_counted(&self) {
        let mut seen: BTreeMap<i64, i32> = BTreeMap::new();
        for event in self.events.iter().filter(|event| event.begins) {
            let last = seen.insert(event.job, event.attempt).unwrap_or(0);
            assert_eq!(event.attempt, last + 1, "{event:?}");
        }
    }

    /// The server never had more in hand than that.
    pub fn assert_at_most(&self, server: i64, limit: usize) {
        let most = self.most_at_once(server);
        assert!(
            most <= limit,
            "{most} at once on server {server}, limit {limit}"
        );
    }

    /// The most that the server had in hand at once.
    #[must_use]
    pub fn most_at_once(&self, server: i64) -> usize {
        let (mut now, mut most) = (0_usize, 0);
        for event in self
            .events
            .iter()
            .filter(|event| event.server == Some(server))
        {
            now = if event.begins { now + 1 } else { now - 1 };
            most = most.max(now);
        }
        most
    }
}
