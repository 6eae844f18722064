//! Refusals that are not the whole truth: a part of the job is done, or an earlier request landed late.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use hosting::{Limit, LimitName, Limits};
use jobs::store::Replayed;
use jobs::{CreateAccount, JobSpec, JobState};
use panels::{Address, Evidence, PanelError};
use support::fake::{Fault, plain, throttled, transient};
use support::{App, create};

fn disk() -> Limits {
    Limits::new().with(LimitName::DiskMb, Limit::AtMost(500))
}

/// A create with an address and limits of its own: three changing steps.
fn in_three_steps() -> CreateAccount {
    CreateAccount {
        limits: disk(),
        dedicated_ip: true,
        ..create()
    }
}

fn refused() -> PanelError {
    PanelError::refused("reseller_limit", "the reseller has no more of it")
}

fn exists() -> PanelError {
    PanelError::refused("account_exists", "an account of that name exists")
}

async fn with_addresses() -> App {
    let app = App::start().await;
    app.fake.state().addresses = vec![Address {
        address: "192.0.2.21".parse().unwrap(),
        public: None,
        shared: false,
        free: true,
    }];
    app
}

async fn replay(app: &App, id: &str) {
    let job = app.job(id).await;
    let replayed = app.store.replay(job.id, "test", "mended", false).await;
    assert_eq!(replayed.unwrap().0, Replayed::Reopened);
}

/// Held as incomplete with a text that names what stands, and the panel's reason.
async fn assert_incomplete(app: &App, id: &str, missing: &str) {
    let job = app.job(id).await;
    assert_eq!(
        (job.state.as_str(), job.hold_code.as_deref()),
        ("held", Some("incomplete")),
        "{job:?}"
    );
    assert_eq!(job.error_code.as_deref(), Some("incomplete"));
    let text = job.error_message.unwrap();
    assert!(text.contains(missing), "{text}");
}

#[tokio::test]
async fn a_create_of_which_a_later_step_is_refused_is_held_and_goes_on_when_replayed() {
    for (verb, missing) in [
        ("assign_address", "has no address of its own"),
        ("set_limits", "its own limits are not set"),
    ] {
        let app = with_addresses().await;
        app.fake.fail(verb, refused());
        let id = app.submit_create(in_three_steps()).await;
        app.run().await;
        assert_incomplete(&app, &id, missing).await;
        assert_incomplete(&app, &id, "the reseller has no more of it").await;
        assert!(app.fake.account("acme").is_some());
        replay(&app, &id).await;
        app.run().await;
        assert_eq!(app.state(&id).await, JobState::Succeeded, "{verb}");
        assert_eq!(app.fake.count("create"), 1, "{verb}");
        let account = app.fake.account("acme").unwrap();
        assert_eq!(account.limits, disk());
        assert_eq!(account.address, Some("192.0.2.21".parse().unwrap()));
    }
}

#[tokio::test]
async fn a_create_that_was_adopted_and_whose_password_is_refused_is_held() {
    let app = App::start().await;
    app.fake.next("create", Fault::ApplyAndLose);
    app.fake.fail("change_password", refused());
    let id = app.submit_create(create()).await;
    app.run_for(2).await;
    assert_incomplete(&app, &id, "its password is not set").await;
}

#[tokio::test]
async fn a_create_that_gets_no_further_in_all_its_tries_is_held_too() {
    let app = App::start().await;
    for _ in 0..20 {
        app.fake.fail("set_limits", transient());
    }
    let id = app
        .submit_create(CreateAccount {
            limits: disk(),
            ..create()
        })
        .await;
    app.run_for(60).await;
    assert_incomplete(&app, &id, "its own limits are not set").await;
    assert_eq!(app.job(&id).await.tries, 8);
    assert_eq!(app.fake.count("create"), 1);
}

