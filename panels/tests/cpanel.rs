//! The cPanel driver: what it asks, and what it makes of the answers.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::BTreeMap;

use hosting::{Bytes, Limit, LimitName, Limits};
use panels::{AccountKey, NewAccount, Panel, PanelAccount, Standing};
use secrecy::ExposeSecret;
use serde_json::json;
use support::{Answer, Canned, Received, SECRET, TestPanel};

macro_rules! golden {
    ($name:literal) => {
        Answer::from(
            Canned::json(include_str!(concat!(
                "../src/drivers/cpanel/fixtures/",
                $name,
                ".json"
            )))
            .with("Date", "Sun, 22 Nov 2026 01:00:00 GMT"),
        )
    };
}

fn stage(answers: Vec<Answer>) -> (TestPanel, Box<dyn Panel>) {
    let panel = TestPanel::scripted(answers);
    let driver = panels::open("cpanel", panel.settings()).unwrap();
    (panel, driver)
}

fn reseller(answers: Vec<Answer>) -> (TestPanel, Box<dyn Panel>) {
    let panel = TestPanel::scripted(answers);
    let mut settings = panel.settings();
    settings.user = Some("alphahost".into());
    let driver = panels::open("cpanel", settings).unwrap();
    (panel, driver)
}

fn key() -> AccountKey {
    AccountKey {
        username: "Acme1".parse().unwrap(),
        domain: Some("acme.example".parse().unwrap()),
        panel_id: None,
    }
}

fn new_account() -> NewAccount {
    NewAccount {
        username: "Acme1".parse().unwrap(),
        domain: "münchen.example".parse().unwrap(),
        email: Some("owner@acme.example".parse().unwrap()),
        password: "Pw-9!xK2@mQ7".into(),
        package: Some("gold".parse().unwrap()),
        limits: Limits::new().with(LimitName::DiskMb, Limit::AtMost(3000)),
        marker: "H1-7".into(),
        panel: BTreeMap::from([
            ("language".to_owned(), json!("de")),
            ("hasshell".to_owned(), json!(false)),
            ("max_email_per_hour".to_owned(), json!(200)),
        ]),
    }
}

/// Function, method and fields in the order sent, without the version.
fn asked(received: &Received) -> (String, String, Vec<(&str, &str)>) {
    assert_eq!(received.field("api.version"), Some("1"));
    let fields = received
        .fields
        .iter()
        .filter(|(name, _)| name != "api.version")
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let function = received.path.strip_prefix("/json-api/").unwrap();
    (function.to_owned(), received.method.clone(), fields)
}

fn calls(panel: &TestPanel) -> Vec<String> {
    let received = panel.received();
    received.iter().map(|received| asked(received).0).collect()
}

#[tokio::test]
async fn a_create_sends_the_package_and_no_limits_beside_it() {
    let (panel, driver) = stage(vec![golden!("createacct")]);
    let created = driver.create(&new_account()).await.unwrap();
    assert_eq!(created.username.unwrap().as_str(), "acme1");
    assert_eq!(created.address, Some("192.0.2.10".parse().unwrap()));
    assert_eq!(created.name_servers, ["ns1.example.net", "ns2.example.net"]);
    assert_eq!(created.warnings, ["The DNS cluster did not answer"]);
    let received = panel.received().remove(0);
    let (function, method, fields) = asked(&received);
    assert_eq!((function.as_str(), method.as_str()), ("createacct", "POST"));
    assert_eq!(
        fields,
        [
            ("username", "acme1"),
            ("domain", "xn--mnchen-3ya.example"),
            ("password", "Pw-9!xK2@mQ7"),
            ("ip", "n"),
            ("showpass", "n"),
            ("contactemail", "owner@acme.example"),
            ("plan", "gold"),
            ("hasshell", "0"),
            ("language", "de"),
            ("max_email_per_hour", "200"),
        ]
    );
    assert_eq!(
        received.header("authorization"),
        Some(format!("whm root:{SECRET}").as_str())
    );
    assert!(!received.path.contains('?'));
}

