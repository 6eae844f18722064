//! Reports of traffic, and what became of them.

use entity::{account, usage_ledger, usage_month, usage_reading};
use hosting::{Bytes, Limit, Month};
use jobs::store::{AccountChange, NewJob, Target};
use jobs::{AccountState, JobSpec, JobState};
use panels::{AccountUsage, Evidence};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::App;
use super::fake::plain;

pub fn month() -> Month {
    "2026-11".parse().unwrap()
}

pub fn row(name: &str, bytes: u64) -> AccountUsage {
    AccountUsage {
        username: name.parse().unwrap(),
        domain: Some(format!("{name}.example.com").parse().unwrap()),
        owner: None,
        deleted: false,
        traffic: Bytes::new(bytes),
        traffic_limit: Some(Limit::AtMost(10)),
        disk: Bytes::from_mb(3),
        disk_limit: Some(Limit::Unlimited),
        days: None,
    }
}

/// A server with these accounts, as an import finds them.
pub async fn app(names: &[&str]) -> App {
    let app = App::start().await;
    for name in names {
        import(&app, name).await;
    }
    app
}

pub async fn import(app: &App, name: &str) {
    let account = plain(
        name,
        &format!("{name}.example.com"),
        "root",
        Evidence::default(),
    );
    let change = AccountChange {
        state: Some(AccountState::Active),
        domain: account.domain.clone(),
        ..AccountChange::default()
    };
    let new = app
        .store
        .import_account(app.server_id, &account.username, &change)
        .await
        .unwrap();
    assert!(new);
}

pub fn reports(app: &App, rows: Vec<AccountUsage>) {
    app.fake.state().reports.insert(month().to_string(), rows);
}

pub fn job(app: &App) -> NewJob {
    app.operators(JobSpec::GetStats { month: month() }, Target::Nobody)
}

/// One run with this report.
pub async fn read(app: &App, rows: Vec<AccountUsage>) -> serde_json::Value {
    reports(app, rows);
    let id = app.submit(job(app)).await;
    app.run().await;
    assert_eq!(app.state(&id).await, JobState::Succeeded);
    app.result(&id).await
}

pub async fn night(app: &App, number: u32, rows: Vec<AccountUsage>) -> serde_json::Value {
    reports(app, rows);
    let nightly = NewJob {
        idem_key: format!("get_stats:{}:{}:{number}", app.server_id, month()),
        ..job(app)
    };
    let id = app.submit(nightly).await;
    app.run().await;
    app.result(&id).await
}

pub async fn account(app: &App, name: &str) -> account::Model {
    account::Entity::find()
        .filter(account::Column::Username.eq(name))
        .order_by_desc(account::Column::Id)
        .one(app.store.reader())
        .await
        .unwrap()
        .unwrap()
}

pub async fn total(app: &App, name: &str) -> Option<usage_month::Model> {
    let id = account(app, name).await.id;
    usage_month::Entity::find_by_id((id, month().to_string()))
        .one(app.store.reader())
        .await
        .unwrap()
}

pub async fn bytes(app: &App, name: &str) -> i64 {
    total(app, name).await.unwrap().total_bytes
}

pub async fn ledger(app: &App) -> Vec<usage_ledger::Model> {
    usage_ledger::Entity::find()
        .all(app.store.reader())
        .await
        .unwrap()
}

pub async fn readings(app: &App) -> Vec<usage_reading::Model> {
    usage_reading::Entity::find()
        .order_by_asc(usage_reading::Column::Id)
        .all(app.store.reader())
        .await
        .unwrap()
}

/// The promise: the ledger's sum is the month's total, and nothing in it is negative.
pub async fn adds_up(app: &App) {
    let entries = ledger(app).await;
    assert!(entries.iter().all(|entry| entry.delta_bytes >= 0));
    for month in usage_month::Entity::find()
        .all(app.store.reader())
        .await
        .unwrap()
    {
        let mine = entries
            .iter()
            .filter(|entry| entry.account_id == month.account_id && entry.month == month.month);
        assert_eq!(
            mine.map(|entry| entry.delta_bytes).sum::<i64>(),
            month.total_bytes
        );
    }
}
