//! What happens to an account that is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use hosting::{Bytes, Limit, LimitName, Limits, Month};
use jobs::store::Target;
use jobs::{AccountState, JobSpec, JobState};
use panels::{AccountUsage, PanelError, Standing};
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use support::fake::{Fault, auth, suspended, throttled, transient};
use support::{App, create, unknown};

async fn app() -> App {
    let app = App::start().await;
    app.with_account().await;
    app
}

fn disk(mb: u64) -> Limits {
    Limits::new().with(LimitName::DiskMb, Limit::AtMost(mb))
}

fn package(name: &str) -> JobSpec {
    JobSpec::ChangePackage {
        package: name.parse().unwrap(),
    }
}

/// Every changing kind but create, with the verb that it calls.
fn changes() -> Vec<(JobSpec, &'static str)> {
    vec![
        (JobSpec::Suspend, "suspend"),
        (JobSpec::Unsuspend, "unsuspend"),
        (JobSpec::Terminate, "terminate"),
        (package("silver"), "change_package"),
        (JobSpec::ChangeLimits { limits: disk(7) }, "set_limits"),
        (JobSpec::ChangePassword, "change_password"),
        (JobSpec::Unlock, "unlock"),
        (
            JobSpec::Move {
                target: "bob".into(),
            },
            "move_to",
        ),
    ]
}

/// An account on which that change has something to do, and the change.
async fn begun(spec: &JobSpec) -> (App, String) {
    let app = app().await;
    if *spec == JobSpec::Unsuspend {
        let id = app.submit_known(JobSpec::Suspend).await;
        app.run().await;
        assert_eq!(app.state(&id).await, JobState::Succeeded);
        app.fake.forget_calls();
    }
    let id = if *spec == JobSpec::ChangePassword {
        app.submit_with_password(spec.clone(), "Feed23!abc").await
    } else {
        app.submit_known(spec.clone()).await
    };
    (app, id)
}

#[tokio::test]
async fn every_change_is_made_once() {
    for (spec, verb) in changes() {
        let (app, id) = begun(&spec).await;
        app.run().await;
        assert_eq!(app.outcomes(&id).await, ["succeeded"], "{verb}");
        assert_eq!(app.fake.changes(), [verb]);
    }
}

