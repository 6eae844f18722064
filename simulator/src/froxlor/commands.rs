//! The commands, and which of them are simulated.

use std::sync::LazyLock;

use serde_json::{Value, json};

use super::access::Caller;
use super::customer_add::{self, PendingAdd};
use super::envelope::Command;
use super::failure::Failure;
use super::input::Params;
use super::{
    Froxlor, admins, customer_update, customers, domains, ftps, misc, plans, syslog, traffic,
};
use crate::panel::Context;

/// A command of Froxlor 2.3.4, simulated or not.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) module: String,
    pub(super) function: String,
    /// Who may call it, as `listFunctions` shows it; none for commands that only say that they don't exist.
    groups: Option<String>,
    params: Vec<(String, String)>,
    pub(super) changes: bool,
    pub(super) cost_ms: (u64, u64),
}

/// What a command came to.
pub(super) enum Outcome {
    Data(Value),
    /// `Customers.add` has looked and will write.
    Add(Box<PendingAdd>),
}

type Row = (
    String,
    String,
    Option<String>,
    Option<Vec<(String, String)>>,
);

/// The list that a real `Froxlor.listFunctions` gave, without its sentences.
static KNOWN: LazyLock<Vec<Known>> = LazyLock::new(|| {
    let rows: Vec<Row> = serde_json::from_str(include_str!("functions.json")).unwrap_or_default();
    rows.into_iter()
        .map(|(module, function, groups, params)| Known {
            changes: changes(&module, &function),
            cost_ms: cost_ms(&module, &function),
            params: params.unwrap_or_default(),
            module,
            function,
            groups,
        })
        .collect()
});

fn changes(module: &str, function: &str) -> bool {
    let writes = [
        "add",
        "update",
        "delete",
        "unlock",
        "move",
        "duplicate",
        "generateLoginLink",
    ];
    writes.contains(&function) && !matches!(module, "Traffic" | "SysLog")
}

/// From measurements on an idle machine, times ten for a real server.
fn cost_ms(module: &str, function: &str) -> (u64, u64) {
    match (module, function) {
        ("Customers" | "Admins", "add") => (300, 1_000),
        ("Customers", "update" | "delete" | "move") => (20, 60),
        ("Traffic" | "Customers", "listing") => (50, 700),
        ("Froxlor", "checkUpdate") => (500, 5_000),
        _ => (5, 20),
    }
}

/// Methods that every command class inherits: they pass the check for unknown commands and then kill PHP.
const INHERITED: [&str; 9] = [
    "isadmin",
    "getparam",
    "getulparam",
    "getboolparam",
    "getuserdetail",
    "getuserdata",
    "logger",
    "mailer",
    "response",
];

/// Modules are case-sensitive (file names), functions are not (PHP methods).
pub(super) fn find(module: &str, function: &str) -> Option<&'static Known> {
    KNOWN
        .iter()
        .find(|known| known.module == module && known.function.eq_ignore_ascii_case(function))
}

pub(super) fn run(
    froxlor: &mut Froxlor,
    caller: &Caller,
    command: &Command,
    context: &mut Context<'_>,
) -> Result<Outcome, Failure> {
    let Some(known) = find(&command.module, &command.function) else {
        let module = KNOWN.iter().any(|known| known.module == command.module);
        if module && INHERITED.contains(&command.function.to_ascii_lowercase().as_str()) {
            return Err(Failure::Fatal);
        }
        return Failure::plain(400, "Unknown command");
    };
    let params = Params::of(
        command.params.as_ref(),
        &format!("{}:{}", known.module, known.function),
    )?;
    let admins_only = known.groups.as_deref() == Some("admin");
    if admins_only && matches!(caller, Caller::Customer { .. }) {
        return Failure::plain(403, "Not allowed to execute given command.");
    }
    let name = format!("{}.{}", known.module, known.function);
    if name == "Customers.add" {
        return customer_add::prepare(froxlor, caller, &params, context).map(Outcome::Add);
    }
    dispatch(froxlor, &name, caller, &params, context).map(Outcome::Data)
}

