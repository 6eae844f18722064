//! Traffic when panels, clocks and moves make it difficult: nothing is lost, doubled or taken for zero.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use entity::{account, server, usage_month};
use jobs::store::{AccountChange, NewJob, Replayed, Target};
use jobs::{AccountState, JobSpec, JobState};
use panels::{AccountUsage, Evidence};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue, ColumnTrait, EntityTrait, QueryFilter};
use support::App;
use support::fake::{Fault, plain, transient};
use support::traffic::{
    account, adds_up, app, bytes, import, job, ledger, month, night, read, readings, reports, row,
    total,
};
use tokio::sync::Notify;

async fn change(app: &App, name: &str, column: account::Column, value: &str) {
    let id = account(app, name).await.id;
    account::Entity::update_many()
        .col_expr(column, Expr::value(value))
        .filter(account::Column::Id.eq(id))
        .exec(app.store.writer_connection())
        .await
        .unwrap();
}

async fn flags(app: &App) -> Vec<Option<String>> {
    let readings = readings(app).await;
    readings.into_iter().map(|reading| reading.flag).collect()
}

/// One report is on its way while another one, asked for later, is booked. Returns the first job.
async fn overtaken(app: &App, first: u64, second: u64) -> String {
    let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    app.fake.next(
        "usage",
        Fault::Late {
            asked: Arc::clone(&asked),
            go_on: Arc::clone(&go_on),
        },
    );
    reports(app, vec![row("acme", first)]);
    let slow = app.submit(job(app)).await;
    let claimed = app.claim().await.remove(0);
    let meanwhile = async {
        asked.notified().await;
        app.store.advance_clock(Duration::from_secs(1));
        read(app, vec![row("acme", second)]).await;
        go_on.notify_one();
    };
    tokio::join!(app.worker.handle(claimed), meanwhile);
    slow
}

#[tokio::test]
async fn a_report_that_was_overtaken_is_no_reset_of_a_running_counter() {
    let app = app(&["acme"]).await;
    app.fake.state().running_counter = true;
    read(&app, vec![row("acme", 1_000)]).await;
    let slow = overtaken(&app, 1_200, 1_500).await;
    assert_eq!(app.state(&slow).await, JobState::Succeeded);
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!((stored.total_bytes, stored.resets), (500, 0));
    assert_eq!(flags(&app).await[2].as_deref(), Some("overtaken"));
    assert_eq!(
        read(&app, vec![row("acme", 1_600)]).await["booked_bytes"],
        100
    );
    adds_up(&app).await;
}

#[tokio::test]
async fn a_report_that_was_overtaken_is_no_drop_of_a_month() {
    let app = app(&["acme"]).await;
    overtaken(&app, 120, 150).await;
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!((stored.total_bytes, stored.flag), (150, None));
    assert_eq!(flags(&app).await[1].as_deref(), Some("overtaken"));
    adds_up(&app).await;
}

/// A reading that was written before the clock was set back must not make all others look old.
#[tokio::test]
async fn a_clock_that_was_years_ahead_does_not_stop_the_booking() {
    let app = app(&["acme"]).await;
    app.fake.state().running_counter = true;
    read(&app, vec![row("acme", 1_000)]).await;
    let ahead = app.store.now().await.unwrap() + 10 * 365 * 86_400_000;
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::AsOf, Expr::value(ahead))
        .exec(app.store.writer_connection())
        .await
        .unwrap();
    assert_eq!(
        read(&app, vec![row("acme", 1_300)]).await["booked_bytes"],
        300
    );
    assert!(total(&app, "acme").await.unwrap().as_of < ahead);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_new_domain_is_the_same_account() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 100)]).await;
    let renamed = AccountUsage {
        domain: Some("new.example.org".parse().unwrap()),
        ..row("acme", 130)
    };
    let result = read(&app, vec![renamed]).await;
    assert_eq!(
        (&result["booked_bytes"], &result["unmatched"]),
        (&30.into(), &0.into())
    );
    assert_eq!(bytes(&app, "acme").await, 130);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_new_login_name_is_kept_and_listed_until_it_is_known() {
    let app = app(&["acme", "bob"]).await;
    read(&app, vec![row("acme", 100), row("bob", 1)]).await;
    let result = read(&app, vec![row("acme2", 130), row("bob", 1)]).await;
    assert_eq!(result["unmatched_names"], serde_json::json!(["acme2"]));
    assert_eq!(result["missing_names"], serde_json::json!(["acme"]));
    assert_eq!(bytes(&app, "acme").await, 100, "unknown is not zero");
    let kept = readings(&app).await;
    assert!(
        kept.iter()
            .any(|reading| reading.username == "acme2" && reading.traffic_bytes == Some(130))
    );
    change(&app, "acme", account::Column::Username, "acme2").await;
    let result = read(&app, vec![row("acme2", 130), row("bob", 1)]).await;
    assert_eq!(
        (&result["booked_bytes"], &result["unmatched"]),
        (&30.into(), &0.into())
    );
    assert_eq!(bytes(&app, "acme2").await, 130);
    adds_up(&app).await;
}

