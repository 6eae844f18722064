//! The WHM face over real sockets.

mod support;

use simulator::{Applied, Fault, Reply};
use support::Bench;

#[tokio::test]
async fn an_account_lives_through_its_whole_life() {
    let bench = Bench::whm().await;
    let created = bench.create("acme").await;
    assert_eq!(
        created["metadata"]["reason"], "Account Creation Ok",
        "{created}"
    );
    assert_eq!(
        bench.panel.account("acme").unwrap().package.as_deref(),
        Some("gold")
    );
    assert_eq!(
        bench
            .whm_reason("suspendacct", &[("user", "acme"), ("reason", "late")], true)
            .await,
        "OK"
    );
    assert!(bench.panel.account("acme").unwrap().suspended);
    bench
        .whm_reason("unsuspendacct", &[("user", "acme")], true)
        .await;
    bench
        .whm_reason(
            "changepackage",
            &[("user", "acme"), ("pkg", "silver")],
            true,
        )
        .await;
    assert_eq!(
        bench
            .whm_reason(
                "removeacct",
                &[("username", "acme"), ("user", "acme")],
                true
            )
            .await,
        "acme account removed"
    );
    assert!(bench.panel.accounts().is_empty());
    let calls: Vec<String> = bench
        .panel
        .ledger()
        .into_iter()
        .map(|entry| entry.call)
        .collect();
    assert_eq!(
        calls,
        [
            "createacct",
            "suspendacct",
            "unsuspendacct",
            "changepackage",
            "removeacct"
        ]
    );
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_has_happened_once() {
    let bench = Bench::whm().await;
    bench.panel.faults().add(
        Fault::on("createacct")
            .applied(Applied::Yes)
            .reply(Reply::Reset),
    );
    let params = [
        ("username", "acme"),
        ("domain", "acme.example.com"),
        ("password", "xK9!mQ2#vB7@"),
    ];
    assert!(
        bench
            .whm_request("createacct", &params)
            .send()
            .await
            .is_err()
    );
    assert_eq!(bench.panel.accounts().len(), 1);
    assert_eq!(bench.panel.ledger().len(), 1);
    assert_eq!(bench.panel.faults().fired()[0].fault, "reset");
}