#[tokio::test]
async fn a_package_that_was_changed_without_the_limits_is_held() {
    for between in [None, Some(throttled(7)), Some(transient())] {
        let app = App::start().await;
        app.with_account().await;
        let limits = app
            .submit_known(JobSpec::ChangeLimits { limits: disk() })
            .await;
        app.run().await;
        assert_eq!(app.state(&limits).await, JobState::Succeeded);
        app.fake.state().packages.insert(
            "silver".into(),
            Limits::new().with(LimitName::DiskMb, Limit::AtMost(9)),
        );
        app.fake.forget_calls();
        if let Some(error) = between {
            app.fake.fail("set_limits", error);
        }
        app.fake.fail("set_limits", refused());
        let package = "silver".parse().unwrap();
        let id = app.submit_known(JobSpec::ChangePackage { package }).await;
        app.run_for(3).await;
        assert_incomplete(&app, &id, "the account has its new package").await;
        assert_eq!(app.fake.count("change_package"), 1);
        replay(&app, &id).await;
        app.run().await;
        assert_eq!(app.state(&id).await, JobState::Succeeded);
        assert_eq!(app.fake.account("acme").unwrap().limits, disk());
    }
}

/// A create whose first request is lost and, after it was surely absent, is sent again.
async fn sent_again(second: Fault) -> (App, String) {
    let app = App::start().await;
    app.fake.next("create", Fault::Lose);
    app.fake.next("create", second);
    let id = app.submit_create(create()).await;
    for _ in 0..10 {
        if app.fake.count("create") == 2 {
            return (app, id);
        }
        app.store.advance_clock(Duration::from_secs(60));
        app.attempt().await;
    }
    panic!("it was not sent again");
}

#[tokio::test]
async fn our_first_request_that_landed_behind_the_second_is_adopted() {
    let (app, id) = sent_again(Fault::ApplyAndFail(exists())).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create", "create", "change_password"]);
    let password = app.fake.state().passwords["acme"].clone();
    assert_eq!(app.handed_out(&id).await, Some(password));
    assert_eq!(app.acme().await.state, "active");
}

#[tokio::test]
async fn what_is_said_to_exist_and_not_shown_is_looked_up_until_it_is() {
    for refusal in ["account_exists", "group_exists", "domain_taken"] {
        let second = Fault::Fail(PanelError::refused(refusal, "it is there"));
        let (app, id) = sent_again(second).await;
        let job = app.job(&id).await;
        assert_eq!(job.state, "retrying", "{refusal}");
        assert!(job.doubt_since.is_some(), "{refusal}");
        let late = plain(
            "acme",
            "acme.example.com",
            "root",
            Evidence {
                started_at: Some(app.store.now().await.unwrap()),
                ..Evidence::default()
            },
        );
        app.fake.state().accounts.insert("acme".into(), late);
        app.run_for(3).await;
        assert_eq!(app.state(&id).await, JobState::Succeeded, "{refusal}");
        assert_eq!(app.fake.count("create"), 2);
    }
}

#[tokio::test]
async fn a_second_request_that_is_refused_for_itself_fails_after_a_look() {
    let (app, id) = sent_again(Fault::Fail(refused())).await;
    assert_eq!(app.state(&id).await, JobState::Failed);
    assert_eq!(app.error(&id).await, "reseller_limit");
}

/// Somebody else takes the name between our look and our request.
#[tokio::test]
async fn a_name_that_somebody_took_at_the_last_moment_is_a_conflict() {
    let app = App::start().await;
    let foreign = plain("acme", "other.example.com", "somebody", Evidence::default());
    let overtaken = Fault::Overtaken(Box::new(foreign), exists());
    app.fake.next("create", overtaken);
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.job(&id).await.hold_code.as_deref(), Some("conflict"));
    assert_eq!(app.acme().await.state, "conflict");
    assert_eq!(app.fake.changes(), ["create"]);
}

/// A panel's key that does not see other resellers' accounts: nothing of ours ever left, so it is a refusal.
#[tokio::test]
async fn a_name_that_exists_where_we_cannot_see_it_is_refused() {
    let app = App::start().await;
    app.fake.fail("create", exists());
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Failed);
    assert_eq!(app.error(&id).await, "account_exists");
}
