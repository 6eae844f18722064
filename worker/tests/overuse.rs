//! Suspending for traffic, beside what a platform suspends for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use entity::account;
use hosting::Month;
use jobs::{JobSpec, JobState};
use panels::Standing;
use support::App;
use support::fake::{Fault, suspended};

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn overuse() -> JobSpec {
    JobSpec::SuspendOveruse { month: month() }
}

async fn app() -> App {
    let app = App::start().await;
    app.with_account().await;
    app
}

async fn run(app: &App, spec: JobSpec) -> String {
    let id = app.submit_known(spec).await;
    app.run().await;
    id
}

/// State, by whom, and the month of overuse.
fn stands(row: &account::Model) -> (&str, Option<&str>, Option<&str>) {
    (
        row.state.as_str(),
        row.suspended_by.as_deref(),
        row.overuse_month.as_deref(),
    )
}

fn is_active_on_the_panel(app: &App) -> bool {
    app.fake.account("acme").unwrap().standing == Standing::Active
}

#[tokio::test]
async fn it_is_suspended_in_words_of_its_own_and_goes_free_again() {
    let app = app().await;
    run(&app, overuse()).await;
    let row = app.acme().await;
    assert_eq!(
        stands(&row),
        ("suspended", Some("overuse"), Some("2026-11"))
    );
    assert_eq!(
        row.suspend_reason.as_deref(),
        Some("the traffic of 2026-11 is used up")
    );
    assert_eq!(row.remembered.as_deref(), Some(r#"{"subdomain":true}"#));
    run(&app, JobSpec::LiftOveruse).await;
    assert!(is_active_on_the_panel(&app));
    let row = app.acme().await;
    assert_eq!(stands(&row), ("active", None, None));
    assert_eq!((row.suspend_reason, row.remembered), (None, None));
}

#[tokio::test]
async fn a_payment_lifts_what_was_unpaid_and_not_the_overuse() {
    let app = app().await;
    run(&app, overuse()).await;
    run(&app, JobSpec::Suspend).await;
    let row = app.acme().await;
    assert_eq!(stands(&row), ("suspended", Some("us"), Some("2026-11")));
    assert_eq!(
        row.suspend_reason.as_deref(),
        Some("suspended by the billing platform")
    );
    let paid = run(&app, JobSpec::Unsuspend).await;
    assert_eq!(app.error(&paid).await, "suspended_for_overuse");
    assert_eq!(
        stands(&app.acme().await),
        ("suspended", Some("overuse"), Some("2026-11"))
    );
    assert!(!is_active_on_the_panel(&app));
    run(&app, JobSpec::LiftOveruse).await;
    assert_eq!(stands(&app.acme().await), ("active", None, None));
    assert!(is_active_on_the_panel(&app));
}

#[tokio::test]
async fn the_months_turn_lifts_the_overuse_and_not_what_is_unpaid() {
    // Whichever of the two came first.
    for first in [overuse(), JobSpec::Suspend] {
        let app = app().await;
        let second = if first == JobSpec::Suspend {
            overuse()
        } else {
            JobSpec::Suspend
        };
        run(&app, first).await;
        run(&app, second).await;
        assert_eq!(
            stands(&app.acme().await),
            ("suspended", Some("us"), Some("2026-11"))
        );
        let lift = run(&app, JobSpec::LiftOveruse).await;
        assert_eq!(app.state(&lift).await, JobState::Succeeded);
        assert_eq!(stands(&app.acme().await), ("suspended", Some("us"), None));
        assert!(!is_active_on_the_panel(&app));
        let paid = run(&app, JobSpec::Unsuspend).await;
        assert_eq!(app.state(&paid).await, JobState::Succeeded);
        assert!(is_active_on_the_panel(&app));
    }
}

#[tokio::test]
async fn what_others_have_suspended_stays_theirs() {
    let app = app().await;
    app.fake
        .change_account("acme", |account| account.standing = suspended(Some(false)));
    run(&app, overuse()).await;
    assert_eq!(
        stands(&app.acme().await),
        ("suspended", Some("others"), None)
    );
    run(&app, JobSpec::LiftOveruse).await;
    assert!(!is_active_on_the_panel(&app));
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn an_operator_who_says_why_lifts_it() {
    let app = app().await;
    run(&app, overuse()).await;
    let id = app.acme().await.id;
    let mut forced = app.operators(JobSpec::Unsuspend, jobs::store::Target::Known(id));
    forced.reason = Some("a good customer".into());
    app.submit(forced).await;
    app.run().await;
    assert_eq!(stands(&app.acme().await), ("active", None, None));
    assert!(is_active_on_the_panel(&app));
}

#[tokio::test]
async fn a_lost_answer_leaves_it_known_as_overuse() {
    let app = app().await;
    app.fake.next("suspend", Fault::ApplyAndLose);
    app.submit_known(overuse()).await;
    app.run_for(1).await;
    assert_eq!(
        stands(&app.acme().await),
        ("suspended", Some("overuse"), Some("2026-11"))
    );
    app.fake.next("unsuspend", Fault::ApplyAndLose);
    app.submit_known(JobSpec::LiftOveruse).await;
    app.run_for(1).await;
    assert_eq!(stands(&app.acme().await), ("active", None, None));
}

#[tokio::test]
async fn a_queued_payment_and_a_queued_overuse_do_not_cancel_each_other() {
    let app = app().await;
    run(&app, JobSpec::Suspend).await;
    let paid = app.submit_known(JobSpec::Unsuspend).await;
    let over = app.submit_known(overuse()).await;
    app.run().await;
    for id in [&paid, &over] {
        assert_eq!(app.state(id).await, JobState::Succeeded);
    }
    assert_eq!(
        stands(&app.acme().await),
        ("suspended", Some("overuse"), Some("2026-11"))
    );
}
