//! Admins and resellers.

use serde_json::{Value, json};

use super::Froxlor;
use super::access::Caller;
use super::failure::Failure;
use super::input::{Params, Selector};
use super::rows::{self, Row};
use super::search::Table;
use crate::panel::Context;

fn table<'a>(froxlor: &Froxlor, caller: &Caller) -> Table<'a> {
    let seen = |admin: &&Row| caller.sees_admin(admin.int("adminid"));
    Table {
        rows: froxlor
            .admins
            .values()
            .filter(seen)
            .map(|admin| froxlor.with_use(admin))
            .collect(),
        alias: "",
        ambiguous: Vec::new(),
        columns: rows::admin().columns().map(str::to_owned).collect(),
    }
}

pub(super) fn listing(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Value, Failure> {
    let list: Vec<Value> = table(froxlor, caller)
        .select(params)?
        .iter()
        .map(Row::value)
        .collect();
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller).search(params)?.len().into())
}

pub(super) fn get(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    let selector = params.selector("id", "loginname")?;
    let fits = |admin: &&Row| {
        let named = match &selector {
            Selector::Id(id) => admin.int("adminid") == *id,
            Selector::Name(login) => admin.text("loginname").eq_ignore_ascii_case(login),
        };
        named && caller.sees_admin(admin.int("adminid"))
    };
    match froxlor.admins.values().find(fits) {
        Some(admin) => Ok(froxlor.with_use(admin).value()),
        None => Failure::plain(
            404,
            match &selector {
                Selector::Id(id) => format!("Admin with id #{id} could not be found"),
                Selector::Name(login) => {
                    format!("Admin with loginname '{login}' could not be found")
                }
            },
        ),
    }
}

pub(super) fn add(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let may = matches!(caller, Caller::Admin { id, .. }
        if froxlor.admins.get(id).is_some_and(|row| row.on("change_serversettings")));
    if !may {
        return Failure::plain(403, "Not allowed to execute given command.");
    }
    let mut row = rows::admin();
    row.set("name", params.required("name")?);
    row.set("email", froxlor.check_email(&params.required("email")?)?);
    let login = params.required("new_loginname")?;
    froxlor.check_login(&login)?;
    row.set("loginname", login.clone());
    for (column, unit) in [
        ("customers", 1),
        ("domains", 1),
        ("diskspace", 1024),
        ("traffic", 1_048_576),
        ("subdomains", 1),
        ("emails", 1),
        ("email_accounts", 1),
        ("email_forwarders", 1),
        ("ftps", 1),
        ("mysqls", 1),
    ] {
        row.set(column, params.limit(column).unwrap_or(0) * unit);
    }
    for column in [
        "customers_see_all",
        "change_serversettings",
        "caneditphpsettings",
    ] {
        row.set(column, params.int(column).unwrap_or(0));
    }
    froxlor.last.admin += 1;
    row.set("adminid", froxlor.last.admin);
    froxlor.admins.insert(froxlor.last.admin, row.clone());
    context.applied("", "", json!({"admin_added": login}));
    Ok(row.value())
}

impl Froxlor {
    /// The row with what its customers were given. Traffic of admins is summed up by the nightly job and left out.
    fn with_use(&self, admin: &Row) -> Row {
        let id = admin.int("adminid");
        let own = || {
            self.customers
                .values()
                .filter(move |customer| customer.row.int("adminid") == id)
        };
        let mut row = admin.clone();
        row.set("customers_used", own().count());
        for column in [
            "diskspace",
            "mysqls",
            "emails",
            "email_accounts",
            "email_forwarders",
            "ftps",
            "subdomains",
        ] {
            let given: i64 = own().map(|customer| customer.row.int(column).max(0)).sum();
            row.set(&format!("{column}_used"), given);
        }
        row
    }
}
