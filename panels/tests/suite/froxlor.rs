//! Froxlor's exchanges, as they were recorded.

use hosting::{Limit, LimitName, Limits};
use panels::http::Effect;

use super::{Expect, Route, Scenario, Subject, Suite, Verb};
use crate::support::Canned;

/// A recorded exchange: its answer, in one line.
macro_rules! recorded {
    ($name:literal) => {
        canned(include_str!(concat!(
            "../../src/drivers/froxlor/fixtures/",
            $name
        )))
    };
}

fn canned(exchange: &str) -> Canned {
    let (head, body) = exchange.split_once("\n\n").unwrap();
    let mut answer = head.lines().filter_map(|line| line.strip_prefix("< "));
    let status = answer.next().unwrap().split(' ').next().unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let mut canned = Canned::new(
        status.parse().unwrap(),
        "application/json",
        body.to_string(),
    );
    for (name, value) in answer.filter_map(|line| line.split_once(": ")) {
        canned = canned.with(name, value);
    }
    canned
}

fn read(call: &'static str, answer: Canned) -> Route {
    let effect = Effect::Read;
    Route {
        call,
        effect,
        answer,
    }
}

fn change(call: &'static str, answer: Canned) -> Route {
    let effect = Effect::Change;
    Route {
        call,
        effect,
        answer,
    }
}

fn json(body: &str) -> Canned {
    Canned::json(body)
}

/// Before its first change a driver asks something harmless, to hear which generation it talks to.
fn hello() -> Route {
    read("Customers.listingCount", json("{\"data\":3}"))
}

fn listing_of_one() -> Route {
    let one = recorded!("046-customer-add-explicit.txt");
    let body: serde_json::Value = serde_json::from_slice(&one.body).unwrap();
    let page = serde_json::json!({"data": {"count": 1, "list": [body["data"]]}});
    read("Customers.listing", json(&page.to_string()))
}

pub(crate) fn suite() -> Suite {
    Suite {
        driver: "froxlor",
        options: &[],
        subject: Subject {
            username: "acme",
            domain: "acme.example.com",
            package: "Unlimited",
            marker: "H1-7",
            target: "2",
            address: "192.0.2.21",
            month: "2026-11",
            limits: Limits::new().with(LimitName::DiskMb, Limit::AtMost(2048)),
        },
        scenarios: [reads(), changes(), creates(), listings()]
            .into_iter()
            .flatten()
            .collect(),
    }
}

fn find(answer: Canned) -> Vec<Route> {
    let empty = || json("{\"data\":{\"count\":0,\"list\":[]}}");
    let users = "{\"data\":{\"count\":1,\"list\":[{\"username\":\"acme\"}]}}";
    vec![
        read("Customers.get", answer),
        read("Domains.listing", empty()),
        read("Ftps.listing", json(users)),
        listing_of_one(),
    ]
}

fn case(name: &'static str, verb: Verb, routes: Vec<Route>, expect: Expect) -> Scenario {
    Scenario {
        name,
        verb,
        routes,
        expect,
    }
}

fn reads() -> Vec<Scenario> {
    let suspended = Expect::Suspended {
        ours: None,
        locked: false,
    };
    let forbidden = Expect::Refused("auth", "panel_auth");
    vec![
        case(
            "find_absent",
            Verb::Find,
            find(recorded!("083-customer-get-not-found-loginname.txt")),
            Expect::Absent,
        ),
        case(
            "find_present",
            Verb::Find,
            find(recorded!("076-customer-get-by-loginname.txt")),
            Expect::Active,
        ),
        case(
            "find_suspended",
            Verb::Find,
            find(recorded!("164-update-suspend.txt")),
            suspended,
        ),
        case(
            "find_forbidden",
            Verb::Find,
            find(recorded!("003-wrong-key.txt")),
            forbidden,
        ),
        case(
            "login_url",
            Verb::LoginUrl,
            vec![read(
                "Froxlor.generateLoginLink",
                recorded!("174-login-link.txt"),
            )],
            Expect::Done,
        ),
    ]
}

