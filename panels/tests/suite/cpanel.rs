//! cPanel & WHM's exchanges.

use hosting::{Limit, LimitName, Limits};
use panels::http::Effect;

use super::{Expect, Route, Scenario, Subject, Suite, Verb};
use crate::support::Canned;

/// A fixture as the panel would send it.
macro_rules! golden {
    ($name:literal) => {
        Canned::json(include_str!(concat!("../../src/drivers/cpanel/fixtures/", $name)).trim_end())
            .with("Date", "Sun, 22 Nov 2026 01:00:00 GMT")
    };
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

fn case(name: &'static str, verb: Verb, routes: Vec<Route>, expect: Expect) -> Scenario {
    Scenario {
        name,
        verb,
        routes,
        expect,
    }
}

fn rejected(code: &'static str) -> Expect {
    Expect::Refused("rejected", code)
}

pub(crate) fn suite() -> Suite {
    let scenarios = [reads(), creates(), changes(), listings()];
    Suite {
        driver: "cpanel",
        options: &[],
        subject: Subject {
            username: "acme1",
            domain: "acme.example",
            package: "gold",
            marker: "H1-7",
            target: "alphahost",
            address: "192.0.2.21",
            month: "2026-11",
            limits: Limits::new()
                .with(LimitName::DiskMb, Limit::AtMost(3000))
                .with(LimitName::TrafficMb, Limit::AtMost(99_999))
                .with(LimitName::EmailAccounts, Limit::AtMost(60))
                .with(LimitName::Domains, Limit::AtMost(0)),
        },
        scenarios: scenarios.into_iter().flatten().collect(),
    }
}

fn reads() -> Vec<Scenario> {
    let summary = |answer| vec![read("accountsummary", answer)];
    let ours = Expect::Suspended {
        ours: Some(true),
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
            summary(golden!("accountsummary-absent.json")),
            Expect::Absent,
        ),
        case(
            "find_present",
            Verb::Find,
            summary(golden!("accountsummary.json")),
            Expect::Active,
        ),
        case(
            "find_suspended",
            Verb::Find,
            summary(golden!("accountsummary-suspended.json")),
            ours,
        ),
        case(
            "find_suspended_by_others",
            Verb::Find,
            summary(golden!("accountsummary-suspended-abuse.json")),
            theirs,
        ),
        case(
            "find_forbidden",
            Verb::Find,
            summary(golden!("forbidden.json").status(403)),
            Expect::Refused("auth", "panel_auth"),
        ),
        case(
            "find_of_another_api",
            Verb::Find,
            summary(golden!("forbidden.json")),
            Expect::Refused("auth", "panel_auth"),
        ),
        case(
            "find_in_api_0",
            Verb::Find,
            summary(golden!("api-0.json")),
            Expect::Refused("auth", "panel_auth"),
        ),
        case(
            "find_login_page",
            Verb::Find,
            summary(golden!("login-page.html")),
            Expect::Refused("auth", "panel_auth"),
        ),
        case(
            "domain_owner",
            Verb::DomainOwner,
            vec![read("getdomainowner", golden!("getdomainowner.json"))],
            Expect::Done,
        ),
        case(
            "domain_owner_nobody",
            Verb::DomainOwner,
            vec![read(
                "getdomainowner",
                golden!("getdomainowner-nobody.json"),
            )],
            Expect::Done,
        ),
        case(
            "login_url",
            Verb::LoginUrl,
            vec![read(
                "create_user_session",
                golden!("create_user_session.json"),
            )],
            Expect::Done,
        ),
    ]
}

fn creates() -> Vec<Scenario> {
    let one = |name, answer, expect| {
        case(
            name,
            Verb::Create,
            vec![change("createacct", answer)],
            expect,
        )
    };
    vec![
        one("create_ok", golden!("createacct.json"), Expect::Done),
        one(
            "create_exists",
            golden!("createacct-exists.json"),
            rejected("account_exists"),
        ),
        one(
            "create_exists_old_text",
            golden!("createacct-exists-old.json"),
            rejected("account_exists"),
        ),
        one(
            "create_group_exists",
            golden!("createacct-group.json"),
            rejected("group_exists"),
        ),
        one(
            "create_package_unknown",
            golden!("createacct-package.json"),
            rejected("package_unknown"),
        ),
        one(
            "create_password_weak",
            golden!("createacct-weak.json"),
            rejected("password_weak"),
        ),
        one(
            "create_domain_taken",
            golden!("createacct-dns.json"),
            rejected("domain_taken"),
        ),
        one(
            "create_reason_in_data",
            golden!("createacct-reason-in-data.json"),
            rejected("reseller_limit"),
        ),
        one(
            "create_echoes_password",
            golden!("createacct-echo.json"),
            rejected("refused"),
        ),
        one(
            "create_busy",
            golden!("createacct-busy.json"),
            Expect::Refused("in_doubt", "panel_in_doubt"),
        ),
        one(
            "create_not_allowed",
            golden!("permission.json"),
            Expect::Refused("auth", "panel_auth"),
        ),
        one(
            "create_in_api_0",
            golden!("api-0.json"),
            Expect::Refused("in_doubt", "panel_in_doubt"),
        ),
    ]
}

