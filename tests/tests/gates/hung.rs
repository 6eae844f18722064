//! One server accepts and never answers: the jobs of the others are done meanwhile, also when the hung
//! server's jobs could fill every place of the worker.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jobs::queue::Doorbell;
use jobs::store::{Claimed, Store, StoreOptions, Target, Writer};
use jobs::{JobSpec, Pace};
use sea_orm::ActiveValue::Set;
use tests::loops::Loop;
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, done, ended, job};
use tokio::sync::Semaphore;

const OTHERS: usize = 3;
const JOBS_EACH: usize = 40;
const PLACES: usize = 4;
/// More than the worker has places.
const HUNG_AT_ONCE: i32 = 8;

/// Runs the others' jobs with so many of the hung server's beside them; returns the claims that it took.
async fn claims(hung_jobs: usize) -> u64 {
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let mut world = World::new(&database).await;
    let mut options = StoreOptions::new(database.url.clone());
    options.pace = Pace::new(0.02).unwrap();
    world.store = Store::connect(&options).await.unwrap();
    let hung = world.server;
    world
        .change_server(hung, |row| row.max_jobs = Set(HUNG_AT_ONCE))
        .await;
    let mut jobs = Vec::new();
    let check = |server| job(JobSpec::GetServerConfig, Some(server), Target::Nobody);
    jobs.extend((0..hung_jobs).map(|_| check(hung)));
    for n in 0..OTHERS {
        let server = world.add_server(&format!("other{n}")).await;
        jobs.extend((0..JOBS_EACH).map(|_| check(server)));
    }
    let submitted = world.submit_all(&jobs).await;
    let others: BTreeSet<i64> = submitted
        .iter()
        .map(|taken| &taken.job)
        .filter(|job| job.server_id != Some(hung))
        .map(|job| job.id)
        .collect();
    let doorbell = Doorbell::local();
    let mut settled = doorbell.settled();
    // The hung panel's answers: none, until the test is over.
    let answers = Arc::new(Semaphore::new(0));
    let panel = Arc::clone(&answers);
    let handler = move |claimed: Claimed, writer: Writer| {
        let panel = Arc::clone(&panel);
        async move {
            if claimed.job.server_id == Some(hung) {
                panel.acquire().await.unwrap().forget();
            }
            writer.finish(ended(&claimed, done())).await.unwrap();
        }
    };
    let every = Duration::from_millis(20);
    let worker = Loop::start(&world.store, &doorbell, PLACES, every, handler);
    let mut left = others;
    while !left.is_empty() {
        let id = settled.recv().await.unwrap();
        assert!(left.remove(&id), "a job of the hung server has ended");
    }
    let claims = worker.health.claims();
    answers.add_permits(hung_jobs);
    worker.end().await;
    claims
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_others_jobs_are_done_while_one_server_hangs() {
    let without = claims(0).await;
    let with = claims(20).await;
    let jobs = OTHERS * JOBS_EACH;
    println!("{jobs} jobs of {OTHERS} servers: {without} claims, {with} beside a hung server");
}
