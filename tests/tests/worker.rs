//! Attempts and the traffic ledger on every database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../worker/tests/support/mod.rs"]
mod support;

use entity::{account, server, usage_ledger, usage_month, usage_reading};
use hosting::{Bytes, Month};
use jobs::store::{AccountChange, NewJob, Target};
use jobs::{AccountState, JobSpec, JobState};
use panels::AccountUsage;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, EntityTrait};
use support::fake::Fault;
use support::{App, create};
use tests::on_every_database;
use tests::servers::TestDatabase;

async fn app(db: &TestDatabase) -> App {
    App::on(db.store().await, &support::rules()).await
}

fn month() -> Month {
    "2026-11".parse().unwrap()
}

fn row(name: &str, bytes: u64) -> AccountUsage {
    AccountUsage {
        username: name.parse().unwrap(),
        domain: Some(format!("{name}.example.com").parse().unwrap()),
        owner: None,
        deleted: false,
        traffic: Bytes::new(bytes),
        traffic_limit: None,
        disk: Bytes::from_mb(bytes),
        disk_limit: None,
        days: None,
    }
}

async fn import(app: &App, names: &[&str]) {
    import_on(app, app.server_id, names).await;
}

async fn import_on(app: &App, server_id: i64, names: &[&str]) {
    for name in names {
        let change = AccountChange {
            state: Some(AccountState::Active),
            domain: Some(format!("{name}.example.com").parse().unwrap()),
            ..AccountChange::default()
        };
        let name = name.parse().unwrap();
        assert!(
            app.store
                .import_account(server_id, &name, &change)
                .await
                .unwrap()
        );
    }
}

fn stats(app: &App, key: &str) -> NewJob {
    NewJob {
        idem_key: key.to_owned(),
        ..app.operators(JobSpec::GetStats { month: month() }, Target::Nobody)
    }
}

fn reports(app: &App, rows: Vec<AccountUsage>) {
    app.fake.state().reports.insert(month().to_string(), rows);
}

async fn read(app: &App, key: &str, rows: Vec<AccountUsage>) -> serde_json::Value {
    reports(app, rows);
    let id = app.submit(stats(app, key)).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    app.result(&id).await
}

async fn totals(app: &App) -> Vec<i64> {
    let mut rows = usage_month::Entity::find()
        .all(app.store.reader())
        .await
        .unwrap();
    rows.sort_by_key(|row| row.account_id);
    let entries = usage_ledger::Entity::find()
        .all(app.store.reader())
        .await
        .unwrap();
    for row in &rows {
        let mine = entries
            .iter()
            .filter(|entry| entry.account_id == row.account_id);
        assert_eq!(
            mine.map(|entry| entry.delta_bytes).sum::<i64>(),
            row.total_bytes
        );
    }
    rows.into_iter().map(|row| row.total_bytes).collect()
}

