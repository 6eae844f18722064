//! Packages and limits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hosting::{Limit, LimitName, Limits, PackageName};
use panels::PanelAccount;
use serde_json::{Value, json};

use crate::replay::{Replay, acme, data, edited, key, listing, record, recorded};
use crate::support::Canned;

fn starter() -> PackageName {
    "Starter (#1)".parse().unwrap()
}

#[tokio::test]
async fn plans_are_packages_and_those_of_one_name_are_told_apart() {
    let replay = Replay::of([("HostingPlans.listing", recorded("036"))]);
    let config = replay.driver.server_config().await.unwrap();
    let names: Vec<_> = config
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.id.as_deref()))
        .collect();
    let expected = [
        ("Starter (#1)", Some("1")),
        ("Unlimited", Some("2")),
        ("Starter (#3)", Some("3")),
    ];
    assert_eq!(names, expected);
    let starter = &config.packages[0].limits;
    assert_eq!(starter.get(LimitName::DiskMb), Some(Limit::AtMost(5120)));
    assert_eq!(
        starter.get(LimitName::TrafficMb),
        Some(Limit::AtMost(50 * 1024))
    );
    assert_eq!(
        starter.get(LimitName::EmailAccounts),
        Some(Limit::AtMost(10))
    );
    let unlimited = &config.packages[1].limits;
    assert_eq!(unlimited.get(LimitName::TrafficMb), Some(Limit::Unlimited));
    assert_eq!(unlimited.get(LimitName::Databases), Some(Limit::AtMost(0)));
}

#[tokio::test]
async fn a_plan_of_older_php_is_the_same_plan() {
    let replay = Replay::of([("HostingPlans.listing", listing(&[record("256")]))]);
    let config = replay.driver.server_config().await.unwrap();
    assert_eq!(config.packages[0].name.as_str(), "Starter");
    assert_eq!(
        config.packages[0].limits.get(LimitName::DiskMb),
        Some(Limit::AtMost(5120))
    );
}

#[tokio::test]
async fn a_package_is_given_by_sending_every_field_of_its_plan() {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        ("Customers.update", recorded("068")),
    ]);
    replay
        .driver
        .change_package(&key("gracehost"), &starter())
        .await
        .unwrap();
    let expected = json!({
        "loginname": "gracehost", "diskspace": 5120, "traffic": 50, "subdomains": 5, "emails": 10,
        "email_accounts": 10, "email_forwarders": 10, "email_quota_ul": 1, "ftps": 2, "mysqls": 2,
        "email_imap": 1, "email_pop3": 1, "phpenabled": 1, "allowed_phpconfigs": [1],
        "perlenabled": 0, "dnsenabled": 0, "logviewenabled": 1,
    });
    assert_eq!(replay.params("Customers.update"), expected);
}

#[tokio::test]
async fn a_package_change_that_the_record_does_not_show_is_in_doubt() {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        (
            "Customers.update",
            edited("068", |one| one["mysqls"] = json!(0)),
        ),
    ]);
    let error = replay
        .driver
        .change_package(&key("gracehost"), &starter())
        .await
        .unwrap_err();
    assert_eq!(error.class(), "in_doubt");
}

