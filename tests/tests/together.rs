//! The roles as processes on a shared database: two schedulers, two workers, two panels, 300 jobs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use entity::attempt;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use simulator::{Options, PanelKind, Simulator, overlapping};
use tests::client::Client;
use tests::installation::{Installation, Role, free_port};
use tests::servers::{Kind, Redis, TestDatabase};

const PACE: f64 = 0.02;
const ACCOUNTS: usize = 60;

/// The jobs of one account, in order: five of them, none of which supersedes another.
const LIFE: [&str; 5] = [
    "create",
    "change_package",
    "change_limits",
    "change_password",
    "suspend",
];

fn body(kind: &str, server: &str, n: usize) -> Value {
    let reference = format!("billing:{server}-{n}");
    let mut account = match kind {
        "create" => json!({
            "reference": reference,
            "username": format!("user{n:03}"),
            "domain": format!("site{n}.{server}.example.com"),
            "email": format!("owner{n}@example.org"),
            "package": "silver",
        }),
        _ => json!({ "reference": reference }),
    };
    match kind {
        "change_package" => account["package"] = json!("gold"),
        "change_limits" => account["limits"] = json!({"disk_mb": 2048}),
        "change_password" => account["password"] = json!("Xy7-new-Pass-word+9"),
        _ => {}
    }
    json!({ "kind": kind, "server": server, "account": account })
}

struct Stage {
    installation: Installation,
    database: TestDatabase,
    panels: Vec<(&'static str, Simulator)>,
    token: String,
    _redis: Redis,
}

async fn stage(kind: Kind, redis: Redis) -> Stage {
    let database = TestDatabase::migrated(kind).await;
    let installation = Installation::new(&database, Some(redis.url()), PACE);
    let mut panels = Vec::new();
    for (name, panel) in [("web1", PanelKind::Cpanel), ("web2", PanelKind::Froxlor)] {
        let simulator = simulator::start(Options::new(panel)).await.unwrap();
        installation.add_server(name, &panel.to_string(), &simulator);
        panels.push((name, simulator));
    }
    let token = installation.token(&["create", "suspend", "change", "read", "operate"]);
    Stage {
        installation,
        database,
        panels,
        token,
        _redis: redis,
    }
}

/// Starts an API process and says where it is.
async fn scheduler(installation: &Installation) -> (Role, String) {
    let listen = format!("127.0.0.1:{}", free_port());
    let role = installation
        .start(&["scheduler", "--listen", &listen], "listening on")
        .await;
    (role, format!("http://{listen}"))
}

/// Puts the lives of all accounts in through both schedulers; returns the ids.
async fn put_in(stage: &Stage, apis: &[String]) -> Vec<String> {
    let clients: Vec<Client> = apis
        .iter()
        .map(|api| Client::new(api, &stage.token))
        .collect();
    let mut ids = Vec::new();
    for kind in LIFE {
        let posts = (0..ACCOUNTS).map(|n| {
            let client = &clients[n % clients.len()];
            let server = stage.panels[n % 2].0;
            async move {
                client
                    .submit(&format!("{kind}-{n}"), &body(kind, server, n))
                    .await
            }
        });
        ids.extend(futures::future::join_all(posts).await);
    }
    ids
}

/// What the panels' ledgers say: accounts made twice, or changed by two requests at one time.
fn done_twice(stage: &Stage) -> usize {
    let mut twice = 0;
    for (name, panel) in &stage.panels {
        let ledger = panel.ledger();
        assert_eq!(
            overlapping(&ledger),
            [],
            "{name}: one account, one change at a time"
        );
        let mut made: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in ledger
            .iter()
            .filter(|entry| ["createacct", "Customers.add"].contains(&entry.call.as_str()))
        {
            made.entry(&entry.username)
                .or_default()
                .insert(&entry.incarnation);
        }
        twice += made
            .values()
            .filter(|incarnations| incarnations.len() > 1)
            .count();
        let accounts = panel.accounts();
        assert_eq!(
            accounts.len(),
            ACCOUNTS / 2,
            "{name}: every account is there, and no other"
        );
        assert!(
            accounts.iter().all(|account| account.suspended),
            "{name}: the last job of each took effect"
        );
    }
    twice
}

async fn jobs_per_worker(stage: &Stage) -> BTreeMap<String, usize> {
    let store = stage.database.store().await;
    let rows = attempt::Entity::find().all(store.reader()).await.unwrap();
    let mut counts = BTreeMap::new();
    for row in rows {
        *counts
            .entry(format!("{} {}", row.owner.unwrap_or_default(), row.outcome))
            .or_default() += 1;
    }
    counts
}

async fn together(kind: Kind, redis: Redis, doorbell: &str) {
    let stage = stage(kind, redis).await;
    let (_first, one) = scheduler(&stage.installation).await;
    let (_second, two) = scheduler(&stage.installation).await;
    let mut doomed = stage
        .installation
        .start(&["worker"], "jobs at one time")
        .await;
    let mut other = stage
        .installation
        .start(&["worker"], "jobs at one time")
        .await;
    let ids = put_in(&stage, &[one.clone(), two]).await;
    let client = Client::new(one, &stage.token);
    // About midway through the creates of one panel.
    client.settled(&ids[ACCOUNTS / 3]).await;
    doomed.kill().await;
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    let mut bad = Vec::new();
    for id in &ids {
        let job = client.settled(id).await;
        let state = job["state"].as_str().unwrap().to_owned();
        if state != "succeeded" {
            bad.push(job.clone());
        }
        *states.entry(state).or_default() += 1;
    }
    assert!(bad.is_empty(), "{bad:#?}");
    let twice = done_twice(&stage);
    println!(
        "{kind:?}, Redis {doorbell}: {} jobs {states:?}; attempts by worker and outcome: {:?}; done twice: {twice}; lost: {}",
        ids.len(),
        jobs_per_worker(&stage).await,
        ids.len() - states["succeeded"],
    );
    assert_eq!(twice, 0);
    assert_eq!(states, BTreeMap::from([("succeeded".to_owned(), 300)]));
    assert_eq!(other.stop().await, 0, "{:#?}", other.said());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_and_two_workers_lose_nothing_on_postgres_and_redis() {
    together(Kind::Postgres, Redis::start().unwrap(), "up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_schedulers_and_two_workers_lose_nothing_on_mariadb_and_redis() {
    together(Kind::MariaDb, Redis::start().unwrap(), "up").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_lose_nothing_with_redis_gone_for_the_whole_run() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    together(Kind::Postgres, redis, "gone").await;
}
