//! Handing out generated passwords and login links.

use std::time::Duration;

use entity::job_event;
use jobs::store::{Audience, Purpose};
use reqwest::StatusCode;
use scheduler::Scope;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{App, CLIENT, create, succeeded};

const PASSWORD: &str = "Canary-pa55word";

/// A create whose worker generated a password.
async fn created(app: &App) -> String {
    let job = app.submit("k", create("whmcs:1", "acme")).await.id();
    seal(app, &job, Purpose::Password, PASSWORD).await;
    job
}

/// What a worker does before it sends: seals to both.
async fn seal(app: &App, job: &str, purpose: Purpose, text: &str) {
    let keyring = &app.ledger.keyring;
    let owner = format!("job:{job}");
    let secret = text.to_owned().into();
    let to_api = keyring.api.seal(Audience::Api, purpose, &owner, &secret);
    let to_worker = keyring
        .worker
        .seal(Audience::Worker, purpose, &owner, &secret);
    app.store()
        .put_secrets(&[to_api.unwrap(), to_worker.unwrap()])
        .await
        .unwrap();
}

async fn events(app: &App, job: &str) -> Vec<String> {
    let row = app.row(job).await;
    let rows = job_event::Entity::find()
        .filter(job_event::Column::JobId.eq(row.id))
        .all(app.store().reader())
        .await
        .unwrap();
    let by_whom = format!("token:{}", &app.token[4..20]);
    assert!(rows.iter().all(|event| event.actor == by_whom), "{rows:?}");
    assert_eq!(
        row.actor, by_whom,
        "and who asked for the job is kept with it"
    );
    rows.into_iter().map(|row| row.event).collect()
}

#[tokio::test]
async fn a_generated_password_is_read_until_it_is_acknowledged() {
    let app = App::start().await;
    let job = created(&app).await;
    let (read, ack) = (
        format!("/v1/jobs/{job}/secret"),
        format!("/v1/jobs/{job}/secret/ack"),
    );
    let early = app.post(&read, Value::Null).await;
    assert_eq!(early.status, StatusCode::CONFLICT, "not before success");
    assert_eq!(
        app.post(&ack, Value::Null).await.status,
        StatusCode::CONFLICT
    );
    app.work(&job, succeeded()).await;
    let shown = app.get(&format!("/v1/jobs/{job}")).await;
    assert_eq!(shown.json()["secret_available"], true);
    assert!(!shown.text.contains(PASSWORD));
    for _ in 0..2 {
        let secret = app.post(&read, Value::Null).await;
        assert_eq!(secret.status, StatusCode::OK, "{}", secret.text);
        assert_eq!(secret.headers["cache-control"], "no-store");
        assert_eq!(secret.json()["password"], PASSWORD);
        assert_eq!(secret.json()["username"], "acme");
    }
    for _ in 0..2 {
        assert_eq!(app.post(&ack, Value::Null).await.status, StatusCode::OK);
    }
    assert_eq!(app.post(&read, Value::Null).await.status, StatusCode::GONE);
    let shown = app.get(&format!("/v1/jobs/{job}")).await.json();
    assert_eq!(shown["secret_available"], false);
    assert_eq!(
        events(&app, &job).await,
        ["secret_read", "secret_read", "secret_acknowledged"]
    );
}

#[tokio::test]
async fn only_the_token_that_asked_gets_the_secret() {
    let app = App::start().await;
    let job = created(&app).await;
    app.work(&job, succeeded()).await;
    let read = format!("/v1/jobs/{job}/secret");
    let sister = app.token_with(&CLIENT, None).await;
    let admin = app.token_with(&[Scope::Admin], None).await;
    let foreign = app.foreign_token().await;
    for (token, status) in [
        (&sister, StatusCode::FORBIDDEN),
        (&admin, StatusCode::FORBIDDEN),
        (&foreign, StatusCode::NOT_FOUND),
    ] {
        let refused = app.post_as(token, &read, Value::Null).await;
        assert_eq!(refused.status, status);
        let ack = format!("{read}/ack");
        assert_eq!(app.post_as(token, &ack, Value::Null).await.status, status);
    }
    assert_eq!(app.post(&read, Value::Null).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_secret_ends_a_day_after_success() {
    let app = App::start().await;
    let job = created(&app).await;
    app.work(&job, succeeded()).await;
    let read = format!("/v1/jobs/{job}/secret");
    app.store().advance_clock(Duration::from_secs(23 * 3600));
    assert_eq!(app.post(&read, Value::Null).await.status, StatusCode::OK);
    app.store().advance_clock(Duration::from_secs(2 * 3600));
    assert_eq!(app.post(&read, Value::Null).await.status, StatusCode::GONE);
    let shown = app.get(&format!("/v1/jobs/{job}")).await.json();
    assert_eq!(shown["secret_available"], false);
}

#[tokio::test]
async fn a_login_link_is_a_secret_too_and_other_kinds_have_none() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let account = json!({"reference": "whmcs:1"});
    let link = app
        .submit("l", json!({"kind": "login_url", "account": account}))
        .await
        .id();
    seal(&app, &link, Purpose::LoginLink, "https://panel/session=1").await;
    app.work(&link, succeeded()).await;
    let read = app
        .post(&format!("/v1/jobs/{link}/secret"), Value::Null)
        .await;
    assert_eq!(read.json()["login_url"], "https://panel/session=1");
    assert!(read.json().get("password").is_none());
    let suspend = app
        .submit("s", json!({"kind": "suspend", "account": account}))
        .await
        .id();
    let none = app
        .post(&format!("/v1/jobs/{suspend}/secret"), Value::Null)
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
}
