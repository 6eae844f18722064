//! Old and new versions beside each other: payloads, kinds and schemas that the other does not know.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::time::Duration;

use entity::job;
use jobs::store::{Intent, Replayed};
use jobs::{JobSpec, JobState, PAYLOAD_VERSION};
use migration::{Migrator, MigratorTrait};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, Database, EntityTrait, QueryFilter};
use serde_json::json;
use simulator::PanelKind;
use tests::installation::{Installation, Said};
use tests::on_every_database;
use tests::servers::{Kind, TestDatabase};
use tests::stand::Stand;
use tests::world::{NONE, World};

/// Makes the job one that a newer version has written: a kind and a payload that nobody knows here.
async fn make_newer(store: &jobs::store::Store, public_id: &str) {
    job::Entity::update_many()
        .col_expr(
            job::Column::PayloadVersion,
            Expr::value(PAYLOAD_VERSION + 1),
        )
        .col_expr(job::Column::Kind, Expr::value("clone"))
        .col_expr(
            job::Column::Payload,
            Expr::value(r#"{"kind":"clone","from":"acme"}"#),
        )
        .filter(job::Column::PublicId.eq(public_id))
        .exec(store.writer_connection())
        .await
        .expect("written");
}

/// The newer worker: one that can read it.
async fn make_known(store: &jobs::store::Store, public_id: &str) {
    job::Entity::update_many()
        .col_expr(job::Column::PayloadVersion, Expr::value(PAYLOAD_VERSION))
        .col_expr(job::Column::Kind, Expr::value("unlock"))
        .col_expr(job::Column::Payload, Expr::value(r#"{"kind":"unlock"}"#))
        .filter(job::Column::PublicId.eq(public_id))
        .exec(store.writer_connection())
        .await
        .expect("written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_process_leaves_a_newer_job_for_a_newer_worker_and_goes_on() {
    let stand = Stand::new(&[("web1", PanelKind::Froxlor)], &[]).await;
    let made = stand.create("web1", "acme").await;
    assert_eq!(stand.client.settled(&made).await["state"], "succeeded");
    stand.installation.hostler(&["server", "pause", "web1"]);
    let unlock =
        json!({"kind": "unlock", "server": "web1", "account": {"reference": "billing:web1-acme"}});
    let newer = stand.client.submit("newer", &unlock).await;
    let store = stand.database.store().await;
    make_newer(&store, &newer).await;
    stand.installation.hostler(&["server", "resume", "web1"]);
    // Jobs behind it in other lines go on, and its own account's line waits for it.
    for number in 0..5 {
        let other = stand.create("web1", &format!("other{number}")).await;
        assert_eq!(stand.client.settled(&other).await["state"], "succeeded");
    }
    let (status, shown) = stand.client.get(&format!("/v1/jobs/{newer}")).await;
    assert_eq!(
        (status, &shown["state"]),
        (200, &json!("queued")),
        "{shown}"
    );
    assert_eq!(shown["waiting_for"]["reason"], "newer_worker", "{shown}");
    let (status, list) = stand.client.get("/v1/jobs").await;
    assert_eq!(
        status, 200,
        "a kind that is not known hides no other job: {list}"
    );
    assert_eq!(list["items"].as_array().map(Vec::len), Some(7));
    make_known(&store, &newer).await;
    assert_eq!(stand.client.settled(&newer).await["state"], "succeeded");
    stand.end().await;
}

on_every_database! {
    async fn a_newer_job_that_a_worker_left_behind_is_in_doubt_also_for_an_old_one(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let submitted = world.submit(world.change(account, JobSpec::Unlock)).await.job;
        let won = world.claim_one(submitted.id).await;
        let intent = Intent { job_id: won.job.id, fence: won.job.fence, progress: None, sends: true };
        world.store.write_group(&[intent], &[]).await.expect("written");
        make_newer(&world.store, &submitted.public_id).await;
        world.store.advance_clock(Duration::from_secs(3600));
        // This version's sweep finds it first.
        assert_eq!(world.store.rescue(10).await.expect("answered").rescued, 1);
        let row = world.job(submitted.id).await;
        assert_eq!((row.state.as_str(), row.doubt_since.is_some()), ("retrying", true));
        world.store.advance_clock(Duration::from_secs(3600));
        assert_eq!(world.won(&[submitted.id]).await, NONE);
        assert_eq!(world.waits_for(submitted.id).await, Some("newer_worker"));
    }

    async fn a_newer_job_is_not_replayed_by_an_old_version(db: &TestDatabase) {
        let world = World::new(db).await;
        let account = world.account("acme").await;
        let submitted = world.submit(world.change(account, JobSpec::Unlock)).await.job;
        world.run(submitted.id, tests::world::held()).await;
        make_newer(&world.store, &submitted.public_id).await;
        let (replayed, _) = world.store.replay(submitted.id, "op", "again", true).await.expect("answered");
        assert!(matches!(replayed, Replayed::Refused(why) if why.contains("newer version")));
        assert_eq!(world.state(submitted.id).await, JobState::Held);
    }
}

/// What a role says that finds this schema, and that it ends with the code of a usage error.
fn refuses(installation: &Installation, role: &[&str], why: &str) {
    let Said { code, out, err } = installation.try_hostler(role);
    assert_eq!(code, 2, "{role:?}: {out}{err}");
    let lines: Vec<&str> = err.lines().filter(|line| line.contains(why)).collect();
    assert_eq!(lines.len(), 1, "{role:?} says it in one line: {err}");
}

const ROLES: [&[&str]; 2] = [&["scheduler", "--listen", "127.0.0.1:0"], &["worker"]];

async fn on_other_schemas(kind: Kind) {
    let database = TestDatabase::migrated(kind).await;
    let installation = Installation::new(&database, None, 0.02);
    let connection = Database::connect(&database.url).await.expect("connected");
    Migrator::down(&connection, Some(1))
        .await
        .expect("taken back");
    for role in ROLES {
        refuses(
            &installation,
            role,
            "its schema is older than this version's (1 changes missing); run `hostler migrate up`",
        );
    }
    Migrator::up(&connection, None).await.expect("made");
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    connection.execute_unprepared(newer).await.expect("written");
    for role in [ROLES[0], ROLES[1], &["serve", "--listen", "127.0.0.1:0"]] {
        refuses(
            &installation,
            role,
            "its schema is newer than this version of Hostler (it has m9999_later); use the newer version",
        );
    }
    connection.close().await.expect("closed");
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_refuses_another_versions_schema_on_postgres() {
    on_other_schemas(Kind::Postgres).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_refuses_another_versions_schema_on_mariadb() {
    on_other_schemas(Kind::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_role_refuses_another_versions_schema_on_sqlite() {
    on_other_schemas(Kind::Sqlite).await;
}
