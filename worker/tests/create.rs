//! Making accounts, through every way in which it can go wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::Duration;

use hosting::{Limit, LimitName, Limits};
use jobs::{CreateAccount, JobState};
use panels::{Address, Evidence, PanelError};
use sea_orm::ActiveValue::Set;
use support::fake::{Fault, auth, plain, throttled, transient};
use support::{App, create};

#[tokio::test]
async fn an_account_is_made_and_its_row_tells_all_of_it() {
    let app = App::start().await;
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create"]);
    let row = app.acme().await;
    assert_eq!(
        (row.state.as_str(), row.package.as_deref()),
        ("active", Some("gold"))
    );
    assert!(row.evidence.contains("1001"), "{}", row.evidence);
    let result = app.result(&id).await;
    assert_eq!(result["username"], "acme");
    assert_eq!(result["host_name"], "web1.example.net");
    assert_eq!(result["name_servers"][0], "ns1.example.net");
    assert_eq!(result["secret_available"], true);
}

#[tokio::test]
async fn a_generated_password_is_handed_out_and_the_workers_copy_wiped() {
    let app = App::start().await;
    let id = app.submit_create(create()).await;
    app.run().await;
    let password = app.fake.state().passwords["acme"].clone();
    assert_eq!(app.handed_out(&id).await, Some(password));
    let workers = app.secrets(&id).await;
    let workers: Vec<_> = workers
        .iter()
        .filter(|row| row.audience == "worker")
        .collect();
    assert!(workers.len() == 1 && workers[0].sealed.is_none());
}

