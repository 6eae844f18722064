//! `Customers.update`: it writes the whole record each time, and checks the whole record each time.

use serde_json::Value;

use super::Froxlor;
use super::access::{Caller, KeyOwner};
use super::customer_add::read_person;
use super::customers;
use super::failure::{Complaint, Failure};
use super::input::{Params, Selector};
use super::plans::Resources;
use super::rows::Row;
use super::validate::check_fields;
use crate::account::Secret;
use crate::panel::Context;

pub(super) fn update(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let selector = params.selector("id", "loginname")?;
    let id = froxlor.find_customer(caller, &selector)?;
    let before = froxlor.row_of(id);
    let mut row = before.clone();
    let password = params
        .text("new_customer_password")?
        .filter(|password| !password.is_empty());
    if let Some(password) = &password {
        froxlor.check_password(password)?;
    }
    match caller {
        Caller::Admin { .. } => froxlor.rewrite(id, &mut row, params)?,
        // A customer changes language, theme and password; the rest is ignored without a word.
        Caller::Customer { .. } => {
            for column in ["def_language", "theme"] {
                if let Some(text) = params.text(column)?.filter(|text| !text.is_empty()) {
                    row.set(column, text);
                }
            }
        }
    }
    if let Some(customer) = froxlor.customers.get_mut(&id) {
        customer.row = row;
        if let Some(password) = &password {
            customer.password = Secret::of(password);
        }
    }
    froxlor.follow_suspension(id, &before);
    froxlor.follow_subdomain(id, caller, params, context);
    note(froxlor, id, &before, password.is_some(), context);
    let login = before.text("loginname").to_owned();
    let action = if matches!(caller, Caller::Admin { .. }) {
        30
    } else {
        10
    };
    froxlor.write_log(
        &froxlor.name_of(caller),
        action,
        5,
        &format!("[API] edited user '{login}'"),
        context,
    );
    if let (Caller::Admin { .. }, Some(target)) = (caller, params.int("move_to_admin"))
        && target > 0
        && target != before.int("adminid")
    {
        froxlor.move_customer(id, target, context)?;
    }
    customers::get_by(froxlor, caller, &Selector::Id(id))
}

fn note(froxlor: &Froxlor, id: i64, before: &Row, password: bool, context: &mut Context<'_>) {
    let after = froxlor.row_of(id);
    let mut change = crate::whm::difference(&customers::facts(before), &customers::facts(&after));
    if password {
        change["password"] = "changed".into();
    }
    context.applied(before.text("loginname"), &id.to_string(), change);
}

impl Froxlor {
    pub(super) fn row_of(&self, id: i64) -> Row {
        self.customers
            .get(&id)
            .map(|customer| customer.row.clone())
            .unwrap_or_default()
    }

    /// Everything that an admin can change, read from the parameters and checked as a whole.
    fn rewrite(&self, id: i64, row: &mut Row, params: &Params) -> Result<(), Failure> {
        read_person(row, params)?;
        Resources::of_row(row, params)?.write(row);
        if let Some(theme) = params.text("theme")?.filter(|theme| !theme.is_empty()) {
            row.set("theme", theme);
        }
        if let Some(deactivated) = params.flag("deactivated") {
            row.set("deactivated", i64::from(deactivated));
        }
        let email = match params.text("email")? {
            Some(email) if email.is_empty() => return Err(Complaint::Missing("Email").into()),
            Some(email) => email,
            None => row.text("email").to_owned(),
        };
        row.set("email", self.check_email(&email)?);
        check_fields(row)?;
        row.set(
            "allowed_mysqlserver",
            if row.int("mysqls") == 0 { "" } else { "[0]" },
        );
        self.check_resources(row.int("adminid"), row, Some(id))
    }

    /// A suspension reaches FTP users, domains and keys; an unsuspension sets them all back, whatever they were.
    fn follow_suspension(&mut self, id: i64, before: &Row) {
        let now = self.row_of(id).on("deactivated");
        if now == before.on("deactivated") {
            return;
        }
        for ftp in self
            .ftps
            .values_mut()
            .filter(|ftp| ftp.int("customerid") == id)
        {
            ftp.set("login_enabled", if now { "N" } else { "Y" });
        }
        for domain in self
            .domains
            .values_mut()
            .filter(|domain| domain.int("customerid") == id)
        {
            domain.set("deactivated", i64::from(now));
        }
        for key in self
            .keys
            .iter_mut()
            .filter(|key| key.owner == KeyOwner::Customer(id))
        {
            key.valid_until = if now { 0 } else { -1 };
        }
    }

    /// The standard sub-domain goes with a suspension, and comes back only when it is asked for.
    fn follow_subdomain(
        &mut self,
        id: i64,
        caller: &Caller,
        params: &Params,
        context: &Context<'_>,
    ) {
        let row = self.row_of(id);
        let has = row.on("standardsubdomain");
        let wanted = match caller {
            Caller::Customer { .. } => has,
            Caller::Admin { .. } => {
                !row.on("deactivated") && params.flag("createstdsubdomain").unwrap_or(has)
            }
        };
        if has && !wanted {
            self.domains.remove(&row.int("standardsubdomain"));
            if let Some(customer) = self.customers.get_mut(&id) {
                customer.row.set("standardsubdomain", 0);
            }
        } else if wanted && !has {
            self.insert_standard_subdomain(id, context.now_seconds());
        }
    }
}
