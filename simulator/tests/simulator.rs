//! What both panels have: seeds, growth, clocks, latencies, many clients at once.

mod support;

use std::time::Duration;

use serde_json::json;
use simulator::{Growth, Latency, Options, PanelKind, Script, ScriptedServer};
use support::{Bench, client};

fn options(panel: PanelKind) -> Options {
    Options {
        accounts: 20,
        seed: 42,
        growth: Growth::Daily,
        ..Options::new(panel)
    }
}

#[tokio::test]
async fn the_same_seed_makes_the_same_panel() {
    for kind in PanelKind::ALL {
        let options = |kind| Options {
            now: Some("2026-11-20T10:00:00Z".parse().unwrap()),
            ..options(kind)
        };
        let (one, other) = (
            Bench::start(options(kind)).await,
            Bench::start(options(kind)).await,
        );
        assert_eq!(one.panel.secret(), other.panel.secret());
        let known = |bench: &Bench| {
            let accounts = bench.panel.accounts().into_iter();
            accounts
                .map(|account| {
                    (
                        account.username,
                        account.domain,
                        account.limits,
                        account.disk_used,
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(known(&one), known(&other));
        assert_eq!(known(&one).len(), 20);
        assert_eq!(one.panel.all_traffic(), other.panel.all_traffic());
        let third = Bench::start(Options {
            seed: 43,
            ..options(kind)
        })
        .await;
        assert_ne!(one.panel.secret(), third.panel.secret());
        assert_ne!(known(&one), known(&third));
    }
}

#[tokio::test]
async fn accounts_make_traffic_each_night() {
    for kind in PanelKind::ALL {
        let bench = Bench::start(options(kind)).await;
        let (month, user) = (
            bench.panel.month(),
            bench.panel.accounts()[0].username.clone(),
        );
        let months: Vec<String> = bench
            .panel
            .all_traffic()
            .into_iter()
            .filter(|row| row.username == user)
            .map(|row| row.month)
            .collect();
        assert_eq!(
            months.len(),
            2,
            "{kind}: the previous month and this one: {months:?}"
        );
        let before: u64 = bench.panel.all_traffic().iter().map(|row| row.bytes).sum();
        bench.panel.pass_midnight();
        let after: u64 = bench.panel.all_traffic().iter().map(|row| row.bytes).sum();
        assert!(after > before, "{kind}");
        assert!(bench.panel.traffic(&user, &month) > 0);
    }
}

#[tokio::test]
async fn months_begin_by_the_panels_time_zone() {
    let far_east = Options {
        zone_minutes: 14 * 60,
        ..Options::new(PanelKind::Cpanel)
    };
    let bench = Bench::start(far_east).await;
    bench
        .panel
        .set_clock("2026-10-31T11:00:00Z".parse().unwrap());
    assert_eq!(bench.panel.month(), "2026-11");
    bench.create("acme").await;
    assert!(bench.panel.add_traffic("acme", "2026-11", 5));
    assert_eq!(bench.whm_call("showbw", &[]).await["data"]["month"], 11);
}

#[tokio::test]
async fn clocks_are_set_and_moved() {
    let bench = Bench::whm().await;
    bench
        .panel
        .set_clock("2022-05-13T16:03:00Z".parse().unwrap());
    bench.create("acme").await;
    bench.panel.advance(Duration::from_secs(3600));
    let answer = bench.whm_call("accountsummary", &[("user", "acme")]).await;
    assert_eq!(answer["data"]["acct"][0]["startdate"], "22 May 13 16:03");
    assert!(
        bench.panel.now()
            >= "2022-05-13T17:03:00Z"
                .parse::<chrono::DateTime<chrono::Utc>>()
                .unwrap()
    );
    let response = bench.whm_request("version", &[]).send().await.unwrap();
    assert!(
        response.headers()["date"]
            .to_str()
            .unwrap()
            .starts_with("Fri, 13 May 2022 17:")
    );
}

#[tokio::test]
async fn latency_is_the_panels_own_time_scaled() {
    let latency = Latency::Realistic { scale: 0.001 };
    let bench = Bench::start(Options {
        latency,
        ..Options::new(PanelKind::Cpanel)
    })
    .await;
    bench.create("acme").await;
    // A create takes ten seconds and more.
    let entry = bench.panel.ledger()[0].clone();
    assert!(entry.end_ms - entry.begin_ms >= 9, "{entry:?}");
}

#[tokio::test]
async fn many_clients_at_once_make_one_account_each() {
    let bench = std::sync::Arc::new(Bench::whm().await);
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..64 {
        let bench = std::sync::Arc::clone(&bench);
        // Each name is asked for twice.
        tasks.spawn(async move {
            bench.create(&format!("u{}x", number % 32)).await["metadata"]["result"].as_u64()
        });
    }
    let made: u64 = tasks.join_all().await.into_iter().flatten().sum();
    let ledger = bench.panel.ledger();
    assert_eq!(
        (made, bench.panel.accounts().len(), ledger.len()),
        (32, 32, 32)
    );
    let seqs: Vec<u64> = ledger.iter().map(|entry| entry.seq).collect();
    assert_eq!(seqs, (1..=32).collect::<Vec<u64>>());
    let mut ordinals: Vec<u64> = bench
        .panel
        .requests()
        .iter()
        .map(|request| request.ordinal)
        .collect();
    ordinals.sort_unstable();
    assert_eq!(ordinals, (1..=64).collect::<Vec<u64>>());
}

#[tokio::test]
async fn login_links_are_single_and_short() {
    let whm = Bench::whm().await;
    whm.create("acme").await;
    let one = whm
        .whm_call(
            "create_user_session",
            &[("user", "acme"), ("service", "cpaneld")],
        )
        .await;
    let two = whm
        .whm_call(
            "create_user_session",
            &[("user", "acme"), ("service", "cpaneld")],
        )
        .await;
    assert_ne!(one["data"]["url"], two["data"]["url"]);
    assert!(
        one["data"]["url"]
            .as_str()
            .unwrap()
            .starts_with("https://web1.example.net:2083/cpsess")
    );

    let froxlor = Bench::froxlor().await;
    froxlor
        .froxlor_data(
            "Customers.add",
            json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"}),
        )
        .await;
    let link = froxlor
        .froxlor_data("Froxlor.generateLoginLink", json!({"loginname": "acme"}))
        .await;
    assert_eq!(link["base"], "https://web2.example.net/");
    assert!(
        link["uri"]
            .as_str()
            .unwrap()
            .starts_with("index.php?action=ll&ln=acme&h=")
    );
}

#[tokio::test]
async fn a_scripted_server_says_what_it_is_told() {
    let server = ScriptedServer::start(vec![
        Script::json(r#"{"first": 1}"#),
        Script::Raw(b"HTTP/1.1 418 Teapot\r\nContent-Length: 2\r\n\r\nno".to_vec()),
        Script::Reset,
        Script::status(503, "text/html", "later"),
    ])
    .await
    .unwrap();
    let client = client(server.certificate_pem());
    let get = || {
        client
            .get(format!("{}/x?y=1", server.url()))
            .header("X-Test", "yes")
            .send()
    };
    assert_eq!(
        get()
            .await
            .unwrap()
            .json::<serde_json::Value>()
            .await
            .unwrap(),
        json!({"first": 1})
    );
    assert_eq!(get().await.unwrap().status(), 418);
    assert!(get().await.is_err());
    for _ in 0..2 {
        assert_eq!(
            get().await.unwrap().text().await.unwrap(),
            "later",
            "the last one stays"
        );
    }
    server.wait_for_requests(5).await;
    let seen = server.requests();
    assert_eq!(
        (seen[0].target.as_str(), seen[0].method.as_str()),
        ("/x?y=1", "GET")
    );
    assert!(
        seen[0]
            .headers
            .contains(&("x-test".to_owned(), "yes".to_owned()))
    );
}

#[tokio::test]
async fn a_big_server_is_listed_in_one_call() {
    for kind in PanelKind::ALL {
        let bench = Bench::start(Options {
            accounts: 3_000,
            ..options(kind)
        })
        .await;
        let listed = match kind {
            PanelKind::Cpanel => bench.whm_call("showbw", &[]).await["data"]["acct"]
                .as_array()
                .unwrap()
                .len(),
            PanelKind::Froxlor => {
                let all = bench
                    .froxlor_data("Customers.listing", json!({"show_usages": 1}))
                    .await;
                assert_eq!(all["list"][7]["domains"], 1);
                all["list"].as_array().unwrap().len()
            }
            PanelKind::HostBill => unreachable!("it is no hosting server"),
        };
        assert_eq!(
            (listed, bench.panel.accounts().len()),
            (3_000, 3_000),
            "{kind}"
        );
        assert_eq!(
            bench.panel.all_traffic().len(),
            6_000,
            "{kind}: two months each"
        );
    }
}