/// The same customer on a second server, on its way there.
async fn second_home(app: &App) -> i64 {
    let first = app.server().await;
    let second = server::ActiveModel {
        id: ActiveValue::NotSet,
        name: ActiveValue::Set("web2".into()),
        live_name: ActiveValue::Set(Some("web2".into())),
        ..first.into()
    };
    let second = second
        .insert(app.store.writer_connection())
        .await
        .unwrap()
        .id;
    let found = plain("acme", "acme.example.com", "root", Evidence::default());
    let change = AccountChange {
        state: Some(AccountState::Active),
        domain: found.domain.clone(),
        ..AccountChange::default()
    };
    let imported = app
        .store
        .import_account(second, &found.username, &change)
        .await;
    assert!(imported.unwrap());
    second
}

async fn read_on(app: &App, server_id: i64, rows: Vec<AccountUsage>) -> serde_json::Value {
    reports(app, rows);
    let there = NewJob {
        server_id: Some(server_id),
        ..job(app)
    };
    let id = app.submit(there).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    app.result(&id).await
}

/// What is booked for the month, server by server.
async fn by_server(app: &App) -> Vec<(i64, i64)> {
    let months = usage_month::Entity::find().all(app.store.reader()).await;
    let mut sums: Vec<(i64, i64)> = months
        .unwrap()
        .into_iter()
        .map(|row| (row.server_id, row.total_bytes))
        .collect();
    sums.sort_unstable();
    sums
}

#[tokio::test]
async fn an_account_on_two_servers_counts_on_both_and_is_flagged() {
    let app = app(&["acme", "bob"]).await;
    let (old, new) = (app.server_id, second_home(&app).await);
    let both = read_on(&app, old, vec![row("acme", 100), row("bob", 5)]).await;
    assert_eq!(both["flagged"], 1);
    read_on(&app, new, vec![row("acme", 7)]).await;
    assert_eq!(
        by_server(&app).await,
        [(old, 100), (old, 5), (new, 7)].map_sorted()
    );
    let home = Some("duplicate_home".to_owned());
    assert_eq!(flags(&app).await, [home.clone(), None, home]);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_move_to_another_server_freezes_the_old_figure_and_is_no_reset() {
    let app = app(&["acme", "bob"]).await;
    app.fake.state().running_counter = true;
    let (old, new) = (app.server_id, second_home(&app).await);
    read_on(&app, old, vec![row("acme", 1_000), row("bob", 0)]).await;
    read_on(&app, old, vec![row("acme", 1_400), row("bob", 0)]).await;
    // From now on the new one has it, and counts from nothing.
    let result = read_on(&app, old, vec![row("bob", 0)]).await;
    assert_eq!(result["missing"], 1);
    for raw in [0, 0, 60] {
        read_on(&app, new, vec![row("acme", raw)]).await;
    }
    assert_eq!(
        by_server(&app).await,
        [(old, 400), (old, 0), (new, 60)].map_sorted()
    );
    assert!(
        ledger(&app)
            .await
            .iter()
            .all(|entry| entry.entry == "delta")
    );
    adds_up(&app).await;
}

trait Sorted {
    fn map_sorted(self) -> Self;
}

impl<const N: usize> Sorted for [(i64, i64); N] {
    fn map_sorted(mut self) -> Self {
        self.sort_unstable();
        self
    }
}

#[tokio::test]
async fn half_a_report_is_said_to_be_partial_and_names_who_is_missing() {
    let names: Vec<String> = (0..10).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let app = app(&names).await;
    let rows: Vec<AccountUsage> = names.iter().map(|name| row(name, 10)).collect();
    assert_eq!(read(&app, rows.clone()).await["partial"], false);
    let half = read(&app, rows[..5].to_vec()).await;
    assert_eq!(
        (&half["partial"], &half["missing"]),
        (&true.into(), &5.into())
    );
    assert_eq!(half["missing_names"], serde_json::json!(&names[5..]));
    for name in &names {
        assert_eq!(bytes(&app, name).await, 10);
    }
    assert_eq!(
        readings(&app).await.len(),
        15,
        "no row for who was not reported"
    );
    adds_up(&app).await;
}

/// Deleted on the panel behind our back: its traffic counts, and it is missing all the same.
#[tokio::test]
async fn an_account_that_the_panel_calls_deleted_is_missed() {
    let app = app(&["acme", "bob"]).await;
    for number in 1..=3 {
        let gone = AccountUsage {
            deleted: true,
            ..row("acme", 40)
        };
        let result = night(&app, number, vec![gone, row("bob", 1)]).await;
        assert_eq!(result["missing_names"], serde_json::json!(["acme"]));
    }
    let acme = account(&app, "acme").await;
    assert_eq!((acme.missing_nights, acme.state.as_str()), (3, "active"));
    assert_eq!(bytes(&app, "acme").await, 40);
    night(&app, 4, vec![row("acme", 41), row("bob", 1)]).await;
    assert_eq!(account(&app, "acme").await.missing_nights, 0);
    adds_up(&app).await;
}

#[tokio::test]
async fn contradicting_rows_book_nothing_and_twins_book_once() {
    let app = app(&["acme", "bob"]).await;
    let result = read(
        &app,
        vec![
            row("acme", 10),
            row("acme", 11),
            row("bob", 5),
            row("bob", 5),
        ],
    )
    .await;
    assert_eq!(
        (&result["booked_bytes"], &result["unmatched_names"]),
        (&5.into(), &serde_json::json!(["acme", "acme"]))
    );
    assert!(total(&app, "acme").await.is_none());
    let conflict = Some("conflict".to_owned());
    assert_eq!(flags(&app).await, [conflict.clone(), conflict, None]);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_name_in_other_case_is_the_same_account() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 10)]).await;
    let result = read(&app, vec![row("ACME", 15)]).await;
    assert_eq!(
        (&result["booked_bytes"], &result["unmatched"]),
        (&5.into(), &0.into())
    );
    assert_eq!(bytes(&app, "acme").await, 15);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_suspended_account_is_booked() {
    let app = app(&["acme"]).await;
    let suspended = AccountState::Suspended.name();
    change(&app, "acme", account::Column::State, suspended).await;
    assert_eq!(read(&app, vec![row("acme", 9)]).await["booked_bytes"], 9);
    adds_up(&app).await;
}