fn changes() -> Vec<Scenario> {
    let update = |answer| {
        vec![
            hello(),
            change("Customers.update", answer),
            read(
                "Customers.get",
                recorded!("076-customer-get-by-loginname.txt"),
            ),
        ]
    };
    let suspend = || update(recorded!("164-update-suspend.txt"));
    let gone = Expect::Refused("rejected", "no_such_account");
    vec![
        case("suspend", Verb::Suspend, suspend(), Expect::Done),
        case(
            "suspend_absent",
            Verb::Suspend,
            update(recorded!("193-update-not-found.txt")),
            gone,
        ),
        case(
            "unsuspend",
            Verb::Unsuspend,
            update(recorded!("168-update-unsuspend.txt")),
            Expect::Done,
        ),
        case(
            "change_limits",
            Verb::SetLimits,
            update(recorded!("177-update-diskspace.txt")),
            Expect::Done,
        ),
        case(
            "change_password",
            Verb::ChangePassword,
            update(recorded!("189-update-password.txt")),
            Expect::Done,
        ),
    ]
}

/// The numbers of the plan `Unlimited` come from its listing.
fn plans() -> Vec<Route> {
    vec![
        hello(),
        read("HostingPlans.listing", recorded!("036-plan-listing.txt")),
        read("PhpSettings.listing", php()),
    ]
}

/// Our customer with the numbers of that plan, which was recorded with another.
fn on_unlimited() -> Canned {
    let mut canned = recorded!("069-customer-add-with-unlimited-plan.txt");
    let mut body: serde_json::Value = serde_json::from_slice(&canned.body).unwrap();
    body["data"]["loginname"] = "acme".into();
    canned.body = body.to_string().into_bytes();
    canned
}

fn php() -> Canned {
    json("{\"data\":{\"count\":1,\"list\":[{\"id\":1,\"description\":\"System default\"}]}}")
}

fn with(mut routes: Vec<Route>, more: Vec<Route>) -> Vec<Route> {
    routes.extend(more);
    routes
}

fn creates() -> Vec<Scenario> {
    let absent = || {
        read(
            "Customers.get",
            recorded!("083-customer-get-not-found-loginname.txt"),
        )
    };
    let present = || {
        read(
            "Customers.get",
            recorded!("076-customer-get-by-loginname.txt"),
        )
    };
    let add = |answer, look| {
        with(
            plans(),
            vec![change("Customers.add", answer), look, listing_of_one()],
        )
    };
    let exists = Expect::Refused("rejected", "account_exists");
    vec![
        case(
            "create_ok",
            Verb::Create,
            add(recorded!("046-customer-add-explicit.txt"), absent()),
            Expect::Done,
        ),
        case(
            "create_exists",
            Verb::Create,
            add(recorded!("047-customer-add-explicit-again.txt"), present()),
            exists,
        ),
        case(
            "terminate",
            Verb::Terminate,
            vec![
                hello(),
                change("Customers.delete", recorded!("164-update-suspend.txt")),
            ],
            Expect::Done,
        ),
        case(
            "terminate_absent",
            Verb::Terminate,
            vec![
                hello(),
                change("Customers.delete", recorded!("225-delete-again.txt")),
            ],
            Expect::Done,
        ),
        case(
            "change_package",
            Verb::ChangePackage,
            with(
                plans(),
                vec![present(), change("Customers.update", on_unlimited())],
            ),
            Expect::Done,
        ),
    ]
}

fn listings() -> Vec<Scenario> {
    let domains = || {
        read(
            "Domains.listing",
            json("{\"data\":{\"count\":0,\"list\":[]}}"),
        )
    };
    let traffic = || {
        read(
            "Traffic.listing",
            recorded!("202-traffic-listing-one-customer.txt"),
        )
    };
    let present = || {
        read(
            "Customers.get",
            recorded!("076-customer-get-by-loginname.txt"),
        )
    };
    vec![
        case(
            "list",
            Verb::List,
            vec![listing_of_one(), domains()],
            Expect::Done,
        ),
        case(
            "usage",
            Verb::Usage,
            vec![traffic(), listing_of_one(), present()],
            Expect::Done,
        ),
        case(
            "usage_of",
            Verb::UsageOf,
            vec![traffic(), present(), listing_of_one()],
            Expect::Done,
        ),
        case(
            "check",
            Verb::Check,
            vec![
                hello(),
                read("Admins.listingCount", json("{\"data\":1}")),
                read(
                    "Froxlor.listFunctions",
                    recorded!("022-list-functions-module.txt"),
                ),
                read("PhpSettings.listing", php()),
            ],
            Expect::Done,
        ),
        case(
            "server_config",
            Verb::ServerConfig,
            plans()[1..].to_vec(),
            Expect::Done,
        ),
    ]
}
