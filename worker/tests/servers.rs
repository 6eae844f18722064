//! Jobs about servers, links and webhooks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use jobs::store::{Audience, Purpose, Replayed, Target};
use jobs::{JobKind, JobSpec, JobState, OPERATOR};
use panels::{Detail, PanelError};
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait};
use secrecy::SecretString;
use support::fake::{Fault, auth, suspended, transient};
use support::{App, create};

async fn submit(app: &App, spec: JobSpec) -> String {
    app.submit(app.operators(spec, Target::Nobody)).await
}

#[tokio::test]
async fn a_good_check_takes_up_what_was_held_for_credentials() {
    let app = App::start().await;
    app.fake.fail("find", auth());
    let held = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(
        app.job(&held).await.hold_code.as_deref(),
        Some("panel_auth")
    );
    let id = submit(&app, JobSpec::CheckConnection).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.result(&id).await["missing_rights"][0], "kill-acct");
    let server = app.server().await;
    assert_eq!(server.version.as_deref(), Some("11.138"));
    assert_eq!((server.auth_hold_since, server.max_creates), (None, 2));
    assert_eq!(app.state(&held).await, JobState::Succeeded);
}

#[tokio::test]
async fn the_servers_configuration_is_kept() {
    let app = App::start().await;
    let id = submit(&app, JobSpec::GetServerConfig).await;
    app.run().await;
    assert_eq!(app.result(&id).await["packages"][0]["name"], "gold");
    assert!(app.server().await.config.unwrap().contains("gold"));
}

#[tokio::test]
async fn a_reader_that_never_answers_is_ended_and_nothing_is_in_doubt() {
    let app = App::start().await;
    app.fake.next("server_config", Fault::Hang);
    let id = submit(&app, JobSpec::GetServerConfig).await;
    let claimed = app.claim().await.remove(0);
    let handled = app.worker.handle(claimed);
    // The attempt's limit is the kind's; the clock of the runtime is moved past it.
    tokio::time::pause();
    let moved = async {
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(600)).await;
        tokio::time::resume();
    };
    tokio::join!(handled, moved);
    let job = app.job(&id).await;
    assert_eq!(job.error_class.as_deref(), Some("transient"));
    assert_eq!(job.doubt_since, None);
}

#[tokio::test]
async fn a_listing_shows_what_is_unknown_and_imports_it_when_asked() {
    let app = App::start().await;
    app.with_account().await;
    app.fake.put_foreign("legacy", "legacy.example.com");
    app.fake
        .change_account("legacy", |account| account.standing = suspended(Some(true)));
    let id = submit(&app, JobSpec::ListAccounts { import: false }).await;
    app.run().await;
    let result = app.result(&id).await;
    assert_eq!(
        (&result["accounts"], &result["unknown"], &result["imported"]),
        (&2.into(), &1.into(), &0.into())
    );
    let id = submit(&app, JobSpec::ListAccounts { import: true }).await;
    app.run().await;
    assert_eq!(app.result(&id).await["imported"], 1);
    let again = submit(&app, JobSpec::ListAccounts { import: true }).await;
    app.run().await;
    assert_eq!(app.result(&again).await["unknown"], 0);
    let rows = entity::account::Entity::find()
        .all(app.store.reader())
        .await
        .unwrap();
    let legacy = rows.iter().find(|row| row.username == "legacy").unwrap();
    assert_eq!(
        (legacy.state.as_str(), legacy.suspended_by.as_deref()),
        ("suspended", Some("us"))
    );
}

#[tokio::test]
async fn a_login_link_is_sealed_to_the_api_and_ends() {
    let app = App::start().await;
    app.with_account().await;
    let id = app.submit_known(JobSpec::LoginUrl).await;
    app.run().await;
    assert_eq!(app.result(&id).await["secret_available"], true);
    assert!(
        app.handed_out(&id)
            .await
            .unwrap()
            .contains("session=s3cret")
    );
    assert!(!app.job(&id).await.result.unwrap().contains("s3cret"));
    app.store.advance_clock(Duration::from_secs(3600));
    app.store.wipe_expired_secrets().await.unwrap();
    assert_eq!(app.handed_out(&id).await, None);
}

async fn endpoint(app: &App) -> i64 {
    let row = entity::webhook_endpoint::ActiveModel {
        platform_id: Set(support::PLATFORM),
        name: Set("main".into()),
        url: Set("https://billing.example.com/hook?x=1".into()),
        created_at: Set(0),
        ..Default::default()
    };
    let id = row.insert(app.store.writer_connection()).await.unwrap().id;
    let key = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let owner = format!("webhook:{id}");
    let sealed = app
        .keyring
        .worker
        .seal(Audience::Worker, Purpose::WebhookKey, &owner, &key);
    app.store.put_secrets(&[sealed.unwrap()]).await.unwrap();
    id
}

async fn deliver(app: &App, endpoint_id: i64) -> String {
    let mut job = app.operators(
        JobSpec::DeliverWebhook {
            endpoint_id,
            event: "job.succeeded".into(),
            data: serde_json::json!({"id": "J1"}),
        },
        Target::Nobody,
    );
    job.server_id = None;
    assert_eq!(job.platform_id, OPERATOR);
    app.submit(job).await
}

