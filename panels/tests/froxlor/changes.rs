//! Changing accounts.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::replay::{PASSWORD, Replay, acme, edited, key, recorded};
use crate::support::Canned;

/// 2.x is known and the change is answered so. A change alone first has to hear the generation.
fn answering(command: &'static str, answer: Canned) -> Replay {
    Replay::of([
        ("Customers.listingCount", recorded("257")),
        (command, answer),
    ])
}

#[tokio::test]
async fn a_suspension_is_done_when_the_record_says_so() {
    for answer in ["164", "165"] {
        let replay = answering("Customers.update", recorded(answer));
        replay
            .driver
            .suspend(&acme(), "hostler: unpaid")
            .await
            .unwrap();
        assert_eq!(
            replay.params("Customers.update"),
            json!({"loginname": "acme", "deactivated": 1})
        );
    }
    // A customer's own key is answered 200, and nothing is done.
    let replay = answering("Customers.update", recorded("135"));
    let error = replay.driver.suspend(&acme(), "x").await.unwrap_err();
    assert_eq!(error.class(), "in_doubt");
}

#[tokio::test]
async fn a_suspension_may_be_refused_for_reasons_of_its_own() {
    for (answer, text) in [("198", "already in use"), ("199", "no PHP-configuration")] {
        let replay = answering("Customers.update", recorded(answer));
        let error = replay.driver.suspend(&acme(), "x").await.unwrap_err();
        assert_eq!(error.code(), "panel_refused");
        assert!(error.to_string().contains(text), "{error}");
    }
    let replay = answering("Customers.update", recorded("193"));
    let error = replay
        .driver
        .suspend(&key("nobodyhere"), "x")
        .await
        .unwrap_err();
    assert_eq!(error.code(), "no_such_account");
}

#[tokio::test]
async fn an_unsuspension_brings_the_standard_subdomain_back_where_there_was_one() {
    let had = json!({"standard_subdomain": true});
    let had_none = json!({"standard_subdomain": false});
    for (before, answer, sent) in [
        (
            Some(&had),
            "172",
            json!({"loginname": "acme", "deactivated": 0, "createstdsubdomain": 1}),
        ),
        (
            Some(&had_none),
            "168",
            json!({"loginname": "acme", "deactivated": 0}),
        ),
        (None, "169", json!({"loginname": "acme", "deactivated": 0})),
    ] {
        let replay = answering("Customers.update", recorded(answer));
        replay.driver.unsuspend(&acme(), before).await.unwrap();
        assert_eq!(replay.params("Customers.update"), sent);
    }
}

#[tokio::test]
async fn what_a_suspension_deletes_is_remembered_and_missed() {
    let had = json!({"standard_subdomain": true});
    for (record, remembered, missing) in [
        (recorded("076"), Some(had.clone()), 0),
        (
            edited("076", |one| one["standardsubdomain"] = json!(0)),
            Some(json!({"standard_subdomain": false})),
            1,
        ),
        // Suspended already: what it had is not known any more.
        (recorded("164"), None, 1),
    ] {
        let replay = Replay::of([("Customers.get", record.clone()), ("Customers.get", record)]);
        assert_eq!(replay.driver.remember(&acme()).await.unwrap(), remembered);
        let left = replay
            .driver
            .missing_after_unsuspend(&acme(), Some(&had))
            .await
            .unwrap();
        assert_eq!(left.len(), missing, "{left:?}");
    }
    let asks_nothing = Replay::of([]);
    let left = asks_nothing
        .driver
        .missing_after_unsuspend(&acme(), None)
        .await
        .unwrap();
    assert!(left.is_empty() && asks_nothing.commands().is_empty());
}

#[tokio::test]
async fn a_termination_takes_the_files_and_may_come_twice() {
    for (answer, login) in [("227", None), ("225", Some("gracehost")), ("231", None)] {
        let canned = recorded(answer);
        let body: Value = serde_json::from_slice(&canned.body).unwrap();
        let login = login.or(body["data"]["loginname"].as_str()).unwrap();
        let replay = answering("Customers.delete", canned);
        replay.driver.terminate(&key(login)).await.unwrap();
        assert_eq!(
            replay.params("Customers.delete"),
            json!({"loginname": login, "delete_userfiles": 1})
        );
    }
    // 404 too, but no word of a customer.
    let replay = answering("Customers.delete", recorded("041"));
    let error = replay.driver.terminate(&acme()).await.unwrap_err();
    assert_eq!(error.code(), "panel_refused");
    let replay = answering("Customers.delete", recorded("224"));
    let error = replay.driver.terminate(&acme()).await.unwrap_err();
    assert_eq!(error.class(), "in_doubt", "another customer was deleted");
}