#[tokio::test]
async fn the_password_is_sealed_before_the_panel_is_asked() {
    let app = App::start().await;
    app.fake.fail("create", transient());
    let id = app.submit_create(create()).await;
    app.run().await;
    let sealed = app.secrets(&id).await;
    assert_eq!(sealed.iter().filter(|row| row.sealed.is_some()).count(), 2);
    app.run_for(2).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    // The one that was sealed at first is the one that was set at last.
    let password = app.fake.state().passwords["acme"].clone();
    assert_eq!(app.handed_out(&id).await, Some(password));
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_adopted_with_its_password_set_again() {
    let app = App::start().await;
    app.fake.next("create", Fault::ApplyAndLose);
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    let job = app.job(&id).await;
    assert!(job.doubt_since.is_some() && job.tries == 1 && job.looks == 1);
    assert_eq!(app.acme().await.state, "provisioning");
    // As if the panel had set another one than ours.
    app.fake
        .state()
        .passwords
        .insert("acme".into(), "theirs".into());
    app.run_for(2).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create", "change_password"]);
    let password = app.fake.state().passwords["acme"].clone();
    assert_eq!(app.handed_out(&id).await, Some(password));
    assert_eq!(app.outcomes(&id).await, ["look_again", "succeeded"]);
}

#[tokio::test]
async fn a_create_that_never_arrived_is_sent_again_only_after_the_settle_time() {
    let app = App::start().await;
    app.fake.next("create", Fault::Lose);
    let id = app.submit_create(create()).await;
    app.run_for(4).await;
    assert_eq!(app.fake.count("create"), 1, "it may still be running");
    assert!(app.fake.count("find") >= 3);
    app.run_for(3).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create", "create"]);
}

#[tokio::test]
async fn a_create_that_lands_late_is_adopted() {
    let app = App::start().await;
    app.fake.next("create", Fault::Lose);
    let id = app.submit_create(create()).await;
    app.run_for(3).await;
    let now = app.store.now().await.unwrap();
    let late = plain(
        "acme",
        "acme.example.com",
        "root",
        Evidence {
            uid: Some("1".into()),
            started_at: Some(now),
            ..Evidence::default()
        },
    );
    app.fake.state().accounts.insert("acme".into(), late);
    app.run_for(3).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create", "change_password"]);
}

#[tokio::test]
async fn a_foreign_account_of_that_name_is_a_conflict_for_a_person() {
    let app = App::start().await;
    app.fake.put_foreign("acme", "acme.example.com");
    let id = app.submit_create(create()).await;
    app.run().await;
    let job = app.job(&id).await;
    assert_eq!(
        (job.state.as_str(), job.hold_code.as_deref()),
        ("held", Some("conflict"))
    );
    assert_eq!(app.acme().await.state, "conflict");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_marker_of_another_installation_is_foreign_even_when_we_sent() {
    let app = App::start().await;
    app.fake.state().marks = true;
    app.fake.next("create", Fault::ApplyAndLose);
    let id = app.submit_create(create()).await;
    app.run().await;
    app.fake.change_account("acme", |account| {
        account.evidence.marker = Some("Hy-1".into());
    });
    app.run_for(2).await;
    assert_eq!(app.error(&id).await, "conflict");
    assert_eq!(app.fake.changes(), ["create"]);
}

#[tokio::test]
async fn what_was_half_made_is_for_a_person_once_it_has_settled() {
    let app = App::start().await;
    app.fake.next("create", Fault::ApplyAndLose);
    let id = app.submit_create(create()).await;
    app.run().await;
    app.fake.change_account("acme", |account| {
        account.unfinished = vec!["no FTP user".into()];
    });
    app.run_for(3).await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    app.run_for(4).await;
    let job = app.job(&id).await;
    assert_eq!(job.hold_code.as_deref(), Some("half_made"));
    assert!(job.error_message.unwrap().contains("no FTP user"));
}

#[tokio::test]
async fn a_second_create_for_a_live_account_changes_nothing() {
    let app = App::start().await;
    app.with_account().await;
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.outcomes(&id).await, ["already_so"]);
    assert!(app.fake.changes().is_empty());
    assert_eq!(app.result(&id).await["secret_available"], false);
}

#[tokio::test]
async fn refused_credentials_hold_the_job_and_the_server() {
    let app = App::start().await;
    app.fake.fail("create", auth());
    let id = app.submit_create(create()).await;
    app.run_for(3).await;
    let job = app.job(&id).await;
    assert_eq!(job.hold_code.as_deref(), Some("panel_auth"));
    assert!(app.server().await.auth_hold_since.is_some());
    assert_eq!(app.fake.count("create"), 1);
}

#[tokio::test]
async fn a_throttled_server_cools_down_and_no_try_is_used() {
    let app = App::start().await;
    app.fake.fail("find", throttled(90));
    let id = app.submit_create(create()).await;
    app.run().await;
    let job = app.job(&id).await;
    assert_eq!((job.state.as_str(), job.tries), ("retrying", 0));
    let cool = app.server().await.cool_until.unwrap();
    assert!(cool - job.started_at.unwrap() >= 90_000);
    app.run_for(1).await;
    assert_eq!(app.fake.count("find"), 1, "not within the 90 s");
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
}

#[tokio::test]
async fn a_refusal_fails_the_job_and_the_account() {
    let app = App::start().await;
    let refused = PanelError::refused("reseller_limit", "the reseller may make no more accounts");
    app.fake.fail("create", refused);
    let id = app.submit_create(create()).await;
    app.run().await;
    let job = app.job(&id).await;
    assert_eq!(job.state, "failed");
    assert_eq!(
        job.error_message.unwrap(),
        "the reseller may make no more accounts"
    );
    assert_eq!(app.acme().await.state, "failed");
}

#[tokio::test]
async fn a_panel_that_cannot_be_reached_is_tried_to_the_last_try() {
    let app = App::start().await;
    for _ in 0..8 {
        app.fake.fail("find", transient());
    }
    let id = app.submit_create(create()).await;
    app.run_for(60).await;
    let job = app.job(&id).await;
    assert_eq!((job.state.as_str(), job.tries), ("failed", 8));
    assert!(app.server().await.breaker_failures >= 5);
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_server_that_answers_again_closes_its_breaker() {
    let app = App::start().await;
    app.fake.fail("find", transient());
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.server().await.breaker_failures, 1);
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.server().await.breaker_failures, 0);
}

#[tokio::test]
async fn after_a_lost_claim_nothing_is_sent() {
    let app = App::start().await;
    let id = app.submit_create(create()).await;
    let claimed = app.claim().await.remove(0);
    app.store.advance_clock(Duration::from_secs(3600));
    assert_eq!(app.store.rescue(10).await.unwrap().rescued, 1);
    app.worker.handle(claimed).await;
    assert!(app.fake.changes().is_empty());
    assert_eq!(app.state(&id).await, JobState::Retrying);
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create"]);
}

