//! The clock's duties, with time as an argument.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{NaiveDate, TimeZone, Utc};
use chrono_tz::Tz;
use entity::{account, job, schedule, server, usage_month, usage_reading};
use jobs::queue::Doorbell;
use jobs::store::{JobFilter, STRIPPED, Store};
use jobs::{JobState, Lane};
use scheduler::Duties;
use scheduler::cron::{Cron, Retention};
use scheduler::nights;
use scheduler::registry;
use scheduler::top_up::TopUp;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait};
use serde_json::json;

use crate::support::{self, App, Ledger, change_server, create, ledger, succeeded};

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

fn cron(ledger: &Ledger) -> Cron {
    spread_cron(ledger, 0)
}

/// One that spreads the nights over so many minutes.
fn spread_cron(ledger: &Ledger, spread_minutes: u32) -> Cron {
    Cron::new(
        ledger.store.clone(),
        Doorbell::local(),
        Arc::clone(&ledger.keyring),
        Retention {
            spread_minutes,
            ..Retention::default()
        },
    )
}

fn at(year: i32, month: u32, day: u32, hour: u32) -> i64 {
    Utc.with_ymd_and_hms(year, month, day, hour, 0, 0)
        .unwrap()
        .timestamp_millis()
}

/// A server that was there long before.
async fn old_server(ledger: &Ledger, name: &str, zone: Tz, stats_at: i32) -> server::Model {
    let row = support::add_server(ledger, name).await;
    change_server(&ledger.store, row.id, |server| {
        server.created_at = Set(0);
        server.time_zone = Set(zone.name().to_owned());
        server.stats_at = Set(stats_at);
    })
    .await;
    row
}

