//! The worker loop over the process's own doorbell and SQLite.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::JobSpec;
use jobs::queue::{Doorbell, Health, WorkerOptions, run};
use jobs::store::{
    Claimed, Finish, JobFilter, NewJob, Outcome, ServerEffect, Store, StoreOptions, Target, Writer,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ActiveModelTrait, ActiveValue::Set};

struct Fixture {
    store: Store,
    server_id: i64,
    _folder: tempfile::TempDir,
}

async fn fixture(max_jobs: i32) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let url = format!(
        "sqlite:{}?mode=rwc",
        folder.path().join("hostler.db").display()
    );
    let store = Store::connect(&StoreOptions::new(url)).await.unwrap();
    Migrator::up(store.writer_connection(), None).await.unwrap();
    let server = entity::server::ActiveModel {
        name: Set("web1".into()),
        panel: Set("cpanel".into()),
        url: Set("https://web1.example.net:2087".into()),
        pins: Set("[]".into()),
        allow_networks: Set("[]".into()),
        time_zone: Set("UTC".into()),
        stats_at: Set(120),
        enabled: Set(true),
        rules: Set("{}".into()),
        max_jobs: Set(max_jobs),
        max_creates: Set(2),
        max_terminates: Set(20),
        paused: Set(false),
        breaker_failures: Set(0),
        created_at: Set(0),
        live_name: Set(Some("web1".into())),
        ..Default::default()
    };
    let server_id = server.insert(store.writer_connection()).await.unwrap().id;
    Fixture {
        store,
        server_id,
        _folder: folder,
    }
}

/// Job number `n` of that user; of a kind that supersedes nothing, so that all of them run.
fn unlock(server_id: i64, user: usize, n: usize) -> NewJob {
    let username = format!("user{user}").parse().unwrap();
    NewJob {
        public_id: jobs::new_public_id(),
        platform_id: jobs::OPERATOR,
        idem_key: format!("{user}-{n}"),
        body_hash: "0".into(),
        spec: JobSpec::Unlock,
        server_id: Some(server_id),
        target: Target::Unknown {
            reference: None,
            username,
            domain: None,
        },
        due_at: None,
        actor: "test".into(),
        reason: None,
        webhook: None,
        trace: None,
        secrets: vec![],
        replay_of: None,
    }
}

fn succeeded(claimed: &Claimed) -> Finish {
    Finish {
        job_id: claimed.job.id,
        fence: claimed.job.fence,
        outcome: Outcome::Succeeded {
            already_so: false,
            result: None,
        },
        error: None,
        account: None,
        server: ServerEffect::None,
        in_doubt: false,
        secrets_spent: false,
    }
}

/// Starts a writer that rings and announces as a worker's does.
fn writer(store: &Store, doorbell: &Doorbell) -> Writer {
    let (after, bell) = (store.clone(), doorbell.clone());
    Writer::start(store.clone(), move |report| {
        let (store, bell) = (after.clone(), bell.clone());
        tokio::spawn(async move {
            bell.ring(&report.rings).await;
            bell.ring(&store.next_on(&report.freed).await.unwrap())
                .await;
            bell.announce(&report.settled).await;
        });
    })
}

fn options(concurrency: usize) -> WorkerOptions {
    WorkerOptions {
        name: "test-worker".into(),
        concurrency,
        poll_every: Duration::from_secs(3600),
        grace: Duration::from_secs(30),
    }
}

async fn states(store: &Store) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for job in store
        .jobs(&JobFilter {
            limit: 1000,
            ..JobFilter::default()
        })
        .await
        .unwrap()
    {
        *states.entry(job.state).or_default() += 1;
    }
    states
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_job_runs_once_in_its_accounts_order_by_rings_alone() {
    let f = fixture(4).await;
    let doorbell = Doorbell::local();
    let mut settled = doorbell.settled();
    let writer = writer(&f.store, &doorbell);
    let seen: Arc<Mutex<BTreeMap<i64, Vec<i64>>>> = Arc::default();
    let at_once = Arc::new(Mutex::new((0_i32, 0_i32)));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let handler = {
        let (writer, seen, at_once) = (writer.clone(), Arc::clone(&seen), Arc::clone(&at_once));
        move |claimed: Claimed| {
            let (writer, seen, at_once) = (writer.clone(), Arc::clone(&seen), Arc::clone(&at_once));
            async move {
                {
                    let mut now = at_once.lock().unwrap();
                    now.0 += 1;
                    now.1 = now.1.max(now.0);
                }
                let account = claimed.job.account_id.unwrap();
                seen.lock()
                    .unwrap()
                    .entry(account)
                    .or_default()
                    .push(claimed.job.id);
                tokio::task::yield_now().await;
                at_once.lock().unwrap().0 -= 1;
                writer.finish(succeeded(&claimed)).await.unwrap();
            }
        }
    };
    let worker = tokio::spawn(run(
        options(16),
        f.store.clone(),
        doorbell.clone(),
        writer.clone(),
        Arc::new(Health::default()),
        handler,
        async {
            let _ = stopped.await;
        },
    ));
    let jobs: Vec<NewJob> = (0..10)
        .flat_map(|n| (0..20).map(move |user| (user, n)))
        .map(|(user, n)| unlock(f.server_id, user, n))
        .collect();
    let (answers, rings) = f.store.submit(&jobs).await.unwrap();
    assert_eq!(
        answers
            .iter()
            .filter(|answer| answer.as_ref().is_ok_and(|s| s.new))
            .count(),
        200
    );
    doorbell.ring(&rings).await;
    for _ in 0..200 {
        settled.recv().await.unwrap();
    }
    stop.send(()).unwrap();
    worker.await.unwrap();
    let seen = seen.lock().unwrap().clone();
    assert_eq!(seen.len(), 20);
    for order in seen.values() {
        assert_eq!(order.len(), 10);
        assert!(order.is_sorted(), "{order:?}");
    }
    assert!(at_once.lock().unwrap().1 <= 4, "the server's limit holds");
    assert_eq!(
        states(&f.store).await,
        BTreeMap::from([("succeeded".to_owned(), 200)])
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_lets_running_jobs_finish_and_gives_the_others_back() {
    let f = fixture(4).await;
    let doorbell = Doorbell::local();
    let writer = writer(&f.store, &doorbell);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let stop = Arc::new(Mutex::new(Some(stop)));
    let handler = {
        let (writer, stop) = (writer.clone(), Arc::clone(&stop));
        move |claimed: Claimed| {
            let (writer, stop) = (writer.clone(), Arc::clone(&stop));
            async move {
                // The stop comes while this job runs.
                if let Some(stop) = stop.lock().unwrap().take() {
                    stop.send(()).unwrap();
                }
                tokio::task::yield_now().await;
                writer.finish(succeeded(&claimed)).await.unwrap();
            }
        }
    };
    let jobs: Vec<NewJob> = (0..50).map(|user| unlock(f.server_id, user, 0)).collect();
    let (_, rings) = f.store.submit(&jobs).await.unwrap();
    doorbell.ring(&rings).await;
    run(
        options(1),
        f.store.clone(),
        doorbell.clone(),
        writer,
        Arc::new(Health::default()),
        handler,
        async {
            let _ = stopped.await;
        },
    )
    .await;
    let states = states(&f.store).await;
    assert!(
        !states.contains_key("running"),
        "nothing is left with a lease: {states:?}"
    );
    assert!((1..50).contains(&states["succeeded"]), "{states:?}");
}
