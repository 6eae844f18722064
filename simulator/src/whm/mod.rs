//! The face of cPanel & WHM: WHM API 1 on `/json-api/FUNCTION`, and the API 0 envelope for calls without
//! `api.version=1`. Behaviour and wording follow cPanel's published specification and recorded answers.

mod access;
mod account;
mod accounts;
mod bandwidth;
mod controls;
mod create;
mod envelope;
mod functions;
mod ips;
mod limits;
mod listing;
mod packages;
mod resellers;
mod rules;
mod settings;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Months, NaiveDate};
use serde_json::Value;

pub use access::Token;
pub use packages::Package;
pub use settings::TakenWording;

use crate::account::{SimAccount, SimTraffic};
use crate::chance::{Chance, seeded_account};
use crate::clock::PanelClock;
use crate::http::{Request, Response};
use crate::options::{Growth, Options};
use crate::panel::{Call, Context};
use crate::traffic::TrafficBook;

use access::Caller;
use account::Account;
use envelope::{Params, Reply};
use settings::Settings;

/// The state of a simulated WHM server.
#[derive(Clone, Debug)]
pub struct Whm {
    host_name: String,
    accounts: BTreeMap<String, Account>,
    /// Accounts that were removed, for the bandwidth that is still listed.
    gone: Vec<Account>,
    packages: BTreeMap<String, Package>,
    tokens: Vec<Token>,
    main_ip: String,
    dedicated_ips: Vec<String>,
    /// DNS zones without an account, left by `removeacct keepdns=1`.
    zones: BTreeSet<String>,
    /// Unix groups without an account, left by creates that broke off.
    groups: BTreeSet<String>,
    resellers: BTreeSet<String>,
    traffic: TrafficBook,
    hidden: BTreeSet<String>,
    settings: Settings,
    last_serial: u64,
    failed_logins: u32,
    sessions: u64,
}

impl Whm {
    pub(crate) fn new(options: &Options, clock: &PanelClock) -> Self {
        let mut chance = Chance::for_name(options.seed, "whm token");
        let token = chance.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", 32);
        let mut whm = Whm {
            host_name: options.host_name.clone(),
            accounts: BTreeMap::new(),
            gone: Vec::new(),
            packages: packages::at_the_start(),
            tokens: vec![Token::root(&token)],
            main_ip: "192.0.2.10".to_owned(),
            dedicated_ips: (1..=options.free_ips.min(250))
                .map(|n| format!("198.51.100.{n}"))
                .collect(),
            zones: BTreeSet::new(),
            groups: BTreeSet::new(),
            resellers: BTreeSet::new(),
            traffic: TrafficBook::default(),
            hidden: BTreeSet::new(),
            settings: Settings::default(),
            last_serial: 0,
            failed_logins: 0,
            sessions: 0,
        };
        for index in 0..options.accounts {
            whm.seed_account(options, clock, index);
        }
        whm
    }

    fn seed_account(&mut self, options: &Options, clock: &PanelClock, index: u32) {
        let (user, domain) = seeded_account(options.seed, index);
        let mut chance = Chance::for_name(options.seed, &user);
        let plan = chance
            .pick(&["bronze", "silver", "gold"])
            .copied()
            .unwrap_or("bronze");
        let now_ms = clock.now_ms();
        let age_ms = i64::try_from(chance.between(100, 900)).unwrap_or(100) * 86_400_000;
        let mut account = self.new_account(&user, &domain, plan, now_ms - age_ms);
        account.email = format!("owner@{domain}");
        account.disk_used_kib = chance.between(2_000, 900_000);
        if options.growth == Growth::Daily {
            let today = clock.local(now_ms).date_naive();
            self.traffic
                .grow_from(&account.incarnation, before_last_month(today));
        }
        self.accounts.insert(user, account);
    }

    pub(crate) fn identify(&self, request: &Request) -> Call {
        let params = Params::of(request);
        let name = function_name(request).unwrap_or_default().to_owned();
        let function = functions::find(&name);
        let named = params.get("user").or_else(|| params.get("username"));
        let by_domain = params
            .get("domain")
            .and_then(|domain| self.owner_of(domain));
        Call {
            username: named.map(str::to_ascii_lowercase).or(by_domain),
            changes: function.is_some_and(|function| function.changes),
            params: params.to_value(),
            had_authorization: request.header("authorization").is_some(),
            cost_ms: function.map_or((1, 20), |function| function.cost_ms),
            two_steps: false,
            name,
        }
    }

