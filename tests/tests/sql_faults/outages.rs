//! The way to the database hangs, is reset, is refused, while calls run.

use serde_json::json;
use tests::proxy::Mode;
use tests::servers::Kind;
use tests::stand::create;

use crate::ledger::Ledger;

async fn calls_end_and_outcomes_wait(kind: Kind) {
    let mut ledger = Ledger::new(kind).await;
    for mode in [Mode::Reset, Mode::Refuse, Mode::Hang] {
        ledger.slow(3);
        let before = ledger.panel.ledger().len();
        let mut ids = Vec::new();
        for _ in 0..3 {
            ids.push(ledger.create().await.1);
        }
        // A call runs on the panel when the way is cut, and takes effect meanwhile.
        ledger.panel.wait_for_effects(before + 1).await;
        ledger.set(mode);
        while ledger.is_ready().await {}
        let name = ledger.name();
        let (status, answer) = ledger
            .client
            .post("/v1/jobs", &name, &create("web1", &name))
            .await;
        assert_eq!(status, 503, "{mode:?}: {answer}");
        ledger.set(Mode::Pass);
        while !ledger.is_ready().await {}
        // What was answered with 503 may have been taken in; the same key finds out.
        ids.push(ledger.promised(&name, &create("web1", &name)).await);
        for id in &ids {
            ledger.succeeds(id).await;
        }
    }
    ledger.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_calls_end_and_their_outcomes_wait_for_postgres() {
    calls_end_and_outcomes_wait(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_calls_end_and_their_outcomes_wait_for_mariadb() {
    calls_end_and_outcomes_wait(Kind::MariaDb).await;
}

/// The API reaches the database, the worker does not: it is the API that must say so.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_cannot_work_is_told_by_readyz() {
    let mut ledger = Ledger::new(Kind::Postgres).await;
    assert!(ledger.is_ready().await);
    ledger.worker_way.set(Mode::Hang);
    let (_, id) = ledger.create().await;
    while ledger.is_ready().await {
        // Nobody takes it: this waits a while.
        let waited = ledger.client.get(&format!("/v1/jobs/{id}?wait=2")).await;
        assert_eq!(waited.1["state"], "queued");
    }
    let (_, answer) = ledger.client.get("/readyz").await;
    let why = json!(["jobs are due and no worker takes them"]);
    assert_eq!(answer["failing"], why);
    ledger.worker_way.set(Mode::Pass);
    ledger.succeeds(&id).await;
    while !ledger.is_ready().await {}
    ledger.end().await;
}
