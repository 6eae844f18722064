//! The database and Redis away: at the start, and in the middle of the work.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database};
use simulator::{Options, PanelKind, Simulator};
use tests::client::Client;
use tests::installation::{Installation, Role, Said, free_port};
use tests::servers::{Durability, Kind, MariaDb, Postgres, Redis, TestDatabase};
use tests::stand::{assert_no_panic, create};

const PACE: f64 = 0.02;
/// Distinct enough to be found in any output.
const PASSWORD: &str = "Sq1-Pa55word-Planted";

/// A database of its own server, which the test may kill.
async fn made(administer: &str, create: &str, url: String) -> String {
    let admin = Database::connect(administer).await.unwrap();
    admin.execute_unprepared(create).await.unwrap();
    admin.close().await.unwrap();
    let db = Database::connect(&url).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    db.close().await.unwrap();
    url
}

/// The installation on that database, and the handle that names it.
async fn installation(url: &str, redis: Option<String>) -> Installation {
    let mut database = TestDatabase::empty(Kind::Sqlite).await;
    url.clone_into(&mut database.url);
    Installation::new(&database, redis, PACE)
}

async fn panel(installation: &Installation) -> Simulator {
    let panel = simulator::start(Options::new(PanelKind::Cpanel))
        .await
        .unwrap();
    installation.add_server("web1", "cpanel", &panel);
    panel
}

async fn roles(installation: &Installation) -> (Role, Role, Client) {
    let token = installation.token(&["create", "read", "operate"]);
    let listen = format!("127.0.0.1:{}", free_port());
    let scheduler = installation
        .start(&["scheduler", "--listen", &listen], "listening on")
        .await;
    let worker = installation.start(&["worker"], "jobs at one time").await;
    let client = Client::new(format!("http://{listen}"), &token);
    (scheduler, worker, client)
}

/// Puts `count` creates in, those of `round`; each is sent again, with the same key, until it is taken.
async fn put_in(client: &Client, round: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        let name = format!("{round}{n:02}");
        ids.push(client.submit(&name, &create("web1", &name)).await);
    }
    ids
}

/// Waits for the job's end through answers of 503, which promise nothing.
async fn settled(client: &Client, id: &str) -> serde_json::Value {
    loop {
        let (status, job) = client.get(&format!("/v1/jobs/{id}?wait=60")).await;
        let state = job["state"].as_str().unwrap_or_default();
        if ["succeeded", "failed", "held", "cancelled"].contains(&state) {
            return job;
        }
        assert!(status == 200 || status == 503, "{status} {job}");
    }
}