/// The nightly jobs of a server: month and night, from their keys.
async fn nightly(store: &Store, server_id: i64) -> Vec<(String, NaiveDate)> {
    let filter = JobFilter {
        servers: Some(vec![server_id]),
        limit: 10_000,
        ..JobFilter::default()
    };
    let mut jobs = store.jobs(&filter).await.unwrap();
    jobs.reverse();
    jobs.iter()
        .map(|row| {
            let parts: Vec<&str> = row.idem_key.split(':').collect();
            assert_eq!((parts[0], row.kind.as_str()), ("get_stats", "get_stats"));
            assert_eq!(parts[1], server_id.to_string());
            (parts[2].to_owned(), parts[3].parse().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_year_of_nights_has_one_reading_a_date_in_every_time_zone() {
    let ledger = ledger().await;
    let zones = [
        (Tz::UTC, 30),
        (Tz::Europe__Berlin, 150),
        (Tz::America__Santiago, 0),
        (Tz::Australia__Lord_Howe, 120),
        (Tz::Pacific__Kiritimati, 30),
        (Tz::Etc__GMTPlus12, 30),
    ];
    let mut servers = Vec::new();
    for (index, (zone, minutes)) in zones.into_iter().enumerate() {
        let server = old_server(&ledger, &format!("web{index}"), zone, minutes).await;
        servers.push((server, zone));
    }
    let (start, end) = (at(2026, 1, 1, 12), at(2026, 12, 31, 12));
    let mut clock = spread_cron(&ledger, 60);
    let mut now = start;
    while now <= end {
        clock.tick(now).await.unwrap();
        now += 11 * HOUR;
    }
    for (server, zone) in servers {
        let seen = nightly(&ledger.store, server.id).await;
        let mut months: BTreeMap<NaiveDate, Vec<String>> = BTreeMap::new();
        for (month, night) in seen {
            months.entry(night).or_default().push(month);
        }
        let first = *months.keys().next().unwrap();
        let last = *months.keys().next_back().unwrap();
        let days = usize::try_from((last - first).num_days()).unwrap() + 1;
        assert_eq!(months.len(), days, "{zone}: every date once");
        assert!(days >= 364, "{zone}: {days}");
        for (night, read) in months {
            let wanted: BTreeSet<String> = nights::months(night, None)
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(read.len(), wanted.len(), "{zone} {night}: none twice");
            assert_eq!(read.into_iter().collect::<BTreeSet<_>>(), wanted, "{zone}");
        }
    }
}

#[tokio::test]
async fn the_servers_of_one_night_begin_over_the_window_and_each_once_whatever_it_becomes() {
    let ledger = ledger().await;
    let mut servers = Vec::new();
    for index in 0..30 {
        servers.push(old_server(&ledger, &format!("web{index}"), Tz::UTC, 60).await);
    }
    let (begin, minute) = (at(2026, 3, 10, 0), 60_000);
    let mut clock = spread_cron(&ledger, 120);
    clock.tick(begin).await.unwrap();
    let mut starts = BTreeSet::new();
    let mut made = 0;
    for passed in 0..=180 {
        let new = clock
            .tick(begin + passed * minute)
            .await
            .unwrap()
            .stats_jobs;
        assert!(new == 0 || (60..180).contains(&passed), "{new} at {passed}");
        if new > 0 {
            starts.insert(passed);
        }
        made += new;
    }
    assert_eq!(made, servers.len());
    assert!(starts.len() > 15, "{starts:?}");
    // The window is set anew in the middle of a night, by one scheduler before the other.
    for (day, window) in [(11, 0), (12, 700), (13, 30), (14, 1)] {
        let mut other = spread_cron(&ledger, window);
        for hour in 0..24 {
            let now = at(2026, 3, day, hour);
            other.tick(now).await.unwrap();
            clock.tick(now).await.unwrap();
        }
    }
    for server in servers {
        let seen = nightly(&ledger.store, server.id).await;
        let dates: BTreeSet<NaiveDate> = seen.iter().map(|(_, night)| *night).collect();
        assert_eq!(seen.len(), dates.len(), "a night twice");
        assert!(dates.len() >= 5, "{dates:?}");
    }
}

#[tokio::test]
async fn two_schedulers_at_once_make_each_job_once() {
    let ledger = ledger().await;
    let server = old_server(&ledger, "web1", Tz::UTC, 30).await;
    let (mut one, mut two) = (cron(&ledger), cron(&ledger));
    for day in 1..=10 {
        let now = at(2026, 3, day, 6);
        let (a, b) = tokio::join!(one.tick(now), two.tick(now));
        let made = a.unwrap().stats_jobs + b.unwrap().stats_jobs;
        assert_eq!(made, if day <= 3 { 2 } else { 1 }, "day {day}");
        let again = one.tick(now + HOUR).await.unwrap();
        assert_eq!(again.stats_jobs, 0);
    }
    assert_eq!(nightly(&ledger.store, server.id).await.len(), 13);
}

#[tokio::test]
async fn a_started_scheduler_runs_its_clock_and_its_top_up() {
    let app = App::start_with(|options| options.duties = Duties::ClockAndTopUp).await;
    let server = old_server(&app.ledger, "old", Tz::UTC, 0).await;
    let clocks = || schedule::Entity::find().count(app.store().reader());
    while clocks().await.unwrap() < 4 {
        tokio::task::yield_now().await;
    }
    // Its first tick may have come before the server; another process's clock is as good.
    cron(&app.ledger)
        .tick(app.store().now().await.unwrap())
        .await
        .unwrap();
    assert!(!nightly(app.store(), server.id).await.is_empty());
    let lane = Lane::Bulk;
    let room = Doorbell::local().room(lane).await;
    while app.doorbell.room(lane).await == room {
        tokio::task::yield_now().await;
    }
    app.stop().await;
}

#[tokio::test]
async fn a_clock_that_ran_far_ahead_does_not_stop_the_duties() {
    let ledger = ledger().await;
    let mut clock = cron(&ledger);
    clock.tick(at(2030, 1, 1, 0)).await.unwrap();
    clock.tick(at(2026, 3, 1, 6)).await.unwrap();
    let clocks = schedule::Entity::find()
        .all(ledger.store.reader())
        .await
        .unwrap();
    assert!(clocks.iter().all(|row| row.next_at < at(2026, 3, 2, 6)));
}

#[tokio::test]
async fn missed_nights_are_made_up_for_by_one_run() {
    let ledger = ledger().await;
    let server = old_server(&ledger, "web1", Tz::UTC, 30).await;
    let mut clock = cron(&ledger);
    clock.tick(at(2026, 2, 20, 6)).await.unwrap();
    // Down from the 21st of February until the 9th of March.
    let caught_up = clock.tick(at(2026, 3, 9, 6)).await.unwrap();
    assert_eq!(caught_up.stats_jobs, 2, "and the month that was missed");
    let next = clock.tick(at(2026, 3, 10, 6)).await.unwrap();
    assert_eq!(next.stats_jobs, 1);
    let months: Vec<String> = nightly(&ledger.store, server.id)
        .await
        .into_iter()
        .map(|(month, _)| month)
        .collect();
    assert_eq!(months, ["2026-02", "2026-03", "2026-02", "2026-03"]);
}

#[tokio::test]
async fn new_disabled_and_removed_servers_have_no_night() {
    let ledger = ledger().await;
    let new = support::add_server(&ledger, "new").await;
    let disabled = old_server(&ledger, "disabled", Tz::UTC, 30).await;
    let removed = old_server(&ledger, "removed", Tz::UTC, 30).await;
    let odd = old_server(&ledger, "odd", Tz::UTC, 5000).await;
    change_server(&ledger.store, disabled.id, |row| row.enabled = Set(false)).await;
    registry::remove_server(&ledger.store, "removed", "me", false)
        .await
        .unwrap();
    let now = ledger.store.now().await.unwrap();
    let mut clock = cron(&ledger);
    assert_eq!(clock.tick(now).await.unwrap().stats_jobs, 0);
    assert!(clock.tick(now + DAY).await.unwrap().stats_jobs >= 1);
    assert!(!nightly(&ledger.store, new.id).await.is_empty());
    for other in [disabled, removed, odd] {
        assert!(
            nightly(&ledger.store, other.id).await.is_empty(),
            "{}",
            other.name
        );
    }
}

#[tokio::test]
async fn a_month_closes_on_its_day_in_the_panels_zone_and_is_told_once() {
    let app = App::start().await;
    let server = old_server(&app.ledger, "kiri", Tz::Pacific__Kiritimati, 30).await;
    registry::add_webhook(
        app.store(),
        &app.ledger.keyring,
        app.platform,
        "main",
        "https://billing.example.com/hook",
    )
    .await
    .unwrap();
    let id = app.account("whmcs:1", "acme").await;
    let row = registry::account_by_id(app.store(), &id)
        .await
        .unwrap()
        .unwrap();
    let moved = account::ActiveModel {
        id: sea_orm::ActiveValue::Unchanged(row.id),
        server_id: Set(server.id),
        ..Default::default()
    };
    moved.update(app.store().writer_connection()).await.unwrap();
    for month in ["2026-01", "2026-02", "2026-03"] {
        usage(app.store(), row.id, server.id, month, 5).await;
    }
    let mut clock = cron(&app.ledger);
    // In Kiritimati (UTC+14) the 5th of March begins at 10:00 UTC on the 4th.
    let before = clock.tick(at(2026, 3, 4, 9)).await.unwrap();
    assert_eq!(before.closed, 1, "January, that nobody closed");
    let after = clock.tick(at(2026, 3, 4, 11)).await.unwrap();
    assert_eq!(after.closed, 1, "February");
    assert_eq!(clock.tick(at(2026, 3, 4, 13)).await.unwrap().closed, 0);
    let closed: Vec<(String, bool)> = usage_month::Entity::find()
        .all(app.store().reader())
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.month, row.closed_at.is_some()))
        .collect();
    let wanted = [("2026-01", true), ("2026-02", true), ("2026-03", false)];
    assert_eq!(closed, wanted.map(|(month, is)| (month.to_owned(), is)));
    let told = JobFilter {
        kind: Some(jobs::JobKind::DeliverWebhook),
        limit: 10,
        ..JobFilter::default()
    };
    let told: Vec<job::Model> = app.store().jobs(&told).await.unwrap();
    let months: Vec<_> = told
        .iter()
        .filter(|row| row.payload.contains("usage.month_closed"))
        .collect();
    assert_eq!(months.len(), 2);
    assert!(months[0].payload.contains("2026-02"));
}

#[tokio::test]
async fn a_month_that_is_not_over_is_not_closed() {
    let ledger = ledger().await;
    let server = old_server(&ledger, "web1", Tz::UTC, 30).await;
    let close = |now| {
        let month = "2026-03".parse().unwrap();
        registry::close_month(&ledger.store, &server, month, "me", now)
    };
    assert!(close(at(2026, 3, 31, 23)).await.is_err());
    assert!(close(at(2026, 4, 1, 0)).await.is_ok());
}

#[tokio::test]
async fn old_jobs_lose_their_contents_and_keep_their_keys() {
    let app = App::start().await;
    let old = app.submit("k", create("whmcs:1", "acme")).await.id();
    app.work(&old, succeeded()).await;
    let body = json!({"kind": "check_connection", "server": "web1"});
    let open = app.submit("open", body).await.id();
    let reading = usage_reading::ActiveModel {
        server_id: Set(1),
        username: Set("acme".into()),
        month: Set("2026-01".into()),
        read_at: Set(1),
        job_id: Set(1),
        fence: Set(1),
        ..Default::default()
    };
    reading
        .insert(app.store().writer_connection())
        .await
        .unwrap();
    let now = app.store().now().await.unwrap();
    let mut clock = cron(&app.ledger);
    assert_eq!(
        clock.tick(now).await.unwrap().pruned,
        1,
        "the reading of 1970"
    );
    clock.tick(now + 14 * 31 * DAY).await.unwrap();
    let row = app.row(&old).await;
    assert_eq!((row.payload.as_str(), row.result), (STRIPPED, None));
    assert!(app.store().attempts(row.id).await.unwrap().is_empty());
    let again = app.submit("k", create("whmcs:1", "acme")).await;
    assert_eq!(again.id(), old, "the key outlives the contents");
    let replay = app.post(&format!("/v1/jobs/{old}/replay"), json!({})).await;
    assert_eq!(replay.status, reqwest::StatusCode::CONFLICT);
    assert_eq!(app.row(&open).await.state, JobState::Queued.name());
    assert_ne!(app.row(&open).await.payload, STRIPPED);
    clock.tick(now + 28 * 31 * DAY).await.unwrap();
    assert!(app.store().job(&old).await.unwrap().is_none());
    assert!(app.store().job(&open).await.unwrap().is_some());
    let readings = usage_reading::Entity::find();
    assert_eq!(readings.count(app.store().reader()).await.unwrap(), 0);
}

#[tokio::test]
async fn secrets_whose_time_is_over_are_wiped() {
    let ledger = ledger().await;
    let owner = "job:x";
    let secret = "s".to_owned().into();
    let sealed = ledger.keyring.api.seal(
        jobs::store::Audience::Api,
        jobs::store::Purpose::Password,
        owner,
        &secret,
    );
    ledger.store.put_secrets(&[sealed.unwrap()]).await.unwrap();
    let now = ledger.store.now().await.unwrap();
    let api = jobs::store::Audience::Api;
    ledger
        .store
        .expire_secret(owner, api, now + 1000)
        .await
        .unwrap();
    let mut clock = cron(&ledger);
    assert_eq!(clock.tick(now).await.unwrap().wiped, 0);
    ledger.store.advance_clock(Duration::from_secs(2));
    assert_eq!(
        clock.tick(now + 2000).await.unwrap().wiped,
        0,
        "not its minute yet"
    );
    assert_eq!(clock.tick(now + 61_000).await.unwrap().wiped, 1);
}

#[tokio::test]
async fn a_duty_is_done_by_one_of_many_schedulers() {
    let ledger = ledger().await;
    let now = at(2026, 3, 1, 6);
    let mut all: Vec<Cron> = (0..4).map(|_| cron(&ledger)).collect();
    let ticks = all.iter_mut().map(|clock| clock.tick(now));
    for ticked in futures::future::join_all(ticks).await {
        ticked.unwrap();
    }
    let clocks = schedule::Entity::find()
        .all(ledger.store.reader())
        .await
        .unwrap();
    let names: BTreeSet<&str> = clocks.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "analyze",
            "close_months",
            "overuse",
            "prune",
            "tell_of_nights",
            "wipe_secrets"
        ]
        .into()
    );
    assert!(
        clocks
            .iter()
            .all(|row| row.last_at == Some(now) && row.next_at > now)
    );
}

