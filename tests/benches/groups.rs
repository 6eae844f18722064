//! What writing in groups is worth: jobs claimed and finished a second, in groups of 1, 10 and 100, as a
//! ratio to groups of 1 on the same database and machine.
//!
//! `cargo bench --package tests --bench groups`. Absolute rates belong to the machine; read the ratios.

#![expect(
    clippy::unwrap_used,
    reason = "a benchmark that cannot run must say so"
)]

use std::time::Instant;

use jobs::JobSpec;
use jobs::store::{NewJob, Target};
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, done, ended, job, username};

const JOBS: usize = 2_000;
const SERVERS: usize = 20;

async fn rate(world: &World, servers: &[i64], round: usize, group: usize) -> f64 {
    let jobs: Vec<NewJob> = (0..JOBS)
        .map(|n| {
            let name = username(&format!("g{round}-{n}"));
            let target = Target::Unknown {
                reference: None,
                username: name,
                domain: None,
            };
            job(JobSpec::Unlock, Some(servers[n % servers.len()]), target)
        })
        .collect();
    let mut ids = Vec::new();
    for chunk in jobs.chunks(500) {
        let (answers, _) = world.store.submit(chunk).await.unwrap();
        ids.extend(answers.into_iter().map(|answer| answer.unwrap().job.id));
    }
    let begun = Instant::now();
    let mut finished = 0;
    for chunk in ids.chunks(group) {
        let claimed = world.store.claim(chunk, "bench").await.unwrap();
        let outcomes: Vec<_> = claimed.iter().map(|won| ended(won, done())).collect();
        finished += outcomes.len();
        world.store.write_group(&[], &outcomes).await.unwrap();
    }
    assert_eq!(finished, JOBS);
    rate_of(finished, begun)
}

#[expect(clippy::cast_precision_loss, reason = "a rate to three digits")]
fn rate_of(jobs: usize, begun: Instant) -> f64 {
    jobs as f64 / begun.elapsed().as_secs_f64()
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        println!(
            "jobs claimed and finished, one after the other; {JOBS} jobs on {SERVERS} servers"
        );
        for kind in Kind::ALL {
            let database = TestDatabase::migrated(kind).await;
            let world = World::new(&database).await;
            let mut servers = Vec::new();
            for n in 0..SERVERS {
                let id = world.add_server(&format!("bench{n}")).await;
                world
                    .change_server(id, |row| row.max_jobs = sea_orm::ActiveValue::Set(1_000))
                    .await;
                servers.push(id);
            }
            world.store.analyze().await.unwrap();
            let single = rate(&world, &servers, 1, 1).await;
            for group in [1, 10, 100] {
                let rate = rate(&world, &servers, group + 1, group).await;
                println!(
                    "{kind:?}\tgroups of {group}\t{:.1} times groups of 1\t({rate:.0} jobs/s)",
                    rate / single
                );
            }
        }
    });
}
