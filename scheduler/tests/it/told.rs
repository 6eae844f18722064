//! What platforms are told after a night.

use std::sync::Arc;

use chrono::{TimeZone, Utc};
use entity::{job, usage_month};
use jobs::queue::Doorbell;
use jobs::store::{JobFilter, Outcome};
use scheduler::cron::{Cron, Retention};
use scheduler::registry;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};

use crate::support::{App, change_server, claim, finish};

const HOUR: i64 = 3_600_000;
const MB: i64 = 1 << 20;

fn cron(app: &App) -> Cron {
    strict(app, None)
}

/// One that suspends at so many percent.
fn strict(app: &App, suspend_at: Option<u32>) -> Cron {
    Cron::new(
        app.store().clone(),
        Doorbell::local(),
        Arc::clone(&app.ledger.keyring),
        Retention {
            suspend_at,
            ..Retention::default()
        },
    )
}

fn at(day: u32, hour: u32) -> i64 {
    let time = Utc.with_ymd_and_hms(2026, 3, day, hour, 0, 0);
    time.unwrap().timestamp_millis()
}

/// An account with its use of March in MB and the limit that its panel tells.
async fn account(
    app: &App,
    reference: &str,
    name: &str,
    used_mb: i64,
    limit_mb: Option<i64>,
) -> i64 {
    let id = app.account(reference, name).await;
    let row = registry::account_by_id(app.store(), &id).await.unwrap();
    let row = row.unwrap();
    let month = usage_month::ActiveModel {
        account_id: Set(row.id),
        month: Set("2026-03".to_owned()),
        server_id: Set(row.server_id),
        total_bytes: Set(used_mb * MB),
        last_raw: Set(used_mb * MB),
        epoch: Set(0),
        resets: Set(0),
        late_bytes: Set(0),
        traffic_limit_mb: Set(limit_mb),
        as_of: Set(at(11, 0)),
        ..Default::default()
    };
    month.insert(app.store().writer_connection()).await.unwrap();
    row.id
}

async fn uses(app: &App, account_id: i64, used_mb: i64) {
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::TotalBytes, Expr::value(used_mb * MB))
        .filter(usage_month::Column::AccountId.eq(account_id))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
}

async fn of_kind(app: &App, kind: jobs::JobKind) -> Vec<job::Model> {
    let filter = JobFilter {
        kind: Some(kind),
        limit: 1000,
        ..JobFilter::default()
    };
    app.store().jobs(&filter).await.unwrap()
}

/// The messages of that event, newest first.
async fn messages(app: &App, event: &str) -> Vec<Value> {
    let jobs = of_kind(app, jobs::JobKind::DeliverWebhook).await;
    let payloads = jobs.iter().map(|row| row.payload.parse::<Value>().unwrap());
    payloads
        .filter(|payload| payload["event"] == event)
        .map(|payload| payload["data"].clone())
        .collect()
}

/// Ends the jobs of the night, as a worker does.
async fn end_night(app: &App, outcome: &Outcome) {
    for row in of_kind(app, jobs::JobKind::GetStats).await {
        if row.state == "queued" {
            let claimed = claim(app.store(), row.id).await;
            let done = finish(&claimed, outcome.clone());
            app.store().write_group(&[], &[done]).await.unwrap();
        }
    }
}

fn read() -> Outcome {
    Outcome::Succeeded {
        already_so: false,
        result: Some(json!({})),
    }
}

async fn app() -> App {
    let app = App::start().await;
    for row in registry::servers(app.store()).await.unwrap() {
        change_server(app.store(), row.id, |server| server.created_at = Set(0)).await;
    }
    let url = "https://billing.example.com/hostler";
    let keyring = &app.ledger.keyring;
    registry::add_webhook(app.store(), keyring, app.platform, "main", url)
        .await
        .unwrap();
    app
}

fn percents(messages: &[Value]) -> Vec<(&str, u64)> {
    let told = messages.iter();
    let mut told: Vec<(&str, u64)> = told
        .map(|data| {
            let name = data["username"].as_str().unwrap();
            (name, data["percent"].as_u64().unwrap())
        })
        .collect();
    told.sort_unstable();
    told
}