#[tokio::test]
async fn the_top_up_rings_what_is_due_and_not_what_was_just_rung() {
    let app = App::start().await;
    app.account("whmcs:1", "acme").await;
    let doorbell = Doorbell::local();
    let mut top_up = TopUp::new(app.store().clone(), doorbell.clone());
    let now = app.store().now().await.unwrap();
    assert_eq!(top_up.tick(now).await.unwrap(), 0);
    let later = scheduler::times::rfc3339(now + HOUR);
    let body = json!({"kind": "suspend", "account": {"reference": "whmcs:1"}, "due_at": later});
    app.submit("later", body).await.id();
    let check = json!({"kind": "check_connection", "server": "web1"});
    app.submit("now", check).await.id();
    let room = doorbell.room(Lane::Interactive).await;
    assert_eq!(top_up.tick(now).await.unwrap(), 1);
    assert_eq!(doorbell.room(Lane::Interactive).await, room - 1);
    assert_eq!(top_up.tick(now + 3000).await.unwrap(), 0);
    assert_eq!(
        top_up.tick(now + 40_000).await.unwrap(),
        1,
        "the ring was lost"
    );
    app.store().advance_clock(Duration::from_secs(3601));
    let due = top_up.tick(now + 2 * HOUR).await.unwrap();
    assert_eq!(due, 2, "the scheduled one has joined its line");
}

