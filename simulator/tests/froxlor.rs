//! The Froxlor face over real sockets.

mod support;

use serde_json::json;
use support::Bench;

#[tokio::test]
async fn a_customer_lives_through_its_whole_life() {
    let bench = Bench::froxlor().await;
    let added = bench
        .froxlor_data(
            "Customers.add",
            json!({"new_loginname": "acme", "new_customer_password": "Pl4in-Secret", "email": "a@acme.example.com",
                   "company": "Acme", "customernumber": "H1-7", "diskspace": 1000, "traffic": 10}),
        )
        .await;
    assert_eq!(
        (&added["diskspace"], &added["traffic"]),
        (&json!(1_024_000), &json!(10_485_760))
    );
    let account = bench.panel.account("acme").unwrap();
    assert_eq!(account.limits.disk, Some(1000 * 1024 * 1024));
    assert!(
        account.password_is("Pl4in-Secret") && account.standard_subdomain && !account.half_made
    );

    let suspended = bench
        .froxlor_data(
            "Customers.update",
            json!({"loginname": "acme", "deactivated": 1}),
        )
        .await;
    assert_eq!(
        (&suspended["deactivated"], &suspended["standardsubdomain"]),
        (&json!(1), &json!(0))
    );
    let back = bench
        .froxlor_data(
            "Customers.update",
            json!({"loginname": "acme", "deactivated": 0}),
        )
        .await;
    assert_eq!(
        back["standardsubdomain"], 0,
        "an unsuspension does not bring it back"
    );
    bench
        .froxlor_data("Customers.delete", json!({"loginname": "acme"}))
        .await;
    let (status, body) = bench
        .froxlor_call("Customers.get", json!({"loginname": "acme"}))
        .await;
    assert_eq!(
        (status, body["message"].as_str()),
        (
            404,
            Some("Customer with loginname 'acme' could not be found")
        )
    );
    let calls: Vec<String> = bench
        .panel
        .ledger()
        .into_iter()
        .map(|entry| entry.call)
        .collect();
    assert_eq!(
        calls,
        [
            "Customers.add",
            "Customers.update",
            "Customers.update",
            "Customers.delete"
        ]
    );
}

#[tokio::test]
async fn two_adds_at_once_get_the_same_unix_id() {
    let bench = Bench::froxlor().await;
    bench.panel.race_next_adds(2);
    let add = |login: &'static str| {
        bench.froxlor_data(
            "Customers.add",
            json!({"new_loginname": login, "email": "a@example.com", "company": "A"}),
        )
    };
    let (one, other) = tokio::join!(add("twina"), add("twinb"));
    assert_eq!(one["guid"], other["guid"]);
    let alone = add("single").await;
    assert_ne!(alone["guid"], one["guid"]);
}

#[tokio::test]
async fn the_old_protocol_has_its_own_envelope() {
    let bench = Bench::froxlor().await;
    bench
        .panel
        .froxlor(|froxlor| froxlor.set_envelope(simulator::Envelope::Legacy));
    let ask = async |key: &str, command: &str| {
        let body = json!({"header": {"apikey": key, "secret": bench.panel.secret()},
                          "body": {"command": command, "params": {"loginname": "x"}}});
        let response = bench
            .client
            .post(bench.panel.api_url())
            .json(&body)
            .send()
            .await
            .unwrap();
        (
            response.status().as_u16(),
            response.json::<serde_json::Value>().await.unwrap(),
        )
    };
    let (status, body) = ask(bench.panel.user(), "Customers.listingCount").await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({"status": 200, "status_message": "successful", "data": 0})
        )
    );
    let (status, body) = ask(bench.panel.user(), "Customers.get").await;
    let text = "Customer with loginname 'x' could not be found";
    assert_eq!(
        (status, body),
        (
            404,
            json!({"status": 404, "status_message": text, "data": null})
        )
    );
    assert_eq!(ask("wrong", "Customers.get").await.0, 403);
    assert!(
        bench
            .panel
            .requests()
            .iter()
            .all(|request| request.had_authorization)
    );
    assert!(!format!("{:?}", bench.panel.requests()).contains(bench.panel.secret()));
}

#[tokio::test]
async fn a_name_is_blocked_when_its_home_is_made_after_the_delete() {
    let bench = Bench::froxlor().await;
    let add = json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"});
    bench.froxlor_data("Customers.add", add.clone()).await;
    bench
        .froxlor_data(
            "Customers.delete",
            json!({"loginname": "acme", "delete_userfiles": 1}),
        )
        .await;
    // At once the name is free.
    bench.froxlor_data("Customers.add", add.clone()).await;
    bench
        .froxlor_data(
            "Customers.delete",
            json!({"loginname": "acme", "delete_userfiles": 1}),
        )
        .await;
    bench.panel.advance(std::time::Duration::from_secs(301));
    let (status, body) = bench.froxlor_call("Customers.add", add.clone()).await;
    assert_eq!(status, 400, "{body}");
    assert!(
        body["message"]
            .as_str()
            .unwrap()
            .contains("already exists for this customer")
    );
    bench
        .panel
        .froxlor(|froxlor| froxlor.remove_directory("acme"));
    bench.froxlor_data("Customers.add", add).await;
}

