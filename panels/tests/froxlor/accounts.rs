//! Looking at accounts.

use hosting::{Limit, LimitName};
use panels::{PanelError, Standing};
use serde_json::{Value, json};

use crate::replay::{Replay, acme, data, domain, edited, key, listing, record, recorded};
use crate::support::Canned;

/// A panel on which that customer is found, with what is read beside it.
fn with_customer(customer: Canned) -> Replay {
    let domains = [
        domain(3, "acme.panel.example.com", 3),
        domain(8, "acme.example.com", 3),
        domain(9, "second.example.com", 3),
        domain(10, "foreign.example.com", 4),
    ];
    Replay::of([
        ("Customers.get", customer),
        ("Domains.listing", listing(&domains)),
        ("Ftps.listing", recorded("245")),
        ("Customers.listing", recorded("147")),
    ])
}

#[tokio::test]
async fn an_account_is_found_with_all_that_froxlor_tells() {
    let dated = recorded("076").with("Date", "Sun, 22 Nov 2026 00:00:00 GMT");
    let replay = with_customer(dated);
    let account = replay.driver.find(&acme()).await.unwrap().unwrap();
    assert_eq!(account.username.as_str(), "acme");
    assert_eq!(account.domain.unwrap().as_str(), "acme.example.com");
    assert_eq!(account.owner.as_deref(), Some("1"));
    assert_eq!(account.email.as_deref(), Some("billing@acme.example.com"));
    assert_eq!((account.package, account.address), (None, None));
    assert_eq!(account.standing, Standing::Active);
    assert_eq!(account.unfinished, Vec::<String>::new());
    let evidence = account.evidence;
    assert_eq!(evidence.marker.as_deref(), Some("C-10042"));
    assert_eq!(evidence.panel_id.as_deref(), Some("3"));
    assert_eq!(evidence.uid.as_deref(), Some("10002"));
    assert_eq!(
        (evidence.started_at, evidence.read_at),
        (None, Some(1_795_305_600_000))
    );
    let limits: Vec<_> = account.limits.iter().collect();
    assert_eq!(
        limits,
        [
            (LimitName::DiskMb, Limit::AtMost(1000)),
            (LimitName::TrafficMb, Limit::AtMost(10 * 1024)),
            (LimitName::EmailAccounts, Limit::AtMost(5)),
            (LimitName::Databases, Limit::AtMost(0)),
            (LimitName::Subdomains, Limit::AtMost(5)),
            (LimitName::FtpAccounts, Limit::AtMost(1)),
        ]
    );
    // Fields that are not named with their table are ambiguous to Froxlor.
    let search = replay.params("Customers.listing");
    assert_eq!(
        search["sql_search"],
        json!({"c.guid": {"op": "=", "value": 10002}})
    );
    assert_eq!(replay.params("Customers.get"), json!({"loginname": "acme"}));
}

#[tokio::test]
async fn numbers_as_text_are_the_same_account() {
    let replay = with_customer(recorded("252"));
    let account = replay.driver.find(&acme()).await.unwrap().unwrap();
    assert_eq!(account.evidence.panel_id.as_deref(), Some("3"));
    assert_eq!(account.evidence.uid.as_deref(), Some("10002"));
    assert_eq!(
        account.limits.get(LimitName::DiskMb),
        Some(Limit::AtMost(1000))
    );
    assert_eq!(account.standing, Standing::Active);
}

#[tokio::test]
async fn unlimited_is_any_negative_number() {
    let replay = with_customer(edited("069", |customer| {
        customer["loginname"] = json!("acme");
    }));
    let account = replay.driver.find(&acme()).await.unwrap().unwrap();
    for name in [
        LimitName::DiskMb,
        LimitName::TrafficMb,
        LimitName::FtpAccounts,
    ] {
        assert_eq!(account.limits.get(name), Some(Limit::Unlimited), "{name}");
    }
    assert_eq!(
        account.limits.get(LimitName::Databases),
        Some(Limit::AtMost(0))
    );
}

#[tokio::test]
async fn the_expected_domain_is_preferred_to_the_oldest() {
    let replay = with_customer(recorded("076"));
    let mut wanted = acme();
    wanted.domain = Some("second.example.com".parse().unwrap());
    let account = replay.driver.find(&wanted).await.unwrap().unwrap();
    assert_eq!(account.domain, wanted.domain);
}

#[tokio::test]
async fn a_suspended_account_has_no_reason_and_nobody_s_mark() {
    let replay = with_customer(recorded("164"));
    let account = replay.driver.find(&acme()).await.unwrap().unwrap();
    let nobodys = Standing::Suspended {
        reason: None,
        locked: false,
        ours: None,
    };
    assert_eq!(account.standing, nobodys);
}

#[tokio::test]
async fn no_customer_is_told_from_a_missing_parameter() {
    let absent = Replay::of([("Customers.get", recorded("083"))]);
    assert!(
        absent
            .driver
            .find(&key("nobodyhere"))
            .await
            .unwrap()
            .is_none()
    );
    // Also a 404.
    let missing = Replay::of([("Customers.get", recorded("041"))]);
    let error = missing.driver.find(&acme()).await.unwrap_err();
    assert_eq!(error.code(), "panel_refused");
}