#[tokio::test]
async fn a_threshold_is_told_once_a_month_after_the_night_that_reached_it() {
    let app = app().await;
    let low = account(&app, "whmcs:1", "low", 79, Some(100)).await;
    account(&app, "whmcs:2", "high", 80, Some(100)).await;
    account(&app, "whmcs:3", "over", 150, Some(100)).await;
    account(&app, "whmcs:4", "free", 500, Some(-1)).await;
    account(&app, "whmcs:5", "unknown", 500, None).await;
    let mut clock = cron(&app);
    clock.tick(at(11, 6)).await.unwrap();
    assert_eq!(
        messages(&app, "usage.recorded").await.len(),
        0,
        "not read yet"
    );
    end_night(&app, &read()).await;
    let ticked = clock.tick(at(11, 7)).await.unwrap();
    assert_eq!(ticked.told, 4);
    let told = messages(&app, "usage.threshold").await;
    assert_eq!(percents(&told), [("high", 80), ("over", 80), ("over", 100)]);
    let high = told.iter().find(|data| data["username"] == "high").unwrap();
    assert_eq!(
        (&high["used_bytes"], &high["limit_mb"], &high["month"]),
        (&json!(80 * MB), &json!(100), &json!("2026-03"))
    );
    assert_eq!(high["projected_bytes"], json!(248 * MB), "10 of 31 days");
    assert_eq!(high["reference"], "whmcs:2");
    let recorded = messages(&app, "usage.recorded").await;
    assert_eq!(
        recorded,
        [json!({"server": "web1", "month": "2026-03", "night": "2026-03-11", "accounts": 5})]
    );
    // A scheduler that knows nothing of it, and the next nights: what was told is not told again.
    assert_eq!(cron(&app).tick(at(11, 8)).await.unwrap().told, 0);
    uses(&app, low, 90).await;
    clock.tick(at(12, 6)).await.unwrap();
    end_night(&app, &read()).await;
    assert_eq!(clock.tick(at(12, 7)).await.unwrap().told, 2);
    let told = messages(&app, "usage.threshold").await;
    assert_eq!(percents(&told).first(), Some(&("high", 80)));
    assert_eq!(told.len(), 4);
}

#[tokio::test]
async fn what_was_told_before_a_crash_is_not_told_again() {
    let app = app().await;
    account(&app, "whmcs:1", "over", 150, Some(100)).await;
    let mut clock = cron(&app);
    clock.tick(at(11, 6)).await.unwrap();
    end_night(&app, &read()).await;
    assert_eq!(clock.tick(at(11, 7)).await.unwrap().told, 3);
    // As if it had died before it noted that the night is told.
    entity::schedule::Entity::delete_many()
        .filter(entity::schedule::Column::Name.starts_with("told:"))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
    assert_eq!(clock.tick(at(11, 7) + HOUR).await.unwrap().told, 0);
    assert_eq!(messages(&app, "usage.threshold").await.len(), 2);
}

#[tokio::test]
async fn a_closed_month_and_a_night_that_failed_tell_nothing() {
    let app = app().await;
    let account = account(&app, "whmcs:1", "over", 150, Some(100)).await;
    let mut clock = cron(&app);
    clock.tick(at(11, 6)).await.unwrap();
    end_night(&app, &Outcome::Failed).await;
    assert_eq!(clock.tick(at(11, 7)).await.unwrap().told, 0);
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::ClosedAt, Expr::value(1))
        .filter(usage_month::Column::AccountId.eq(account))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
    clock.tick(at(12, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(12, 7)).await.unwrap();
    assert_eq!(messages(&app, "usage.threshold").await.len(), 0);
    assert_eq!(messages(&app, "usage.recorded").await.len(), 1);
}

#[tokio::test]
async fn a_night_that_is_read_only_when_somebody_replays_it_is_told_then() {
    let app = app().await;
    account(&app, "whmcs:1", "over", 150, Some(100)).await;
    let mut clock = cron(&app);
    clock.tick(at(11, 6)).await.unwrap();
    let held = Outcome::Held {
        code: "server_unreachable".to_owned(),
    };
    end_night(&app, &held).await;
    assert_eq!(clock.tick(at(11, 7)).await.unwrap().told, 0);
    for row in of_kind(&app, jobs::JobKind::GetStats).await {
        let replayed = app.store().replay(row.id, "me", "read it", false).await;
        assert_eq!(replayed.unwrap().0, jobs::store::Replayed::Reopened);
    }
    assert_eq!(clock.tick(at(11, 8)).await.unwrap().told, 0, "under way");
    end_night(&app, &read()).await;
    assert_eq!(clock.tick(at(11, 9)).await.unwrap().told, 3);
    assert_eq!(messages(&app, "usage.recorded").await.len(), 1);
    assert_eq!(clock.tick(at(11, 10)).await.unwrap().told, 0);
}

/// The jobs of that kind: the account's id, oldest first.
async fn about(app: &App, kind: jobs::JobKind) -> Vec<i64> {
    let jobs = of_kind(app, kind).await;
    jobs.iter().rev().filter_map(|job| job.account_id).collect()
}

/// Writes down what became of an account.
async fn is(app: &App, account_id: i64, state: &str, overuse: Option<&str>) {
    use entity::account;
    account::Entity::update_many()
        .col_expr(account::Column::State, Expr::value(state))
        .col_expr(account::Column::OveruseMonth, Expr::value(overuse))
        .filter(account::Column::Id.eq(account_id))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
}

async fn limit_is(app: &App, account_id: i64, limit_mb: i64) {
    usage_month::Entity::update_many()
        .col_expr(usage_month::Column::TrafficLimitMb, Expr::value(limit_mb))
        .filter(usage_month::Column::AccountId.eq(account_id))
        .exec(app.store().writer_connection())
        .await
        .unwrap();
}

