//! Many jobs, several workers, several submitters, crashes, cancels and replays at once. What must hold
//! is read from the workers' own log, and then from the ledger.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use entity::job;
use jobs::store::{Cancelled, Claimed, NewJob, Replayed, Store, Target};
use jobs::{JobSpec, JobState, new_public_id};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use tests::crew::{Crew, Fate, Log};
use tests::on_every_database;
use tests::servers::TestDatabase;
use tests::world::{World, job};

const JOBS: usize = 1000;
const SUBMITTERS: usize = 2;
const SERVERS: usize = 5;
/// A few accounts have many jobs, most have few.
const HOT: usize = 8;
const COLD: usize = 120;

/// A number that looks like chance and is the same in every run.
fn chance(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (x ^ (x >> 27)) % 100
}

fn fate(won: &Claimed) -> Fate {
    let seed = won.job.id.unsigned_abs() * 31 + won.job.fence.unsigned_abs();
    match chance(seed) {
        0..8 => Fate::Retry,
        8..12 => Fate::Fail,
        // Twice in a row at most: the third death would park the job.
        12..16 if won.job.worker_deaths < 2 => Fate::Crash,
        _ => Fate::Done,
    }
}

struct Scene {
    world: World,
    accounts: Vec<(i64, i64)>,
}

impl Scene {
    async fn set(database: &TestDatabase) -> Self {
        let world = World::new(database).await;
        let mut servers = vec![world.server];
        for number in 1..SERVERS {
            servers.push(world.add_server(&format!("web{number}x")).await);
        }
        let mut accounts = Vec::new();
        for number in 0..HOT + COLD {
            let server = servers[number % SERVERS];
            let account = world.account_on(server, &format!("user{number}")).await;
            accounts.push((account, server));
        }
        Self { world, accounts }
    }

    fn job(&self, number: usize) -> NewJob {
        let seed = number as u64;
        let many = chance(seed) < 30;
        let pick = chance(seed + 5_000_000) as usize + 100 * chance(seed + 9_000_000) as usize;
        let index = if many { pick % HOT } else { HOT + pick % COLD };
        let (account, server) = self.accounts[index];
        job(JobSpec::Unlock, Some(server), Target::Known(account))
    }

    /// Submits every `SUBMITTERS`-th group, some of them twice as a client does that lost the answer.
    async fn submit(&self, store: &Store, number: usize, left: &AtomicUsize) -> Vec<i64> {
        let mut ids = Vec::new();
        let mut next = number * 10;
        while next < JOBS {
            let mut group: Vec<NewJob> = (next..next + 10).map(|index| self.job(index)).collect();
            let times = if chance(next as u64) < 10 { 2 } else { 1 };
            for round in 0..times {
                let (answers, _) = store.submit(&group).await.expect("submitted");
                for job in &mut group {
                    job.public_id = new_public_id();
                }
                for answer in answers {
                    let submitted = answer.expect("accepted");
                    assert_eq!(submitted.new, round == 0, "the same job the second time");
                    if submitted.new {
                        ids.push(submitted.job.id);
                    }
                }
            }
            next += SUBMITTERS * 10;
            tokio::task::yield_now().await;
        }
        left.fetch_sub(1, Ordering::SeqCst);
        ids
    }

