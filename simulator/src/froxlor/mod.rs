//! The face of Froxlor 2.3: `/api.php` (and `/froxlor/api.php`), commands like `Customers.add`. Behaviour and wording
//! follow recorded exchanges with a real Froxlor 2.3.4.

mod access;
mod admins;
mod commands;
mod cron;
mod customer_add;
mod customer_update;
mod customers;
mod domains;
mod envelope;
mod failure;
mod ftps;
mod input;
mod misc;
mod plans;
mod rows;
mod search;
mod settings;
mod syslog;
mod traffic;
mod validate;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use access::KeyOwner;
pub use envelope::Envelope;
pub use settings::PasswordPolicy;

pub(crate) use customer_add::PendingAdd;

use crate::account::Secret;
use crate::chance::{Chance, seeded_account};
use crate::clock::PanelClock;
use crate::http::{Request, Response};
use crate::options::{Growth, Options};
use crate::panel::{Call, Context, Step, login_page};
use crate::traffic::TrafficBook;

use access::Key;
use commands::Outcome;
use cron::Tasks;
use failure::Failure;
use rows::Row;
use settings::Settings;

/// The state of a simulated Froxlor server: its tables, by id.
#[derive(Clone, Debug)]
pub struct Froxlor {
    host_name: String,
    customers: BTreeMap<i64, Customer>,
    admins: BTreeMap<i64, Row>,
    plans: BTreeMap<i64, Row>,
    domains: BTreeMap<i64, Row>,
    ftps: BTreeMap<i64, Row>,
    log: Vec<Row>,
    keys: Vec<Key>,
    traffic: TrafficBook,
    tasks: Tasks,
    settings: Settings,
    hidden: BTreeSet<String>,
    last: Counters,
}

/// A customer: the row, and what the row doesn't show.
#[derive(Clone, Debug)]
pub(crate) struct Customer {
    row: Row,
    password: Secret,
    created_at_ms: i64,
    webspace_kib: i64,
    mailspace_kib: i64,
    dbspace_kib: i64,
}

/// The tables' auto-increments and the panel's own counters.
#[derive(Clone, Debug)]
struct Counters {
    customer: i64,
    admin: i64,
    plan: i64,
    domain: i64,
    ftp: i64,
    log: i64,
    /// The Unix id that was given last.
    guid: i64,
    /// The number of the last generated login name.
    account: i64,
    links: u64,
}

impl Froxlor {
    pub(crate) fn new(options: &Options, clock: &PanelClock) -> Self {
        let mut chance = Chance::for_name(options.seed, "froxlor key");
        let (key, secret) = (
            chance.text("0123456789abcdef", 64),
            chance.text("0123456789abcdef", 128),
        );
        let mut froxlor = Froxlor {
            host_name: options.host_name.clone(),
            customers: BTreeMap::new(),
            admins: BTreeMap::from([(1, rows::first_admin())]),
            plans: BTreeMap::new(),
            domains: BTreeMap::new(),
            ftps: BTreeMap::new(),
            log: Vec::new(),
            keys: vec![Key::new(&key, &secret, KeyOwner::Admin(1))],
            traffic: TrafficBook::default(),
            tasks: Tasks::default(),
            settings: Settings::default(),
            hidden: BTreeSet::new(),
            last: Counters {
                customer: 0,
                admin: 1,
                plan: 0,
                domain: 0,
                ftp: 0,
                log: 0,
                guid: 9_999,
                account: 0,
                links: 0,
            },
        };
        froxlor.seed_plans(clock.now_ms() / 1000);
        for index in 0..options.accounts {
            froxlor.seed_customer(options, clock, index);
        }
        froxlor
    }

    fn seed_customer(&mut self, options: &Options, clock: &PanelClock, index: u32) {
        let (login, domain) = seeded_account(options.seed, index);
        let mut chance = Chance::for_name(options.seed, &login);
        let now_ms = clock.now_ms();
        let age_days = i64::try_from(chance.between(100, 900)).unwrap_or(100);
        let plan = chance.pick(&[1, 2, 3]).copied().unwrap_or(1);
        let mut row = rows::customer();
        row.set("email", format!("owner@{domain}"));
        row.set("company", format!("{login} Example Ltd"));
        let resources = self
            .plans
            .get(&plan)
            .map(plans::resources)
            .unwrap_or_default();
        resources.write(&mut row);
        let id = self.insert_customer(
            row,
            &login,
            1,
            Secret::of(""),
            now_ms - age_days * 86_400_000,
        );
        self.insert_ftp_user(id);
        self.insert_standard_subdomain(id, now_ms / 1000);
        self.insert_domain(id, &domain, now_ms / 1000);
        if let Some(customer) = self.customers.get_mut(&id) {
            customer.webspace_kib = i64::try_from(chance.between(2_000, 900_000)).unwrap_or(2_000);
            customer.row.set("diskspace_used", customer.webspace_kib);
        }
        if options.growth == Growth::Daily {
            let today = clock.local(now_ms).date_naive();
            self.traffic
                .grow_from(&id.to_string(), crate::whm::before_last_month(today));
        }
    }

