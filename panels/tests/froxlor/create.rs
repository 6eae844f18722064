//! Making accounts.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hosting::{Limit, LimitName, Limits};
use panels::PanelError;
use serde_json::{Value, json};

use crate::replay::{
    PASSWORD, Replay, data, domain, edited, listing, new_acme, play, record, recorded,
};
use crate::support::{Answer, Canned};

const NO_ACME: &str = r#"{"message": "Customer with loginname 'acme' could not be found"}"#;

fn no_acme() -> Canned {
    Canned::json(NO_ACME).status(404)
}

fn no_domain() -> Canned {
    let said = json!({"message": "Domain with domainname 'acme.example.com' could not be found"});
    Canned::json(said.to_string()).status(404)
}

/// What comes of an add that is answered so, when the look after it is answered so.
async fn refused(add: Canned, look: Canned) -> (Replay, PanelError) {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        ("Customers.add", add),
        ("Customers.get", look),
    ]);
    let error = replay.driver.create(&new_acme()).await.unwrap_err();
    (replay, error)
}

#[tokio::test]
async fn a_customer_is_added_with_the_numbers_of_its_plan() {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        ("Customers.add", recorded("046")),
        ("Customers.listing", recorded("147")),
    ]);
    let mut account = new_acme();
    account.limits = Limits::new()
        .with(LimitName::DiskMb, Limit::AtMost(1000))
        .with(LimitName::TrafficMb, Limit::AtMost(10 * 1024))
        .with(LimitName::Databases, Limit::Unlimited);
    let created = replay.driver.create(&account).await.unwrap();
    assert_eq!(created.username.unwrap().as_str(), "acme");
    assert_eq!(created.warnings, Vec::<String>::new());
    let sent = replay.params("Customers.add");
    let expected = json!({
        "new_loginname": "acme",
        "new_customer_password": PASSWORD,
        "email": "billing@acme.example.com",
        "company": "Acme Example Ltd",
        "customernumber": "C-10042",
        "sendpassword": 0,
        "createstdsubdomain": 1,
        "diskspace": 1000,
        "traffic": 10,
        "subdomains_ul": 1,
        "emails_ul": 1,
        "email_accounts_ul": 1,
        "email_forwarders_ul": 1,
        "email_quota_ul": 1,
        "ftps_ul": 1,
        "mysqls_ul": 1,
        "email_imap": 0,
        "email_pop3": 0,
        "phpenabled": 0,
        "perlenabled": 0,
        "dnsenabled": 0,
        "logviewenabled": 0,
        "allowed_phpconfigs": [],
    });
    assert_eq!(sent, expected);
}

#[tokio::test]
async fn without_a_package_there_are_mail_and_the_default_php() {
    let configs = [
        json!({"id": 1, "description": "Old"}),
        json!({"id": 3, "description": "PHP 8.2", "is_default": true}),
    ];
    let replay = Replay::of([
        ("PhpSettings.listing", listing(&configs)),
        ("Customers.add", recorded("046")),
        ("Customers.listing", recorded("147")),
    ]);
    let mut account = new_acme();
    account.package = None;
    account.panel.clear();
    account.limits = Limits::new().with(LimitName::EmailAccounts, Limit::AtMost(5));
    replay.driver.create(&account).await.unwrap();
    let sent = replay.params("Customers.add");
    for (name, value) in [
        ("email_imap", json!(1)),
        ("phpenabled", json!(1)),
        ("allowed_phpconfigs", json!([3])),
        ("email_accounts", json!(5)),
        ("emails", json!(5)),
        // Froxlor wants a company or both names.
        ("company", json!("acme.example.com")),
    ] {
        assert_eq!(sent[name], value, "{name}");
    }
}

#[tokio::test]
async fn a_shared_unix_user_and_altered_texts_are_warnings() {
    let twins = edited("147", |page| {
        let mut twin = page["list"][0].clone();
        twin["customerid"] = json!(4);
        page["list"].as_array_mut().unwrap().push(twin);
    });
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        (
            "Customers.add",
            edited("046", |customer| {
                customer["company"] = json!("Acme");
                customer["standardsubdomain"] = json!(0);
            }),
        ),
        ("Customers.listing", twins),
    ]);
    let warnings = replay.driver.create(&new_acme()).await.unwrap().warnings;
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    for (warning, word) in warnings.iter().zip(["company", "subdomain", "10002"]) {
        assert!(warning.contains(word), "{warning}");
    }
}