#[tokio::test]
async fn a_create_passes_on_only_what_the_rules_know() {
    let (panel, driver) = stage(Vec::new());
    let mut account = new_account();
    account.panel.insert("uid".into(), json!(0));
    let error = driver.create(&account).await.unwrap_err();
    assert_eq!(error.code(), "panel_field");
    assert!(panel.received().is_empty());
}

#[tokio::test]
async fn without_a_package_the_limits_are_sent_and_zero_is_not() {
    let (panel, driver) = stage(vec![golden!("createacct")]);
    let mut account = new_account();
    account.package = None;
    account.limits.set(LimitName::Domains, Limit::AtMost(0));
    account
        .limits
        .set(LimitName::EmailAccounts, Limit::Unlimited);
    driver.create(&account).await.unwrap();
    let received = panel.received().remove(0);
    assert_eq!(received.field("plan"), None);
    assert_eq!(received.field("quota"), Some("3000"));
    assert_eq!(received.field("maxaddon"), Some("0"));
    assert_eq!(received.field("maxpop"), Some("unlimited"));
    account.limits.set(LimitName::DiskMb, Limit::AtMost(0));
    let error = driver.create(&account).await.unwrap_err();
    assert_eq!(error.code(), "limit_unsupported");
    assert_eq!(panel.received().len(), 1);
}

async fn found(answer: Answer) -> PanelAccount {
    let (panel, driver) = stage(vec![answer]);
    let found = driver.find(&key()).await.unwrap().unwrap();
    let received = panel.received().remove(0);
    let (function, method, fields) = asked(&received);
    assert_eq!(
        (function.as_str(), method.as_str()),
        ("accountsummary", "GET")
    );
    assert_eq!(fields, [("user", "acme1")]);
    found
}

#[tokio::test]
async fn an_account_is_found_with_its_evidence() {
    let account = found(golden!("accountsummary")).await;
    assert_eq!(account.domain.unwrap().as_str(), "acme.example");
    assert_eq!(account.owner.as_deref(), Some("root"));
    assert_eq!(account.package.unwrap().as_str(), "gold");
    assert_eq!(account.evidence.marker, None);
    assert_eq!(account.evidence.uid.as_deref(), Some("1012"));
    assert_eq!(account.evidence.started_at, Some(1_795_000_000_000));
    assert_eq!(account.evidence.read_at, Some(1_795_309_200_000));
    let limits: Vec<_> = account.limits.iter().collect();
    assert_eq!(
        limits,
        [
            (LimitName::DiskMb, Limit::AtMost(2000)),
            (LimitName::EmailAccounts, Limit::AtMost(50)),
            (LimitName::Databases, Limit::AtMost(5)),
            (LimitName::Domains, Limit::AtMost(3)),
            (LimitName::Subdomains, Limit::Unlimited),
            (LimitName::FtpAccounts, Limit::Unlimited),
        ]
    );
}

#[tokio::test]
async fn whose_suspension_it_is_shows_in_its_reason() {
    let ours = found(golden!("accountsummary-suspended")).await.standing;
    let expected = Standing::Suspended {
        reason: Some("hostler: unpaid".into()),
        locked: false,
        ours: Some(true),
    };
    assert_eq!(ours, expected);
    let theirs = found(golden!("accountsummary-suspended-abuse"))
        .await
        .standing;
    let expected = Standing::Suspended {
        reason: Some("phishing page".into()),
        locked: true,
        ours: Some(false),
    };
    assert_eq!(theirs, expected);
}

#[tokio::test]
async fn an_answer_about_somebody_else_is_no_answer() {
    let (_panel, driver) = stage(vec![golden!("accountsummary")]);
    let mut other = key();
    other.username = "beta2".parse().unwrap();
    assert_eq!(driver.find(&other).await.unwrap_err().class(), "transient");
}