#[tokio::test]
async fn a_webhook_is_signed_and_keeps_its_id_over_its_tries() {
    let app = App::start().await;
    let id = deliver(&app, endpoint(&app).await).await;
    let lost = PanelError::Transient(Box::new(Detail::of("no answer")));
    app.post
        .answers
        .lock()
        .unwrap()
        .extend([Ok(500), Err(lost), Ok(302), Ok(204)]);
    app.run_for(5).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    let got = app.post.got.lock().unwrap().clone();
    assert_eq!(got.len(), 4);
    let key = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    for message in &got {
        assert_eq!((&message.id, &message.body), (&id, &got[0].body));
        let signed = worker::webhook::sign(&key, &message.id, message.timestamp, &message.body);
        assert_eq!(signed.unwrap(), message.signature);
    }
    let body: serde_json::Value = serde_json::from_str(&got[0].body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["id"]),
        (&"job.succeeded".into(), &"J1".into())
    );
}

#[tokio::test]
async fn both_keys_sign_while_a_key_is_replaced() {
    let app = App::start().await;
    let endpoint_id = endpoint(&app).await;
    let old = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let new = SecretString::from("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD");
    app.store.advance_clock(Duration::from_secs(1));
    let owner = format!("webhook:{endpoint_id}");
    let place = Purpose::OtherWebhookKey;
    let sealed = app
        .keyring
        .worker
        .seal(Audience::Worker, place, &owner, &new);
    app.store.put_secrets(&[sealed.unwrap()]).await.unwrap();
    let id = deliver(&app, endpoint_id).await;
    app.post.answers.lock().unwrap().push(Ok(204));
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    let message = app.post.got.lock().unwrap().remove(0);
    let signed = |key| {
        let signed = worker::webhook::sign(key, &message.id, message.timestamp, &message.body);
        signed.unwrap()
    };
    let both = format!("{} {}", signed(&new), signed(&old));
    assert_eq!(message.signature, both, "the new key's first");
}

#[tokio::test]
async fn a_webhook_that_was_given_up_is_replayed_with_its_id() {
    let app = App::start().await;
    let id = deliver(&app, endpoint(&app).await).await;
    let tries = usize::try_from(JobKind::DeliverWebhook.policy().max_tries).unwrap();
    let refusals = std::iter::repeat_n(Ok(500), tries);
    app.post.answers.lock().unwrap().extend(refusals);
    let begun = app.store.now().await.unwrap();
    app.run().await;
    while app.state(&id).await == JobState::Retrying {
        let wait = app.job(&id).await.due_at - app.store.now().await.unwrap();
        app.store
            .advance_clock(Duration::from_millis(u64::try_from(wait.max(0)).unwrap()));
        app.run().await;
    }
    assert_eq!(app.state(&id).await, JobState::Failed);
    let hours = (app.store.now().await.unwrap() - begun) / 3_600_000;
    assert!((60..72).contains(&hours), "given up after {hours} hours");
    assert_eq!(app.post.got.lock().unwrap().len(), tries);
    let row = app.job(&id).await;
    let replayed = app
        .store
        .replay(row.id, "operator:me", "their server is back", false);
    let (what, _) = replayed.await.unwrap();
    assert_eq!(what, Replayed::Reopened);
    app.post.answers.lock().unwrap().push(Ok(204));
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    let got = app.post.got.lock().unwrap();
    assert!(
        got.iter()
            .all(|message| message.id == id && message.body == got[0].body)
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_switches_its_endpoint_off() {
    let app = App::start().await;
    let endpoint_id = endpoint(&app).await;
    app.post.answers.lock().unwrap().push(Ok(410));
    let first = deliver(&app, endpoint_id).await;
    app.run().await;
    assert_eq!(app.state(&first).await, JobState::Failed);
    let second = deliver(&app, endpoint_id).await;
    app.run().await;
    assert_eq!(app.error(&second).await, "endpoint_gone");
    assert_eq!(app.post.got.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_untrusted_receiver_holds_no_server() {
    let app = App::start().await;
    let id = deliver(&app, endpoint(&app).await).await;
    app.post.answers.lock().unwrap().push(Err(auth()));
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    assert_eq!(app.server().await.auth_hold_since, None);
}

#[tokio::test]
async fn a_server_whose_secret_is_not_here_is_for_a_person() {
    let app = App::start().await;
    let panels = worker::Panels::new(app.store.clone(), app.keyring.clone());
    let server = app.server().await;
    let error = worker::PanelSource::open(&panels, &server)
        .await
        .unwrap_err();
    assert!(matches!(error, worker::OpenError::Secret(_)), "{error}");
    let owner = format!("server:{}", server.id);
    let secret = SecretString::from("token");
    let sealed = app
        .keyring
        .worker
        .seal(Audience::Worker, Purpose::PanelSecret, &owner, &secret);
    app.store.put_secrets(&[sealed.unwrap()]).await.unwrap();
    let first = worker::PanelSource::open(&panels, &server).await.unwrap();
    let again = worker::PanelSource::open(&panels, &server).await.unwrap();
    assert!(
        std::sync::Arc::ptr_eq(&first, &again),
        "one client a server"
    );
    app.update_server(|row| row.url = Set("https://web2.example.net:2087".into()))
        .await;
    let moved = worker::PanelSource::open(&panels, &app.server().await)
        .await
        .unwrap();
    assert!(
        !std::sync::Arc::ptr_eq(&first, &moved),
        "a new address wants a new client"
    );
}

#[tokio::test]
async fn a_check_that_fails_is_tried_twice_and_no_more() {
    let app = App::start().await;
    for _ in 0..3 {
        app.fake.fail("check", transient());
    }
    let id = submit(&app, JobSpec::CheckConnection).await;
    app.run_for(2).await;
    assert_eq!(app.state(&id).await, JobState::Failed);
    assert_eq!(app.fake.count("check"), 2);
}
