//! HostBill's exchanges, by its published API. With basic authentication, so that each call is one request; logging
//! in has tests of its own.

use hosting::{Limit, LimitName, Limits};
use panels::http::Effect;
use serde_json::{Value, json};

use super::{Expect, Route, Scenario, Subject, Suite, Verb};
use crate::support::Canned;

fn read(call: &'static str, answer: &Value) -> Route {
    Route {
        call,
        effect: Effect::Read,
        answer: Canned::json(answer.to_string()),
    }
}

/// With the headers of a PHP session, as they come with every answer there.
fn change(call: &'static str, answer: &Value) -> Route {
    let answer = Canned::json(answer.to_string())
        .with("Server", "nginx")
        .with(
            "Set-Cookie",
            "hostbill_session=8f1c0d2ab7; path=/; secure; HttpOnly; SameSite=Lax",
        )
        .with("Expires", "Thu, 19 Nov 1981 08:52:00 GMT")
        .with("Cache-Control", "no-store, no-cache, must-revalidate")
        .with("Pragma", "no-cache")
        .with("X-Frame-Options", "SAMEORIGIN");
    Route {
        call,
        effect: Effect::Change,
        answer,
    }
}

pub(crate) fn suite() -> Suite {
    Suite {
        driver: "hostbill",
        options: &[
            ("auth", "basic"),
            ("vm_power", "suspend"),
            ("resource.traffic_mb", "1557:1024"),
        ],
        subject: Subject {
            username: "acme",
            domain: "acme.example.com",
            package: "Gold hosting",
            marker: "H1-7",
            target: "2",
            address: "192.0.2.21",
            month: "2026-11",
            limits: Limits::new().with(LimitName::TrafficMb, Limit::AtMost(500 * 1024)),
        },
        scenarios: [looks(), orders(), changes(), listings()]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn case(name: &'static str, verb: Verb, routes: Vec<Route>, expect: Expect) -> Scenario {
    Scenario {
        name,
        verb,
        routes,
        expect,
    }
}

fn row(domain: &str, status: &str) -> Value {
    json!({
        "id": "301", "domain": domain, "total": "19.99", "status": status,
        "billingcycle": "Monthly", "next_due": "2026-12-26", "category": "Hosting",
        "category_url": "hosting", "name": "Gold hosting",
    })
}

fn services(domain: &str, status: &str) -> Route {
    read("service", &json!({"services": [row(domain, status)]}))
}

fn service(status: &str) -> Route {
    let mut whole = row("acme.example.com", status);
    whole["date_created"] = json!("2026-11-22");
    whole["firstpayment"] = json!("19.99");
    whole["next_invoice"] = json!("2026-12-19");
    whole["label"] = json!("H1-7 acme");
    whole["username"] = json!("u301");
    whole["password"] = json!("ZWQ3q9ZxYb");
    read("301", &json!({"service": whole}))
}

fn methods() -> Route {
    let offered = [
        ("GET", "/service/@id/upgrade"),
        ("POST", "/service/@id/upgrade"),
        ("POST", "/service/@id/cancel"),
        ("GET", "/service/@id/resources"),
        ("GET", "/service/@id/vms"),
        ("POST", "/service/@id/vms/@vmid/stop"),
        ("POST", "/service/@id/vms/@vmid/start"),
    ];
    let offered =
        offered.map(|(method, route)| json!({"name": "a route", "method": method, "route": route}));
    read("methods", &json!({"methods": offered}))
}

fn machines(status: &str) -> Route {
    let machine = json!({"id": "77", "label": "vm1", "status": status, "ip": "192.0.2.44"});
    read("vms", &json!({"vms": [machine]}))
}

fn upgrades() -> Route {
    let item = |id: &str, name: &str, selected: bool| json!({"id": id, "name": name, "price": 5, "setup_price": 0, "selected": selected});
    read(
        "upgrade",
        &json!({
            "resources": [{"id": 1557, "name": "Bandwidth", "type": "select", "items": [
                item("9953", "100 GB", true), item("10103", "500 GB", false), item("10104", "1 TB", false),
            ]}],
            "package": [{"id": "13", "name": "Gold hosting", "price": "19.99"}],
        }),
    )
}

/// What a look at an active service asks, in this order.
fn look(standing: &str, power: &str) -> Vec<Route> {
    vec![
        services("acme.example.com", standing),
        service(standing),
        methods(),
        upgrades(),
        machines(power),
    ]
}

fn looks() -> Vec<Scenario> {
    let forbidden = Route {
        answer: Canned::new(403, "application/json", r#"{"error":["No access"]}"#),
        ..services("acme.example.com", "Active")
    };
    let ours = Expect::Suspended {
        ours: None,
        locked: false,
    };
    let theirs = Expect::Suspended {
        ours: Some(false),
        locked: true,
    };
    vec![
        case(
            "find_absent",
            Verb::Find,
            vec![services("other.example.com", "Active")],
            Expect::Absent,
        ),
        case(
            "find_present",
            Verb::Find,
            look("Active", "running"),
            Expect::Active,
        ),
        case(
            "find_pending",
            Verb::Find,
            look("Pending", "running"),
            Expect::Active,
        ),
        case(
            "find_suspended",
            Verb::Find,
            look("Active", "stopped"),
            ours,
        ),
        case(
            "find_suspended_by_them",
            Verb::Find,
            look("Suspended", "running"),
            theirs,
        ),
        case(
            "find_cancelled",
            Verb::Find,
            vec![services("acme.example.com", "Cancelled")],
            Expect::Absent,
        ),
        case(
            "find_forbidden",
            Verb::Find,
            vec![forbidden],
            Expect::Refused("auth", "panel_auth"),
        ),
        case(
            "domain_owner",
            Verb::DomainOwner,
            look("Active", "running"),
            Expect::Done,
        ),
    ]
}

fn catalogue() -> Vec<Route> {
    let product = json!({
        "id": "13", "type": "1", "name": "Gold hosting", "stock": "0", "paytype": "Regular",
        "periods": [{"title": "m", "value": "m", "price": 19.99, "setup": 0, "selected": true}],
    });
    vec![
        read(
            "category",
            &json!({"categories": [{"id": "1", "name": "Hosting", "slug": "hosting"}]}),
        ),
        read("product", &json!({"products": [product]})),
    ]
}

fn ordering(quote: &Value, there: &str) -> Vec<Route> {
    let form = json!({"product": {
        "id": "13", "name": "Gold hosting", "config": {
            "product": [
                {"type": "select", "id": "cycle", "items": [
                    {"title": "19.99 m", "value": "m", "selected": true},
                ]},
                {"type": "input", "id": "domain"},
            ],
            "forms": [], "addons": [], "subproducts": [],
        },
    }});
    let mut routes = catalogue();
    routes.extend([
        read("13", &form),
        read(
            "payment",
            &json!({"payments": {"9": "PayPal", "10": "BankTransfer"}}),
        ),
        read("quote", quote),
        services(there, "Active"),
        service("Active"),
    ]);
    routes
}

fn orders() -> Vec<Scenario> {
    let good = json!({"summary": {"total": "19.99"}, "items": [
        {"product": "Gold hosting", "index": 0, "valid": true, "info": [], "error": []},
    ]});
    let bad = json!({"summary": {"total": "0.00"}, "items": [
        {"product": "Gold hosting", "index": 0, "valid": false, "info": [], "error": ["The domain is wrong"]},
    ]});
    let placed = json!({
        "order_num": 873_340_995, "invoice_id": "308979", "total": "19.99",
        "items": {"id": "301", "type": "Hosting", "name": "", "product_id": "13"},
    });
    let refused = json!({"error": ["You have reached the limit of this product"]});
    let of = |name, quote: &Value, there, answer: Option<&Value>, expect| {
        let mut routes = ordering(quote, there);
        routes.extend(answer.map(|answer| change("13", answer)));
        case(name, Verb::Create, routes, expect)
    };
    let by = |code| Expect::Refused("rejected", code);
    vec![
        of(
            "create_ok",
            &good,
            "other.example.com",
            Some(&placed),
            Expect::Done,
        ),
        // Of these two nothing is ordered.
        of(
            "create_exists",
            &good,
            "acme.example.com",
            None,
            by("account_exists"),
        ),
        of(
            "create_not_valid",
            &bad,
            "other.example.com",
            None,
            by("order_refused"),
        ),
        of(
            "create_refused",
            &good,
            "other.example.com",
            Some(&refused),
            by("panel_refused"),
        ),
    ]
}

fn changes() -> Vec<Scenario> {
    let found = || {
        vec![
            services("acme.example.com", "Active"),
            service("Active"),
            methods(),
        ]
    };
    let with = |more: Vec<Route>| {
        let mut routes = found();
        routes.extend(more);
        routes
    };
    let done = json!({"status": true});
    let upgraded = json!({
        "success": true, "order_num": 874_000_001, "invoice_id": "308980", "total": "19.99",
        "info": ["Your upgrade order was placed, and its invoice has been sent to your mailbox"],
    });
    let received = json!({"info": [
        "Your cancellation request was received, and will be processed by our staff as soon as possible",
    ]});
    vec![
        case(
            "suspend",
            Verb::Suspend,
            with(vec![machines("running"), change("stop", &done)]),
            Expect::Done,
        ),
        case(
            "unsuspend",
            Verb::Unsuspend,
            with(vec![machines("stopped"), change("start", &done)]),
            Expect::Done,
        ),
        case(
            "terminate",
            Verb::Terminate,
            with(vec![change("cancel", &received)]),
            Expect::Done,
        ),
        case(
            "terminate_absent",
            Verb::Terminate,
            vec![services("acme.example.com", "Cancelled")],
            Expect::Done,
        ),
        case(
            "terminate_again",
            Verb::Terminate,
            with(vec![change(
                "cancel",
                &json!({"error": ["Request was sent already"]}),
            )]),
            Expect::Refused("rejected", "panel_refused"),
        ),
        case(
            "change_package",
            Verb::ChangePackage,
            with(vec![upgrades(), change("upgrade", &upgraded)]),
            Expect::Done,
        ),
        case(
            "change_limits",
            Verb::SetLimits,
            with(vec![upgrades(), change("upgrade", &upgraded)]),
            Expect::Done,
        ),
    ]
}

fn listings() -> Vec<Scenario> {
    let resources = json!({"resources": [
        {"name": "Bandwidth", "used": "12.5 GB", "available": "100 GB"},
        {"name": "Disk space", "used": "1.5 GB", "available": "10 GB"},
    ]});
    let usage = || {
        vec![
            services("acme.example.com", "Active"),
            service("Active"),
            methods(),
            read("resources", &resources),
        ]
    };
    let client = json!({"client": {"id": "7", "email": "client@example.net", "firstname": "Jo"}});
    let balance = json!({"success": true, "details": {
        "currency": "USD", "acc_balance": "123.55", "acc_credit": "10.00",
    }});
    vec![
        case(
            "list",
            Verb::List,
            vec![services("acme.example.com", "Active"), service("Active")],
            Expect::Done,
        ),
        case("usage", Verb::Usage, usage(), Expect::Done),
        case("usage_of", Verb::UsageOf, usage(), Expect::Done),
        case(
            "check",
            Verb::Check,
            vec![read("details", &client), read("balance", &balance)],
            Expect::Done,
        ),
        case(
            "server_config",
            Verb::ServerConfig,
            catalogue(),
            Expect::Done,
        ),
    ]
}