#[tokio::test]
async fn an_account_is_made_though_the_unix_user_cannot_be_checked() {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        ("Customers.add", recorded("046")),
        ("Customers.listing", recorded("249")),
    ]);
    let warnings = replay.driver.create(&new_acme()).await.unwrap().warnings;
    assert_eq!(warnings.len(), 1);
}

#[tokio::test]
async fn a_refusal_is_one_only_after_a_look_that_nothing_was_made() {
    for (add, code, text) in [
        ("060", "panel_refused", "already in use"),
        ("047", "panel_refused", "already exists"),
        ("050", "panel_refused", "already exists on the system"),
        ("066", "panel_refused", "no PHP-configuration"),
        ("087", "panel_refused", "password-complexity"),
        ("089", "panel_refused", "password-complexity"),
        ("092", "panel_refused", "/var/customers/webs/oldhome/"),
        ("098", "panel_refused", "allocate more resources"),
        ("102", "no_more_resources", "No more resources"),
        ("104", "no_more_resources", "No more resources"),
        ("041", "panel_refused", "Requested parameter"),
    ] {
        let (replay, error) = refused(recorded(add), no_acme()).await;
        assert_eq!((error.class(), error.code()), ("rejected", code), "{add}");
        assert!(error.to_string().contains(text), "{add}: {error}");
        let looked = ["HostingPlans.listing", "Customers.add", "Customers.get"];
        assert_eq!(replay.commands(), looked, "{add}");
    }
}