#[tokio::test]
async fn an_ambiguous_or_unknown_package_is_refused() {
    for name in ["Starter", "Gold", "Unlimited (#1)"] {
        let replay = Replay::of([("HostingPlans.listing", recorded("036"))]);
        let package = name.parse().unwrap();
        let error = replay
            .driver
            .change_package(&acme(), &package)
            .await
            .unwrap_err();
        assert_eq!(
            (error.class(), error.code()),
            ("rejected", "package_unknown"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_plan_with_php_and_no_configuration_gets_the_server_s_default() {
    let plan = json!({"id": 1, "name": "Php", "value": "{\"phpenabled\":\"1\",\"allowed_phpconfigs\":[]}"});
    let replay = Replay::of([
        ("HostingPlans.listing", listing(&[plan])),
        (
            "PhpSettings.listing",
            listing(&[json!({"id": 2}), json!({"id": 1})]),
        ),
        ("Customers.update", recorded("068")),
    ]);
    let package = "Php".parse().unwrap();
    replay
        .driver
        .change_package(&key("gracehost"), &package)
        .await
        .unwrap();
    assert_eq!(
        replay.params("Customers.update")["allowed_phpconfigs"],
        json!([1])
    );
}

/// The account of exchange 068, as `find` gives it.
async fn gracehost(record: Canned) -> (Replay, PanelAccount) {
    let replay = Replay::of([
        ("Customers.get", record.clone()),
        ("Domains.listing", listing(&[])),
        ("Ftps.listing", listing(&[json!({"username": "gracehost"})])),
        ("Customers.listing", listing(&[])),
        ("HostingPlans.listing", recorded("036")),
        ("Customers.get", record),
    ]);
    let account = replay
        .driver
        .find(&key("gracehost"))
        .await
        .unwrap()
        .unwrap();
    (replay, account)
}

#[tokio::test]
async fn a_package_is_recognised_by_all_of_its_fields() {
    let none = Limits::new();
    let (replay, account) = gracehost(recorded("068")).await;
    assert!(
        replay
            .driver
            .is_on_package(&account, &starter(), &none)
            .await
            .unwrap()
    );
    for (column, value) in [
        ("diskspace", json!(5120)),
        ("traffic", json!(-1_048_576)),
        ("mysqls", json!(3)),
        ("email_forwarders", json!(0)),
        ("imap", json!(0)),
        ("logviewenabled", json!("0")),
        ("allowed_phpconfigs", json!("[2]")),
    ] {
        let (replay, account) = gracehost(edited("068", |one| one[column] = value)).await;
        let on = replay
            .driver
            .is_on_package(&account, &starter(), &none)
            .await
            .unwrap();
        assert!(!on, "{column}");
    }
}

#[tokio::test]
async fn own_limits_do_not_make_it_another_package() {
    let overrides = Limits::new()
        .with(LimitName::Databases, Limit::AtMost(9))
        .with(LimitName::EmailAccounts, Limit::AtMost(40));
    let more = edited("068", |one| {
        one["mysqls"] = json!(9);
        one["email_accounts"] = json!(40);
        one["emails"] = json!(40);
    });
    let (replay, account) = gracehost(more).await;
    assert!(
        replay
            .driver
            .is_on_package(&account, &starter(), &overrides)
            .await
            .unwrap()
    );
}

/// The change of limits, and what was sent for it.
async fn limited(
    limits: &Limits,
    edit: impl FnOnce(&mut Value),
) -> (Result<(), &'static str>, Value) {
    let replay = Replay::of([
        ("Customers.listingCount", recorded("257")),
        ("Customers.get", recorded("076")),
        ("Customers.update", edited("076", edit)),
    ]);
    let result = replay.driver.set_limits(&acme(), limits).await;
    (
        result.map(drop).map_err(|error| error.class()),
        replay.params("Customers.update"),
    )
}

#[tokio::test]
async fn limits_are_sent_in_froxlor_s_units_and_read_back() {
    let limits = Limits::new()
        .with(LimitName::DiskMb, Limit::AtMost(2048))
        .with(LimitName::TrafficMb, Limit::AtMost(3 * 1024))
        .with(LimitName::Databases, Limit::Unlimited)
        .with(LimitName::FtpAccounts, Limit::AtMost(0));
    let sent =
        json!({"loginname": "acme", "diskspace": 2048, "traffic": 3, "mysqls_ul": 1, "ftps": 0});
    let done = |one: &mut Value| {
        one["diskspace"] = json!(2048 * 1024);
        one["traffic"] = json!("3145728");
        one["mysqls"] = json!(-1);
        one["ftps"] = json!(0);
    };
    assert_eq!(limited(&limits, done).await, (Ok(()), sent.clone()));
    assert_eq!(limited(&limits, |_| ()).await, (Err("in_doubt"), sent));
}

#[tokio::test]
async fn more_mailboxes_need_more_addresses() {
    let limits = Limits::new().with(LimitName::EmailAccounts, Limit::AtMost(20));
    let done = |one: &mut Value| {
        one["email_accounts"] = json!(20);
        one["emails"] = json!(20);
    };
    let sent = json!({"loginname": "acme", "email_accounts": 20, "emails": 20});
    assert_eq!(limited(&limits, done).await, (Ok(()), sent));
    let fewer = Limits::new().with(LimitName::EmailAccounts, Limit::AtMost(2));
    let sent = json!({"loginname": "acme", "email_accounts": 2});
    assert_eq!(
        limited(&fewer, |one| one["email_accounts"] = json!(2)).await,
        (Ok(()), sent)
    );
}

#[tokio::test]
async fn limits_that_froxlor_cannot_express_are_not_rounded() {
    let replay = Replay::of([]);
    for limits in [
        Limits::new().with(LimitName::TrafficMb, Limit::AtMost(1025)),
        Limits::new().with(LimitName::Domains, Limit::AtMost(3)),
        Limits::new().with(LimitName::DiskMb, Limit::AtMost(i64::MAX as u64)),
    ] {
        let error = replay
            .driver
            .set_limits(&acme(), &limits)
            .await
            .unwrap_err();
        assert_eq!(error.code(), "limit_refused");
    }
    assert!(replay.commands().is_empty());
}

#[tokio::test]
async fn a_check_tells_version_and_missing_rights() {
    let functions = data(&json!([{"module": "Froxlor", "function": "generateLoginLink"}]));
    let replay = Replay::of([
        ("Customers.listingCount", recorded("257")),
        ("Froxlor.listFunctions", functions),
        ("Admins.listingCount", data(&json!("2"))),
        (
            "PhpSettings.listing",
            listing(&[json!({"id": 1, "description": "System Default", "is_default": true})]),
        ),
    ]);
    let check = replay.driver.check().await.unwrap();
    assert_eq!(check.version.as_deref(), Some("2.1 or newer"));
    assert!(check.missing_rights.is_empty());
    assert!(check.rules.supports("move") && check.rules.supports("login_url"));
    assert!(
        check
            .notes
            .iter()
            .any(|note| note.contains("#1 System Default, the default"))
    );
    assert_eq!(check.rules.creates_at_once, 1);

    let poor = Replay::of([
        ("Customers.listingCount", recorded("254")),
        ("Froxlor.listFunctions", recorded("022")),
        ("Admins.listingCount", recorded("126")),
        ("PhpSettings.listing", recorded("014")),
    ]);
    let check = poor.driver.check().await.unwrap();
    assert_eq!(check.version.as_deref(), Some("2.0"));
    assert_eq!(check.missing_rights.len(), 1);
    assert!(!check.rules.supports("move") && !check.rules.supports("login_url"));
}
