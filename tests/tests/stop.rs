//! Processes that are asked to stop while they work: what runs ends well, nothing new is begun, nothing is
//! handed to others, and a second signal ends at once without doing harm.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use entity::{attempt, job};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use serde_json::{Value, json};
use simulator::{Latency, Options, PanelKind, overlapping};
use tempfile::TempDir;
use tests::field::{Ended, Field, Part, Plan, Process};
use tests::installation::{binary, faulty_binary};
use tests::servers::Kind;

const PATIENCE: Duration = Duration::from_secs(240);

struct Scene {
    field: Field,
    _folder: TempDir,
}

/// Panels whose calls take that share of the usual time.
async fn scene(binary: PathBuf, database: Kind, scale: f64) -> Scene {
    let folder = tempfile::tempdir().expect("a folder");
    let slow = |panel| Options {
        latency: Latency::Realistic { scale },
        ..Options::new(panel)
    };
    let plan = Plan {
        database,
        panels: vec![
            ("cpanel", slow(PanelKind::Cpanel)),
            ("froxlor", slow(PanelKind::Froxlor)),
        ],
        ..Plan::new(&folder.path().join("run"), binary)
    };
    Scene {
        field: Field::new(plan).await,
        _folder: folder,
    }
}

fn create(server: &str, name: &str) -> Value {
    json!({"kind": "create", "server": server, "account": {
        "username": name, "domain": format!("{name}.{server}.example.com"), "email": "owner@example.org",
        "package": "silver",
    }})
}

async fn accepted(field: &Field, key: &str, body: &Value) -> String {
    let answer = field.platform.submit(key, body).await;
    let id = answer.id().map(str::to_owned);
    id.unwrap_or_else(|| panic!("{body}: {answer:?}"))
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !is_so().await {
            look.tick().await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, wait).await;
    assert!(waited.is_ok(), "{what} did not come");
}

/// Requests for changes that the panels have had.
fn changes(field: &Field) -> usize {
    let panels = field.servers.iter();
    let calls = panels.flat_map(|server| server.panel.requests());
    calls
        .filter(|call| ["createacct", "Customers.add"].contains(&call.call.as_str()))
        .count()
}

async fn running(field: &Field) -> u64 {
    job::Entity::find()
        .filter(job::Column::State.eq("running"))
        .count(field.sql())
        .await
        .expect("answered")
}

async fn outcomes(field: &Field) -> BTreeMap<String, usize> {
    let rows = attempt::Entity::find()
        .all(field.sql())
        .await
        .expect("answered");
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.outcome).or_default() += 1;
    }
    counts
}

async fn states(field: &Field) -> BTreeMap<String, usize> {
    let rows = job::Entity::find()
        .all(field.sql())
        .await
        .expect("answered");
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts.entry(row.state).or_default() += 1;
    }
    counts
}

fn no_overlap(field: &Field) {
    for server in &field.servers {
        assert_eq!(overlapping(&server.panel.ledger()), [], "{}", server.name);
    }
}

/// One process works, one takes requests; in `serve` they are the same.
async fn start(field: &Field, part: Part) -> (Process, Option<Process>) {
    match part {
        Part::Worker => {
            let scheduler = field.start(Part::Scheduler, &[]).await;
            (field.start(Part::Worker, &[]).await, Some(scheduler))
        }
        _ => (field.start(part, &[]).await, None),
    }
}