    pub(crate) fn respond(&mut self, request: &Request, context: &mut Context<'_>) -> Response {
        let Some(name) = function_name(request) else {
            return self.page(request);
        };
        let caller = match self.authenticate(request, context) {
            Ok(caller) => caller,
            Err(refused) => return refused,
        };
        let params = Params::of(request);
        let reply = self.call(name, &caller, &params, context);
        let reply = controls::apply(reply, &params);
        envelope::respond(name, reply, &params, self.settings.numbers_as_strings)
    }

    fn call(
        &mut self,
        name: &str,
        caller: &Caller,
        params: &Params,
        context: &mut Context<'_>,
    ) -> Reply {
        let Some(function) = functions::find(name) else {
            return Reply::failed(format!(
                "Unknown app requested for this version of the API: “{name}”"
            ));
        };
        if !caller.may(function.acl) {
            return Reply::failed(format!(
                "Access denied. You do not have permission to use “{name}” (it needs the privilege “{}”).",
                function.acl
            ));
        }
        (function.run)(self, caller, params, context)
    }

    /// Where no function is called: cpsrvd shows its login page, with status 200.
    fn page(&self, request: &Request) -> Response {
        if request.path.starts_with("/json-api") {
            return self.refusal(403);
        }
        crate::panel::login_page("WHM Login")
    }

    /// Takes or gives back the group of an account that is being made.
    pub(crate) fn reserve_group(&mut self, name: &str, taken: bool) {
        if taken && !self.accounts.contains_key(name) {
            self.groups.insert(name.to_owned());
        } else if !taken {
            self.groups.remove(name);
        }
    }

    fn next_serial(&mut self) -> u64 {
        self.last_serial += 1;
        self.last_serial
    }

    pub(crate) fn accounts(&self) -> Vec<SimAccount> {
        self.accounts.values().map(Account::view).collect()
    }

    pub(crate) fn all_traffic(&self) -> Vec<SimTraffic> {
        let living = self.accounts.values().map(|account| (account, false));
        let gone = self.gone.iter().map(|account| (account, true));
        living
            .chain(gone)
            .flat_map(|(account, deleted)| {
                let months = self.traffic.months(&account.incarnation).into_iter();
                months.map(move |month| SimTraffic {
                    username: account.user.clone(),
                    incarnation: account.incarnation.clone(),
                    bytes: self.traffic.month_total(&account.incarnation, &month),
                    month,
                    deleted,
                })
            })
            .collect()
    }

    pub(crate) fn add_traffic(&mut self, username: &str, day: NaiveDate, bytes: u64) -> bool {
        let Some(account) = self.accounts.get(&username.to_ascii_lowercase()) else {
            return false;
        };
        self.traffic.add(&account.incarnation, day, bytes);
        true
    }

    pub(crate) fn clear_traffic(&mut self, username: &str, month: &str) -> bool {
        let Some(account) = self.accounts.get(&username.to_ascii_lowercase()) else {
            return false;
        };
        self.traffic.clear_month(&account.incarnation, month);
        true
    }

    pub(crate) fn hidden_mut(&mut self) -> &mut BTreeSet<String> {
        &mut self.hidden
    }

    pub(crate) fn set_disk_used(&mut self, username: &str, bytes: u64) -> bool {
        let Some(account) = self.accounts.get_mut(&username.to_ascii_lowercase()) else {
            return false;
        };
        account.disk_used_kib = bytes / 1024;
        true
    }

    pub(crate) fn grow(&mut self, seed: u64, today: NaiveDate) {
        for account in self.accounts.values() {
            let share = if account.suspended { 0.01 } else { 1.0 };
            self.traffic.grow(seed, &account.incarnation, today, share);
        }
    }
}

/// The function that a path names, none when it is not an API path.
fn function_name(request: &Request) -> Option<&str> {
    // A session's prefix may stand in front, as in /cpsess1234567890/json-api/version.
    let at = request.path.find("/json-api/")?;
    let name = request
        .path
        .get(at + "/json-api/".len()..)?
        .trim_end_matches('/');
    (!name.is_empty() && !name.contains('/')).then_some(name)
}

/// The day before the previous month: growth begins on its first.
pub(crate) fn before_last_month(today: NaiveDate) -> NaiveDate {
    let first = today - chrono::Days::new(u64::from(chrono::Datelike::day0(&today)));
    let last_month = first.checked_sub_months(Months::new(1)).unwrap_or(first);
    last_month.pred_opt().unwrap_or(last_month)
}

/// `[before, after]` of every field that differs.
pub(crate) fn difference(before: &Value, after: &Value) -> Value {
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        return after.clone();
    };
    after
        .iter()
        .filter(|(name, value)| before.get(*name) != Some(value))
        .map(|(name, value)| {
            (
                name.clone(),
                serde_json::json!([before.get(name).unwrap_or(&Value::Null), value]),
            )
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}