#[tokio::test]
async fn an_answer_about_another_customer_proves_nothing() {
    let other = edited("076", |customer| customer["loginname"] = json!("acme2"));
    let replay = Replay::of([("Customers.get", other)]);
    let error = replay.driver.find(&acme()).await.unwrap_err();
    assert_eq!(error.class(), "transient");
}

#[tokio::test]
async fn an_add_that_broke_off_is_seen_by_the_missing_ftp_user() {
    let replay = Replay::of([
        ("Customers.get", recorded("243")),
        ("Domains.listing", listing(&[])),
        ("Ftps.listing", recorded("244")),
        ("Customers.listing", listing(&[record("243")])),
    ]);
    let account = replay.driver.find(&key("halfway")).await.unwrap().unwrap();
    assert_eq!(account.domain, None);
    assert_eq!(account.unfinished.len(), 1);
    assert!(
        account.unfinished[0].contains("FTP user"),
        "{:?}",
        account.unfinished
    );
}

#[tokio::test]
async fn two_customers_with_one_unix_user_are_seen() {
    let twins = record("266")["list"].clone();
    let replay = Replay::of([
        ("Customers.get", data(&twins[0])),
        ("Domains.listing", listing(&[])),
        ("Ftps.listing", listing(&[json!({"username": "twina"})])),
        ("Customers.listing", recorded("266")),
    ]);
    let account = replay.driver.find(&key("twina")).await.unwrap().unwrap();
    assert_eq!(account.unfinished.len(), 1);
    assert!(
        account.unfinished[0].contains("10115"),
        "{:?}",
        account.unfinished
    );
}

#[tokio::test]
async fn a_customer_that_goes_away_while_it_is_read_is_a_failed_read() {
    let replay = Replay::of([
        ("Customers.get", recorded("076")),
        ("Domains.listing", listing(&[])),
        ("Ftps.listing", recorded("083")),
        ("Customers.listing", recorded("147")),
    ]);
    let error = replay.driver.find(&acme()).await.unwrap_err();
    assert_eq!(error.class(), "transient");
}

#[tokio::test]
async fn every_account_is_listed_with_its_domain() {
    let replay = Replay::of([
        ("Customers.listing", recorded("136")),
        (
            "Domains.listing",
            listing(&[
                domain(8, "acme.example.com", 3),
                domain(1, "web1.panel.example.com", 1),
            ]),
        ),
    ]);
    let accounts = replay.driver.list().await.unwrap();
    let names: Vec<_> = accounts.iter().map(|one| one.username.as_str()).collect();
    assert_eq!(names, ["web1", "web2", "acme", "restwo"]);
    assert_eq!(
        accounts[2].domain.as_ref().unwrap().as_str(),
        "acme.example.com"
    );
    assert_eq!(
        accounts[0].domain, None,
        "the standard subdomain is the panel's"
    );
    let page = replay.params("Customers.listing");
    assert_eq!(
        page["sql_search"],
        json!({"c.customerid": {"op": ">", "value": 0}})
    );
    assert_eq!(page["sql_orderby"], json!({"c.customerid": "ASC"}));
}

/// So many customers, counted from `first`.
fn many(first: i64, count: i64) -> Vec<Value> {
    let of = |id: i64| {
        let mut one = record("076");
        one["customerid"] = json!(id);
        one["loginname"] = json!(format!("c{id}"));
        one
    };
    (first..first + count).map(of).collect()
}

#[tokio::test]
async fn long_listings_are_read_page_by_page() {
    let replay = Replay::of([
        ("Customers.listing", listing(&many(1, 500))),
        ("Customers.listing", listing(&many(501, 20))),
        ("Domains.listing", listing(&[])),
    ]);
    assert_eq!(replay.driver.list().await.unwrap().len(), 520);
    let second = &replay.bodies()[1]["params"];
    assert_eq!(
        second["sql_search"],
        json!({"c.customerid": {"op": ">", "value": 500}})
    );
}

#[tokio::test]
async fn a_version_that_ignores_the_search_is_not_asked_for_ever() {
    let all = listing(&many(1, 500));
    let replay = Replay::of([
        ("Customers.listing", all.clone()),
        ("Customers.listing", all),
        ("Domains.listing", listing(&[])),
    ]);
    assert_eq!(replay.driver.list().await.unwrap().len(), 500);
}

#[tokio::test]
async fn a_domain_leads_to_its_owner() {
    let replay = Replay::of([
        ("Domains.get", recorded("163")),
        ("Customers.get", recorded("076")),
    ]);
    let owner = replay
        .driver
        .domain_owner(&"acme.example.com".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(owner.unwrap().as_str(), "acme");
    assert_eq!(replay.params("Customers.get"), json!({"id": 3}));
}

#[tokio::test]
async fn a_free_domain_has_no_owner() {
    let said = json!({"message": "Domain with domainname 'free.example.com' could not be found"});
    let free = Canned::json(said.to_string()).status(404);
    let replay = Replay::of([("Domains.get", free)]);
    let domain = "free.example.com".parse().unwrap();
    assert_eq!(replay.driver.domain_owner(&domain).await.unwrap(), None);
}

#[tokio::test]
async fn a_customer_s_key_sees_no_accounts() {
    let replay = Replay::of([("Customers.listing", recorded("125"))]);
    let error = replay.driver.list().await.unwrap_err();
    assert!(matches!(error, PanelError::Auth(_)), "{error:?}");
}