fn dispatch(
    froxlor: &mut Froxlor,
    name: &str,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    match name {
        "Customers.get" => customers::get(froxlor, caller, params),
        "Customers.listing" => customers::listing(froxlor, caller, params, context),
        "Customers.listingCount" => customers::count(froxlor, caller, params),
        "Customers.update" => customer_update::update(froxlor, caller, params, context),
        "Customers.delete" => customers::delete(froxlor, caller, params, context),
        "Customers.unlock" => customers::unlock(froxlor, caller, params, context),
        "Customers.move" => customers::move_to(froxlor, caller, params, context),
        "HostingPlans.listing" => plans::listing(froxlor, caller, params),
        "HostingPlans.listingCount" => plans::count(froxlor, caller, params),
        "HostingPlans.get" => plans::get(froxlor, caller, params),
        "HostingPlans.add" => plans::add(froxlor, caller, params, context),
        "HostingPlans.update" => plans::update(froxlor, caller, params, context),
        "HostingPlans.delete" => plans::delete(froxlor, caller, params),
        "Traffic.listing" => traffic::listing(froxlor, caller, params, context),
        "Traffic.listingCount" => Failure::plain(303, "You cannot count the traffic data list"),
        "Traffic.get" => Failure::plain(
            303,
            "To get specific traffic details use year, month and/or day parameter for Traffic.listing()",
        ),
        "Traffic.add" => Failure::plain(303, "You cannot add traffic data"),
        "Traffic.update" => Failure::plain(303, "You cannot update traffic data"),
        "Traffic.delete" => Failure::plain(303, "You cannot delete traffic data"),
        "Ftps.listing" => ftps::listing(froxlor, caller, params),
        "Ftps.listingCount" => ftps::count(froxlor, caller, params),
        "Ftps.get" => ftps::get(froxlor, caller, params),
        "Ftps.update" => ftps::update(froxlor, caller, params, context),
        "Domains.listing" => domains::listing(froxlor, caller, params),
        "Domains.listingCount" => domains::count(froxlor, caller, params),
        "Domains.get" => domains::get(froxlor, caller, params),
        "Domains.add" => domains::add(froxlor, caller, params, context),
        "Domains.update" => domains::update(froxlor, caller, params, context),
        "Domains.delete" => domains::delete(froxlor, caller, params, context),
        "Admins.listing" => admins::listing(froxlor, caller, params),
        "Admins.listingCount" => admins::count(froxlor, caller, params),
        "Admins.get" => admins::get(froxlor, caller, params),
        "Admins.add" => admins::add(froxlor, caller, params, context),
        "PhpSettings.listing" => misc::php_settings(),
        "PhpSettings.listingCount" => Ok(json!(1)),
        "SysLog.listing" => syslog::listing(froxlor, caller, params),
        "SysLog.listingCount" => syslog::count(froxlor, caller, params),
        "SysLog.get" => Failure::plain(303, "You cannot get log entries"),
        "SysLog.add" => Failure::plain(303, "You cannot add log entries"),
        "SysLog.update" => Failure::plain(303, "You cannot update log entries"),
        "Froxlor.listFunctions" => list_functions(params),
        "Froxlor.generatePassword" => misc::generate_password(froxlor, params, context),
        "Froxlor.generateLoginLink" => misc::login_link(froxlor, caller, params, context),
        "Froxlor.checkUpdate" => misc::check_update(froxlor, caller),
        // Froxlor answers with 204 here, which has no body at all.
        "Froxlor.integrityCheck" => Failure::plain(204, ""),
        // Known to Froxlor, not to us: better a plain no than a wrong answer.
        _ => Failure::plain(501, "Not available yet."),
    }
}

fn list_functions(params: &Params) -> Result<Value, Failure> {
    let module = params.text("module")?.filter(|text| !text.is_empty());
    let function = params.text("function")?.filter(|text| !text.is_empty());
    let rows: Vec<Value> = KNOWN
        .iter()
        .filter(|known| {
            module
                .as_deref()
                .is_none_or(|wanted| known.module == wanted)
        })
        .filter(|known| {
            function
                .as_deref()
                .is_none_or(|wanted| known.function == wanted)
        })
        .map(|known| known.record(module.is_some()))
        .collect();
    match module {
        Some(module) if rows.is_empty() => Failure::plain(
            404,
            format!("The required module \"Froxlor\\Api\\Commands\\{module}\" could not be found"),
        ),
        _ => Ok(rows.into()),
    }
}

impl Known {
    fn record(&self, details: bool) -> Value {
        let access = self.groups.as_ref().map(|groups| json!({"groups": groups}));
        if !details {
            return json!({"module": self.module, "function": self.function, "access": access});
        }
        let params: Vec<Value> = self
            .params
            .iter()
            .map(|(name, kind)| json!({"parameter": name, "type": kind, "desc": ""}))
            .collect();
        let mut record =
            json!({"module": self.module, "function": self.function, "params": params});
        if let Some(access) = access {
            record["access"] = access;
            record["return"] = json!({"type": "string", "desc": ""});
        }
        record
    }
}
