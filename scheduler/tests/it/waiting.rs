//! Waiting for a job's end.

use std::time::Duration;

use jobs::queue::Doorbell;
use jobs::store::Outcome;
use reqwest::StatusCode;
use scheduler::registry;
use scheduler::wait::Waiters;
use serde_json::{Value, json};

use crate::support::{App, CLIENT, answer, create, ledger, succeeded};

/// A time that no test reaches: a wait that is not woken fails by hanging, not by a clock.
const LONG: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_wait_is_woken_by_the_doorbell_alone() {
    let ledger = ledger().await;
    let waiters = Waiters::new(ledger.store.clone());
    let doorbell = Doorbell::local();
    let mut place = waiters.register(7);
    let run = waiters.clone();
    let bell = doorbell.clone();
    let running = tokio::spawn(async move { run.run(&bell).await });
    // There is no job 7 in the ledger: only the bell can wake.
    let rung = async {
        loop {
            doorbell.announce(&[7]).await;
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = place.rested(LONG) => {}
        () = rung => {}
    }
    running.abort();
}

#[tokio::test]
async fn the_fallback_asks_once_for_all_and_never_for_nobody() {
    let app = App::start().await;
    let mut ids = Vec::new();
    for n in 0..3 {
        let body = json!({"kind": "check_connection", "server": "web1"});
        let job = app.submit(&format!("k{n}"), body).await;
        ids.push((job.id(), app.row(&job.id()).await.id));
    }
    let waiters = Waiters::new(app.store().clone());
    waiters.sweep().await.unwrap();
    assert_eq!(waiters.queries(), 0);
    let mut places: Vec<_> = ids.iter().map(|(_, row)| waiters.register(*row)).collect();
    let twice = waiters.register(ids[0].1);
    assert_eq!(waiters.len(), 3);
    waiters.sweep().await.unwrap();
    assert_eq!(waiters.queries(), 1);
    // Not announced here: only the ledger knows.
    for (id, _) in &ids {
        app.work(id, succeeded()).await;
    }
    waiters.sweep().await.unwrap();
    assert_eq!(waiters.queries(), 2);
    for place in &mut places {
        place.rested(LONG).await;
    }
    drop((places, twice));
    assert!(waiters.is_empty());
    waiters.sweep().await.unwrap();
    assert_eq!(waiters.queries(), 2);
}

#[tokio::test]
async fn a_request_with_wait_is_answered_with_the_jobs_end() {
    let app = App::start().await;
    let request = app
        .request(reqwest::Method::POST, "/v1/jobs?wait=60")
        .bearer_auth(&app.token)
        .header("Idempotency-Key", "k")
        .json(&create("whmcs:1", "acme"));
    let waiting = answer(request);
    let working = async {
        let id = loop {
            let list = app.get("/v1/jobs?idempotency_key=k").await.json();
            if let Some(id) = list["items"][0]["id"].as_str() {
                break id.to_owned();
            }
        };
        app.work(&id, succeeded()).await;
    };
    let (answer, ()) = tokio::join!(waiting, working);
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(answer.json()["state"], "succeeded");
    assert_eq!(answer.json()["result"]["ip"], "192.0.2.7");
    assert_eq!(answer.json()["attempts"][0]["outcome"], "succeeded");
    let again = app
        .get(&format!("/v1/jobs/{}?wait=60", answer.id()))
        .await
        .json();
    assert_eq!(
        again["state"], "succeeded",
        "an end in the past needs no wait"
    );
}

#[tokio::test]
async fn a_held_job_also_ends_a_wait_and_a_cancelled_one() {
    let app = App::start().await;
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    let path = format!("/v1/jobs/{job}?wait=60");
    let held = Outcome::Held {
        code: "conflict".into(),
    };
    let (answer, ()) = tokio::join!(app.get(&path), app.work(&job, held));
    assert_eq!(answer.json()["state"], "held");
    assert_eq!(answer.json()["error"]["code"], "conflict");
    let reading = json!({"kind": "check_connection", "server": "web1"});
    let other = app.submit("k2", reading).await.id();
    let (wait, cancel) = (
        format!("/v1/jobs/{other}?wait=60"),
        format!("/v1/jobs/{other}/cancel"),
    );
    let (answer, _) = tokio::join!(app.get(&wait), app.post(&cancel, Value::Null));
    assert_eq!(answer.json()["state"], "cancelled");
}

#[tokio::test]
async fn a_token_that_is_revoked_during_a_wait_learns_nothing_more() {
    let app = App::start().await;
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    let path = format!("/v1/jobs/{job}?wait=60");
    let ending = async {
        let tokens = registry::tokens(app.store(), Some(app.platform))
            .await
            .unwrap();
        // Not before the request was let in: its use is noted then.
        while registry::tokens(app.store(), None).await.unwrap()[1]
            .last_used_at
            .is_none()
        {
            tokio::task::yield_now().await;
        }
        registry::revoke_token(app.store(), &tokens[1].public_id)
            .await
            .unwrap();
        app.work(&job, succeeded()).await;
    };
    let waiting = app.token_with(&CLIENT, None).await;
    let (answer, ()) = tokio::join!(app.get_as(&waiting, &path), ending);
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
}

#[tokio::test]
async fn a_wait_beyond_a_minute_is_refused() {
    let app = App::start().await;
    let refused = app
        .post("/v1/jobs?wait=61", create("whmcs:1", "acme"))
        .await;
    assert_eq!(refused.fields(), ["wait"]);
    let odd = app.post("/v1/jobs?wayt=1", create("whmcs:1", "acme")).await;
    assert_eq!(odd.fields(), ["wayt"]);
}

#[tokio::test]
async fn a_shutdown_ends_all_waiting_and_the_listener() {
    let app = App::start().await;
    let waiters = Waiters::new(app.store().clone());
    let mut before = waiters.register(1);
    waiters.close();
    before.rested(LONG).await;
    waiters.register(2).rested(LONG).await;
    assert_eq!(app.get("/v1/jobs").await.status, StatusCode::OK);
    app.stop().await;
}
