//! FTP accounts. A complete customer has one that is called as he is.

use serde_json::{Value, json};

use super::Froxlor;
use super::access::Caller;
use super::customer_add::home;
use super::failure::Failure;
use super::input::{Params, Selector};
use super::rows::{self, Row};
use super::search::Table;
use crate::panel::Context;

fn table<'a>(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Table<'a>, Failure> {
    let named = params.text("loginname")?.filter(|login| !login.is_empty());
    let chosen = match (caller, params.int("customerid").filter(|id| *id > 0), named) {
        (Caller::Customer { id }, _, _) => Some(*id),
        (_, Some(id), _) => Some(froxlor.find_customer(caller, &Selector::Id(id))?),
        (_, None, Some(login)) => Some(froxlor.find_customer(caller, &Selector::Name(login))?),
        (_, None, None) => None,
    };
    let seen = |ftp: &&Row| match chosen {
        Some(id) => ftp.int("customerid") == id,
        None => froxlor
            .customers
            .get(&ftp.int("customerid"))
            .is_some_and(|customer| caller.sees_admin(customer.row.int("adminid"))),
    };
    Ok(Table {
        rows: froxlor.ftps.values().filter(seen).cloned().collect(),
        alias: "",
        ambiguous: Vec::new(),
        columns: rows::ftp_user().columns().map(str::to_owned).collect(),
    })
}

pub(super) fn listing(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Value, Failure> {
    let list: Vec<Value> = table(froxlor, caller, params)?
        .select(params)?
        .iter()
        .map(Row::value)
        .collect();
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller, params)?.search(params)?.len().into())
}

fn find(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Row, Failure> {
    let selector = params.selector("id", "username")?;
    let fits = |ftp: &&Row| match &selector {
        Selector::Id(id) => ftp.int("id") == *id,
        Selector::Name(name) => ftp.text("username").eq_ignore_ascii_case(name),
    };
    let text = match &selector {
        Selector::Id(id) => format!("FTP user with id #{id} could not be found"),
        Selector::Name(name) => format!("FTP user with username '{name}' could not be found"),
    };
    let found = froxlor
        .ftps
        .values()
        .find(fits)
        .cloned()
        .ok_or(Failure::Plain(404, text.clone()))?;
    let id = Selector::Id(found.int("customerid"));
    froxlor
        .find_customer(caller, &id)
        .map(|_| found)
        .map_err(|_| Failure::Plain(404, text))
}

pub(super) fn get(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    find(froxlor, caller, params).map(|row| row.value())
}

/// Changes the password or whether the login is open.
pub(super) fn update(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let mut row = find(froxlor, caller, params)?;
    if let Some(password) = params
        .text("ftp_password")?
        .filter(|password| !password.is_empty())
    {
        froxlor.check_password(&password)?;
        let user = row.text("username").to_owned();
        context.applied(
            &user,
            &row.int("customerid").to_string(),
            json!({"ftp_password": "changed"}),
        );
    }
    if let Some(on) = params.flag("login_enabled") {
        row.set("login_enabled", if on { "Y" } else { "N" });
        let user = row.text("username").to_owned();
        context.applied(
            &user,
            &row.int("customerid").to_string(),
            json!({"ftp_login": on}),
        );
    }
    froxlor.ftps.insert(row.int("id"), row.clone());
    Ok(row.value())
}

impl Froxlor {
    /// The default account of a customer.
    pub(super) fn insert_ftp_user(&mut self, customer: i64) {
        let owner = self.row_of(customer);
        self.last.ftp += 1;
        let mut row = rows::ftp_user();
        row.set("id", self.last.ftp);
        row.set("username", owner.text("loginname"));
        row.set("uid", owner.int("guid"));
        row.set("gid", owner.int("guid"));
        row.set("homedir", home(owner.text("loginname")));
        row.set("customerid", customer);
        self.ftps.insert(self.last.ftp, row);
    }
}