fn changes() -> Vec<Scenario> {
    let one =
        |name, verb, call, answer, expect| case(name, verb, vec![change(call, answer)], expect);
    let moved = || read("accountsummary", golden!("accountsummary-moved.json"));
    let unmoved = || read("accountsummary", golden!("accountsummary.json"));
    vec![
        one(
            "suspend",
            Verb::Suspend,
            "suspendacct",
            golden!("suspendacct.json"),
            Expect::Done,
        ),
        one(
            "suspend_absent",
            Verb::Suspend,
            "suspendacct",
            golden!("suspendacct-absent.json"),
            rejected("no_such_account"),
        ),
        one(
            "unsuspend",
            Verb::Unsuspend,
            "unsuspendacct",
            golden!("unsuspendacct.json"),
            Expect::Done,
        ),
        one(
            "unsuspend_locked",
            Verb::Unsuspend,
            "unsuspendacct",
            golden!("unsuspendacct-locked.json"),
            rejected("locked"),
        ),
        one(
            "terminate",
            Verb::Terminate,
            "removeacct",
            golden!("removeacct.json"),
            Expect::Done,
        ),
        case(
            "terminate_absent",
            Verb::Terminate,
            vec![
                change("removeacct", golden!("removeacct-absent.json")),
                read("accountsummary", golden!("accountsummary-absent.json")),
            ],
            Expect::Done,
        ),
        case(
            "terminate_of_a_user_without_account_that_is_listed",
            Verb::Terminate,
            vec![
                change("removeacct", golden!("removeacct-absent.json")),
                unmoved(),
            ],
            rejected("not_ours"),
        ),
        one(
            "change_package",
            Verb::ChangePackage,
            "changepackage",
            golden!("changepackage.json"),
            Expect::Done,
        ),
        one(
            "change_package_unknown",
            Verb::ChangePackage,
            "changepackage",
            golden!("changepackage-unknown.json"),
            rejected("package_unknown"),
        ),
        one(
            "change_password",
            Verb::ChangePassword,
            "passwd",
            golden!("passwd.json"),
            Expect::Done,
        ),
        one(
            "change_password_suspended",
            Verb::ChangePassword,
            "passwd",
            golden!("passwd-suspended.json"),
            rejected("suspended"),
        ),
        case(
            "move",
            Verb::MoveTo,
            vec![change("modifyacct", golden!("modifyacct.json")), moved()],
            Expect::Done,
        ),
        case(
            "move_refused_by_warning",
            Verb::MoveTo,
            vec![
                change("modifyacct", golden!("modifyacct-warning.json")),
                unmoved(),
            ],
            rejected("owner_not_applied"),
        ),
        case(
            "assign_address",
            Verb::AssignAddress,
            vec![change("setsiteip", golden!("setsiteip.json")), moved()],
            Expect::Done,
        ),
        case(
            "assign_address_lost",
            Verb::AssignAddress,
            vec![change("setsiteip", golden!("setsiteip.json")), unmoved()],
            rejected("address_not_applied"),
        ),
        limits(
            "change_limits",
            golden!("accountsummary-limits.json"),
            Expect::Done,
        ),
        limits(
            "change_limits_without_effect",
            golden!("accountsummary.json"),
            rejected("limit_not_applied"),
        ),
        case(
            "change_limits_absent",
            Verb::SetLimits,
            vec![read(
                "accountsummary",
                golden!("accountsummary-absent.json"),
            )],
            rejected("no_such_account"),
        ),
    ]
}

fn limits(name: &'static str, after: Canned, expect: Expect) -> Scenario {
    let routes = vec![
        read("accountsummary", golden!("accountsummary.json")),
        change("editquota", golden!("editquota.json")),
        change("limitbw", golden!("limitbw.json")),
        change("modifyacct", golden!("modifyacct.json")),
        read("accountsummary", after),
        read("showbw", golden!("showbw-one.json")),
    ];
    case(name, Verb::SetLimits, routes, expect)
}

fn listings() -> Vec<Scenario> {
    let check = |privileges| {
        vec![
            read("version", golden!("version.json")),
            read("myprivs", privileges),
            read(
                "getminimumpasswordstrengths",
                golden!("getminimumpasswordstrengths.json"),
            ),
            read("get_maximum_users", golden!("get_maximum_users.json")),
            read(
                "get_current_users_count",
                golden!("get_current_users_count.json"),
            ),
        ]
    };
    let showbw = || read("showbw", golden!("showbw.json"));
    vec![
        case(
            "check",
            Verb::Check,
            check(golden!("myprivs.json")),
            Expect::Done,
        ),
        case(
            "check_reseller",
            Verb::Check,
            check(golden!("myprivs-reseller.json")),
            Expect::Done,
        ),
        case(
            "server_config",
            Verb::ServerConfig,
            vec![
                read("listpkgs", golden!("listpkgs.json")),
                read("listips", golden!("listips.json")),
            ],
            Expect::Done,
        ),
        case(
            "list",
            Verb::List,
            vec![read("listaccts", golden!("listaccts.json"))],
            Expect::Done,
        ),
        case(
            "usage",
            Verb::Usage,
            vec![
                showbw(),
                read("get_disk_usage", golden!("get_disk_usage.json")),
            ],
            Expect::Done,
        ),
        case(
            "usage_without_disk",
            Verb::Usage,
            vec![
                showbw(),
                read("get_disk_usage", golden!("get_disk_usage-unknown.json")),
            ],
            Expect::Done,
        ),
        case(
            "usage_of_another_month",
            Verb::Usage,
            vec![read("showbw", golden!("showbw-other-month.json"))],
            Expect::Refused("transient", "panel_unreachable"),
        ),
        case(
            "usage_of",
            Verb::UsageOf,
            vec![
                read("showbw", golden!("showbw-one.json")),
                read("accountsummary", golden!("accountsummary.json")),
            ],
            Expect::Done,
        ),
    ]
}