#[tokio::test]
async fn a_worker_that_died_after_sending_leaves_a_doubt_that_is_looked_up() {
    let app = App::start().await;
    app.fake.next("create", Fault::ApplyAndLose);
    let id = app.submit_create(create()).await;
    let claimed = app.claim().await.remove(0);
    // The worker dies while the panel works: its outcome is never written.
    app.fake.next("find", Fault::Fail(transient()));
    app.fake.state().faults.remove("find");
    let intent = jobs::store::Intent {
        job_id: claimed.job.id,
        fence: claimed.job.fence,
        progress: Some(serde_json::json!({"first_sent_at": claimed.claimed_at})),
        sends: true,
    };
    app.store.write_group(&[intent], &[]).await.unwrap();
    app.fake.state().faults.clear();
    app.store.advance_clock(Duration::from_secs(3600));
    app.store.rescue(10).await.unwrap();
    assert!(app.job(&id).await.doubt_since.is_some());
    app.run_for(1).await;
    assert!(app.fake.changes().is_empty(), "one look is too few");
    app.run_for(3).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create"]);
}

#[tokio::test]
async fn a_panic_is_caught_and_the_third_parks_the_job() {
    let app = App::start().await;
    for _ in 0..3 {
        app.fake.next("find", Fault::Panic);
    }
    let id = app.submit_create(create()).await;
    app.run_for(3).await;
    assert_eq!(app.outcomes(&id).await, ["died", "died", "died"]);
    assert_eq!(app.job(&id).await.hold_code.as_deref(), Some("poison"));
}

#[tokio::test]
async fn a_panic_after_sending_is_a_doubt() {
    let app = App::start().await;
    app.fake.next("create", Fault::Panic);
    let id = app.submit_create(create()).await;
    app.run().await;
    assert!(app.job(&id).await.doubt_since.is_some());
    app.run_for(7).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
}

#[tokio::test]
async fn what_the_rules_refuse_is_not_sent() {
    let app = App::start().await;
    let mut rules = support::rules();
    rules.username.max_length = 3;
    let text = serde_json::to_string(&rules).unwrap();
    app.update_server(|row| row.rules = Set(text)).await;
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.error(&id).await, "invalid");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_package_that_the_server_lacks_is_refused_when_its_packages_are_known() {
    let app = App::start().await;
    let config = serde_json::json!({"packages": [{"name": "silver", "limits": {}}], "addresses": [], "name_servers": []});
    app.update_server(|row| row.config = Set(Some(config.to_string())))
        .await;
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.error(&id).await, "package_unknown");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_domain_of_another_account_is_refused_before_anything_is_made() {
    let app = App::start().await;
    app.fake.put_foreign("other", "acme.example.com");
    let id = app.submit_create(create()).await;
    app.run().await;
    assert_eq!(app.error(&id).await, "domain_taken");
    assert!(app.fake.changes().is_empty());
}

fn address(text: &str, free: bool) -> Address {
    Address {
        address: text.parse().unwrap(),
        public: None,
        free,
        shared: false,
    }
}

#[tokio::test]
async fn an_account_gets_an_address_and_limits_of_its_own() {
    let app = App::start().await;
    app.fake.state().addresses = vec![address("192.0.2.1", false), address("192.0.2.2", true)];
    let id = app
        .submit_create(CreateAccount {
            dedicated_ip: true,
            limits: Limits::new().with(LimitName::DiskMb, Limit::AtMost(500)),
            ..create()
        })
        .await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(
        app.fake.changes(),
        ["create", "assign_address", "set_limits"]
    );
    assert_eq!(app.result(&id).await["ip"], "192.0.2.2");
    assert_eq!(app.acme().await.address.as_deref(), Some("192.0.2.2"));
    let limits = app.fake.account("acme").unwrap().limits;
    assert_eq!(limits.get(LimitName::DiskMb), Some(Limit::AtMost(500)));
}

#[tokio::test]
async fn no_free_address_is_found_out_before_anything_is_made() {
    let app = App::start().await;
    app.fake.state().addresses = vec![address("192.0.2.1", false)];
    let id = app
        .submit_create(CreateAccount {
            dedicated_ip: true,
            ..create()
        })
        .await;
    app.run().await;
    assert_eq!(app.error(&id).await, "no_free_address");
    assert!(app.fake.changes().is_empty());
}

#[tokio::test]
async fn a_step_that_breaks_off_is_taken_up_where_it_was() {
    let app = App::start().await;
    app.fake.next("set_limits", Fault::Lose);
    let id = app
        .submit_create(CreateAccount {
            limits: Limits::new().with(LimitName::DiskMb, Limit::AtMost(500)),
            ..create()
        })
        .await;
    app.run_for(2).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(app.fake.changes(), ["create", "set_limits", "set_limits"]);
}
