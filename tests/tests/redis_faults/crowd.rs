//! A hundred thousand jobs are queued: Redis never holds more rings than its cap, and all are done.

use std::time::Duration;

use entity::job;
use jobs::JobSpec;
use jobs::queue::{Doorbell, RedisOptions};
use jobs::store::{Claimed, Target, Writer};
use scheduler::top_up::TopUp;
use sea_orm::{ConnectionTrait, Iden, Iterable};
use tests::loops::Loop;
use tests::servers::{Kind, Redis, TestDatabase};
use tests::world::{World, done, ended};

const JOBS: usize = 100_000;
const SERVERS: usize = 20;
const CAP: usize = 2_000;

/// Puts copies of one job in, spread over the servers.
async fn crowd(world: &World) {
    let mut last = world.server;
    for n in 1..SERVERS {
        last = world.add_server(&format!("crowd{n}")).await;
    }
    let one = tests::world::job(JobSpec::CheckConnection, Some(world.server), Target::Nobody);
    let one = world.submit(one).await.job.id;
    let columns: Vec<String> = job::Column::iter()
        .map(|column| column.unquoted().to_owned())
        .filter(|name| name != "id")
        .collect();
    let values: Vec<String> = columns
        .iter()
        .map(|name| match name.as_str() {
            "public_id" | "idem_key" => "printf('%026d', n)".to_owned(),
            "server_id" => format!("{last} - n % {SERVERS}"),
            name => name.to_owned(),
        })
        .collect();
    let copies = JOBS - 1;
    let sql = format!(
        "WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < {copies}) \
         INSERT INTO job ({}) SELECT {} FROM job, count WHERE id = {one}",
        columns.join(", "),
        values.join(", "),
    );
    let writer = world.store.writer_connection();
    writer.execute_unprepared(&sql).await.unwrap();
    world.store.analyze().await.unwrap();
}

/// The longest that a list has been, of what is looked at.
async fn longest(redis: &mut redis::aio::MultiplexedConnection) -> usize {
    let mut longest = 0;
    for list in ["{hostler}:interactive", "{hostler}:bulk"] {
        let length: usize = redis::cmd("LLEN")
            .arg(list)
            .query_async(redis)
            .await
            .unwrap();
        longest = longest.max(length);
    }
    longest
}

/// Runs the top-up and a worker until so many are done.
async fn work_off(count: usize) {
    let redis = Redis::start().unwrap();
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let world = World::new(&database).await;
    crowd(&world).await;
    let doorbell = Doorbell::redis(&RedisOptions {
        url: redis.url().into(),
        prefix: "{hostler}".into(),
        cap: CAP,
    })
    .unwrap();
    let mut settled = doorbell.settled();
    // The timer is far away: they start by rings.
    let far = Duration::from_secs(3600);
    let finish = async |claimed: Claimed, writer: Writer| {
        writer.finish(ended(&claimed, done())).await.unwrap();
    };
    let worker = Loop::start(&world.store, &doorbell, 64, far, finish);
    let mut top_up = TopUp::new(world.store.clone(), doorbell.clone());
    let client = redis::Client::open(redis.url()).unwrap();
    let mut admin = client.get_multiplexed_async_connection().await.unwrap();
    let (mut seen, mut most) = (0, 0);
    while seen < count {
        let now = world.store.now().await.unwrap();
        top_up.tick(now).await.unwrap();
        most = most.max(longest(&mut admin).await);
        for _ in 0..200 {
            settled.recv().await.unwrap();
            seen += 1;
        }
        most = most.max(longest(&mut admin).await);
    }
    println!("{JOBS} queued, {seen} done; most rings in a list {most}, cap {CAP}");
    assert!((1..=CAP).contains(&most), "{most} rings in a list");
    worker.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_queued_jobs_stay_below_the_cap() {
    work_off(1_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "minutes: all of the hundred thousand"]
async fn a_hundred_thousand_jobs_are_all_done() {
    work_off(JOBS).await;
}
