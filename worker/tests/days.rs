//! Traffic by day.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use chrono::NaiveDate;
use entity::{usage_day, usage_month};
use hosting::{Bytes, Month};
use jobs::JobSpec;
use jobs::store::Target;
use panels::{AccountUsage, DayUsage};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use support::App;
use support::traffic::{account, adds_up, app, row};

const DAY_MS: i64 = 86_400_000;

/// The days that are stored of that account.
async fn days(app: &App, name: &str) -> Vec<usage_day::Model> {
    usage_day::Entity::find()
        .filter(usage_day::Column::AccountId.eq(account(app, name).await.id))
        .order_by_asc(usage_day::Column::Date)
        .all(app.store.reader())
        .await
        .unwrap()
}

async fn read(app: &App, month: Month, rows: Vec<AccountUsage>) {
    app.fake.state().reports.insert(month.to_string(), rows);
    let id = app
        .submit(app.operators(JobSpec::GetStats { month }, Target::Nobody))
        .await;
    app.run().await;
    assert_eq!(app.state(&id).await, jobs::JobState::Succeeded);
}

/// The month after the running one, and the clock at noon of its second day.
async fn next_month(app: &App) -> Month {
    let now = app.store.now().await.unwrap();
    let at = chrono::DateTime::from_timestamp_millis(now).unwrap();
    let month = Month::of(&at).next();
    to_noon(app, month, 2).await;
    month
}

async fn to_noon(app: &App, month: Month, day: i64) {
    let noon = month.first_day().and_hms_opt(12, 0, 0).unwrap().and_utc();
    let wanted = noon.timestamp_millis() + (day - 1) * DAY_MS;
    let now = app.store.now().await.unwrap();
    app.store.advance_clock(std::time::Duration::from_millis(
        u64::try_from(wanted - now).unwrap(),
    ));
}

fn on(month: Month, day: u32, bytes: u64) -> DayUsage {
    DayUsage {
        date: NaiveDate::from_ymd_opt(month.year(), month.month(), day).unwrap(),
        traffic: Bytes::new(bytes).unwrap(),
    }
}

async fn total(app: &App, name: &str, month: Month) -> i64 {
    let key = (account(app, name).await.id, month.to_string());
    let row = usage_month::Entity::find_by_id(key).one(app.store.reader());
    row.await.unwrap().unwrap().total_bytes
}

#[tokio::test]
async fn derived_days_add_up_to_what_is_booked() {
    let app = app(&["acme"]).await;
    let month = next_month(&app).await;
    read(&app, month, vec![row("acme", 100)]).await;
    read(&app, month, vec![row("acme", 130)]).await;
    to_noon(&app, month, 3).await;
    read(&app, month, vec![row("acme", 130)]).await;
    to_noon(&app, month, 4).await;
    read(&app, month, vec![row("acme", 150)]).await;
    // Two nights are missed, then the counter drops, then it has grown.
    to_noon(&app, month, 7).await;
    read(&app, month, vec![row("acme", 250)]).await;
    to_noon(&app, month, 8).await;
    read(&app, month, vec![row("acme", 40)]).await;
    to_noon(&app, month, 9).await;
    read(&app, month, vec![row("acme", 260)]).await;
    // Late figures of the month belong to its last day.
    to_noon(&app, month.next(), 2).await;
    read(&app, month, vec![row("acme", 300)]).await;
    let days = days(&app, "acme").await;
    let last = month.next().first_day().pred_opt().unwrap();
    let told: Vec<(String, i64, i32)> = days
        .iter()
        .map(|day| (day.date.clone(), day.bytes, day.span_days))
        .collect();
    let since_the_9th = i32::try_from((last - on(month, 9, 0).date).num_days()).unwrap();
    assert_eq!(
        told,
        [
            (format!("{month}-02"), 130, 2),
            (format!("{month}-04"), 20, 1),
            (format!("{month}-07"), 100, 3),
            (format!("{month}-09"), 10, 1),
            (last.to_string(), 40, since_the_9th),
        ]
    );
    assert!(days.iter().all(|day| day.source == "derived"));
    let sum: i64 = days.iter().map(|day| day.bytes).sum();
    assert_eq!(sum, total(&app, "acme", month).await);
    adds_up(&app).await;
}

#[tokio::test]
async fn the_panels_own_days_are_its_word_until_the_month_is_closed() {
    let app = app(&["acme"]).await;
    let month = next_month(&app).await;
    let told = |days: Vec<DayUsage>| AccountUsage {
        traffic: days
            .iter()
            .try_fold(Bytes::ZERO, |sum, day| sum.checked_add(day.traffic)),
        days: Some(days),
        ..row("acme", 0)
    };
    let figures = async || -> Vec<(String, i64)> {
        let rows = days(&app, "acme").await.into_iter();
        rows.inspect(|day| assert_eq!((day.source.as_str(), day.span_days), ("panel", 1)))
            .map(|day| (day.date, day.bytes))
            .collect()
    };
    let dated = |pairs: &[(u32, i64)]| -> Vec<(String, i64)> {
        pairs
            .iter()
            .map(|(day, bytes)| (format!("{month}-{day:02}"), *bytes))
            .collect()
    };
    read(
        &app,
        month,
        vec![told(vec![on(month, 1, 10), on(month, 2, 20)])],
    )
    .await;
    assert_eq!(figures().await, dated(&[(1, 10), (2, 20)]));
    assert_eq!(total(&app, "acme", month).await, 30);
    // The panel corrects the second day downwards: the days follow, what is booked does not.
    read(
        &app,
        month,
        vec![told(vec![on(month, 1, 10), on(month, 2, 15)])],
    )
    .await;
    assert_eq!(figures().await, dated(&[(1, 10), (2, 15)]));
    assert_eq!(total(&app, "acme", month).await, 30);
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::ClosedAt, Expr::value(1))
        .exec(app.store.writer_connection())
        .await
        .unwrap();
    read(
        &app,
        month,
        vec![told(vec![on(month, 1, 99), on(month, 3, 5)])],
    )
    .await;
    assert_eq!(figures().await, dated(&[(1, 10), (2, 15)]));
    assert_eq!(total(&app, "acme", month).await, 30);
}
