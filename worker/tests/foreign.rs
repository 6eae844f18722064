//! Accounts under a name of ours that our create did not make: nobody's job touches them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{SystemTime, UNIX_EPOCH};

use jobs::store::{Cancelled, Target};
use jobs::{JobSpec, JobState};
use panels::{Evidence, PanelError};
use support::fake::plain;
use support::{App, create};

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

/// Somebody makes the account by hand, just as our create would have: name, domain, owner, and later
/// than our row.
fn made_by_hand(app: &App) {
    let evidence = Evidence {
        uid: Some("7007".into()),
        started_at: Some(now_ms()),
        ..Evidence::default()
    };
    let account = plain("acme", "acme.example.com", "root", evidence);
    app.fake.state().accounts.insert("acme".into(), account);
}

/// A create that met a foreign account, and was taken back by an operator.
async fn conflict_taken_back(behind: Option<JobSpec>) -> (App, Option<String>) {
    let app = App::start().await;
    app.fake.put_foreign("acme", "somebody.example.com");
    let made = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.acme().await.state, "conflict");
    let waiting = match behind {
        Some(spec) => Some(app.submit_known(spec).await),
        None => None,
    };
    let row = app.job(&made).await.id;
    let (cancelled, _) = app.store.cancel(row, "op", None).await.unwrap();
    assert_eq!(cancelled, Cancelled::Done);
    app.fake.forget_calls();
    (app, waiting)
}

#[tokio::test]
async fn what_waited_behind_a_conflict_does_not_reach_the_foreign_account() {
    let (app, waiting) = conflict_taken_back(Some(JobSpec::Suspend)).await;
    app.run_for(2).await;
    assert!(
        app.fake.changes().is_empty(),
        "the account of somebody else"
    );
    assert_ne!(app.state(&waiting.unwrap()).await, JobState::Succeeded);
    // A terminate is the way out, and leaves it alone too.
    let end = app.submit_known(JobSpec::Terminate).await;
    app.run().await;
    assert_eq!(app.state(&end).await, JobState::Succeeded);
    assert_eq!(app.acme().await.state, "terminated");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn nobody_is_let_into_a_foreign_account() {
    let app = App::start().await;
    app.fake.put_foreign("acme", "somebody.example.com");
    app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.acme().await.state, "conflict");
    let link = app.submit_known(JobSpec::LoginUrl).await;
    app.run().await;
    assert_ne!(app.state(&link).await, JobState::Succeeded);
    assert_eq!(app.fake.count("login_url"), 0);
    assert_eq!(app.handed_out(&link).await, None);
}

#[tokio::test]
async fn a_second_terminate_leaves_the_next_account_of_that_name() {
    let app = App::start().await;
    app.fake
        .fail("domain_owner", PanelError::refused("no", "no"));
    app.submit_create(create()).await;
    app.run().await;
    let old = app.acme().await;
    assert_eq!(old.state, "failed");
    let end = || app.new_job(JobSpec::Terminate, Target::Known(old.id));
    app.submit(end()).await;
    app.run().await;
    let again = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.state(&again).await, JobState::Succeeded);
    app.fake.forget_calls();
    let twice = app.submit(end()).await;
    app.run().await;
    assert_eq!(app.outcomes(&twice).await, ["already_so"]);
    assert!(app.fake.changes().is_empty());
    assert_eq!(app.acme().await.state, "active");
}

#[tokio::test]
async fn what_was_never_sent_did_not_make_the_account_that_is_there() {
    let app = App::start().await;
    app.fake
        .fail("domain_owner", PanelError::refused("no", "no"));
    app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.acme().await.state, "failed");
    made_by_hand(&app);
    let end = app.submit_known(JobSpec::Terminate).await;
    app.run().await;
    assert!(app.fake.account("acme").is_some(), "it is not ours");
    let code = app.job(&end).await.hold_code;
    assert_eq!(code.as_deref(), Some("other_incarnation"));
}