    pub(crate) fn identify(&self, request: &Request) -> Call {
        let envelope = self.settings.envelope;
        let had_authorization =
            request.header("authorization").is_some() || envelope.credentials(request).is_some();
        let Ok(command) = envelope.command(request) else {
            return Call {
                had_authorization,
                cost_ms: (5, 20),
                ..Call::default()
            };
        };
        let known = commands::find(&command.module, &command.function);
        let params = command.params.clone().unwrap_or(Value::Null);
        let text = |name: &str| {
            params
                .get(name)
                .and_then(|value| input::as_text(value).ok())
        };
        let by_id = ["id", "customerid"]
            .iter()
            .filter(|name| **name == "customerid" || command.module == "Customers")
            .find_map(|name| self.customers.get(&input::as_int(params.get(*name)?)))
            .map(|customer| customer.login().to_owned());
        let named = by_id
            .or_else(|| text("loginname"))
            .or_else(|| text("new_loginname"));
        Call {
            name: match known {
                Some(known) => format!("{}.{}", known.module, known.function),
                None => format!("{}.{}", command.module, command.function),
            },
            username: named
                .filter(|name| !name.is_empty())
                .map(|name| name.to_ascii_lowercase()),
            changes: known.is_some_and(|known| known.changes),
            cost_ms: known.map_or((5, 20), |known| known.cost_ms),
            two_steps: known
                .is_some_and(|known| known.module == "Customers" && known.function == "add"),
            params,
            had_authorization,
        }
    }

    pub(crate) fn begin(&mut self, request: &Request, context: &mut Context<'_>) -> Step {
        if self.settings.database_broken {
            return Step::Reply(database_error());
        }
        self.run_cron(context.now_ms);
        if !request.path.ends_with("/api.php") {
            return Step::Reply(login_page("Froxlor - Login"));
        }
        let envelope = self.settings.envelope;
        let language = self.settings.default_language.clone();
        if !self.settings.api_enabled {
            let text =
                "API is not enabled. Please contact the administrator if you think this is wrong.";
            return Step::Reply(envelope.failure(&Failure::Plain(400, text.to_owned()), &language));
        }
        if self.settings.rate_limit == 0 {
            // The limiter writes a point of time where HTTP wants seconds.
            let retry = (context.now_seconds() + 60).to_string();
            return Step::Reply(
                crate::http::Response::new(429, "application/json", "").with("Retry-After", retry),
            );
        }
        let step = self.run(request, context);
        match step {
            Ok(Outcome::Data(data)) => {
                let data = if self.settings.php74_types {
                    envelope::php74(data)
                } else {
                    data
                };
                Step::Reply(self.limited(envelope.success(&data), context))
            }
            Ok(Outcome::Add(pending)) => Step::Later(pending),
            Err((failure, language)) => {
                Step::Reply(self.limited(envelope.failure(&failure, &language), context))
            }
        }
    }

    fn run(
        &mut self,
        request: &Request,
        context: &mut Context<'_>,
    ) -> Result<Outcome, (Failure, String)> {
        let default = self.settings.default_language.clone();
        let caller = self
            .authenticate(request, context)
            .map_err(|failure| (failure, default.clone()))?;
        let language = self.language_of(&caller).unwrap_or(default);
        let outcome = self
            .settings
            .envelope
            .command(request)
            .and_then(|command| commands::run(self, &caller, &command, context));
        outcome.map_err(|failure| (failure, language))
    }

    pub(crate) fn finish(&mut self, pending: PendingAdd, context: &mut Context<'_>) -> Response {
        let envelope = self.settings.envelope;
        let language = pending.language.clone();
        let response = match self.add_customer(pending, context) {
            Ok(data) => {
                let data = if self.settings.php74_types {
                    envelope::php74(data)
                } else {
                    data
                };
                envelope.success(&data)
            }
            Err(failure) => envelope.failure(&failure, &language),
        };
        self.limited(response, context)
    }

    /// The rate limiter's headers. They never count down, since no session is kept for API calls.
    fn limited(&self, response: Response, context: &Context<'_>) -> Response {
        let limit = self.settings.rate_limit;
        response
            .with("X-RateLimit-Limit", limit.to_string())
            .with("X-RateLimit-Remaining", limit.saturating_sub(1).to_string())
            .with(
                "X-RateLimit-Reset",
                (context.now_seconds() + 60).to_string(),
            )
    }

    pub(crate) fn refusal(&self, status: u16) -> Response {
        let failure = match status {
            401 => Failure::NoCredentials,
            403 => Failure::Plain(403, "Invalid authorization credentials".to_owned()),
            other => Failure::Plain(other, String::new()),
        };
        self.settings.envelope.failure(&failure, "en")
    }

    pub(crate) fn admin_key(&self) -> &str {
        self.keys.first().map_or("", |key| key.key.as_str())
    }

    pub(crate) fn admin_secret(&self) -> &str {
        self.keys.first().map_or("", |key| key.secret.as_str())
    }

    fn admin_name(&self, id: i64) -> String {
        self.admins
            .get(&id)
            .map(|admin| admin.text("loginname").to_owned())
            .unwrap_or_default()
    }

    fn by_login(&self, login: &str) -> Option<&Customer> {
        self.customers
            .values()
            .find(|customer| customer.login().eq_ignore_ascii_case(login))
    }

    fn by_login_mut(&mut self, login: &str) -> Option<&mut Customer> {
        self.customers
            .values_mut()
            .find(|customer| customer.login().eq_ignore_ascii_case(login))
    }
}

impl Customer {
    fn login(&self) -> &str {
        self.row.text("loginname")
    }

    fn id(&self) -> i64 {
        self.row.int("customerid")
    }

    fn incarnation(&self) -> String {
        self.id().to_string()
    }
}

/// Statements of the panel itself end the request with this text, and status 200.
fn database_error() -> Response {
    let text = "We are sorry, but a MySQL - error occurred. The administrator may find more information in the syslog";
    Response::new(200, "application/json", text)
}
