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