on_every_database! {
    async fn a_lost_create_is_adopted(db: &TestDatabase) {
        let app = app(db).await;
        app.fake.next("create", Fault::ApplyAndLose);
        let id = app.submit_create(create()).await;
        app.run().await;
        assert_eq!(app.acme().await.state, "provisioning");
        app.run_for(2).await;
        assert_eq!(app.state(&id).await, JobState::Succeeded);
        assert_eq!(app.fake.changes(), ["create", "change_password"]);
        assert_eq!(app.acme().await.state, "active");
        let password = app.fake.state().passwords["acme"].clone();
        assert_eq!(app.handed_out(&id).await, Some(password));
    }

    async fn an_account_lives_and_ends(db: &TestDatabase) {
        let app = app(db).await;
        app.with_account().await;
        for spec in [JobSpec::Suspend, JobSpec::Unsuspend, JobSpec::Unlock, JobSpec::LoginUrl, JobSpec::Terminate] {
            let id = app.submit_known(spec).await;
            app.run().await;
            assert_eq!(app.state(&id).await, JobState::Succeeded);
        }
        assert_eq!(app.acme().await.state, "terminated");
    }

    async fn traffic_is_booked_once(db: &TestDatabase) {
        let app = app(db).await;
        import(&app, &["acme", "bob"]).await;
        assert_eq!(read(&app, "1", vec![row("acme", 100), row("bob", 50)]).await["booked_bytes"], 150);
        assert_eq!(read(&app, "2", vec![row("acme", 100), row("bob", 50)]).await["booked_bytes"], 0);
        assert_eq!(read(&app, "3", vec![row("acme", 130), row("bob", 20)]).await["booked_bytes"], 30);
        assert_eq!(totals(&app).await, [130, 50]);
        let readings = usage_reading::Entity::find().all(app.store.reader()).await.unwrap();
        assert_eq!(readings.len(), 6);
        assert_eq!(readings.iter().filter(|reading| reading.flag.as_deref() == Some("drop")).count(), 1);
        let accounts = account::Entity::find().all(app.store.reader()).await.unwrap();
        let disks: Vec<Option<i64>> = accounts.iter().map(|account| account.disk_bytes).collect();
        assert_eq!(disks, [Some(130 << 20), Some(20 << 20)]);
    }

    async fn a_domain_that_another_server_has_too_is_flagged(db: &TestDatabase) {
        let app = app(db).await;
        let other = server::ActiveModel {
            id: NotSet,
            name: Set("web2".into()),
            live_name: Set(Some("web2".into())),
            ..app.server().await.into()
        };
        let other = other.insert(app.store.writer_connection()).await.unwrap().id;
        import(&app, &["acme", "bob", "carol"]).await;
        import_on(&app, other, &["bob", "dave"]).await;
        let rows = ["acme", "bob", "carol"].map(|name| row(name, 5));
        assert_eq!(read(&app, "1", rows.into()).await["flagged"], 1);
        let readings = usage_reading::Entity::find().all(app.store.reader()).await.unwrap();
        let flagged = readings.iter().find(|reading| reading.flag.is_some()).unwrap();
        assert_eq!((flagged.username.as_str(), flagged.flag.as_deref()), ("bob", Some("duplicate_home")));
        assert_eq!(totals(&app).await, [5, 5, 5]);
    }

    async fn a_closed_month_stays_and_a_missing_account_is_counted_at_night(db: &TestDatabase) {
        let app = app(db).await;
        import(&app, &["acme", "bob"]).await;
        read(&app, "1", vec![row("acme", 100), row("bob", 50)]).await;
        usage_month::Entity::update_many()
            .col_expr(usage_month::Column::ClosedAt, Expr::value(1))
            .exec(app.store.writer_connection())
            .await
            .unwrap();
        let night = format!("get_stats:{}:{}:1", app.server_id, month());
        assert_eq!(read(&app, &night, vec![row("acme", 170)]).await["missing"], 1);
        assert_eq!(totals(&app).await, [100, 50]);
        let rows = usage_month::Entity::find().all(app.store.reader()).await.unwrap();
        assert!(rows.iter().all(|row| row.closed_at == Some(1)));
        assert_eq!(rows.iter().map(|row| row.late_bytes).sum::<i64>(), 70);
        let accounts = account::Entity::find().all(app.store.reader()).await.unwrap();
        assert_eq!(accounts.iter().map(|account| account.missing_nights).sum::<i32>(), 1);
    }

    async fn runs_at_one_time_book_nothing_twice(db: &TestDatabase) {
        let app = app(db).await;
        let names: Vec<String> = (0..600).map(|n| format!("u{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        import(&app, &names).await;
        reports(&app, names.iter().map(|name| row(name, 10)).collect());
        for key in ["1", "2", "3"] {
            app.submit(stats(&app, key)).await;
        }
        let claimed = app.claim().await;
        assert_eq!(claimed.len(), 3);
        let runs = claimed.into_iter().map(|claimed| app.worker.handle(claimed));
        futures::future::join_all(runs).await;
        assert_eq!(totals(&app).await, vec![10; 600]);
        let entries = usage_ledger::Entity::find().all(app.store.reader()).await.unwrap();
        assert_eq!(entries.len(), 600);
    }
}
