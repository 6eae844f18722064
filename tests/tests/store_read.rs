//! What people see: what a job waits for, lists, and who has come to rest.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use jobs::store::{Finish, JobFilter, NewJob, Outcome, Pause, ServerEffect};
use jobs::{JobKind, JobSpec, JobState, Lane};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DbBackend, Statement};
use tests::on_every_database;
use tests::world::{NONE, World, done, ended, held};

const MINUTE: Duration = Duration::from_secs(60);

on_every_database! {
    async fn a_job_says_what_it_waits_for(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bcme) = (world.account("acme").await, world.account("bcme").await);
        let first = world.put(acme, JobSpec::Unlock).await;
        let second = world.put(acme, JobSpec::Suspend).await;
        assert_eq!(world.waits_for(first).await, None, "for a worker alone");
        let rows = [world.job(first).await, world.job(second).await];
        let waiting = world.store.waiting_for(&rows).await.expect("answered");
        assert_eq!(waiting.len(), 1);
        assert_eq!((waiting[&second].reason, &waiting[&second].job_id), ("earlier_job", &Some(rows[0].public_id.clone())));
        world.change_server(world.server, |server| server.max_jobs = Set(1)).await;
        let won = world.claim_one(first).await;
        let other = world.put(bcme, JobSpec::Unlock).await;
        assert_eq!(world.waits_for(other).await, Some("server_busy"));
        assert_eq!(world.waits_for(first).await, None, "it runs");
        world.finish(&[ended(&won, Outcome::Retry { after: MINUTE })]).await;
        assert_eq!(world.waits_for(first).await, Some("not_due"));
        assert_eq!(world.waits_for(other).await, None);
        world.store.pause_server(world.server, &Pause::default()).await.expect("paused");
        assert_eq!(world.waits_for(other).await, Some("server_paused"));
        assert_eq!(world.waits_for(first).await, Some("not_due"));
    }

    async fn a_server_with_refused_credentials_is_named(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bcme) = (world.account("acme").await, world.account("bcme").await);
        let first = world.put(acme, JobSpec::Unlock).await;
        let second = world.put(bcme, JobSpec::Unlock).await;
        let won = world.claim_one(first).await;
        let refused = ServerEffect::AuthRefused { detail: "403".into() };
        world.finish(&[Finish { server: refused, ..ended(&won, held()) }]).await;
        assert_eq!(world.waits_for(second).await, Some("auth_hold"));
        assert_eq!(world.waits_for(first).await, None, "a held job waits for a person");
    }

    async fn jobs_are_listed_newest_first_and_page_by_page(db: &TestDatabase) {
        let world = World::new(db).await;
        let (acme, bcme) = (world.account("acme").await, world.account("bcme").await);
        let elsewhere = world.add_server("web2").await;
        let mut ids = Vec::new();
        for account in [acme, bcme, acme, bcme, acme] {
            ids.push(world.put(account, JobSpec::Unlock).await);
        }
        let foreign = NewJob { platform_id: 2, server_id: Some(elsewhere), ..world.change(acme, JobSpec::LoginUrl) };
        let foreign = world.submit(foreign).await.job;
        world.run(ids[0], held()).await;
        let list = async |filter: JobFilter| -> Vec<i64> {
            let jobs = world.store.jobs(&JobFilter { limit: filter.limit.max(2), ..filter }).await.expect("answered");
            jobs.iter().map(|job| job.id).collect()
        };
        assert_eq!(list(JobFilter::default()).await, [foreign.id, ids[4]]);
        let next = JobFilter { before: Some(ids[4]), ..JobFilter::default() };
        assert_eq!(list(next).await, [ids[3], ids[2]]);
        let of = |filter: JobFilter| list(JobFilter { limit: 100, ..filter });
        assert_eq!(of(JobFilter { account_id: Some(bcme), ..JobFilter::default() }).await, [ids[3], ids[1]]);
        assert_eq!(of(JobFilter { states: vec![JobState::Held], ..JobFilter::default() }).await, [ids[0]]);
        assert_eq!(of(JobFilter { error_code: Some("test".into()), ..JobFilter::default() }).await, [ids[0]]);
        assert_eq!(of(JobFilter { kind: Some(JobKind::LoginUrl), ..JobFilter::default() }).await, [foreign.id]);
        assert_eq!(of(JobFilter { platform_id: Some(2), ..JobFilter::default() }).await, [foreign.id]);
        assert_eq!(of(JobFilter { servers: Some(vec![elsewhere]), ..JobFilter::default() }).await, [foreign.id]);
        assert_eq!(of(JobFilter { servers: Some(vec![]), ..JobFilter::default() }).await, NONE);
        let key = JobFilter { idem_key: Some(foreign.idem_key.clone()), ..JobFilter::default() };
        assert_eq!(of(key).await, [foreign.id]);
        assert_eq!(of(JobFilter { since: Some(i64::MAX), ..JobFilter::default() }).await, NONE);
    }

    async fn waiters_are_told_who_has_come_to_rest(db: &TestDatabase) {
        let world = World::new(db).await;
        let mut ids = Vec::new();
        for number in 0..4 {
            let account = world.account(&format!("user{number}")).await;
            ids.push(world.put(account, JobSpec::Unlock).await);
        }
        world.run(ids[0], done()).await;
        world.run(ids[1], held()).await;
        world.run(ids[2], Outcome::Retry { after: MINUTE }).await;
        let mut settled = world.store.settled(&ids).await.expect("answered");
        settled.sort_unstable();
        assert_eq!(settled, ids[..2]);
    }

    async fn a_search_finds_work_of_other_servers_behind_a_full_one(db: &TestDatabase) {
        let world = World::new(db).await;
        let quiet = world.add_server("web2").await;
        let mut full = Vec::new();
        for number in 0..30 {
            let account = world.account(&format!("user{number}")).await;
            full.push(world.change(account, JobSpec::Unlock));
        }
        let full: Vec<i64> = world.submit_all(&full).await.iter().map(|s| s.job.id).collect();
        let account = world.account_on(quiet, "acme").await;
        let job = NewJob { server_id: Some(quiet), ..world.change(account, JobSpec::Unlock) };
        let behind = world.submit(job).await.job.id;
        world.claim(&full).await;
        let found = world.store.pick(Lane::Interactive, 10).await.expect("answered");
        assert_eq!(found.iter().map(|ring| ring.job_id).collect::<Vec<_>>(), [behind]);
    }

    async fn the_clock_is_the_databases_and_can_be_moved(db: &TestDatabase) {
        let world = World::new(db).await;
        let before = world.store.now().await.expect("answered");
        let ours = chrono::DateTime::from_timestamp_millis(before).expect("a time");
        assert!(ours.timestamp() > 1_700_000_000, "milliseconds since 1970");
        world.store.advance_clock(MINUTE);
        let after = world.store.now().await.expect("answered");
        assert!((before + 60_000..before + 120_000).contains(&after));
    }

    async fn transactions_see_what_was_committed_meanwhile(db: &TestDatabase) {
        let world = World::new(db).await;
        let backend = world.store.backend();
        let sql = match backend {
            DbBackend::MySql => "SELECT variable_value AS level FROM information_schema.session_variables \
                 WHERE variable_name IN ('tx_isolation', 'transaction_isolation') LIMIT 1",
            DbBackend::Postgres => "SELECT current_setting('transaction_isolation') AS level",
            _ => "SELECT 'one writer' AS level",
        };
        let tx = world.store.begin().await.expect("begun");
        let row = tx.query_one_raw(Statement::from_string(backend, sql)).await;
        let level: String = row.expect("answered").expect("a row").try_get("", "level").expect("a text");
        let wanted = ["READ-COMMITTED", "read committed", "one writer"];
        assert!(wanted.contains(&level.as_str()), "{level}");
        tx.commit().await.expect("committed");
        world.store.analyze().await.expect("the statistics can be refreshed");
    }
}