#[tokio::test]
async fn the_month_of_a_platform_is_exported_with_its_overage() {
    let app = App::start().await;
    let id = app.account("=whmcs:1", "acme").await;
    app.account("whmcs:2", "quiet").await;
    let row = registry::account_by_id(app.store(), &id)
        .await
        .unwrap()
        .unwrap();
    let megabyte = 1 << 20;
    usage(
        app.store(),
        row.id,
        row.server_id,
        "2026-01",
        300 * megabyte,
    )
    .await;
    let month = app.get("/v1/usage?month=2026-01").await.json();
    let items = month["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(
        (
            &items[0]["traffic_mb"],
            &items[0]["traffic_limit_mb"],
            &items[0]["overage_mb"]
        ),
        (&json!(300), &json!(200), &json!(100))
    );
    assert_eq!(items[1]["traffic_mb"], json!(null), "unknown is not zero");
    let csv = app.get("/v1/usage?month=2026-01&format=csv").await;
    assert!(
        csv.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/csv")
    );
    let lines: Vec<&str> = csv.text.lines().collect();
    assert!(lines[0].starts_with("month,server,username"));
    assert!(lines[1].starts_with("2026-01,web1,acme,acme.example.com,'=whmcs:1,"));
    assert_eq!(lines.len(), 3);
    let server = app.get("/v1/servers/web1/usage?month=2026-01").await.json();
    assert_eq!(server[0]["username"], "acme");
    assert_eq!(
        (&server[0]["traffic_mb"], &server[0]["reference"]),
        (&json!(300), &json!("=whmcs:1"))
    );
    let of =
        |reference: &str| format!("/v1/servers/web1/usage?month=2026-01&reference={reference}");
    let one = app.get(&of("whmcs:2")).await.json();
    assert_eq!(
        (one.as_array().unwrap().len(), &one[0]["username"]),
        (1, &json!("quiet"))
    );
    assert_eq!(app.get(&of("whmcs:3")).await.json(), json!([]));
    let traffic = app
        .get(&format!(
            "/v1/accounts/{id}/traffic?from=2026-01&to=2026-02"
        ))
        .await
        .json();
    assert_eq!(traffic["months"][0]["total_bytes"], 300 * megabyte);
    for (path, field) in [
        ("/v1/usage?month=2026-1", "month"),
        ("/v1/usage?format=xml", "format"),
        (
            &*format!("/v1/accounts/{id}/traffic?from=2026-03&to=2026-02"),
            "from",
        ),
    ] {
        assert_eq!(app.get(path).await.fields(), [field]);
    }
}

async fn usage(store: &Store, account_id: i64, server_id: i64, month: &str, bytes: i64) {
    let row = usage_month::ActiveModel {
        account_id: Set(account_id),
        month: Set(month.to_owned()),
        server_id: Set(server_id),
        total_bytes: Set(bytes),
        last_raw: Set(bytes),
        epoch: Set(0),
        resets: Set(0),
        late_bytes: Set(0),
        traffic_limit_mb: Set(Some(200)),
        as_of: Set(1),
        ..Default::default()
    };
    row.insert(store.writer_connection()).await.unwrap();
}
