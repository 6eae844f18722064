//! No secret is shown: not in what a process says, not in an answer, a webhook, a metric or an error, not
//! in the bytes of the database nor in the memory of Redis. Every secret of the installation is known to the
//! scanner in many guises, and everything that can be heard is kept and scanned in the end.
//!
//! By design a secret is given out by `POST /v1/jobs/{id}/secret`, `token create`, `webhook add` and
//! `webhook rotate`, once and to the one who asks; the key files and the operator's own `--secret-file`s hold
//! theirs. Nothing else may.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod receiver;
mod run;
mod stage;

use stage::{Roles, Stage};

/// What a run must have found the planted text in.
fn planted_in(stage: &Stage, places: &[&str]) {
    for place in places {
        let mut there = stage
            .heard
            .iter()
            .filter(|(name, _)| name.starts_with(place));
        assert!(
            there.any(|(_, bytes)| !stage.planted.found_in(bytes).is_empty()),
            "what was planted is not found in {place}"
        );
    }
}

async fn nothing_leaks(roles: Roles, places: &[&str]) {
    let mut stage = Stage::new(roles).await;
    run::everything(&mut stage).await;
    run::wrong_requests(&mut stage).await;
    run::lost_servers(&mut stage).await;
    run::answers(&mut stage).await;
    run::commands(&mut stage).await;
    stage.stop().await;
    stage.database_bytes().await;
    stage.redis_bytes().await;
    let bytes: usize = stage.heard.iter().map(|(_, bytes)| bytes.len()).sum();
    println!(
        "{} things heard, {bytes} bytes, {} kinds of jobs",
        stage.heard.len(),
        stage.kinds.len()
    );
    assert_eq!(stage.kinds.len(), 14, "all but webhooks: {:?}", stage.kinds);
    planted_in(&stage, places);
    let mut hits = Vec::new();
    for (place, bytes) in &stage.heard {
        hits.extend(stage.canaries.hits(place, bytes));
    }
    assert!(hits.is_empty(), "{}", hits.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_stored_or_answered_by_serve_on_sqlite() {
    let places = [
        "output",
        "GET /v1/jobs/",
        "GET /v1/servers",
        "job show",
        "server list",
        "sqlite",
        "webhook",
    ];
    nothing_leaks(Roles::Serve, &places).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_said_stored_or_answered_with_postgres_and_redis() {
    let places = [
        "output",
        "GET /v1/jobs/",
        "GET /v1/servers",
        "job show",
        "server list",
        "postgres dump",
        "redis",
        "webhook",
    ];
    nothing_leaks(Roles::Apart, &places).await;
}