#[tokio::test]
async fn who_has_a_domain_is_none_where_the_token_may_not_ask() {
    let (_panel, driver) = stage(vec![
        golden!("getdomainowner"),
        golden!("getdomainowner-nobody"),
        golden!("permission"),
        golden!("createacct-weak"),
    ]);
    let domain = "acme.example".parse().unwrap();
    let owner = driver.domain_owner(&domain).await.unwrap().unwrap();
    assert_eq!(owner.as_str(), "acme1");
    assert_eq!(driver.domain_owner(&domain).await.unwrap(), None);
    assert_eq!(driver.domain_owner(&domain).await.unwrap(), None);
    assert!(driver.domain_owner(&domain).await.is_err());
}

#[tokio::test]
async fn a_terminate_names_the_account_in_both_spellings() {
    let (panel, driver) = stage(vec![golden!("removeacct")]);
    driver.terminate(&key()).await.unwrap();
    let received = panel.received().remove(0);
    let (function, _, fields) = asked(&received);
    assert_eq!(function, "removeacct");
    assert_eq!(fields, [("username", "acme1"), ("user", "acme1")]);
}

#[tokio::test]
async fn what_a_reseller_does_not_see_is_not_taken_for_gone() {
    let absent = || {
        vec![
            golden!("removeacct-absent"),
            golden!("accountsummary-absent"),
        ]
    };
    let mut answers = absent();
    answers.push(golden!("verify_new_username"));
    let (panel, driver) = reseller(answers);
    driver.terminate(&key()).await.unwrap();
    let order = ["removeacct", "accountsummary", "verify_new_username"];
    assert_eq!(calls(&panel), order);

    let mut answers = absent();
    answers.push(golden!("createacct-exists"));
    let (_panel, driver) = reseller(answers);
    assert_eq!(
        driver.terminate(&key()).await.unwrap_err().code(),
        "not_ours"
    );
}

#[tokio::test]
async fn limits_are_sent_in_their_units_and_read_back() {
    let limits = Limits::new()
        .with(LimitName::DiskMb, Limit::AtMost(3000))
        .with(LimitName::TrafficMb, Limit::AtMost(99_999))
        .with(LimitName::EmailAccounts, Limit::AtMost(60))
        .with(LimitName::Domains, Limit::AtMost(0));
    let (panel, driver) = stage(vec![
        golden!("accountsummary"),
        golden!("editquota"),
        golden!("limitbw"),
        golden!("modifyacct"),
        golden!("accountsummary-limits"),
        golden!("showbw-one"),
    ]);
    driver.set_limits(&key(), &limits).await.unwrap();
    let received = panel.received();
    assert_eq!(
        asked(&received[1]).2,
        [("user", "acme1"), ("quota", "3000")]
    );
    assert_eq!(
        asked(&received[2]).2,
        [("user", "acme1"), ("bwlimit", "99999")]
    );
    let counts = [("user", "acme1"), ("MAXPOP", "60"), ("MAXADDON", "0")];
    assert_eq!(asked(&received[3]).2, counts);
    let search = [("searchtype", "user"), ("search", "^acme1$")];
    assert_eq!(asked(&received[5]).2, search);
}

#[tokio::test]
async fn a_zero_that_would_mean_unlimited_is_never_sent() {
    for name in [
        LimitName::DiskMb,
        LimitName::TrafficMb,
        LimitName::EmailAccounts,
        LimitName::Databases,
        LimitName::FtpAccounts,
    ] {
        let (panel, driver) = stage(Vec::new());
        let limits = Limits::new().with(name, Limit::AtMost(0));
        let error = driver.set_limits(&key(), &limits).await.unwrap_err();
        assert_eq!(error.code(), "limit_unsupported", "{name}");
        assert!(panel.received().is_empty());
    }
}

