//! The driver for HostBill against a simulated one: sessions, orders, upgrades, cancellations, machines, and the
//! client for everything else.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use hosting::{Limit, LimitName, Limits};
use panels::{
    AccountKey, Contact, Goal, MachineAction, NewAccount, NewMachine, OrderState, OrderStep, Panel,
    Power, Question, ServerSettings, Standing, Supplier, ZoneRecord,
};
use simulator::{Applied, Delay, Fault, Options, PanelKind, Reply, Simulator};

async fn supplier() -> Simulator {
    let _ = rustls::crypto::ring::default_provider().install_default();
    simulator::start(Options::new(PanelKind::HostBill))
        .await
        .unwrap()
}

fn settings(panel: &Simulator, options: &[(&str, &str)]) -> ServerSettings {
    ServerSettings {
        name: "supplier".into(),
        url: panel.url(),
        user: Some(panel.user().to_owned()),
        secret: panel.secret().to_owned().into(),
        pins: vec![panel.pin()],
        ca_pem: None,
        allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
        time_zone: chrono_tz::UTC,
        options: options
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn driver(panel: &Simulator, options: &[(&str, &str)]) -> Box<dyn Panel> {
    panels::open("hostbill", settings(panel, options)).unwrap()
}

fn new(domain: &str, package: &str) -> NewAccount {
    NewAccount {
        username: "acme".parse().unwrap(),
        domain: domain.parse().unwrap(),
        email: None,
        password: "".into(),
        package: Some(package.parse().unwrap()),
        limits: Limits::new(),
        marker: "H1-7".into(),
        panel: Default::default(),
    }
}

fn key(domain: &str) -> AccountKey {
    AccountKey {
        username: "acme".parse().unwrap(),
        domain: Some(domain.parse().unwrap()),
        panel_id: None,
    }
}

fn calls(panel: &Simulator, call: &str) -> usize {
    panel
        .requests()
        .iter()
        .filter(|one| one.call == call)
        .count()
}

/// Orders, and takes every step until the service is there.
async fn ordered(bill: &dyn Panel, domain: &str, package: &str) {
    let new = new(domain, package);
    let prepared = bill.prepare(&new).await.unwrap();
    let order = bill.place(&new, &prepared).await.unwrap();
    loop {
        match bill.order_state(&order).await.unwrap() {
            OrderState::Due(step) => bill.take_step(&order, step).await.unwrap(),
            OrderState::Done(_) => return,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn one_session_serves_many_calls_and_is_renewed_when_it_is_refused() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    for _ in 0..3 {
        bill.check().await.unwrap();
    }
    assert_eq!(calls(&panel, "POST /login"), 1);
    // The token is refused before its time: renewed by the refresh token.
    panel.hostbill(|bill| bill.revoke_tokens(false));
    bill.check().await.unwrap();
    assert_eq!(
        (calls(&panel, "POST /login"), calls(&panel, "POST /token")),
        (1, 1)
    );
    // The refresh token too: logged in again.
    panel.hostbill(|bill| bill.revoke_tokens(true));
    bill.check().await.unwrap();
    assert_eq!(
        (calls(&panel, "POST /login"), calls(&panel, "POST /token")),
        (2, 2)
    );
    // A refresh token is good once: the next one is the one that came with the last.
    panel.hostbill(|bill| bill.revoke_tokens(false));
    bill.check().await.unwrap();
    panel.hostbill(|bill| bill.revoke_tokens(false));
    bill.check().await.unwrap();
    assert_eq!(
        (calls(&panel, "POST /login"), calls(&panel, "POST /token")),
        (2, 4)
    );
    let shown = format!("{bill:?}");
    assert!(!shown.contains(panel.secret()), "{shown}");
}

#[tokio::test]
async fn a_token_that_is_about_to_end_is_renewed_before() {
    let panel = supplier().await;
    panel.hostbill(|bill| bill.set_token_life(30));
    let bill = driver(&panel, &[]);
    bill.check().await.unwrap();
    // Each call is within the last minute of its token.
    assert!(calls(&panel, "POST /token") > 0);
    let refused = panel
        .requests()
        .iter()
        .filter(|one| one.fault.is_some())
        .count();
    assert_eq!(refused, 0);
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_and_are_an_auth_error() {
    let panel = supplier().await;
    for options in [&[][..], &[("auth", "basic")]] {
        let mut wrong = settings(&panel, options);
        wrong.secret = "not the password".into();
        let bill = panels::open("hostbill", wrong).unwrap();
        let before = panel.requests().len();
        assert_eq!(bill.check().await.unwrap_err().class(), "auth");
        assert_eq!(panel.requests().len() - before, 1, "{options:?}");
    }
}

#[tokio::test]
async fn many_at_once_log_in_once() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    let many = (0..8).map(|_| bill.server_config());
    for done in futures::future::join_all(many).await {
        assert_eq!(done.unwrap().packages.len(), 7);
    }
    assert_eq!(calls(&panel, "POST /login"), 1);
}

#[tokio::test]
async fn an_order_goes_from_placed_to_done() {
    let panel = supplier().await;
    panel.hostbill(|bill| {
        bill.set_approval(Delay::Seconds(600));
        bill.set_credit(0);
    });
    let bill = driver(&panel, &[]);
    let domain = "acme.example.com";
    let new = new(domain, "silver");
    let prepared = bill.prepare(&new).await.unwrap();
    assert_eq!(panel.effects(), 0, "nothing is changed by preparing");
    let order = bill.place(&new, &prepared).await.unwrap();
    assert_eq!(
        (order.goal, order.label.as_deref()),
        (Goal::Made, Some("H1-7 acme"))
    );
    assert!(order.number.is_some() && order.invoice.is_some());
    let state = bill.order_state(&order).await.unwrap();
    assert!(
        matches!(state, OrderState::Due(OrderStep::Mark)),
        "{state:?}"
    );
    bill.take_step(&order, OrderStep::Mark).await.unwrap();
    let found = bill.find(&key(domain)).await.unwrap().unwrap();
    assert_eq!(found.evidence.marker.as_deref(), Some("H1-7"));
    assert_eq!(found.evidence.panel_id.as_ref(), Some(&order.service));
    let state = bill.order_state(&order).await.unwrap();
    assert!(
        matches!(&state, OrderState::NeedsFunds { what } if what.contains("9.99")),
        "{state:?}"
    );
    panel.hostbill(|bill| bill.set_credit(1000));
    let state = bill.order_state(&order).await.unwrap();
    assert!(
        matches!(state, OrderState::Due(OrderStep::Pay)),
        "{state:?}"
    );
    bill.take_step(&order, OrderStep::Pay).await.unwrap();
    // Again: it looks first, and pays nothing.
    bill.take_step(&order, OrderStep::Pay).await.unwrap();
    assert_eq!(panel.hostbill(|bill| bill.credit()), Some(1));
    assert_eq!(calls(&panel, "POST /invoice/@/credit"), 1);
    let state = bill.order_state(&order).await.unwrap();
    assert!(
        matches!(
            state,
            OrderState::Waiting {
                code: "awaiting_approval",
                ..
            }
        ),
        "{state:?}"
    );
    panel.advance(Duration::from_secs(600));
    let OrderState::Done(login) = bill.order_state(&order).await.unwrap() else {
        panic!("it is active");
    };
    let (name, password) = panel.hostbill(|bill| bill.login(domain)).flatten().unwrap();
    assert_eq!(login.username, Some(name));
    let shown = format!("{login:?}");
    assert!(!shown.contains(&password), "{shown}");
    for status in ["Fraud", "Cancelled", "Terminated"] {
        panel.hostbill(|bill| bill.set_status(domain, status));
        let state = bill.order_state(&order).await.unwrap();
        assert!(
            matches!(state, OrderState::Over { .. }),
            "{status}: {state:?}"
        );
    }
}

#[tokio::test]
async fn an_order_that_lost_its_answer_is_found_by_its_domain() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    let new = new("acme.example.com", "silver");
    let prepared = bill.prepare(&new).await.unwrap();
    let lost = Fault::on("POST /order/@")
        .applied(Applied::Yes)
        .reply(Reply::Reset);
    panel.faults().add(lost);
    let error = bill.place(&new, &prepared).await.unwrap_err();
    assert_eq!(error.class(), "in_doubt");
    let found = bill.find(&key("acme.example.com")).await.unwrap().unwrap();
    assert_eq!(found.evidence.marker, None, "it bears no label yet");
    let order = bill.order_behind(&new, &found).unwrap();
    bill.take_step(&order, OrderStep::Mark).await.unwrap();
    // Its invoice is found among the unpaid ones.
    let state = bill.order_state(&order).await.unwrap();
    assert!(
        matches!(state, OrderState::Due(OrderStep::Pay)),
        "{state:?}"
    );
    bill.take_step(&order, OrderStep::Pay).await.unwrap();
    assert!(matches!(
        bill.order_state(&order).await.unwrap(),
        OrderState::Done(_)
    ));
    let traces = bill.traces(panel.requests()[0].at_ms).await.unwrap();
    assert!(
        traces.len() == 1 && traces[0].contains("Paid"),
        "{traces:?}"
    );
}

#[tokio::test]
async fn what_would_be_refused_is_not_ordered() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    let with = |name: &str, value: &str| {
        let mut new = new("acme.example.com", "tailored");
        new.panel.insert(name.to_owned(), value.into());
        new
    };
    let mut limited = new("acme.example.com", "silver");
    limited.limits = Limits::new().with(LimitName::DiskMb, Limit::AtMost(1));
    let drafts = [
        new("acme.example.com", "none"),
        new("acme.example.com", "twin"),
        new("acme.example.com", "tailored"),
        with("cycle", "x"),
        with("custom", "1618:1=1"),
        with("custom", "nonsense"),
        limited,
    ];
    let mut codes = Vec::new();
    for draft in drafts {
        codes.push(bill.prepare(&draft).await.unwrap_err().code());
    }
    assert_eq!(
        codes,
        [
            "package_unknown",
            "package_unknown",
            "field_refused",
            "field_refused",
            "field_refused",
            "field_refused",
            "limits_refused"
        ]
    );
    assert_eq!(panel.effects(), 0);
}

#[tokio::test]
async fn products_of_one_name_are_told_apart_and_forms_are_filled_in() {
    let panel = supplier().await;
    let bill = driver(&panel, &[("pay_method", "10")]);
    ordered(&*bill, "twin.example.com", "twin (#21)").await;
    let mut tailored = new("own.example.com", "tailored");
    tailored
        .panel
        .insert("custom".into(), "1618:10331=2".into());
    let prepared = bill.prepare(&tailored).await.unwrap();
    assert_eq!(prepared["order"]["custom"]["1618"]["10331"], 2);
    assert_eq!(prepared["order"]["pay_method"], 10);
    bill.place(&tailored, &prepared).await.unwrap();
    assert_eq!(
        panel.hostbill(|bill| bill.ordered("own.example.com")),
        Some(1)
    );
}

#[tokio::test]
async fn upgrades_are_ordered_paid_and_seen() {
    let panel = supplier().await;
    let bill = driver(&panel, &[("resource.traffic_mb", "1557:1024")]);
    let domain = "acme.example.com";
    ordered(&*bill, domain, "silver").await;
    let key = key(domain);
    let gold = "gold".parse().unwrap();
    let order = bill.change_package(&key, &gold).await.unwrap().unwrap();
    assert_eq!(order.goal, Goal::Changed);
    let found = bill.find(&key).await.unwrap().unwrap();
    assert!(
        !bill
            .is_on_package(&found, &gold, &Limits::new())
            .await
            .unwrap(),
        "it is not paid"
    );
    bill.take_step(&order, OrderStep::Pay).await.unwrap();
    assert!(matches!(
        bill.order_state(&order).await.unwrap(),
        OrderState::Done(_)
    ));
    let found = bill.find(&key).await.unwrap().unwrap();
    assert!(
        bill.is_on_package(&found, &gold, &Limits::new())
            .await
            .unwrap()
    );
    let wanted = Limits::new().with(LimitName::TrafficMb, Limit::AtMost(1 << 20));
    let order = bill.set_limits(&key, &wanted).await.unwrap().unwrap();
    bill.take_step(&order, OrderStep::Pay).await.unwrap();
    bill.order_state(&order).await.unwrap();
    let found = bill.find(&key).await.unwrap().unwrap();
    assert!(
        found.limits.missing_of(&wanted).is_empty(),
        "{:?}",
        found.limits
    );
    for (name, amount) in [
        (LimitName::TrafficMb, 1),
        (LimitName::TrafficMb, 2048),
        (LimitName::DiskMb, 1024),
    ] {
        let limits = Limits::new().with(name, Limit::AtMost(amount));
        assert_eq!(
            bill.set_limits(&key, &limits).await.unwrap_err().code(),
            "limit_refused"
        );
    }
}

#[tokio::test]
async fn a_cancellation_is_a_request() {
    let panel = supplier().await;
    panel.hostbill(|bill| bill.set_cancellation(Delay::ByHand));
    let bill = driver(&panel, &[]);
    let domain = "acme.example.com";
    ordered(&*bill, domain, "silver").await;
    let order = bill.terminate(&key(domain)).await.unwrap().unwrap();
    assert!(bill.find(&key(domain)).await.unwrap().is_some());
    let state = bill.order_state(&order).await.unwrap();
    assert!(matches!(
        state,
        OrderState::Waiting {
            code: "awaiting_cancellation",
            ..
        }
    ));
    // Known by its id, it is found whatever its label and domain say.
    let by_id = AccountKey {
        panel_id: Some(order.service.clone()),
        domain: Some("moved.example.com".parse().unwrap()),
        ..key(domain)
    };
    assert!(bill.find(&by_id).await.unwrap().is_some());
    let again = bill.terminate(&key(domain)).await.unwrap_err();
    assert_eq!(again.class(), "rejected");
    panel.hostbill(|bill| bill.approve_all());
    assert!(matches!(
        bill.order_state(&order).await.unwrap(),
        OrderState::Done(_)
    ));
    assert!(bill.find(&key(domain)).await.unwrap().is_none());
    assert_eq!(
        bill.terminate(&key(domain)).await.unwrap(),
        None,
        "there is none"
    );
    // What is not offered is not asked for.
    ordered(&*bill, "other.example.com", "silver").await;
    panel.hostbill(|bill| bill.withdraw("POST /service/@id/cancel"));
    let before = calls(&panel, "POST /service/@/cancel");
    let error = bill.terminate(&key("other.example.com")).await.unwrap_err();
    assert_eq!(error.code(), "not_offered");
    assert_eq!(calls(&panel, "POST /service/@/cancel"), before);
}

#[tokio::test]
async fn machines_are_listed_made_and_driven() {
    let panel = supplier().await;
    let bill = driver(&panel, &[("vm_power", "suspend")]);
    let domain = "cloud.example.com";
    ordered(&*bill, domain, "cloud").await;
    let key = key(domain);
    assert!(bill.machines(&key).await.unwrap().is_empty());
    let machine = NewMachine {
        label: "vm1".into(),
        template: "5".into(),
        flavor: None,
        disk_gb: Some(20),
        password: Some("Pw-9!xK2@mQ7".to_owned().into()),
    };
    bill.create_machine(&key, &machine).await.unwrap();
    let made = bill.machines(&key).await.unwrap().remove(0);
    assert_eq!(
        (made.label.as_deref(), made.power),
        (Some("vm1"), Power::On)
    );
    let after = |action: MachineAction| {
        let (bill, key, id) = (&bill, &key, &made.id);
        async move {
            bill.drive_machine(key, id, &action).await.unwrap();
            bill.machine(key, id).await.unwrap().unwrap().power
        }
    };
    assert_eq!(after(MachineAction::Stop).await, Power::Off);
    assert_eq!(after(MachineAction::Start).await, Power::On);
    assert_eq!(after(MachineAction::Rescue).await, Power::Rescue);
    assert_eq!(after(MachineAction::Unrescue).await, Power::On);
    assert_eq!(after(MachineAction::Reboot).await, Power::On);
    let template = "6".to_owned();
    assert_eq!(after(MachineAction::Rebuild { template }).await, Power::On);
    assert_eq!(bill.machine(&key, "1").await.unwrap(), None);
    bill.suspend(&key, "unpaid").await.unwrap();
    let found = bill.find(&key).await.unwrap().unwrap();
    assert!(matches!(
        found.standing,
        Standing::Suspended { locked: false, .. }
    ));
    bill.unsuspend(&key, None).await.unwrap();
    let found = bill.find(&key).await.unwrap().unwrap();
    assert_eq!(found.standing, Standing::Active);
    // Without the policy, and on a service without machines, nothing is stopped.
    let plain = driver(&panel, &[]);
    assert_eq!(
        plain.suspend(&key, "unpaid").await.unwrap_err().code(),
        "unsupported"
    );
    ordered(&*bill, "web.example.com", "silver").await;
    let web = self::key("web.example.com");
    assert_eq!(bill.machines(&web).await.unwrap_err().code(), "not_offered");
}

#[tokio::test]
async fn services_that_are_not_ours_have_names_too() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    ordered(&*bill, "acme.example.com", "silver").await;
    let other = new("theirs.example.com", "bronze");
    let prepared = bill.prepare(&other).await.unwrap();
    let order = bill.place(&other, &prepared).await.unwrap();
    let listed = bill.list().await.unwrap();
    let names: Vec<&str> = listed.iter().map(|one| one.username.as_str()).collect();
    let theirs = format!("s{}", order.service);
    assert_eq!(names, ["acme", theirs.as_str()]);
    let key = AccountKey {
        username: theirs.parse().unwrap(),
        domain: None,
        panel_id: None,
    };
    let found = bill.find(&key).await.unwrap().unwrap();
    assert_eq!(found.domain, Some("theirs.example.com".parse().unwrap()));
    panel.set_disk_used("u301", 5 << 20);
    panel.add_traffic("u301", "2026-11", 7 << 20);
    let month = hosting::Month::of(&panel.now());
    let report = bill.usage(month).await.unwrap();
    let ours = report
        .accounts
        .iter()
        .find(|one| one.username.as_str() == "acme")
        .unwrap();
    assert_eq!(ours.traffic.map(hosting::Bytes::get), Some(7 << 20));
    assert_eq!(ours.disk.map(hosting::Bytes::get), Some(5 << 20));
    let before = bill.usage(month.previous()).await.unwrap();
    assert!(before.accounts.iter().all(|one| one.traffic.is_none()));
}

#[tokio::test]
async fn money_tickets_contacts_and_zones_are_reached() {
    let panel = supplier().await;
    let bill = driver(&panel, &[]);
    ordered(&*bill, "acme.example.com", "silver").await;
    let supplier = Supplier::new(&settings(&panel, &[])).unwrap();
    assert_eq!(supplier.balance().await.unwrap().credit, "9990.01");
    assert_eq!(supplier.invoices().await.unwrap()[0].status, "Paid");
    let service = supplier.services().await.unwrap().remove(0);
    assert_eq!(
        (service.name.as_str(), service.status.as_str()),
        ("silver", "Active")
    );
    supplier
        .add_zone(&service.id, "acme.example.com")
        .await
        .unwrap();
    let zone = supplier.zones().await.unwrap().remove(0);
    let mut record = ZoneRecord {
        id: String::new(),
        name: "www".into(),
        kind: "A".into(),
        ttl: 3600,
        priority: 0,
        content: vec!["192.0.2.7".into()],
    };
    supplier.add_record(&zone, &record).await.unwrap();
    let kept = supplier.records(&zone).await.unwrap().remove(0);
    record.id.clone_from(&kept.id);
    assert_eq!(kept, record);
    record.content = vec!["192.0.2.8".into()];
    supplier.set_record(&zone, &record).await.unwrap();
    assert_eq!(supplier.records(&zone).await.unwrap(), [record.clone()]);
    supplier.remove_record(&zone, &record.id).await.unwrap();
    assert!(supplier.records(&zone).await.unwrap().is_empty());
    assert_eq!(
        supplier
            .remove_record(&zone, "1/../2")
            .await
            .unwrap_err()
            .code(),
        "field_refused"
    );
    supplier.remove_zone(&zone).await.unwrap();
    assert!(supplier.zones().await.unwrap().is_empty());
    let ticket = supplier
        .open_ticket("1", "Help", "It is slow")
        .await
        .unwrap();
    supplier.answer_ticket(&ticket, "Still slow").await.unwrap();
    supplier.close_ticket(&ticket).await.unwrap();
    assert_eq!(supplier.tickets().await.unwrap()[0].status, "Closed");
    let contact = supplier.contacts().await.unwrap().remove(0);
    assert_eq!(contact.name, "Mary Sue");
    let more = Contact {
        id: String::new(),
        email: "new@example.net".into(),
        name: "New One".into(),
    };
    supplier
        .add_contact(&more, &"Pw-9!xK2@mQ7".to_owned().into())
        .await
        .unwrap();
    for question in Question::ALL {
        assert!(
            !supplier.ask(question).await.unwrap().is_null(),
            "{question}"
        );
    }
    supplier.log_out().await.unwrap();
    assert_eq!(
        (calls(&panel, "POST /revoke"), calls(&panel, "POST /logout")),
        (1, 1)
    );
    let seen = format!("{:?}", panel.requests());
    assert!(!seen.contains("Pw-9!xK2@mQ7") && !seen.contains(panel.secret()));
}
