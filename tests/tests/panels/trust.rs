//! Limits of trust: what a job may not do although billing asks for it.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::PanelKind;
use tests::stand::Stand;

use crate::{BOTH, body, key, make, make_by_hand, run, somebody};

/// Row 33: the panel has the name, and it is not ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_somebody_else_has_is_a_conflict_and_stays_as_it_is() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        let panel = stand.panel(server);
        // The same name, and once the same domain too.
        for (name, domain) in [
            ("acme1", format!("other.{server}.example.com")),
            ("acme2", format!("acme2.{server}.example.com")),
        ] {
            make_by_hand(panel, name, &domain).await;
            panel.advance(Duration::from_secs(600));
            let before = panel.account(name).unwrap();
            let id = stand.create(server, name).await;
            let job = client.settled(&id).await;
            assert_eq!(job["state"], "held", "{job}");
            assert_eq!(job["error"]["code"], "conflict", "{job}");
            assert_eq!(job["account"]["state"], "conflict", "{job}");
            assert_eq!(panel.account(name).unwrap(), before);
            // Nothing that billing sends for it reaches the foreign account.
            stand.installation.hostler(&["job", "cancel", &id]);
            let suspend = body("suspend", server, name, &json!({}));
            let suspend = client
                .submit(&format!("{name}-{server}-suspend"), &suspend)
                .await;
            let (_, waits) = client.get(&format!("/v1/jobs/{suspend}")).await;
            assert_eq!(waits["waiting_for"]["reason"], "earlier_job", "{waits}");
            let terminate = body("terminate", server, name, &json!({}));
            let job = run(&client, &format!("{name}-{server}-terminate"), &terminate).await;
            println!("{server} {name}: {} {}", job["state"], job["error"]["code"]);
            assert_eq!(client.settled(&suspend).await["state"], "cancelled");
            assert_eq!(panel.account(name).unwrap(), before);
        }
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_terminations_is_held_until_an_operator_releases_it() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        stand
            .installation
            .hostler(&["server", "set", server, "--max-terminates", "2"]);
        let names = ["acme1", "acme2", "acme3", "acme4", "acme5"];
        make(&stand, server, &names).await;
        let mut ids = Vec::new();
        for name in names {
            let job = body("terminate", server, name, &json!({}));
            ids.push(client.submit(&format!("{server}-{name}"), &job).await);
        }
        let mut states = Vec::new();
        for id in &ids {
            let job = client.settled(id).await;
            states.push((
                job["state"].clone(),
                job["error"]["code"].clone(),
                job["hold_code"].clone(),
            ));
        }
        let held = states.iter().filter(|one| one.0 == "held").count();
        assert_eq!(held, 3, "{states:?}");
        assert_eq!(stand.panel(server).accounts().len(), 3);
        stand
            .installation
            .hostler(&["server", "release-guard", server, "--for", "1h"]);
        let which = format!("state=held,kind=terminate,server={server}");
        stand
            .installation
            .hostler(&["job", "replay", "--where", &which]);
        for id in &ids {
            assert_eq!(client.settled(id).await["state"], "succeeded");
        }
        assert_eq!(stand.panel(server).accounts().len(), 0);
    }
    stand.end().await;
}

