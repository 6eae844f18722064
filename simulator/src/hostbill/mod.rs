//! The face of HostBill's user API: `/api`, as one client of a supplier sees it. Orders make invoices, credit pays
//! them, and a paid service becomes active when the supplier's automation or a person there gets to it.
//!
//! Written from the published API and what clients of it expect: errors come as lists with status 200, most numbers
//! as texts, and a token ends.

mod access;
mod admin;
mod answer;
mod catalogue;
mod dns;
mod machines;
mod money;
mod paths;
mod services;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use admin::Billed;
pub use services::Delay;

use crate::account::{SimAccount, SimLimits, SimTraffic};
use crate::chance::Chance;
use crate::http::{Request, Response};
use crate::options::Options;
use crate::panel::{Call, Context};

use access::Sessions;
use dns::Zone;
use money::Invoice;
use paths::Path;
use services::Service;

/// The state of a simulated supplier: one client's account with it.
#[derive(Clone, Debug)]
pub struct HostBill {
    email: String,
    password: String,
    sessions: Sessions,
    services: BTreeMap<i64, Service>,
    invoices: BTreeMap<i64, Invoice>,
    zones: BTreeMap<i64, Zone>,
    tickets: Vec<Value>,
    contacts: Vec<Value>,
    /// In hundredths.
    credit: i64,
    approval: Delay,
    cancellation: Delay,
    withdrawn: BTreeSet<String>,
    /// Names of accounts whose resources are not shown.
    hidden: BTreeSet<String>,
    admin_key: String,
    /// What this HostBill bills for, where it is a platform.
    billed: BTreeMap<i64, Billed>,
    last: i64,
    chance: Chance,
}

impl HostBill {
    pub(crate) fn new(options: &Options) -> Self {
        let mut chance = Chance::for_name(options.seed, "hostbill client");
        let letters = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789";
        HostBill {
            email: "client@example.net".to_owned(),
            password: chance.text(letters, 24),
            admin_key: chance.text(letters, 20),
            billed: BTreeMap::new(),
            sessions: Sessions::default(),
            services: BTreeMap::new(),
            invoices: BTreeMap::new(),
            zones: BTreeMap::new(),
            tickets: Vec::new(),
            contacts: vec![json!({
                "id": "49", "email": "tech@example.net", "firstname": "Mary", "lastname": "Sue", "companyname": "",
            })],
            credit: 1_000_000,
            approval: Delay::None,
            cancellation: Delay::None,
            withdrawn: BTreeSet::new(),
            hidden: BTreeSet::new(),
            last: 300,
            chance,
        }
    }

    /// Sets the credit, in hundredths of the currency.
    pub fn set_credit(&mut self, cents: i64) {
        self.credit = cents;
    }

    /// The credit that is left.
    #[must_use]
    pub fn credit(&self) -> i64 {
        self.credit
    }

    /// How long a paid service waits until it is active.
    pub fn set_approval(&mut self, delay: Delay) {
        self.approval = delay;
    }

    /// How long a cancellation waits until it is carried out.
    pub fn set_cancellation(&mut self, delay: Delay) {
        self.cancellation = delay;
    }

    /// How long tokens are good, in seconds.
    pub fn set_token_life(&mut self, seconds: i64) {
        self.sessions.life = seconds;
    }

    /// Ends all tokens at once, and with `refreshes` what they are renewed by.
    pub fn revoke_tokens(&mut self, refreshes: bool) {
        self.sessions.revoke(refreshes);
    }

    /// A person at the supplier sets every service of that domain to this status.
    pub fn set_status(&mut self, domain: &str, status: &str) {
        let same = |one: &&mut Service| one.domain.eq_ignore_ascii_case(domain);
        for service in self.services.values_mut().filter(same) {
            service.set_status(status);
        }
    }

    /// A person at the supplier lets what waits go on.
    pub fn approve_all(&mut self) {
        for service in self.services.values_mut() {
            service.approve();
        }
    }

    /// Leaves a route out of what services offer, like `POST /service/@id/cancel`.
    pub fn withdraw(&mut self, route: &str) {
        self.withdrawn.insert(route.to_owned());
    }

    /// Services that were ordered for that domain, in whatever state.
    #[must_use]
    pub fn ordered(&self, domain: &str) -> usize {
        let same = |one: &&Service| one.domain.eq_ignore_ascii_case(domain);
        self.services.values().filter(same).count()
    }

    /// The status of the newest service of that domain.
    #[must_use]
    pub fn status(&self, domain: &str) -> Option<String> {
        let same = |one: &&Service| one.domain.eq_ignore_ascii_case(domain);
        self.services
            .values()
            .rfind(same)
            .map(|one| one.status.clone())
    }

    /// The label of the newest service of that domain.
    #[must_use]
    pub fn label(&self, domain: &str) -> Option<String> {
        let same = |one: &&Service| one.domain.eq_ignore_ascii_case(domain);
        self.services
            .values()
            .rfind(same)
            .map(|one| one.label.clone())
    }

    /// Name and password that the supplier chose for the newest service of that domain.
    #[must_use]
    pub fn login(&self, domain: &str) -> Option<(String, String)> {
        let same = |one: &&Service| one.domain.eq_ignore_ascii_case(domain);
        let found = self.services.values().rfind(same)?;
        Some((found.username.clone(), found.password.clone()))
    }

