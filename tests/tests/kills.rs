//! Random kills while jobs flow, decided by the checker; the long run is `hostler-tests kill`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tests::installation::binary;
use tests::kill::{Run, run};
use tests::servers::Kind;

/// Fifty kills and five hundred jobs.
async fn short(database: Kind, redis: bool, seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let outcome = run(&Run {
        kills: 50,
        // Some are refused, and make no row: their account is gone by then.
        jobs: 530,
        seed,
        database,
        redis,
        binary: binary(),
        folder: folder.path().join("run"),
        // Nothing is asserted about time here: the machine may be busy with other tests.
        settles_in: Duration::from_secs(300),
    })
    .await
    .unwrap();
    println!("{}", outcome.summary);
    if !outcome.is_good() {
        let kept = folder.keep();
        panic!("{outcome:#?}, the run folder is {}", kept.display());
    }
    assert_eq!(outcome.summary.kills(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_of_everything_on_sqlite_lose_nothing_and_do_nothing_twice() {
    short(Kind::Sqlite, false, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_kills_of_workers_and_schedulers_on_postgres_with_redis_lose_nothing_and_do_nothing_twice()
 {
    short(Kind::Postgres, true, 2).await;
}