#[tokio::test]
async fn a_repeated_add_is_worded_by_the_servers_set_up() {
    let bench = Bench::froxlor().await;
    let add = json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"});
    bench.froxlor_data("Customers.add", add.clone()).await;
    let refused = async || {
        bench.froxlor_call("Customers.add", add.clone()).await.1["message"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(refused().await, "Loginname acme already exists");
    bench
        .panel
        .froxlor(|froxlor| froxlor.set_unix_customers(true));
    assert!(
        refused()
            .await
            .starts_with("The account \"acme\" already exists on the system")
    );
    bench.panel.froxlor(|froxlor| {
        froxlor.set_unix_customers(false);
        froxlor.set_admin_language(1, "de");
    });
    assert_eq!(
        refused().await,
        "Der Login-Name \"acme\" existiert bereits."
    );
}

#[tokio::test]
async fn traffic_is_shown_in_bytes_of_whole_kib() {
    let bench = Bench::froxlor().await;
    bench
        .panel
        .set_clock("2026-11-20T10:00:00Z".parse().unwrap());
    bench
        .froxlor_data(
            "Customers.add",
            json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"}),
        )
        .await;
    assert!(bench.panel.add_traffic("acme", "2026-11", 10 * 1024 + 5));
    let listing = async || {
        let params = json!({"customer_traffic": 1, "year": 2026, "month": 11});
        bench.froxlor_data("Traffic.listing", params).await["list"].clone()
    };
    let rows = listing().await;
    assert_eq!(
        (&rows[0]["http"], &rows[0]["month"], &rows[0]["day"]),
        (&json!(10_240), &json!("11"), &json!("20"))
    );
    assert_eq!(bench.panel.traffic("acme", "2026-11"), 10_240);
    bench.panel.drop_from_stats("acme");
    assert_eq!(listing().await, json!([]));
    bench.panel.return_to_stats("acme");
    bench.panel.set_traffic("acme", "2026-11", 2048);
    assert_eq!(listing().await[0]["http"], 2048);
    bench
        .froxlor_data("Customers.delete", json!({"loginname": "acme"}))
        .await;
    assert!(
        bench.panel.all_traffic().is_empty(),
        "a delete takes the history with it"
    );
}

#[tokio::test]
async fn the_database_can_fail_with_a_friendly_status() {
    let bench = Bench::froxlor().await;
    bench.panel.break_database(true);
    let (status, body) = bench
        .froxlor_call("Customers.listingCount", json!({}))
        .await;
    assert_eq!(status, 200);
    assert!(body.as_str().unwrap().starts_with("We are sorry"));
    bench.panel.break_database(false);
    assert_eq!(
        bench
            .froxlor_data("Customers.listingCount", json!({}))
            .await,
        0
    );
}

#[tokio::test]
async fn plans_and_sub_folder_are_there_from_the_start() {
    let bench = Bench::froxlor().await;
    let plans = bench.froxlor_data("HostingPlans.listing", json!({})).await;
    let names: Vec<&str> = plans["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plan| plan["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["bronze", "silver", "gold"]);
    let url = format!("{}/froxlor/api.php", bench.panel.url());
    let request = bench
        .client
        .post(url)
        .basic_auth(bench.panel.user(), Some(bench.panel.secret()));
    let response = request
        .json(&json!({"command": "Customers.listingCount"}))
        .send()
        .await
        .unwrap();
    assert_eq!(
        response.json::<serde_json::Value>().await.unwrap()["data"],
        0
    );
}

#[tokio::test]
async fn an_add_goes_on_when_its_client_hangs_up() {
    let latency = simulator::Latency::Realistic { scale: 0.02 };
    let options = simulator::Options {
        latency,
        ..simulator::Options::new(simulator::PanelKind::Froxlor)
    };
    let bench = Bench::start(options).await;
    let add = json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"});
    let sent = tokio::spawn(bench.froxlor_request("Customers.add", &add).send());
    bench.panel.wait_for_call("Customers.add", 1).await;
    sent.abort();
    bench.panel.wait_for_effects(1).await;
    let account = bench.panel.account("acme").unwrap();
    assert!(account.standard_subdomain && !account.half_made);
}

#[tokio::test]
async fn used_traffic_is_brought_up_to_date_at_night() {
    let now = Some("2026-11-20T10:00:00Z".parse().unwrap());
    let options = simulator::Options {
        now,
        ..simulator::Options::new(simulator::PanelKind::Froxlor)
    };
    let bench = Bench::start(options).await;
    bench
        .froxlor_data(
            "Customers.add",
            json!({"new_loginname": "acme", "email": "a@example.com", "company": "A"}),
        )
        .await;
    bench.panel.add_traffic("acme", "2026-11", 2048);
    let used = async || {
        bench
            .froxlor_data("Customers.get", json!({"loginname": "acme"}))
            .await["traffic_used"]
            .clone()
    };
    assert_eq!(used().await, 0);
    bench.panel.pass_midnight();
    assert_eq!(used().await, 2);
}