    /// What the machines of the newest service of that domain do.
    #[must_use]
    pub fn machines(&self, domain: &str) -> Vec<(String, String)> {
        let same = |one: &&Service| one.domain.eq_ignore_ascii_case(domain);
        let found = self.services.values().rfind(same);
        let machines = found.iter().flat_map(|one| one.machines.values());
        machines
            .map(|one| (one.label.clone(), one.status.clone()))
            .collect()
    }

    /// Adds a machine to the newest service of that domain; its id.
    pub fn add_machine(&mut self, domain: &str, label: &str) -> Option<i64> {
        let id = self.next_id();
        let same = |one: &&mut Service| one.domain.eq_ignore_ascii_case(domain);
        let found = self.services.values_mut().rfind(same)?;
        found.add_machine(id, label, "1");
        Some(id)
    }

    fn next_id(&mut self) -> i64 {
        self.last += 1;
        self.last
    }

    pub(crate) fn identify(&self, request: &Request) -> Call {
        if request.path == "/admin/api.php" {
            return admin::identify(request);
        }
        let path = Path::of(request);
        let domain = path
            .service()
            .and_then(|id| self.services.get(&id))
            .map(|one| one.domain.clone());
        let params = answer::params(request);
        let named = params
            .get("domain")
            .and_then(Value::as_str)
            .map(str::to_owned);
        Call {
            name: path.call(),
            username: domain.or(named).map(|domain| domain.to_ascii_lowercase()),
            changes: path.changes(),
            params,
            had_authorization: request.header("authorization").is_some(),
            cost_ms: (50, 900),
            two_steps: false,
        }
    }

    pub(crate) fn respond(&mut self, request: &Request, context: &mut Context<'_>) -> Response {
        if request.path == "/admin/api.php" {
            return self.administrate(request, context);
        }
        let path = Path::of(request);
        let params = answer::params(request);
        if let Some(response) = self.enter(&path, &params, context) {
            return response;
        }
        if !self.is_known(request, context) {
            return answer::refused(401, "Authorization required");
        }
        self.carry_out(context);
        let said = match path.parts().as_slice() {
            ["logout"] => self.leave(request),
            ["details"] => Ok(
                json!({"client": {"id": "7", "email": self.email, "firstname": "Jo", "lastname": "Doe"}}),
            ),
            ["contact"] => self.on_contacts(&path, &params),
            ["balance"] => Ok(self.balance()),
            ["invoice", ..] => self.on_invoices(&path, context),
            ["payment"] => Ok(json!({"payments": {"9": "PayPal", "10": "BankTransfer"}})),
            ["category", ..] => catalogue::category(&path),
            ["order", ..] | ["quote"] => self.on_orders(&path, &params, context),
            ["tickets", ..] => self.on_tickets(&path, &params),
            ["dns"] => Ok(self.all_zones()),
            ["service", _, "dns", ..] => self.on_zones(&path, &params),
            ["service", _, "vms", ..] => self.on_machines(&path, &params, context),
            ["service", ..] => self.on_services(&path, &params, context),
            _ => Err("invalid method".to_owned()),
        };
        match said {
            Ok(body) => answer::json(200, &body),
            // With status 200, as all its errors.
            Err(text) => answer::refused(200, &text),
        }
    }

    pub(crate) fn refusal(&self, status: u16) -> Response {
        answer::refused(status, "Authorization required")
    }

    pub(crate) fn accounts(&self) -> Vec<SimAccount> {
        let live = self.services.values().filter(|one| one.is_live());
        live.map(|one| SimAccount {
            username: one.username.clone(),
            incarnation: one.id.to_string(),
            domain: one.domain.clone(),
            email: self.email.clone(),
            package: Some(one.product.name.to_owned()),
            owner: self.email.clone(),
            suspended: one.status == "Suspended",
            suspend_reason: None,
            locked: false,
            ip: String::new(),
            limits: SimLimits::default(),
            disk_used: one.disk_used,
            uid: u64::try_from(one.id).unwrap_or_default(),
            created_at_ms: one.created_ms,
            marker: Some(one.label.clone()),
            standard_subdomain: false,
            half_made: false,
            password: crate::account::Secret::of(&one.password),
        })
        .collect()
    }

    pub(crate) fn all_traffic(&self) -> Vec<SimTraffic> {
        Vec::new()
    }

    pub(crate) fn add_traffic(&mut self, username: &str, bytes: u64) -> bool {
        let same = |one: &&mut Service| one.username.eq_ignore_ascii_case(username);
        match self.services.values_mut().find(same) {
            Some(service) => {
                service.traffic_used += bytes;
                true
            }
            None => false,
        }
    }

    pub(crate) fn hidden_mut(&mut self) -> &mut BTreeSet<String> {
        &mut self.hidden
    }

    pub(crate) fn set_disk_used(&mut self, username: &str, bytes: u64) -> bool {
        let same = |one: &&mut Service| one.username.eq_ignore_ascii_case(username);
        match self.services.values_mut().find(same) {
            Some(service) => {
                service.disk_used = bytes;
                true
            }
            None => false,
        }
    }

    pub(crate) fn user(&self) -> &str {
        &self.email
    }

    pub(crate) fn secret(&self) -> &str {
        &self.password
    }
}
