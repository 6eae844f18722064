//! Names that were used again: a terminate removes the account that it means, or nothing.

use serde_json::json;

use tests::stand::Stand;

use crate::{BOTH, body, key, make, make_by_hand, run, somebody};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminate_leaves_the_next_account_of_that_name() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        let panel = stand.panel(server);
        make(&stand, server, &["acme"]).await;
        let domain = format!("acme.{server}.example.com");
        // Froxlor's cron must have made its home, and then removed it, or that blocks the name.
        panel.advance(std::time::Duration::from_secs(600));
        // Behind our back it is removed and made again, with the same domain.
        somebody(panel)
            .terminate(&key("acme", &domain))
            .await
            .unwrap();
        panel.advance(std::time::Duration::from_secs(3600));
        make_by_hand(panel, "acme", &domain).await;
        let theirs = panel.account("acme").unwrap().incarnation;
        for kind in ["suspend", "terminate"] {
            let job = body(kind, server, "acme", &json!({}));
            let job = run(&client, &format!("{server}-{kind}"), &job).await;
            assert_eq!(job["state"], "held", "{job}");
            assert_eq!(job["error"]["code"], "other_incarnation", "{job}");
            // Also when an operator insists.
            let id = job["id"].as_str().unwrap();
            let insist = ["job", "replay", id, "--force", "--reason", "it must go"];
            stand.installation.hostler(&insist);
            let job = client.settled(id).await;
            assert_eq!(job["error"]["code"], "other_incarnation", "{job}");
            assert_eq!(job["attempt"], 2, "{job}");
        }
        let there = panel.account("acme").unwrap();
        assert_eq!(there.incarnation, theirs);
        assert!(!there.suspended);
    }
    stand.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_terminate_that_is_replayed_leaves_the_account_made_since() {
    let stand = Stand::new(&BOTH, &[]).await;
    let client = stand.admin();
    for (server, _) in BOTH {
        let panel = stand.panel(server);
        make(&stand, server, &["acme"]).await;
        let terminate = body("terminate", server, "acme", &json!({}));
        let old = client.submit(&format!("{server}-old"), &terminate).await;
        assert_eq!(client.settled(&old).await["state"], "succeeded");
        assert!(panel.account("acme").is_none());
        // The customer is back.
        let again = tests::stand::create(server, "acme");
        let job = run(&client, &format!("{server}-again"), &again).await;
        assert_eq!(job["state"], "succeeded", "{job}");
        let new = panel.account("acme").unwrap().incarnation;
        let removals = || {
            let ledger = panel.ledger();
            let calls = ["removeacct", "Customers.delete"];
            ledger
                .iter()
                .filter(|entry| calls.contains(&entry.call.as_str()))
                .count()
        };
        let before = removals();
        for args in [
            vec!["job", "replay", &old],
            vec!["job", "replay", &old, "--force", "--reason", "a mistake"],
        ] {
            let said = stand.installation.try_hostler(&args);
            assert_eq!(said.code, 1, "{server} {args:?}: {}{}", said.out, said.err);
            client.settled(&old).await;
            assert_eq!(panel.account("acme").unwrap().incarnation, new);
            assert_eq!(removals(), before);
        }
    }
    stand.end().await;
}