#[tokio::test]
async fn a_password_is_set_as_it_is_or_not_at_all() {
    let replay = answering("Customers.update", recorded("189"));
    replay
        .driver
        .change_password(&acme(), &PASSWORD.into())
        .await
        .unwrap();
    assert_eq!(
        replay.params("Customers.update"),
        json!({"loginname": "acme", "new_customer_password": PASSWORD})
    );
    let weak = answering("Customers.update", recorded("190"));
    let error = weak
        .driver
        .change_password(&acme(), &PASSWORD.into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "panel_refused");
    let replay = answering("Customers.update", recorded("189"));
    let error = replay
        .driver
        .change_password(&acme(), &"eval(1)Aa1".into())
        .await
        .unwrap_err();
    assert_eq!(error.code(), "password_refused");
    assert!(replay.commands().is_empty());
}

#[tokio::test]
async fn an_unlock_may_come_twice() {
    for answer in ["120", "121"] {
        answering("Customers.unlock", recorded(answer))
            .driver
            .unlock(&key("web2"))
            .await
            .unwrap();
    }
    let replay = answering("Customers.unlock", recorded("122"));
    let error = replay.driver.unlock(&key("nobodyhere")).await.unwrap_err();
    assert_eq!(error.code(), "no_such_account");
}

#[tokio::test]
async fn a_move_is_done_when_the_admin_is_the_target() {
    let moved = recorded("116");
    let body: Value = serde_json::from_slice(&moved.body).unwrap();
    let admin = body["data"]["adminid"].to_string();
    let replay = answering("Customers.move", moved.clone());
    replay.driver.move_to(&key("restwo"), &admin).await.unwrap();
    let replay = answering("Customers.move", moved.clone());
    let error = replay
        .driver
        .move_to(&key("restwo"), "77")
        .await
        .unwrap_err();
    assert_eq!(error.class(), "in_doubt");
    // The same admin: done, if a look shows that admin.
    for (target, code) in [(admin.as_str(), None), ("77", Some("panel_refused"))] {
        let replay = Replay::of([
            ("Customers.listingCount", recorded("257")),
            ("Customers.move", recorded("112")),
            ("Customers.get", moved.clone()),
        ]);
        let result = replay.driver.move_to(&key("restwo"), target).await;
        assert_eq!(result.err().map(|error| error.code()), code);
    }
}

#[tokio::test]
async fn a_move_that_the_key_may_not_make_stops_nothing_else() {
    for (answer, code) in [("105", "not_permitted"), ("113", "no_such_owner")] {
        let replay = answering("Customers.move", recorded(answer));
        let error = replay
            .driver
            .move_to(&key("restwo"), "1")
            .await
            .unwrap_err();
        assert_eq!((error.class(), error.code()), ("rejected", code));
    }
    let nowhere = Replay::of([]);
    for target in ["", "admin", "-1", "0", "1 OR 1"] {
        let error = nowhere.driver.move_to(&acme(), target).await.unwrap_err();
        assert_eq!(error.code(), "field_refused", "{target}");
    }
    assert!(nowhere.commands().is_empty());
}

#[tokio::test]
async fn a_login_link_is_whole_secret_and_ends() {
    let dated = recorded("174").with("Date", "Sun, 22 Nov 2026 00:00:00 GMT");
    let replay = Replay::of([("Froxlor.generateLoginLink", dated)]);
    let link = replay.driver.login_url(&acme()).await.unwrap();
    let url = link.url.expose_secret();
    assert!(url.starts_with("https://panel.example.com/index.php?action=ll&ln=acme&h=0000"));
    assert_eq!(link.expires_at, Some(1_795_305_660_000));
    assert!(!format!("{link:?}").contains("ll&ln"));
}

#[tokio::test]
async fn there_is_not_always_a_login_link() {
    for (answer, code) in [
        (recorded("167"), "suspended"),
        (recorded("176"), "no_such_account"),
        (recorded("014"), "unsupported"),
        (
            edited("174", |link| link["base"] = json!("javascript:alert(1)//")),
            "login_link_refused",
        ),
        (
            edited("174", |link| link["uri"] = json!(null)),
            "panel_unreachable",
        ),
    ] {
        let replay = Replay::of([("Froxlor.generateLoginLink", answer)]);
        let error = replay.driver.login_url(&acme()).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(!format!("{error:?}").contains("h=0000"), "{error:?}");
    }
}