async fn all_succeed(client: &Client, ids: &[String]) {
    for id in ids {
        let job = settled(client, id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
}

async fn stop(roles: &mut [Role]) {
    for role in roles {
        let code = role.stop().await;
        assert_no_panic(role);
        assert_eq!(code, 0, "{:#?}", role.said());
    }
}

fn assert_clear(args: &str, said: &Said, code: i32, word: &str) {
    let text = format!("{}{}", said.out, said.err);
    assert_eq!(said.code, code, "{args}: {text}");
    assert!(text.contains(word), "{args}: {text}");
    assert!(
        !text.contains("panicked") && !text.contains(PASSWORD),
        "{args}: {text}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_says_that_the_database_is_away_and_ends_with_2() {
    let port = free_port();
    let place = format!("127.0.0.1:{port}");
    for url in [
        format!("postgres://hostler:{PASSWORD}@{place}/hostler"),
        format!("mysql://hostler:{PASSWORD}@{place}/hostler"),
    ] {
        let installation = installation(&url, None).await;
        for line in [
            "migrate status",
            "migrate up",
            "job list",
            "server list",
            "server check web1",
            "platform list",
            "token list",
            "traffic show",
            "enqueue suspend --server web1 --username acme",
        ] {
            let args: Vec<&str> = line.split(' ').collect();
            let mut command = installation.command(&args);
            command.env("HOSTLER_DATABASE__PATIENCE_SECONDS", "1");
            let said = Said::of(&command.output().unwrap());
            assert_clear(line, &said, 2, &place);
            assert_clear(line, &said, 2, "refused");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_wait_for_a_database_that_comes_later() {
    let mut server = Postgres::start(Durability::Full).unwrap();
    let url = server.tcp_url("later", server.port());
    let url = made(&server.url("postgres"), "CREATE DATABASE later", url).await;
    let installation = installation(&url, None).await;
    server.kill().unwrap();
    let listen = format!("127.0.0.1:{}", free_port());
    let args = ["scheduler", "--listen", &listen];
    let (scheduler, worker) = tokio::join!(
        installation.start(&args, "trying again"),
        installation.start(&["worker"], "trying again"),
    );
    let mut roles = [scheduler, worker];
    server.start_again().unwrap();
    roles[0].says("listening on").await;
    roles[1].says("jobs at one time").await;
    stop(&mut roles).await;
}

async fn a_database_restarts(installation: Installation, mut restart: impl FnMut(&str)) {
    let panel = panel(&installation).await;
    let (scheduler, worker, client) = roles(&installation).await;
    let before = put_in(&client, "before", 20).await;
    panel.wait_for_effects(3).await;
    restart("kill");
    let (status, answer) = client
        .post("/v1/jobs", "gone", &create("web1", "gone"))
        .await;
    assert_eq!(status, 503, "{answer}");
    restart("start");
    let after = put_in(&client, "after", 10).await;
    all_succeed(&client, &before).await;
    all_succeed(&client, &after).await;
    let gone = client.submit("gone", &create("web1", "gone")).await;
    all_succeed(&client, &[gone]).await;
    assert_eq!(panel.accounts().len(), 31);
    let made = panel.ledger();
    let made = made.iter().filter(|entry| entry.call == "createacct");
    assert_eq!(made.count(), 31, "each was made once");
    stop(&mut [scheduler, worker]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_after_a_restart_of_postgres() {
    let mut server = Postgres::start(Durability::Full).unwrap();
    let url = server.tcp_url("going", server.port());
    let url = made(&server.url("postgres"), "CREATE DATABASE going", url).await;
    let installation = installation(&url, None).await;
    a_database_restarts(installation, |what| match what {
        "kill" => server.kill().unwrap(),
        _ => server.start_again().unwrap(),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_after_a_restart_of_mariadb() {
    let mut server = MariaDb::start(Durability::Full).unwrap();
    let url = server.tcp_url("going", server.port());
    let url = made(&server.url("mysql"), "CREATE DATABASE going", url).await;
    let installation = installation(&url, None).await;
    a_database_restarts(installation, |what| match what {
        "kill" => server.kill().unwrap(),
        _ => server.start_again().unwrap(),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_go_on_while_redis_is_away_hangs_or_comes_back_empty() {
    let mut redis = Redis::start().unwrap();
    redis.kill().unwrap();
    let database = TestDatabase::migrated(Kind::Sqlite).await;
    let installation = Installation::new(&database, Some(redis.url()), PACE);
    let panel = panel(&installation).await;
    let (scheduler, worker, client) = roles(&installation).await;
    for role in [&scheduler, &worker] {
        let said = role.said().join("\n");
        assert!(said.contains("going on without it"), "{said}");
    }
    let ids = put_in(&client, "away", 5).await;
    all_succeed(&client, &ids).await;
    redis.start_again().unwrap();
    let ids = put_in(&client, "back", 5).await;
    all_succeed(&client, &ids).await;
    let ids = put_in(&client, "lost", 5).await;
    redis.kill().unwrap();
    redis.start_again().unwrap();
    all_succeed(&client, &ids).await;
    redis.hang().unwrap();
    let ids = put_in(&client, "hung", 5).await;
    all_succeed(&client, &ids).await;
    redis.go_on().unwrap();
    let ids = put_in(&client, "well", 5).await;
    all_succeed(&client, &ids).await;
    assert_eq!(panel.accounts().len(), 25);
    stop(&mut [scheduler, worker]).await;
}