    /// An operator who cancels what waits and replays what failed, while the others work.
    async fn operate(&self, store: &Store, left: &AtomicUsize, done: &Operated) {
        let mut seed = 0;
        while left.load(Ordering::SeqCst) > 0 {
            let rows = job::Entity::find()
                .filter(
                    job::Column::State.is_in([JobState::Queued.name(), JobState::Failed.name()]),
                )
                .all(store.reader())
                .await
                .expect("answered");
            for row in rows {
                seed += 1;
                match (chance(seed), row.state.as_str()) {
                    (0..2, "queued") => {
                        let (cancelled, _) =
                            store.cancel(row.id, "op", None).await.expect("answered");
                        if cancelled == Cancelled::Done {
                            done.cancelled.lock().expect("no panic").insert(row.id);
                        }
                    }
                    (0..10, "failed") => {
                        let force = chance(seed + 1000) < 50;
                        done.replayed.lock().expect("no panic").insert(row.id);
                        let (replayed, _) = store
                            .replay(row.id, "op", "why", force)
                            .await
                            .expect("answered");
                        assert!(
                            !force || matches!(replayed, Replayed::Reopened | Replayed::Refused(_))
                        );
                    }
                    _ => {}
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Default)]
struct Operated {
    cancelled: Mutex<BTreeSet<i64>>,
    replayed: Mutex<BTreeSet<i64>>,
}

async fn in_state(world: &World, states: &[JobState]) -> u64 {
    let names = states.iter().map(|state| state.name());
    job::Entity::find()
        .filter(job::Column::State.is_in(names))
        .count(world.store.writer_connection())
        .await
        .expect("counted")
}

/// After the crew has stopped: what crashed workers left is taken back, until nothing is left.
async fn until_nothing_is_left(database: &TestDatabase, world: &World, crew: &mut Crew) -> Log {
    const HOUR: Duration = Duration::from_secs(3600);
    for _ in 0..20 {
        world.store.advance_clock(HOUR);
        crew.later(HOUR);
        let rescued = world.store.rescue(1000).await.expect("answered").rescued;
        world.store.advance_clock(HOUR);
        crew.later(HOUR);
        let log = crew.work(database, fate).await;
        if rescued == 0 && in_state(world, &[JobState::Running]).await == 0 {
            return log;
        }
    }
    panic!("jobs crash for ever");
}

async fn every_row_is_settled(world: &World, log: &Log, operated: &Operated) {
    let rows = job::Entity::find()
        .all(world.store.writer_connection())
        .await
        .expect("answered");
    assert_eq!(rows.len(), JOBS, "none lost, none doubled");
    let cancelled = operated.cancelled.lock().expect("no panic").clone();
    for row in &rows {
        let state: JobState = row.state.parse().expect("a known state");
        assert!(state.is_settled() && state != JobState::Held, "{row:?}");
        assert_eq!(
            state == JobState::Cancelled,
            cancelled.contains(&row.id),
            "{row:?}"
        );
        assert!(
            row.head_of.is_none() && row.open_of.is_none() && row.ready_lane.is_none(),
            "{row:?}"
        );
        assert!(row.lease_until.is_none() && row.owner.is_none(), "{row:?}");
        let attempts = world.store.attempts(row.id).await.expect("answered");
        assert_eq!(
            attempts.len(),
            usize::try_from(row.attempt).expect("a count"),
            "{row:?}"
        );
        let successes = attempts
            .iter()
            .filter(|attempt| attempt.outcome == "succeeded")
            .count();
        assert_eq!(
            successes,
            usize::from(state == JobState::Succeeded),
            "{row:?}"
        );
        let lost = attempts.iter().filter(|attempt| attempt.outcome == "lost");
        assert!(
            lost.into_iter()
                .all(|lost| log.crashed.contains(&(row.id, lost.fence)))
        );
    }
}

on_every_database! {
    async fn a_thousand_jobs_keep_every_rule(db: &TestDatabase) {
        let scene = Scene::set(db).await;
        let mut crew = Crew::of(4);
        let left = AtomicUsize::new(SUBMITTERS);
        let operated = Operated::default();
        let (first, second, operator) = (db.store().await, db.store().await, db.store().await);
        let over = || left.load(Ordering::SeqCst) == 0;
        let (one, two, (), _) = tokio::join!(
            scene.submit(&first, 0, &left),
            scene.submit(&second, 1, &left),
            scene.operate(&operator, &left, &operated),
            crew.work_until(db, fate, over),
        );
        let ids: BTreeSet<i64> = one.into_iter().chain(two).collect();
        assert_eq!(ids.len(), JOBS, "every submit was answered with a job of its own");
        let log = until_nothing_is_left(db, &scene.world, &mut crew).await;
        assert!(log.crashed.len() > 10, "workers did crash: {}", log.crashed.len());
        assert_eq!(log.stale, 0, "nobody lost a job that it had");
        log.assert_no_overlap();
        let replayed = operated.replayed.lock().expect("no panic").iter().copied().collect::<Vec<_>>();
        log.assert_in_order(&replayed);
        log.assert_attempts_counted();
        for (_, server) in &scene.accounts[..SERVERS] {
            log.assert_at_most(*server, 4);
        }
        every_row_is_settled(&scene.world, &log, &operated).await;
        assert_eq!(scene.world.store.repair().await.expect("answered"), [], "no line lost its head");
    }
}