fn unknown(kind: &str, server: &str, username: &str, domain: Option<&str>) -> Value {
    let mut account = json!({"username": username});
    if let Some(domain) = domain {
        account["domain"] = json!(domain);
    }
    json!({"kind": kind, "server": server, "account": account})
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_that_is_not_known_is_taken_over_and_removed_only_under_its_domain() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        let panel = stand.panel(server);
        let domain = format!("theirs.{server}.example.com");
        make_by_hand(panel, "theirs", &domain).await;
        for (n, wrong) in [None, Some("another.example.com")].into_iter().enumerate() {
            let job = unknown("terminate", server, "theirs", wrong);
            let (status, answer) = client
                .post("/v1/jobs", &format!("{server}-{n}"), &job)
                .await;
            let Some(id) = answer["id"].as_str().filter(|_| status == 202) else {
                println!("{server}: {status} {answer}");
                assert!((400..500).contains(&status), "{answer}");
                continue;
            };
            let job = client.settled(id).await;
            assert_eq!(job["state"], "held", "{job}");
            assert_eq!(job["error"]["code"], "other_incarnation", "{job}");
            stand.installation.hostler(&["job", "cancel", id]);
        }
        assert!(panel.account("theirs").is_some());
        let job = run(
            &client,
            &format!("{server}-suspend"),
            &unknown("suspend", server, "theirs", None),
        )
        .await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert!(panel.account("theirs").unwrap().suspended);
        let job = unknown("terminate", server, "theirs", Some(&domain));
        let job = run(&client, &format!("{server}-right"), &job).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        assert!(panel.account("theirs").is_none());
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_suspension_of_others_is_not_lifted_by_a_payment() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        make(&stand, server, &["acme"]).await;
        let panel = stand.panel(server);
        let account = key("acme", &format!("acme.{server}.example.com"));
        somebody(panel)
            .suspend(&account, "abuse: phishing")
            .await
            .unwrap();
        let changes = panel.ledger().len();
        let job = body("unsuspend", server, "acme", &json!({}));
        let job = run(&client, &format!("{server}-paid"), &job).await;
        assert_eq!(job["state"], "failed", "{job}");
        assert_eq!(job["error"]["code"], "suspended_by_others", "{job}");
        assert!(panel.account("acme").unwrap().suspended);
        assert_eq!(panel.ledger().len(), changes, "nothing was changed");
        // Our own is: the same account, once they have lifted theirs.
        somebody(panel).unsuspend(&account, None).await.unwrap();
        for kind in ["suspend", "unsuspend"] {
            let job = body(kind, server, "acme", &json!({}));
            let job = run(&client, &format!("{server}-{kind}"), &job).await;
            assert_eq!(job["state"], "succeeded", "{job}");
        }
        assert!(!panel.account("acme").unwrap().suspended);
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_panel_would_refuse_is_refused_without_asking_it() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    make(&stand, "web1", &["acme"]).await;
    make(&stand, "web2", &["acme"]).await;
    let before = stand.calls();
    let long = "a".repeat(60);
    let mut refused = 0;
    for (server, kind) in BOTH {
        for (field, value) in [
            ("username", json!("root")),
            ("username", json!("9acme")),
            ("username", json!("ac me")),
            ("username", json!(long)),
            ("password", json!("short")),
            ("panel", json!({"no_such_field": "x"})),
            ("limits", json!({"disk_mb": -1})),
            ("limits", json!({"no_such_limit": 5})),
        ] {
            let mut create = tests::stand::create(server, "fresh");
            create["account"][field] = value.clone();
            let key = format!("{server}-{refused}");
            let (status, answer) = client.post("/v1/jobs", &key, &create).await;
            assert!(
                (400..500).contains(&status),
                "{field} {value}: {status} {answer}"
            );
            refused += 1;
        }
        let half = match kind {
            // WHM would take nought for unlimited, and Froxlor would round.
            PanelKind::Cpanel => json!({"limits": {"disk_mb": 0}}),
            PanelKind::Froxlor => json!({"limits": {"traffic_mb": 1500}}),
            PanelKind::HostBill => unreachable!("it is no hosting server"),
        };
        let job = body("change_limits", server, "acme", &half);
        let (status, answer) = client
            .post("/v1/jobs", &format!("{server}-half"), &job)
            .await;
        assert!((400..500).contains(&status), "{status} {answer}");
        refused += 1;
    }
    let unlock = body("unlock", "web1", "acme", &json!({}));
    let (status, answer) = client.post("/v1/jobs", "unlock", &unlock).await;
    assert!((400..500).contains(&status), "{status} {answer}");
    assert_eq!(stand.calls(), before, "a panel was asked");
    println!("{} requests refused, no call made", refused + 1);
    stand.end().await;
}
