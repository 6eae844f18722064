//! What one hung server costs the others: their jobs a second with and without it, as a ratio.
//!
//! `cargo bench --package tests --bench hung`. Each panel call takes 20 ms; the hung server never answers
//! until its calls' deadlines, and its jobs could fill all places of the worker. Read the ratio.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run must say so"
)]

use std::time::{Duration, Instant};

use jobs::queue::Doorbell;
use jobs::store::{Claimed, Outcome, ServerEffect, Store, StoreOptions, Target, Writer};
use jobs::{JobSpec, Pace};
use sea_orm::ActiveValue::Set;
use tests::loops::Loop;
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, done, ended, job};

const OTHERS: usize = 8;
const JOBS_EACH: usize = 400;
const PLACES: usize = 32;
const PACE: f64 = 0.02;
/// The deadline of a reading call at that pace.
const DEADLINE: Duration = Duration::from_millis(600);

/// Passes after that time.
async fn pass(time: Duration) {
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// The others' jobs a second, with so many of a hung server's beside them.
async fn rate(hung_jobs: usize, hung_at_once: i32) -> f64 {
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let mut world = World::new(&database).await;
    let mut options = StoreOptions::new(database.url.clone());
    options.pace = Pace::new(PACE).unwrap();
    world.store = Store::connect(&options).await.unwrap();
    let hung = world.server;
    let limit = |limit| move |row: &mut entity::server::ActiveModel| row.max_jobs = Set(limit);
    world.change_server(hung, limit(hung_at_once)).await;
    let mut jobs = Vec::new();
    let look = |server| job(JobSpec::GetServerConfig, Some(server), Target::Nobody);
    jobs.extend((0..hung_jobs).map(|_| look(hung)));
    for n in 0..OTHERS {
        let server = world.add_server(&format!("other{n}")).await;
        jobs.extend((0..JOBS_EACH).map(|_| look(server)));
    }
    for chunk in jobs.chunks(500) {
        world.submit_all(chunk).await;
    }
    world.store.analyze().await.unwrap();
    let doorbell = Doorbell::local();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let handler = move |claimed: Claimed, writer: Writer| {
        let tell = tell.clone();
        async move {
            if claimed.job.server_id == Some(hung) {
                pass(DEADLINE).await;
                let after = Duration::from_millis(600);
                let mut finish = ended(&claimed, Outcome::Retry { after });
                finish.server = ServerEffect::Unreachable;
                let _ = writer.finish(finish).await;
                return;
            }
            pass(Duration::from_millis(20)).await;
            writer.finish(ended(&claimed, done())).await.unwrap();
            let _ = tell.send(());
        }
    };
    let every = Duration::from_secs(3).mul_f64(PACE);
    let begun = Instant::now();
    let worker = Loop::start(&world.store, &doorbell, PLACES, every, handler);
    for _ in 0..OTHERS * JOBS_EACH {
        told.recv().await.unwrap();
    }
    let seconds = begun.elapsed().as_secs_f64();
    worker.end().await;
    jobs_a_second(OTHERS * JOBS_EACH, seconds)
}

#[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
fn jobs_a_second(jobs: usize, seconds: f64) -> f64 {
    jobs as f64 / seconds
}

/// The middle of three.
async fn median(hung_jobs: usize, hung_at_once: i32) -> f64 {
    let mut rates = Vec::new();
    for _ in 0..3 {
        rates.push(rate(hung_jobs, hung_at_once).await);
    }
    rates.sort_by(f64::total_cmp);
    rates[1]
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        println!(
            "{} jobs of {OTHERS} servers, {PLACES} places",
            OTHERS * JOBS_EACH
        );
        let alone = median(0, 4).await;
        println!("no server hangs\t{alone:.0} jobs/s\t100.0 %");
        for at_once in [4, 32] {
            let beside = median(100, at_once).await;
            let share = 100.0 * beside / alone;
            println!("one hangs, {at_once} jobs at once\t{beside:.0} jobs/s\t{share:.1} %");
        }
    });
}