#[tokio::test]
async fn a_limit_that_cannot_be_seen_is_believed_unless_the_panel_warns() {
    let limits = Limits::new().with(LimitName::FtpAccounts, Limit::AtMost(4));
    let blind = || {
        let row = json!({"user": "acme1", "suspended": 0, "maxftp": "*unknown*"});
        let body = json!({"metadata": {"result": 1}, "data": {"acct": [row]}});
        Answer::from(Canned::json(body.to_string()))
    };
    let (_panel, driver) = stage(vec![blind(), golden!("modifyacct"), blind()]);
    driver.set_limits(&key(), &limits).await.unwrap();
    let (_panel, driver) = stage(vec![blind(), golden!("modifyacct-warning"), blind()]);
    let error = driver.set_limits(&key(), &limits).await.unwrap_err();
    assert_eq!(error.code(), "limit_not_applied");
    assert!(error.to_string().contains("You cannot change the owner"));
}

#[tokio::test]
async fn a_package_is_compared_by_its_name_and_its_limits() {
    let gold = "gold".parse().unwrap();
    let none = Limits::new();
    let (_panel, driver) = stage(vec![
        golden!("getpkginfo"),
        golden!("showbw-one"),
        golden!("getpkginfo"),
        golden!("showbw-one"),
        golden!("getpkginfo"),
        golden!("changepackage-unknown"),
    ]);
    let mut account = found(golden!("accountsummary")).await;
    assert!(driver.is_on_package(&account, &gold, &none).await.unwrap());
    account.limits.set(LimitName::DiskMb, Limit::AtMost(1999));
    assert!(!driver.is_on_package(&account, &gold, &none).await.unwrap());
    let own = Limits::new()
        .with(LimitName::DiskMb, Limit::AtMost(1999))
        .with(LimitName::TrafficMb, Limit::AtMost(1));
    assert!(driver.is_on_package(&account, &gold, &own).await.unwrap());
    assert!(!driver.is_on_package(&account, &gold, &none).await.unwrap());
    let silver = "silver".parse().unwrap();
    assert!(
        !driver
            .is_on_package(&account, &silver, &none)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn the_months_usage_is_merged_with_disk_and_odd_rows_are_named() {
    let (panel, driver) = stage(vec![golden!("showbw"), golden!("get_disk_usage")]);
    let report = driver.usage("2026-11".parse().unwrap()).await.unwrap();
    let received = panel.received();
    assert_eq!(asked(&received[0]).2, [("year", "2026"), ("month", "11")]);
    let rows: Vec<_> = report
        .accounts
        .iter()
        .map(|row| {
            let bytes = |amount: Option<Bytes>| amount.map(Bytes::get);
            (
                row.username.as_str(),
                row.deleted,
                bytes(row.traffic),
                bytes(row.disk),
            )
        })
        .collect();
    assert_eq!(
        rows,
        [
            ("acme1", false, Some(5_368_709_120), Some(14_680_064)),
            ("beta2", true, Some(7), None),
            ("beta2", false, Some(8), Some(1_048_576)),
            ("delta4", false, None, Some(8192)),
        ]
    );
    let acme = &report.accounts[0];
    assert_eq!(acme.traffic_limit, Some(Limit::AtMost(99_999)));
    assert_eq!(acme.disk_limit, Some(Limit::AtMost(2000)));
    assert_eq!(report.accounts[2].traffic_limit, Some(Limit::Unlimited));
    assert_eq!(report.refused.len(), 1);
    assert_eq!(report.refused[0].0, "gamma3");
}

#[tokio::test]
async fn traffic_counts_also_where_disk_use_is_not_told() {
    let (_panel, driver) = stage(vec![golden!("showbw"), golden!("get_disk_usage-unknown")]);
    let report = driver.usage("2026-11".parse().unwrap()).await.unwrap();
    assert_eq!(report.accounts.len(), 3);
    assert!(
        report
            .refused
            .iter()
            .any(|(name, _)| name == "get_disk_usage")
    );
}

#[tokio::test]
async fn one_accounts_usage_is_asked_by_an_anchored_search() {
    let (panel, driver) = stage(vec![golden!("showbw"), golden!("accountsummary")]);
    let report = driver
        .usage_of(&key(), "2026-11".parse().unwrap())
        .await
        .unwrap();
    // A panel that ignores the search answers with all; only ours is kept.
    assert_eq!(report.accounts.len(), 1);
    assert_eq!(report.accounts[0].disk, Bytes::from_mb(14));
    let received = panel.received();
    assert_eq!(received[0].field("search"), Some("^acme1$"));
    assert_eq!(received[0].field("searchtype"), Some("user"));
    assert_eq!(received[0].field("month"), Some("11"));
}

#[tokio::test]
async fn a_login_link_is_a_secret_that_ends() {
    let (panel, driver) = stage(vec![golden!("create_user_session")]);
    let link = driver.login_url(&key()).await.unwrap();
    assert!(
        link.url
            .expose_secret()
            .starts_with("https://web1.example.net:2083/cpsess")
    );
    assert_eq!(link.expires_at, Some(1_795_290_414_000));
    assert!(!format!("{link:?}").contains("cpsess"));
    assert_eq!(panel.received()[0].method, "POST");
    let plain = json!({"metadata": {"result": 1}, "data": {"url": "http://h/cpsess1234567/x"}});
    let (_panel, driver) = stage(vec![Canned::json(plain.to_string()).into()]);
    let error = driver.login_url(&key()).await.unwrap_err();
    assert!(!format!("{error:?}").contains("1234567"));
}

#[tokio::test]
async fn a_check_names_what_the_token_may_not_do() {
    let after = || {
        vec![
            golden!("getminimumpasswordstrengths"),
            golden!("get_maximum_users"),
            golden!("get_current_users_count"),
        ]
    };
    let mut answers = vec![golden!("version"), golden!("myprivs")];
    answers.extend(after());
    let (_panel, driver) = stage(answers);
    let check = driver.check().await.unwrap();
    assert_eq!(check.version.as_deref(), Some("11.138.0.10"));
    assert!(check.missing_rights.is_empty());
    assert_eq!(check.notes.len(), 2, "{:?}", check.notes);
    assert!(check.notes[0].contains("65") && check.notes[1].contains("98"));

    let mut answers = vec![golden!("version"), golden!("myprivs-reseller")];
    answers.extend(after());
    let (_panel, driver) = reseller(answers);
    let check = driver.check().await.unwrap();
    assert_eq!(check.missing_rights, ["kill-acct (for terminate)"]);
}

#[tokio::test]
async fn packages_and_addresses_are_read_in_our_units() {
    let (_panel, driver) = stage(vec![golden!("listpkgs"), golden!("listips")]);
    let config = driver.server_config().await.unwrap();
    let gold = &config.packages[0];
    assert_eq!(gold.name.as_str(), "gold");
    assert_eq!(
        gold.limits.get(LimitName::TrafficMb),
        Some(Limit::AtMost(99_999))
    );
    let small = &config.packages[1].limits;
    assert_eq!(small.get(LimitName::EmailAccounts), Some(Limit::Unlimited));
    assert_eq!(small.get(LimitName::Domains), Some(Limit::AtMost(0)));
    let free: Vec<_> = config.addresses.iter().filter(|a| a.free).collect();
    assert_eq!(free.len(), 1);
    assert_eq!(free[0].address.to_string(), "192.0.2.21");
    assert_eq!(free[0].public, Some("203.0.113.21".parse().unwrap()));
    assert!(config.addresses[0].shared);
}

#[tokio::test]
async fn a_password_that_the_panel_repeats_reaches_nobody() {
    let (_panel, driver) = stage(vec![golden!("createacct-echo")]);
    let error = driver.create(&new_account()).await.unwrap_err();
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("xK2"), "{shown}");
    assert!(error.to_string().contains("[redacted]"));
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_at_once() {
    let panel = TestPanel::scripted(Vec::new());
    for user in ["", "a b", "root:x"] {
        let mut settings = panel.settings();
        settings.user = Some(user.into());
        let error = panels::open("cpanel", settings).unwrap_err();
        assert_eq!(error.code(), "server_settings");
    }
}
