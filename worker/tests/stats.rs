//! Traffic: what is booked, and what is never booked twice.

mod support;

use std::time::Duration;

use entity::{account, usage_month};
use jobs::store::Target;
use jobs::{JobSpec, JobState};
use panels::AccountUsage;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use support::fake::{Fault, transient};
use support::traffic::{
    account, adds_up, app, bytes, import, job, ledger, month, night, read, readings, reports, row,
    total,
};

#[tokio::test]
async fn what_is_new_is_booked_and_only_once() {
    let app = app(&["acme", "bob"]).await;
    let first = read(&app, vec![row("acme", 100), row("bob", 50)]).await;
    assert_eq!(
        (&first["accounts"], &first["booked_bytes"]),
        (&2.into(), &150.into())
    );
    let again = read(&app, vec![row("acme", 100), row("bob", 50)]).await;
    assert_eq!(again["booked_bytes"], 0);
    let third = read(&app, vec![row("acme", 130), row("bob", 50)]).await;
    assert_eq!(third["booked_bytes"], 30);
    assert_eq!(
        (bytes(&app, "acme").await, bytes(&app, "bob").await),
        (130, 50)
    );
    let entries = ledger(&app).await;
    let readings = readings(&app).await;
    assert_eq!((entries.len(), readings.len()), (3, 6));
    for entry in &entries {
        let reading = readings
            .iter()
            .find(|reading| Some(reading.id) == entry.reading_id)
            .unwrap();
        assert_eq!(reading.account_id, Some(entry.account_id));
        assert_eq!(reading.traffic_bytes, Some(entry.total_bytes));
    }
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!((stored.last_raw, stored.traffic_limit_mb), (130, Some(10)));
    assert_eq!(account(&app, "acme").await.disk_bytes, Some(3 << 20));
    adds_up(&app).await;
}

#[tokio::test]
async fn a_drop_books_nothing_and_is_flagged() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 100)]).await;
    let dropped = read(&app, vec![row("acme", 40)]).await;
    assert_eq!(
        (&dropped["booked_bytes"], &dropped["flagged"]),
        (&0.into(), &1.into())
    );
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!(
        (
            stored.total_bytes,
            stored.flag.as_deref(),
            stored.flagged_raw
        ),
        (100, Some("drop"), Some(40))
    );
    assert_eq!(readings(&app).await[1].flag.as_deref(), Some("drop"));
    adds_up(&app).await;
}

#[tokio::test]
async fn a_running_counter_carries_on_from_the_month_before() {
    let app = app(&["acme"]).await;
    app.fake.state().running_counter = true;
    let before = month().previous();
    app.fake
        .state()
        .reports
        .insert(before.to_string(), vec![row("acme", 1_000)]);
    let id = app
        .submit(app.operators(JobSpec::GetStats { month: before }, Target::Nobody))
        .await;
    app.run().await;
    assert_eq!(
        app.result(&id).await["booked_bytes"],
        0,
        "counting begins here"
    );
    assert_eq!(
        read(&app, vec![row("acme", 1_300)]).await["booked_bytes"],
        300
    );
    assert_eq!(read(&app, vec![row("acme", 20)]).await["booked_bytes"], 20);
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!(
        (stored.total_bytes, stored.epoch, stored.resets),
        (320, 1, 1)
    );
    assert!(
        ledger(&app)
            .await
            .iter()
            .any(|entry| entry.entry == "reset")
    );
    // The counter has run on: what it shows now says nothing about the month before.
    app.fake
        .state()
        .reports
        .insert(before.to_string(), vec![row("acme", 5_000)]);
    let id = app
        .submit(app.operators(JobSpec::GetStats { month: before }, Target::Nobody))
        .await;
    app.run().await;
    assert_eq!(app.result(&id).await["booked_bytes"], 0);
    adds_up(&app).await;
}

#[tokio::test]
async fn a_figure_that_cannot_be_true_is_kept_but_not_booked() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 40_000_000_000_000_000)]).await;
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!(
        (stored.total_bytes, stored.flag.as_deref()),
        (0, Some("implausible"))
    );
    assert_eq!(readings(&app).await[0].flag.as_deref(), Some("implausible"));
    adds_up(&app).await;
}

#[tokio::test]
async fn late_data_of_a_closed_month_is_seen_and_not_booked() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 100)]).await;
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::ClosedAt, Expr::value(1))
        .exec(app.store.writer_connection())
        .await
        .unwrap();
    for _ in 0..2 {
        read(&app, vec![row("acme", 170)]).await;
    }
    let stored = total(&app, "acme").await.unwrap();
    assert_eq!(
        (stored.total_bytes, stored.late_bytes, stored.closed_at),
        (100, 70, Some(1))
    );
    assert_eq!(
        readings(&app).await[1].flag.as_deref(),
        Some("closed_month")
    );
    adds_up(&app).await;
}