#[tokio::test]
async fn nobody_is_suspended_for_overuse_unless_that_is_asked_for() {
    let app = app().await;
    account(&app, "whmcs:1", "over", 500, Some(100)).await;
    let mut clock = cron(&app);
    clock.tick(at(11, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(11, 7)).await.unwrap();
    assert!(about(&app, jobs::JobKind::SuspendOveruse).await.is_empty());
}

#[tokio::test]
async fn who_is_over_is_suspended_once_for_each_month_and_limit() {
    use jobs::JobKind::{LiftOveruse, SuspendOveruse};
    let app = app().await;
    account(&app, "whmcs:1", "under", 119, Some(100)).await;
    let over = account(&app, "whmcs:2", "over", 120, Some(100)).await;
    account(&app, "whmcs:3", "free", 500, Some(-1)).await;
    account(&app, "whmcs:4", "unknown", 500, None).await;
    let unpaid = account(&app, "whmcs:5", "unpaid", 500, Some(100)).await;
    is(&app, unpaid, "suspended", None).await;
    let mut clock = strict(&app, Some(120));
    clock.tick(at(11, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(11, 7)).await.unwrap();
    assert_eq!(about(&app, SuspendOveruse).await, [over]);
    let job = &of_kind(&app, SuspendOveruse).await[0];
    assert_eq!(
        (job.platform_id, job.reason.as_deref()),
        (
            app.platform,
            Some("the traffic of 2026-03 is used up: 120 MB of 100 MB")
        )
    );
    // Lifted by somebody who has the last word: the next night does not begin again.
    clock.tick(at(12, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(12, 7)).await.unwrap();
    assert_eq!(about(&app, SuspendOveruse).await, [over]);
    // The limit is raised: free. It is used up as well: again.
    is(&app, over, "suspended", Some("2026-03")).await;
    limit_is(&app, over, 200).await;
    clock.tick(at(13, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(13, 7)).await.unwrap();
    assert_eq!(about(&app, LiftOveruse).await, [over]);
    is(&app, over, "active", None).await;
    uses(&app, over, 240).await;
    clock.tick(at(14, 6)).await.unwrap();
    end_night(&app, &read()).await;
    clock.tick(at(14, 7)).await.unwrap();
    assert_eq!(about(&app, SuspendOveruse).await, [over, over]);
}

#[tokio::test]
async fn the_months_turn_and_the_end_of_the_policy_lift_it() {
    use jobs::JobKind::LiftOveruse;
    let app = app().await;
    let march = account(&app, "whmcs:1", "march", 120, Some(100)).await;
    is(&app, march, "suspended", Some("2026-03")).await;
    for row in registry::servers(app.store()).await.unwrap() {
        let zone = |server: &mut entity::server::ActiveModel| {
            server.time_zone = Set("Pacific/Honolulu".to_owned());
        };
        change_server(app.store(), row.id, zone).await;
    }
    let mut clock = strict(&app, Some(100));
    let april = Utc.with_ymd_and_hms(2026, 4, 1, 9, 59, 0).unwrap();
    let ticked = clock.tick(april.timestamp_millis()).await.unwrap();
    assert_eq!(ticked.overuse, 0, "it is still March in Honolulu");
    let april = april.timestamp_millis() + 2 * 60_000;
    assert_eq!(clock.tick(april).await.unwrap().overuse, 1);
    assert_eq!(about(&app, LiftOveruse).await, [march]);
    assert_eq!(clock.tick(april + HOUR).await.unwrap().overuse, 0, "once");

    let other = account(&app, "whmcs:2", "other", 120, Some(100)).await;
    is(&app, other, "suspended", Some("2026-04")).await;
    assert_eq!(clock.tick(april + 2 * HOUR).await.unwrap().overuse, 0);
    let mut clock = cron(&app);
    assert_eq!(
        clock.tick(april + 3 * HOUR).await.unwrap().overuse,
        2,
        "both"
    );
    assert_eq!(about(&app, LiftOveruse).await, [march, march, other]);
}

#[tokio::test]
async fn how_far_the_last_night_has_come_is_shown() {
    let app = app().await;
    let servers = registry::servers(app.store()).await.unwrap();
    let last = async || {
        scheduler::cron::last_nights(app.store(), &servers)
            .await
            .unwrap()
    };
    assert_eq!(last().await[0].night, None);
    let mut clock = cron(&app);
    clock.tick(at(2, 6)).await.unwrap();
    let night = last().await.remove(0);
    let months: Vec<(String, &str)> = night
        .months
        .iter()
        .map(|read| (read.month.to_string(), read.state.as_str()))
        .collect();
    assert_eq!(
        months,
        [
            ("2026-02".to_owned(), "queued"),
            ("2026-03".to_owned(), "queued")
        ]
    );
    assert_eq!(night.night.unwrap().to_string(), "2026-03-02");
    assert!(!night.has_ended());
    let outcome = Outcome::Succeeded {
        already_so: false,
        result: Some(json!({"accounts": 7, "booked_bytes": 9, "missing": 1, "flagged": 0})),
    };
    end_night(&app, &outcome).await;
    let night = last().await.remove(0);
    assert!(night.has_ended());
    let read = &night.months[1];
    assert_eq!(
        (read.accounts, read.booked_bytes, read.missing, read.flagged),
        (Some(7), Some(9), Some(1), Some(0))
    );
}