/// The panel's clock has passed the month's end between the question and the answer.
#[tokio::test]
async fn a_report_of_another_month_than_asked_for_is_not_booked() {
    let app = app(&["acme"]).await;
    reports(&app, vec![row("acme", 100)]);
    app.fake.state().reported_month = Some(month().next());
    let id = app.submit(job(&app)).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    assert!(readings(&app).await.is_empty());
    app.fake.state().reported_month = None;
    app.run_for(5).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(bytes(&app, "acme").await, 100);
    adds_up(&app).await;
}

#[tokio::test]
async fn an_old_reading_that_is_replayed_changes_nothing() {
    let app = app(&["acme"]).await;
    app.fake.state().running_counter = true;
    let before = month().previous();
    let old = app
        .submit(app.operators(JobSpec::GetStats { month: before }, Target::Nobody))
        .await;
    for _ in 0..10 {
        app.fake.fail("usage", transient());
    }
    app.run_for(600).await;
    assert_eq!(app.state(&old).await, JobState::Failed);
    app.fake.state().faults.clear();
    for raw in [1_000, 1_200] {
        read(&app, vec![row("acme", raw)]).await;
    }
    let entries = ledger(&app).await;
    app.fake
        .state()
        .reports
        .insert(before.to_string(), vec![row("acme", 1_250)]);
    let id = app.job(&old).await.id;
    let (replayed, _) = app.store.replay(id, "me", "again", false).await.unwrap();
    assert!(matches!(replayed, Replayed::Reopened), "{replayed:?}");
    app.run().await;
    assert_eq!(app.state(&old).await, JobState::Succeeded);
    assert_eq!(ledger(&app).await, entries);
    assert_eq!(
        read(&app, vec![row("acme", 1_250)]).await["booked_bytes"],
        50
    );
    adds_up(&app).await;
}

/// More than the column holds is told by the driver; at the edge of it nothing wraps around.
#[tokio::test]
async fn figures_at_the_edge_of_the_columns_are_flagged_and_never_wrap() {
    let app = app(&["acme"]).await;
    app.fake.state().running_counter = true;
    for raw in [5, 10, i64::MAX as u64, 0, i64::MAX as u64] {
        read(&app, vec![row("acme", raw)]).await;
        adds_up(&app).await;
    }
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!(stored.flag.as_deref(), Some("implausible"));
    assert_eq!((stored.total_bytes, stored.last_raw), (5, 0));
}

#[tokio::test]
async fn a_name_that_is_imported_later_begins_with_its_whole_month() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 1), row("late", 70)]).await;
    import(&app, "late").await;
    read(&app, vec![row("acme", 1), row("late", 80)]).await;
    assert_eq!(bytes(&app, "late").await, 80);
    adds_up(&app).await;
}