#[tokio::test]
async fn a_refused_add_that_made_the_customer_is_in_doubt() {
    // The mail could not be sent; a name cut to 50 characters; a message under status 200.
    let odd = Canned::json(r#"{"message": "something without a code"}"#);
    for add in [recorded("235"), recorded("058"), odd] {
        let (_, error) = refused(add, recorded("076")).await;
        assert_eq!(error.class(), "in_doubt", "{error:?}");
    }
}

#[tokio::test]
async fn a_name_that_somebody_else_took_meanwhile_is_a_conflict() {
    let others = edited("076", |customer| customer["customernumber"] = json!(""));
    let (_, error) = refused(recorded("047"), others).await;
    assert_eq!(
        (error.class(), error.code()),
        ("rejected", "account_exists")
    );
}

#[tokio::test]
async fn a_refusal_whose_look_fails_is_in_doubt() {
    for look in [
        recorded("249"),
        recorded("017"),
        recorded("003"),
        recorded("248"),
        recorded("041"),
    ] {
        let (_, error) = refused(recorded("047"), look).await;
        assert_eq!(error.class(), "in_doubt", "{error:?}");
    }
}

#[tokio::test]
async fn an_add_that_broke_off_is_in_doubt_and_not_looked_at_too_early() {
    let cut = Answer::CutAfter(900, recorded("046"));
    for add in [
        recorded("242").into(),
        recorded("239").into(),
        recorded("250").into(),
        recorded("017").into(),
        Canned::html("<html><body>502 Bad Gateway</body></html>")
            .status(502)
            .into(),
        cut,
        Answer::Closed,
    ] {
        let mut answers = play([("HostingPlans.listing", recorded("036"))]);
        answers.push(("Customers.add", add));
        let replay = Replay::playing(answers);
        let error = replay.driver.create(&new_acme()).await.unwrap_err();
        assert_eq!(error.class(), "in_doubt", "{error:?}");
        assert_eq!(replay.commands().last().unwrap(), "Customers.add");
    }
}

#[tokio::test]
async fn an_answer_about_another_customer_is_in_doubt() {
    let replay = Replay::of([
        ("HostingPlans.listing", recorded("036")),
        ("Customers.add", recorded("044")),
    ]);
    let error = replay.driver.create(&new_acme()).await.unwrap_err();
    assert_eq!(error.class(), "in_doubt");
}

#[tokio::test]
async fn what_froxlor_would_alter_is_refused_before_anything_is_sent() {
    let replay = Replay::of([]);
    type Spoil = fn(&mut panels::NewAccount);
    let cases: [(&str, Spoil); 9] = [
        ("username_refused", |one| {
            one.username = "b".repeat(51).parse().unwrap();
        }),
        ("username_refused", |one| {
            one.username = "web77".parse().unwrap();
        }),
        ("username_refused", |one| {
            one.username = "acme-two".parse().unwrap();
        }),
        ("password_refused", |one| {
            one.password = "pa\\ss1Word".into();
        }),
        ("email_refused", |one| one.email = None),
        ("email_refused", |one| {
            one.email = Some("a%41@example.com".parse().unwrap());
        }),
        ("marker_refused", |one| one.marker = "H1_2".into()),
        ("field_refused", |one| {
            one.panel.insert("company".into(), json!("Ex<ample"));
        }),
        ("field_refused", |one| {
            one.limits = Limits::new().with(LimitName::TrafficMb, Limit::AtMost(1500));
        }),
    ];
    for (code, spoil) in cases {
        let mut account = new_acme();
        spoil(&mut account);
        let error = replay.driver.create(&account).await.unwrap_err();
        assert_eq!((error.class(), error.code()), ("rejected", code));
    }
    assert_eq!(replay.commands(), Vec::<String>::new());
}

#[tokio::test]
async fn an_unknown_package_is_refused_before_anything_is_sent() {
    let replay = Replay::of([("HostingPlans.listing", recorded("036"))]);
    let mut account = new_acme();
    account.package = Some("Platinum".parse().unwrap());
    let error = replay.driver.create(&account).await.unwrap_err();
    assert_eq!(error.code(), "package_unknown");
    assert_eq!(replay.commands(), ["HostingPlans.listing"]);
}

#[tokio::test]
async fn the_domain_is_added_where_it_is_not_there() {
    let replay = Replay::of([
        ("Customers.get", recorded("076")),
        ("Domains.get", no_domain()),
        ("Domains.add", recorded("163")),
    ]);
    let mut account = new_acme();
    account.panel.insert("letsencrypt".into(), json!(true));
    assert!(replay.driver.complete(&account).await.unwrap());
    let expected = json!({
        "domain": "acme.example.com", "customerid": 3, "adminid": 1, "isemaildomain": 1,
        "phpenabled": 1, "phpsettingid": 1, "letsencrypt": 1, "selectserveralias": 1,
    });
    assert_eq!(replay.params("Domains.add"), expected);
}

#[tokio::test]
async fn a_domain_that_is_there_is_left_alone() {
    let replay = Replay::of([
        ("Customers.get", recorded("076")),
        ("Domains.get", recorded("163")),
    ]);
    assert!(!replay.driver.complete(&new_acme()).await.unwrap());
    assert_eq!(replay.commands(), ["Customers.get", "Domains.get"]);
}

#[tokio::test]
async fn a_domain_of_somebody_else_is_refused() {
    let others = edited("163", |domain| domain["customerid"] = json!(4));
    let replay = Replay::of([("Customers.get", recorded("076")), ("Domains.get", others)]);
    let error = replay.driver.complete(&new_acme()).await.unwrap_err();
    assert_eq!(error.code(), "domain_taken");
}

#[tokio::test]
async fn a_refused_domain_is_looked_at_too() {
    let taken = || {
        let text =
            r#"{"message": "The domain acme.example.com is already assigned to a customer"}"#;
        Canned::json(text).status(400)
    };
    for (look, came_of_it) in [
        (recorded("163"), Ok(true)),
        (no_domain(), Err("panel_refused")),
        (
            edited("163", |domain| domain["customerid"] = json!(4)),
            Err("domain_taken"),
        ),
        (recorded("249"), Err("panel_in_doubt")),
    ] {
        let replay = Replay::of([
            ("Customers.get", recorded("076")),
            ("Domains.get", no_domain()),
            ("Domains.add", taken()),
            ("Domains.get", look),
        ]);
        let result = replay.driver.complete(&new_acme()).await;
        assert_eq!(result.map_err(|error| error.code()), came_of_it);
    }
}

#[tokio::test]
async fn froxlor_makes_punycode_itself() {
    let mut account = new_acme();
    account.domain = "xn--mnchen-3ya.example".parse().unwrap();
    let replay = Replay::of([
        ("Customers.get", recorded("076")),
        ("Domains.get", no_domain()),
        ("Domains.add", data(&domain(11, "münchen.example", 3))),
    ]);
    assert!(replay.driver.complete(&account).await.unwrap());
    assert_eq!(replay.params("Domains.add")["domain"], "münchen.example");
    assert_eq!(
        replay.params("Domains.get")["domainname"],
        "münchen.example"
    );
}

#[tokio::test]
async fn a_domain_needs_its_customer() {
    let replay = Replay::of([("Customers.get", no_acme())]);
    let error = replay.driver.complete(&new_acme()).await.unwrap_err();
    assert_eq!(error.code(), "no_such_account");
}

#[test]
fn the_recorded_add_is_the_account_of_these_tests() {
    let record: Value = record("046");
    assert_eq!(record["customernumber"], new_acme().marker);
    assert_eq!(record["loginname"], new_acme().username.as_str());
}