/// Stopped again and again at random times with calls running; nothing is lost, in doubt, or done twice.
async fn stopped_at_random(part: Part, database: Kind, rounds: usize, seed: u64) {
    const JOBS: usize = 40;
    let Scene { field, _folder } = scene(binary(), database, 0.02).await;
    let mut chance = StdRng::seed_from_u64(seed);
    let (mut process, mut scheduler) = start(&field, part).await;
    for number in 0..JOBS {
        let server = ["cpanel", "froxlor"][number % 2];
        accepted(
            &field,
            &format!("create-{number}"),
            &create(server, &format!("u{number:05}")),
        )
        .await;
    }
    let mut interrupted = 0;
    for round in 0..rounds {
        let before = changes(&field);
        let more = chance.random_range(1..4);
        until("a few calls", async || {
            changes(&field) >= before + more || states(&field).await.len() < 2
        })
        .await;
        // Between two calls as well as in the middle of one.
        tokio::time::timeout(
            Duration::from_millis(chance.random_range(0..200)),
            std::future::pending::<()>(),
        )
        .await
        .expect_err("it never comes");
        let attempts: usize = outcomes(&field).await.values().sum();
        interrupted += usize::from(running(&field).await > 0);
        assert_eq!(
            process.stop().await,
            Ended::Code(0),
            "seed {seed}, round {round}"
        );
        assert_eq!(
            running(&field).await,
            0,
            "seed {seed}, round {round}: everything is finished or given back"
        );
        let now: usize = outcomes(&field).await.values().sum();
        // What ran, and no more: five jobs a server at one time would be many.
        assert!(
            now - attempts <= 24,
            "seed {seed}, round {round}: {attempts} attempts, then {now}"
        );
        field.kill(&mut process).await;
        (process, scheduler) = match scheduler {
            Some(scheduler) => (field.start(Part::Worker, &[]).await, Some(scheduler)),
            None => start(&field, part).await,
        };
    }
    field
        .drain(PATIENCE)
        .await
        .expect("everything comes to rest");
    assert_eq!(
        states(&field).await,
        BTreeMap::from([("succeeded".to_owned(), JOBS)]),
        "seed {seed}"
    );
    let outcomes = outcomes(&field).await;
    for never in ["lost", "look_again", "retry", "held", "failed", "died"] {
        assert_eq!(outcomes.get(never), None, "seed {seed}: {outcomes:?}");
    }
    assert_eq!(changes(&field), JOBS, "seed {seed}: one call each");
    no_overlap(&field);
    println!(
        "{part:?} on {database:?}, seed {seed}: {rounds} stops, {interrupted} with jobs running; {outcomes:?}"
    );
    process.stop().await;
    drop(scheduler);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn serve_stops_at_any_time_without_losing_a_call() {
    stopped_at_random(Part::Serve, Kind::Sqlite, 6, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_stops_at_any_time_without_losing_a_call() {
    stopped_at_random(Part::Worker, Kind::Postgres, 6, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the same, for a quarter of an hour"]
async fn processes_stop_at_many_times_without_losing_a_call() {
    for seed in 10..20 {
        stopped_at_random(Part::Serve, Kind::Sqlite, 10, seed).await;
        stopped_at_random(Part::Worker, Kind::Postgres, 10, seed).await;
        stopped_at_random(Part::Worker, Kind::MariaDb, 10, seed).await;
    }
}

/// A call runs when the second signal comes.
async fn ended_at_once(part: Part, database: Kind) {
    let Scene { field, _folder } = scene(binary(), database, 0.1).await;
    let (mut process, scheduler) = start(&field, part).await;
    accepted(&field, "create", &create("cpanel", "acme")).await;
    until("the call", async || changes(&field) == 1).await;
    process.signal("TERM");
    let output = process.output().to_owned();
    let said = async |words: &str| {
        std::fs::read_to_string(&output)
            .unwrap_or_default()
            .contains(words)
    };
    until("the first signal's line", async || said("Stopping").await).await;
    process.signal("TERM");
    assert_eq!(process.ended().await, Ended::Code(130));
    field.kill(&mut process).await;
    let row = job::Entity::find()
        .one(field.sql())
        .await
        .expect("answered")
        .expect("a job");
    assert_eq!(
        (row.state.as_str(), row.phase.as_deref()),
        ("running", Some("sent")),
        "what was sent is known to be"
    );
    let mut process = match &scheduler {
        Some(_) => field.start(Part::Worker, &[]).await,
        None => field.start(part, &[]).await,
    };
    field.drain(PATIENCE).await.expect("it is looked up");
    assert_eq!(
        states(&field).await,
        BTreeMap::from([("succeeded".to_owned(), 1)])
    );
    assert_eq!(outcomes(&field).await.get("lost"), Some(&1));
    assert_eq!(field.panel("cpanel").accounts().len(), 1);
    no_overlap(&field);
    process.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_serve_at_once_and_the_call_is_looked_up() {
    ended_at_once(Part::Serve, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_a_worker_at_once_and_the_call_is_looked_up() {
    ended_at_once(Part::Worker, Kind::Postgres).await;
}

/// The other worker has nothing else to do, and leaves the job alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_still_runs_in_a_stopping_worker_is_handed_to_nobody() {
    let Scene { field, _folder } = scene(binary(), Kind::Postgres, 0.1).await;
    let (mut stopping, _scheduler) = start(&field, Part::Worker).await;
    accepted(&field, "create", &create("cpanel", "acme")).await;
    until("the call", async || changes(&field) == 1).await;
    stopping.signal("TERM");
    let mut other = field.start(Part::Worker, &[]).await;
    assert_eq!(stopping.ended().await, Ended::Code(0));
    field.drain(PATIENCE).await.expect("it comes to rest");
    assert_eq!(
        outcomes(&field).await,
        BTreeMap::from([("succeeded".to_owned(), 1)])
    );
    assert_eq!(changes(&field), 1);
    no_overlap(&field);
    other.stop().await;
}

/// The signal comes between the claim and the job's first step.
async fn given_back(part: Part, database: Kind) {
    let Scene { field, _folder } = scene(faulty_binary(), database, 0.0).await;
    let arm = [("HOSTLER_FAILPOINT", "claimed:create!term")];
    let scheduler = match part {
        Part::Worker => Some(field.start(Part::Scheduler, &[]).await),
        _ => None,
    };
    let mut process = field.start(part, &arm).await;
    accepted(&field, "create", &create("cpanel", "acme")).await;
    assert_eq!(process.ended().await, Ended::Code(0));
    field.kill(&mut process).await;
    let row = job::Entity::find()
        .one(field.sql())
        .await
        .expect("answered")
        .expect("a job");
    assert_eq!(
        (row.state.as_str(), row.lease_until),
        ("retrying", None),
        "nobody has it"
    );
    assert_eq!(
        (row.attempt, row.tries, row.worker_deaths),
        (1, 0, 0),
        "it cost nothing"
    );
    assert_eq!(
        outcomes(&field).await,
        BTreeMap::from([("returned".to_owned(), 1)])
    );
    assert_eq!(
        field.panel("cpanel").requests().len(),
        0,
        "the panel was not asked"
    );
    let mut process = field.start(part, &[]).await;
    field.drain(PATIENCE).await.expect("it comes to rest");
    assert_eq!(
        states(&field).await,
        BTreeMap::from([("succeeded".to_owned(), 1)])
    );
    process.stop().await;
    drop(scheduler);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_serve_has_claimed_and_not_begun_is_given_back() {
    given_back(Part::Serve, Kind::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_worker_has_claimed_and_not_begun_is_given_back() {
    given_back(Part::Worker, Kind::Postgres).await;
}
