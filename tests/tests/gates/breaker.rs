//! The breaker is one for all workers: what two processes find out together stops both.

use entity::{attempt, server};
use sea_orm::EntityTrait;
use serde_json::Value;
use simulator::{Options, PanelKind};
use tests::client::Client;
use tests::installation::{Installation, Role, free_port};
use tests::servers::{Kind, TestDatabase};
use tests::stand::{assert_no_panic, create};

async fn wait_for_the_breaker(client: &Client, id: &str) {
    loop {
        let (status, job) = client.get(&format!("/v1/jobs/{id}")).await;
        assert_eq!(status, 200);
        if job["waiting_for"]["reason"] == "breaker_open" {
            return;
        }
        assert_ne!(job["state"], Value::from("running"), "{job}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_breaker_that_two_workers_open_together_holds_both() {
    let database = TestDatabase::migrated(Kind::Postgres).await;
    // At the real pace: no probe comes while this looks.
    let installation = Installation::new(&database, None, 1.0);
    let panel = simulator::start(Options::new(PanelKind::Cpanel))
        .await
        .unwrap();
    installation.add_server("web1", "cpanel", &panel);
    installation.hostler(&["server", "set", "web1", "--nightly", "false"]);
    let token = installation.token(&["create", "read", "operate"]);
    let listen = format!("127.0.0.1:{}", free_port());
    let args = ["scheduler", "--listen", &listen];
    let scheduler = installation.start(&args, "listening on").await;
    let client = Client::new(format!("http://{listen}"), &token);
    panel.stop_listening().await;
    let mut ids = Vec::new();
    for n in 0..20 {
        let name = format!("site{n:03}");
        ids.push(client.submit(&name, &create("web1", &name)).await);
    }
    let one = installation.start(&["worker"], "jobs at one time").await;
    let two = installation.start(&["worker"], "jobs at one time").await;
    // The last in line has not been tried: all that both workers may find out is found out.
    wait_for_the_breaker(&client, &ids[19]).await;
    for n in 20..30 {
        let name = format!("site{n:03}");
        let id = client.submit(&name, &create("web1", &name)).await;
        wait_for_the_breaker(&client, &id).await;
        ids.push(id);
    }
    let store = database.store().await;
    let attempts = attempt::Entity::find().all(store.reader()).await.unwrap();
    // Five open it; one more may have been under way, as two creates run at one time.
    let tries = attempts.iter().filter(|row| row.outcome == "retry").count();
    assert!((5..=6).contains(&tries), "{tries}");
    let row = server::Entity::find()
        .one(store.reader())
        .await
        .unwrap()
        .unwrap();
    assert!(row.breaker_failures >= 5 && row.breaker_probe_at.is_some());
    panel.listen_again().unwrap();
    installation.hostler(&["server", "check", "web1"]);
    for id in &ids[8..] {
        let job = client.settled(id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
    let mut roles: Vec<Role> = vec![scheduler, one, two];
    for role in &mut roles {
        assert_eq!(role.stop().await, 0, "{:#?}", role.said());
        assert_no_panic(role);
    }
    database.remove().await;
}
