//! The whole composition: doorbell, loop, writer, sweeps.

mod support;

use std::sync::Arc;
use std::time::Duration;

use jobs::queue::{Doorbell, Health, WorkerOptions};
use jobs::store::Target;
use jobs::{JobSpec, JobState};
use support::App;
use tokio::sync::oneshot;
use worker::{Options, start};

/// Ends with the tests' patience instead of hanging.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_started_worker_runs_what_is_rung_and_ends_when_told() {
    let app = App::start().await;
    let doorbell = Doorbell::local();
    let (stop, stopped) = oneshot::channel::<()>();
    let options = Options {
        loop_options: WorkerOptions {
            name: "tester".into(),
            concurrency: 4,
            poll_every: Duration::from_secs(3600),
            grace: Duration::from_secs(5),
        },
        store: app.store.clone(),
        doorbell: doorbell.clone(),
        keyring: app.keyring.clone(),
        webhooks: app.post.clone(),
        deployment: "x".into(),
        health: Arc::new(Health::default()),
    };
    let mut settled = doorbell.settled();
    let running = tokio::spawn(start(options, async {
        let _ = stopped.await;
    }));
    // The server has no secret, so its check is held: enough to see that all parts work together.
    let job = app.operators(JobSpec::CheckConnection, Target::Nobody);
    let (answers, rings) = app.store.submit(&[job]).await.unwrap();
    let job = answers.into_iter().next().unwrap().unwrap().job;
    doorbell.ring(&rings).await;
    let told = tokio::time::timeout(PATIENCE, settled.recv())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(told, job.id);
    assert_eq!(app.state(&job.public_id).await, JobState::Held);
    assert_eq!(
        app.job(&job.public_id).await.hold_code.as_deref(),
        Some("server_secret")
    );
    stop.send(()).unwrap();
    tokio::time::timeout(PATIENCE, running)
        .await
        .unwrap()
        .unwrap();
}