#[tokio::test]
async fn what_is_already_so_is_not_done_again() {
    for (spec, verb) in changes() {
        let blind = [JobSpec::ChangePassword, JobSpec::Unlock].contains(&spec);
        if blind {
            continue;
        }
        let (app, _) = begun(&spec).await;
        app.run().await;
        app.fake.forget_calls();
        let id = app.submit_known(spec).await;
        app.run().await;
        assert_eq!(app.outcomes(&id).await, ["already_so"], "{verb}");
        assert!(app.fake.changes().is_empty(), "{verb}");
    }
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_is_adopted_when_it_is_seen() {
    for (spec, verb) in changes() {
        let blind = [JobSpec::ChangePassword, JobSpec::Unlock].contains(&spec);
        let (app, id) = begun(&spec).await;
        app.fake.next(verb, Fault::ApplyAndLose);
        app.run().await;
        assert!(app.job(&id).await.doubt_since.is_some(), "{verb}");
        app.run_for(1).await;
        let adopted = app.state(&id).await == JobState::Succeeded;
        assert_eq!(adopted, !blind, "{verb}");
        app.run_for(15).await;
        assert_eq!(app.state(&id).await, JobState::Succeeded, "{verb}");
        assert_eq!(app.fake.count(verb), if blind { 2 } else { 1 }, "{verb}");
        assert!(app.job(&id).await.doubt_since.is_none());
    }
}

#[tokio::test]
async fn a_change_that_never_arrived_is_sent_again_after_its_settle_time() {
    for (spec, verb) in changes() {
        let settle = spec.kind().policy().settle.unwrap().as_secs() / 60;
        let (app, id) = begun(&spec).await;
        app.fake.next(verb, Fault::Lose);
        app.run_for(settle - 1).await;
        assert_eq!(app.fake.count(verb), 1, "{verb} may still be running");
        app.run_for(3).await;
        assert_eq!(app.state(&id).await, JobState::Succeeded, "{verb}");
        assert_eq!(app.fake.count(verb), 2, "{verb}");
    }
}

#[tokio::test]
async fn refusals_credentials_and_patience_mean_the_same_for_every_kind() {
    for (spec, verb) in changes() {
        let (app, id) = begun(&spec).await;
        app.fake.fail(verb, PanelError::refused("refused", "no"));
        app.run().await;
        assert_eq!(app.state(&id).await, JobState::Failed, "{verb}");

        let (app, id) = begun(&spec).await;
        app.fake.fail(verb, auth());
        app.run_for(2).await;
        assert_eq!(
            app.job(&id).await.hold_code.as_deref(),
            Some("panel_auth"),
            "{verb}"
        );
        assert_eq!(app.fake.count(verb), 1, "{verb}");

        let (app, id) = begun(&spec).await;
        app.fake.fail(verb, throttled(30));
        app.run().await;
        assert_eq!(app.job(&id).await.tries, 0, "{verb}");
        app.run_for(1).await;
        assert_eq!(app.state(&id).await, JobState::Succeeded, "{verb}");

        let (app, id) = begun(&spec).await;
        app.fake.fail(verb, transient());
        app.run_for(1).await;
        assert_eq!(app.outcomes(&id).await, ["retry", "succeeded"], "{verb}");
    }
}

#[tokio::test]
async fn after_a_lost_claim_no_kind_sends_anything() {
    for (spec, verb) in changes() {
        let (app, _) = begun(&spec).await;
        let claimed = app.claim().await.remove(0);
        app.store.advance_clock(Duration::from_secs(7200));
        assert_eq!(app.store.rescue(10).await.unwrap().rescued, 1);
        app.worker.handle(claimed).await;
        assert!(app.fake.changes().is_empty(), "{verb}");
    }
}

#[tokio::test]
async fn another_account_under_the_name_is_left_alone_by_every_kind() {
    for (spec, verb) in changes() {
        let (app, id) = begun(&spec).await;
        app.fake
            .change_account("acme", |account| account.evidence.uid = Some("4711".into()));
        app.run().await;
        assert_eq!(
            app.job(&id).await.hold_code.as_deref(),
            Some("other_incarnation"),
            "{verb}"
        );
        assert!(app.fake.changes().is_empty(), "{verb}");
    }
}

#[tokio::test]
async fn a_suspension_carries_our_mark_and_what_it_needs_to_be_undone() {
    let app = app().await;
    let id = app.acme().await.id;
    let mut job = app.new_job(JobSpec::Suspend, Target::Known(id));
    job.reason = Some("unpaid".into());
    app.submit(job).await;
    app.run().await;
    let Standing::Suspended { reason, .. } = app.fake.account("acme").unwrap().standing else {
        panic!("it is not suspended");
    };
    assert_eq!(reason.as_deref(), Some("hostler: unpaid"));
    let row = app.acme().await;
    assert_eq!(
        (row.state.as_str(), row.suspended_by.as_deref()),
        ("suspended", Some("us"))
    );
    assert_eq!(row.remembered.as_deref(), Some(r#"{"subdomain":true}"#));
    app.submit_known(JobSpec::Unsuspend).await;
    app.run().await;
    let row = app.acme().await;
    assert_eq!((row.state.as_str(), row.suspended_by), ("active", None));
    assert_eq!(row.remembered, None);
}

#[tokio::test]
async fn an_adopted_suspension_still_knows_what_it_remembered() {
    let app = app().await;
    app.fake.next("suspend", Fault::ApplyAndLose);
    app.submit_known(JobSpec::Suspend).await;
    app.run_for(1).await;
    let row = app.acme().await;
    assert_eq!(row.suspended_by.as_deref(), Some("us"));
    assert_eq!(row.remembered.as_deref(), Some(r#"{"subdomain":true}"#));
}

#[tokio::test]
async fn a_suspension_of_others_is_shown_and_not_lifted_by_a_payment() {
    for ours in [Some(false), None] {
        let app = app().await;
        app.fake
            .change_account("acme", |account| account.standing = suspended(ours));
        let id = app.submit_known(JobSpec::Unsuspend).await;
        app.run().await;
        assert_eq!(app.error(&id).await, "suspended_by_others");
        assert!(app.fake.changes().is_empty());
        let row = app.acme().await;
        assert_eq!(
            (row.state.as_str(), row.suspended_by.as_deref()),
            ("suspended", Some("others"))
        );
        let mut forced = app.operators(JobSpec::Unsuspend, Target::Known(row.id));
        forced.reason = Some("cleaned up".into());
        let id = app.submit(forced).await;
        app.run().await;
        assert_eq!(app.state(&id).await, JobState::Succeeded);
    }
}

#[tokio::test]
async fn what_an_unsuspend_has_not_restored_is_for_a_person() {
    let (app, id) = begun(&JobSpec::Unsuspend).await;
    app.fake.state().missing_after_unsuspend = vec!["the standard subdomain".into()];
    app.run().await;
    assert_eq!(
        app.job(&id).await.hold_code.as_deref(),
        Some("not_restored")
    );
    assert_eq!(app.acme().await.state, "active");
    app.fake.state().missing_after_unsuspend.clear();
    app.store
        .replay(app.job(&id).await.id, "op", "mended", false)
        .await
        .unwrap();
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
}

#[tokio::test]
async fn an_unknown_account_is_taken_over_from_the_panel() {
    let app = App::start().await;
    app.fake.put_foreign("legacy", "legacy.example.com");
    let target = unknown("legacy", None);
    let id = app.submit(app.new_job(JobSpec::Suspend, target)).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    let row = app
        .store
        .account_by_row(app.job(&id).await.account_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.state.as_str(), row.domain.as_deref()),
        ("suspended", Some("legacy.example.com"))
    );
    assert!(row.evidence.contains("9001"));
}

#[tokio::test]
async fn an_unknown_account_is_terminated_only_under_its_domain() {
    for (told, gone) in [
        (None, false),
        (Some("other.example.com"), false),
        (Some("legacy.example.com"), true),
    ] {
        let app = App::start().await;
        app.fake.put_foreign("legacy", "legacy.example.com");
        let id = app
            .submit(app.new_job(JobSpec::Terminate, unknown("legacy", told)))
            .await;
        app.run().await;
        assert_eq!(app.fake.account("legacy").is_none(), gone, "{told:?}");
        let code = app.job(&id).await.hold_code;
        assert_eq!(
            code.as_deref(),
            if gone {
                None
            } else {
                Some("other_incarnation")
            }
        );
    }
}

#[tokio::test]
async fn a_name_that_the_panel_does_not_know_is_given_free_again() {
    let app = App::start().await;
    let id = app
        .submit(app.new_job(JobSpec::Suspend, unknown("nobody", None)))
        .await;
    app.run().await;
    assert_eq!(app.error(&id).await, "no_such_account");
    let row = app
        .store
        .account_by_row(app.job(&id).await.account_id.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(row.live_key, None);
}

#[tokio::test]
async fn terminating_what_is_gone_is_done() {
    let app = app().await;
    app.fake.state().accounts.clear();
    let id = app.submit_known(JobSpec::Terminate).await;
    app.run().await;
    assert_eq!(app.outcomes(&id).await, ["already_so"]);
    let row = app.acme().await;
    assert_eq!(
        (row.state.as_str(), row.live_key),
        (AccountState::Terminated.name(), None)
    );
}

#[tokio::test]
async fn terminating_an_account_that_was_never_made_leaves_the_foreign_one() {
    let app = App::start().await;
    app.fake.put_foreign("acme", "somebody.example.com");
    app.fake.fail(
        "find",
        PanelError::refused("name_clash", "the name is taken"),
    );
    let first = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.state(&first).await, JobState::Failed);
    let id = app.submit_known(JobSpec::Terminate).await;
    app.run().await;
    assert_eq!(app.outcomes(&id).await, ["already_so"]);
    assert!(app.fake.account("acme").is_some());
    assert_eq!(app.acme().await.state, "terminated");
}

fn usage(bytes: u64) -> AccountUsage {
    AccountUsage {
        username: "acme".parse().unwrap(),
        domain: Some("acme.example.com".parse().unwrap()),
        owner: None,
        deleted: false,
        traffic: Bytes::new(bytes),
        traffic_limit: None,
        disk: None,
        disk_limit: None,
        days: None,
    }
}

async fn this_month(app: &App) -> Month {
    let now = app.store.now().await.unwrap();
    Month::of(&chrono::DateTime::from_timestamp_millis(now).unwrap())
}

async fn months(app: &App) -> Vec<(String, i64, Option<String>)> {
    let id = app.acme().await.id;
    let rows = entity::usage_month::Entity::find()
        .filter(entity::usage_month::Column::AccountId.eq(id))
        .all(app.store.reader())
        .await
        .unwrap();
    rows.into_iter()
        .map(|row| (row.month, row.total_bytes, row.flag))
        .collect()
}

#[tokio::test]
async fn the_last_traffic_is_booked_before_the_account_goes() {
    let app = app().await;
    let month = this_month(&app).await;
    app.fake.state().reports = [
        (month.to_string(), vec![usage(700)]),
        (month.previous().to_string(), vec![usage(300)]),
    ]
    .into();
    let id = app.submit_known(JobSpec::Terminate).await;
    app.run().await;
    assert_eq!(app.result(&id).await["final_reading"], true);
    assert_eq!(
        months(&app).await,
        [
            (month.previous().to_string(), 300, None),
            (month.to_string(), 700, None)
        ]
    );
}

#[tokio::test]
async fn a_last_reading_that_fails_is_tried_with_the_job_and_then_flagged() {
    let app = app().await;
    for _ in 0..10 {
        app.fake.fail("usage_of", transient());
    }
    let id = app.submit_known(JobSpec::Terminate).await;
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    assert!(app.fake.account("acme").is_some());
    app.run_for(120).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert!(app.fake.account("acme").is_none());
    assert_eq!(app.result(&id).await["final_reading"], false);
    let previous = this_month(&app).await.previous().to_string();
    let flags = months(&app).await;
    assert!(
        flags.contains(&(previous, 0, Some("missing_final".into()))),
        "{flags:?}"
    );
}

#[tokio::test]
async fn a_new_package_gets_the_accounts_own_limits_again() {
    let app = app().await;
    app.submit_known(JobSpec::ChangeLimits { limits: disk(500) })
        .await;
    app.run().await;
    app.fake.state().packages.insert("silver".into(), disk(100));
    app.fake.forget_calls();
    let id = app.submit_known(package("silver")).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["change_package", "set_limits"]);
    assert_eq!(app.fake.account("acme").unwrap().limits, disk(500));
    assert_eq!(app.acme().await.package.as_deref(), Some("silver"));
}

#[tokio::test]
async fn overrides_that_got_lost_between_two_steps_are_set_again() {
    let app = app().await;
    app.submit_known(JobSpec::ChangeLimits { limits: disk(500) })
        .await;
    app.run().await;
    app.fake.state().packages.insert("silver".into(), disk(100));
    app.fake.fail("set_limits", transient());
    app.fake.forget_calls();
    let id = app.submit_known(package("silver")).await;
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(
        app.fake.changes(),
        ["change_package", "set_limits", "set_limits"]
    );
    assert_eq!(app.fake.account("acme").unwrap().limits, disk(500));
}

#[tokio::test]
async fn an_unknown_package_is_refused_when_the_packages_are_known() {
    let app = app().await;
    let config = serde_json::json!({"packages": [{"name": "gold", "limits": {}}], "addresses": [], "name_servers": []});
    app.update_server(|row| row.config = Set(Some(config.to_string())))
        .await;
    let id = app.submit_known(package("silver")).await;
    app.run().await;
    assert_eq!(app.error(&id).await, "package_unknown");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_limit_that_the_panel_cannot_express_is_refused_again_by_the_worker() {
    let app = app().await;
    let mut rules = support::rules();
    rules.limits.clear();
    let text = serde_json::to_string(&rules).unwrap();
    app.update_server(|row| row.rules = Set(text)).await;
    let id = app
        .submit_known(JobSpec::ChangeLimits { limits: disk(7) })
        .await;
    app.run().await;
    assert_eq!(app.error(&id).await, "invalid");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_submitted_password_is_set_and_wiped() {
    let app = app().await;
    let id = app
        .submit_with_password(JobSpec::ChangePassword, "Feed23!abc")
        .await;
    app.run().await;
    assert_eq!(app.fake.state().passwords["acme"], "Feed23!abc");
    assert!(
        app.secrets(&id)
            .await
            .iter()
            .all(|row| row.sealed.is_none())
    );
}

#[tokio::test]
async fn a_password_waits_for_a_suspension_to_end_but_not_in_its_way() {
    let app = app().await;
    let refused = || PanelError::refused("suspended", "the account is suspended");
    app.fake.fail("change_password", refused());
    let id = app
        .submit_with_password(JobSpec::ChangePassword, "Feed23!abc")
        .await;
    app.run().await;
    let job = app.job(&id).await;
    assert_eq!((job.state.as_str(), job.tries), ("retrying", 0));
    app.fake.fail("change_password", refused());
    let behind = app.submit_known(JobSpec::Unlock).await;
    app.run_for(6).await;
    assert_eq!(
        app.job(&id).await.hold_code.as_deref(),
        Some("account_suspended")
    );
    assert_eq!(app.state(&behind).await, JobState::Succeeded);
}

#[tokio::test]
async fn what_is_too_old_gets_no_further_attempt() {
    let app = app().await;
    let id = app.submit_known(JobSpec::Suspend).await;
    app.fake.fail("find", throttled(3600));
    app.store.advance_clock(Duration::from_secs(24 * 3600 - 60));
    app.run().await;
    let job = app.job(&id).await;
    assert_eq!(
        (job.state.as_str(), job.hold_code.as_deref()),
        ("held", Some("panel_throttled"))
    );
}
