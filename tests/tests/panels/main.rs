//! Panels that are late, full of lies or used by others, under the whole of Hostler.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod giant;
mod gone;
mod late;
mod reused;
mod trust;

use panels::{Panel, ServerSettings};
use serde_json::{Value, json};
use simulator::Simulator;
use tests::client::Client;
use tests::stand::Stand;

/// The two panels of most scenarios: server, panel.
const BOTH: [(&str, simulator::PanelKind); 2] = [
    ("web1", simulator::PanelKind::Cpanel),
    ("web2", simulator::PanelKind::Froxlor),
];

/// Somebody else who works on that panel, with the same rights.
fn somebody(panel: &Simulator) -> Box<dyn Panel> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = ServerSettings {
        name: "by hand".into(),
        url: panel.url(),
        user: Some(panel.user().to_owned()),
        secret: panel.secret().to_owned().into(),
        pins: vec![panel.pin()],
        ca_pem: None,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        time_zone: chrono_tz::UTC,
        options: Default::default(),
    };
    panels::open(&panel.kind().to_string(), settings).unwrap()
}

fn key(username: &str, domain: &str) -> panels::AccountKey {
    panels::AccountKey {
        username: username.parse().unwrap(),
        domain: Some(domain.parse().unwrap()),
        panel_id: None,
    }
}

/// Makes an account that is not ours.
async fn make_by_hand(panel: &Simulator, username: &str, domain: &str) {
    let new = panels::NewAccount {
        username: username.parse().unwrap(),
        domain: domain.parse().unwrap(),
        email: Some("somebody@example.org".parse().unwrap()),
        password: "Their-own_Pass9".into(),
        package: None,
        limits: hosting::Limits::new(),
        marker: "Hother-1".into(),
        panel: Default::default(),
    };
    let somebody = somebody(panel);
    somebody.create(&new).await.unwrap();
    if somebody.completes() {
        somebody.complete(&new).await.unwrap();
    }
}

/// A job of that kind for an account that the stand made.
fn body(kind: &str, server: &str, username: &str, with: &Value) -> Value {
    let mut account = json!({"reference": format!("billing:{server}-{username}")});
    for (name, value) in with.as_object().unwrap() {
        account[name] = value.clone();
    }
    json!({"kind": kind, "server": server, "account": account})
}

/// Makes these accounts, all at once.
async fn make(stand: &Stand, server: &str, names: &[&str]) {
    let mut ids = Vec::new();
    for name in names {
        ids.push(stand.create(server, name).await);
    }
    for id in ids {
        let job = stand.client.settled(&id).await;
        assert_eq!(job["state"], "succeeded", "{job}");
    }
}

/// Runs it to its end.
async fn run(client: &Client, key: &str, body: &Value) -> Value {
    let id = client.submit(key, body).await;
    client.settled(&id).await
}