#[tokio::test]
async fn what_is_missing_is_unknown_and_counted_at_night_alone() {
    let app = app(&["acme", "bob"]).await;
    read(&app, vec![row("acme", 1), row("bob", 2)]).await;
    let by_day = read(&app, vec![row("acme", 1)]).await;
    assert_eq!(
        (&by_day["missing"], &by_day["partial"]),
        (&1.into(), &true.into())
    );
    assert_eq!(account(&app, "bob").await.missing_nights, 0);
    for number in 1..=3 {
        assert_eq!(
            night(&app, number, vec![row("acme", 1)]).await["missing"],
            1
        );
    }
    assert_eq!(account(&app, "bob").await.missing_nights, 3);
    assert_eq!(bytes(&app, "bob").await, 2);
    night(&app, 4, vec![row("acme", 1), row("bob", 3)]).await;
    assert_eq!(account(&app, "bob").await.missing_nights, 0);
    adds_up(&app).await;
}

#[tokio::test]
async fn an_empty_answer_of_a_server_with_accounts_is_a_fault() {
    let app = app(&["acme"]).await;
    reports(&app, vec![]);
    let id = app.submit(job(&app)).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Retrying);
    assert!(readings(&app).await.is_empty());
}

#[tokio::test]
async fn names_that_nobody_knows_are_kept_as_readings() {
    let app = app(&["acme"]).await;
    let result = read(&app, vec![row("acme", 1), row("ghost", 5)]).await;
    assert_eq!(
        (&result["unmatched"], &result["booked_bytes"]),
        (&1.into(), &1.into())
    );
    let ghost = &readings(&app).await[1];
    assert_eq!(
        (ghost.account_id, ghost.flag.as_deref()),
        (None, Some("unmatched"))
    );
    assert_eq!(
        (ghost.username.as_str(), ghost.traffic_bytes),
        ("ghost", Some(5))
    );
}

#[tokio::test]
async fn a_name_used_again_in_the_month_keeps_two_accounts_apart() {
    let app = app(&["acme"]).await;
    read(&app, vec![row("acme", 100)]).await;
    let old = account(&app, "acme").await.id;
    app.fake.put_foreign("acme", "acme.example.com");
    let id = app
        .submit(app.new_job(JobSpec::Terminate, Target::Known(old)))
        .await;
    app.fake.state().accounts.clear();
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    import(&app, "acme").await;
    let new = account(&app, "acme").await.id;
    account::Entity::update_many()
        .col_expr(account::Column::Domain, Expr::value("new.example.com"))
        .filter(account::Column::Id.eq(new))
        .exec(app.store.writer_connection())
        .await
        .unwrap();
    let gone = AccountUsage {
        deleted: true,
        ..row("acme", 120)
    };
    let living = AccountUsage {
        domain: Some("new.example.com".parse().unwrap()),
        ..row("acme", 7)
    };
    read(&app, vec![gone, living]).await;
    let of = async |id: i64| {
        let row =
            usage_month::Entity::find_by_id((id, month().to_string())).one(app.store.reader());
        row.await.unwrap().unwrap().total_bytes
    };
    assert_eq!((of(old).await, of(new).await), (120, 7));
    adds_up(&app).await;
}

#[tokio::test]
async fn a_run_in_many_chunks_books_every_account() {
    let names: Vec<String> = (0..1_201).map(|n| format!("u{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let app = app(&names).await;
    let rows: Vec<AccountUsage> = names.iter().map(|name| row(name, 10)).collect();
    assert_eq!(read(&app, rows.clone()).await["booked_bytes"], 12_010);
    assert_eq!(read(&app, rows).await["booked_bytes"], 0);
    assert_eq!(ledger(&app).await.len(), 1_201);
    adds_up(&app).await;
}

#[tokio::test]
async fn two_runs_at_one_time_book_nothing_twice() {
    let app = app(&["acme", "bob"]).await;
    reports(&app, vec![row("acme", 100), row("bob", 50)]);
    app.submit(job(&app)).await;
    app.submit(job(&app)).await;
    let claimed = app.claim().await;
    assert_eq!(claimed.len(), 2);
    let mut runs = claimed
        .into_iter()
        .map(|claimed| app.worker.handle(claimed));
    let (one, two) = (runs.next().unwrap(), runs.next().unwrap());
    tokio::join!(one, two);
    assert_eq!(
        (bytes(&app, "acme").await, bytes(&app, "bob").await),
        (100, 50)
    );
    assert_eq!(
        (ledger(&app).await.len(), readings(&app).await.len()),
        (2, 4)
    );
    adds_up(&app).await;
}

#[tokio::test]
async fn a_run_whose_claim_is_lost_writes_nothing() {
    let app = app(&["acme"]).await;
    reports(&app, vec![row("acme", 100)]);
    let id = app.submit(job(&app)).await;
    let claimed = app.claim().await.remove(0);
    app.store.advance_clock(Duration::from_secs(7200));
    app.store.rescue(10).await.unwrap();
    app.worker.handle(claimed).await;
    assert!(readings(&app).await.is_empty() && ledger(&app).await.is_empty());
    app.run_for(1).await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    assert_eq!(bytes(&app, "acme").await, 100);
}

#[tokio::test]
async fn a_panel_that_fails_is_read_again_later() {
    let app = app(&["acme"]).await;
    app.fake.fail("usage", transient());
    app.fake.next("usage", Fault::Panic);
    reports(&app, vec![row("acme", 100)]);
    let id = app.submit(job(&app)).await;
    app.run_for(3).await;
    assert_eq!(app.outcomes(&id).await, ["retry", "died", "succeeded"]);
    assert_eq!(bytes(&app, "acme").await, 100);
}
