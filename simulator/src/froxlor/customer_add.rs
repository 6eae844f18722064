//! `Customers.add`: it looks, then it writes, step by step and without a transaction.

use serde_json::Value;

use super::access::Caller;
use super::failure::{Complaint, Failure};
use super::input::Params;
use super::plans::{self, Resources};
use super::rows::{self, Row};
use super::validate::{PREFIX, check_fields};
use super::{Customer, Froxlor, customers};
use crate::account::Secret;
use crate::chance::Chance;
use crate::panel::Context;

/// An add between its checks and its writing. What it read may be out of date by then: two adds that overlap get the
/// same Unix id, and the same generated name.
pub(crate) struct PendingAdd {
    row: Row,
    /// As asked for; the column holds 50 characters.
    login: String,
    number: Option<i64>,
    guid: i64,
    admin: i64,
    password: Secret,
    standard_subdomain: bool,
    send_password: bool,
    by: String,
    pub(super) language: String,
}

/// Columns that take any text.
pub(super) const TEXTS: [&str; 10] = [
    "name",
    "firstname",
    "company",
    "street",
    "zipcode",
    "city",
    "phone",
    "fax",
    "customernumber",
    "custom_notes",
];
/// Columns that are switches, with the names of their parameters.
pub(super) const SWITCHES: [(&str, &str); 5] = [
    ("custom_notes_show", "custom_notes_show"),
    ("gui_access", "gui_access"),
    ("api_allowed", "api_allowed"),
    ("shell_allowed", "shell_allowed"),
    ("gender", "gender"),
];
pub(super) fn prepare(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
    context: &Context<'_>,
) -> Result<Box<PendingAdd>, Failure> {
    let Caller::Admin { id: admin, .. } = *caller else {
        return Failure::plain(403, "Not allowed to execute given command.");
    };
    room_for_one_more(froxlor, admin)?;
    let email = params.required("email")?;
    let mut row = rows::customer();
    let person =
        ["name", "firstname"].map(|field| params.text(field).map(Option::unwrap_or_default));
    let [name, first_name] = person;
    if name?.is_empty() || first_name?.is_empty() {
        params.required("company")?;
    }
    read_person(&mut row, params)?;
    let resources = match params.int("hosting_plan_id") {
        Some(plan) if plan > 0 => plans::visible(froxlor, caller, plan).map(plans::resources)?,
        _ => Resources::of(params)?,
    };
    resources.write(&mut row);
    let wanted = params
        .text("new_loginname")?
        .filter(|login| !login.is_empty());
    let password = params
        .text("new_customer_password")?
        .filter(|password| !password.is_empty());
    let (login, number) = match wanted {
        Some(login) => {
            froxlor.check_login(&login)?;
            (login, None)
        }
        None => (
            format!("{PREFIX}{}", froxlor.last.account + 1),
            Some(froxlor.last.account + 1),
        ),
    };
    check_fields(&row)?;
    row.set("email", froxlor.check_email(&email)?);
    froxlor.check_resources(admin, &row, None)?;
    if froxlor.tasks.directories.contains(&login) {
        return Err(Complaint::DirectoryExists(home(&login)).into());
    }
    let password = match password {
        Some(password) => {
            froxlor.check_password(&password)?;
            password
        }
        // Made by the panel, and never shown.
        None => Chance::for_name(context.options.seed, &login)
            .text("abcdefghijkmnpqrsABCDEFGHJK23456789", 14),
    };
    Ok(Box::new(PendingAdd {
        row,
        login,
        number,
        guid: froxlor.last.guid + 1,
        admin,
        password: Secret::of(&password),
        standard_subdomain: params.flag("createstdsubdomain").unwrap_or(true),
        send_password: params.flag("sendpassword").unwrap_or(false),
        by: froxlor.name_of(caller),
        language: froxlor.language_of(caller).unwrap_or_default(),
    }))
}

/// Checked before anything else, also before the parameters.
fn room_for_one_more(froxlor: &Froxlor, admin: i64) -> Result<(), Failure> {
    let most = froxlor
        .admins
        .get(&admin)
        .map_or(0, |row| row.int("customers"));
    let used = froxlor
        .customers
        .values()
        .filter(|customer| customer.row.int("adminid") == admin)
        .count();
    match usize::try_from(most) {
        Ok(most) if used >= most => Failure::plain(406, "No more resources available"),
        _ => Ok(()),
    }
}

/// The columns that describe a person. `customernumber` is cut to its 100 characters without a word.
pub(super) fn read_person(row: &mut Row, params: &Params) -> Result<(), Failure> {
    for column in TEXTS {
        if let Some(text) = params.text(column)? {
            let most = if column == "customernumber" {
                100
            } else {
                usize::MAX
            };
            row.set(column, text.chars().take(most).collect::<String>());
        }
    }
    for (column, param) in SWITCHES {
        if let Some(number) = params.int(param) {
            row.set(column, number);
        }
    }
    // Not checked against the languages that the panel speaks.
    if let Some(language) = params
        .text("def_language")?
        .filter(|language| !language.is_empty())
    {
        row.set("def_language", language);
    }
    Ok(())
}

pub(super) fn home(login: &str) -> String {
    format!("/var/customers/webs/{login}/")
}

impl Froxlor {
    /// The writing. Each step stays, whatever becomes of the next one.
    pub(super) fn add_customer(
        &mut self,
        pending: PendingAdd,
        context: &mut Context<'_>,
    ) -> Result<Value, Failure> {
        let login: String = pending.login.chars().take(50).collect();
        if self.by_login(&login).is_some() {
            return Failure::plain(
                500,
                format!(
                    "SQLSTATE[23000]: Integrity constraint violation: 1062 Duplicate entry '{login}' for key 'loginname'"
                ),
            );
        }
        let mut row = pending.row;
        row.set("guid", pending.guid);
        let id = self.insert_customer(row, &login, pending.admin, pending.password, context.now_ms);
        self.last.guid = self.last.guid.max(pending.guid);
        self.last.account = pending.number.unwrap_or(self.last.account);
        self.tasks.create_home(&login, context.now_ms);
        if context.half {
            self.note_created(id, context);
            return Failure::plain(
                500,
                "SQLSTATE[42S02]: Base table or view not found: 1146 Table 'froxlor.ftp_users' doesn't exist",
            );
        }
        self.insert_ftp_user(id);
        if pending.standard_subdomain {
            self.insert_standard_subdomain(id, context.now_seconds());
        }
        self.traffic.grow_from(&id.to_string(), context.today());
        self.note_created(id, context);
        if pending.send_password && !self.settings.mail_works {
            let email = self
                .customers
                .get(&id)
                .map(|customer| customer.row.text("email").to_owned());
            return Err(Complaint::MailFailed(email.unwrap_or_default()).into());
        }
        self.write_log(
            &pending.by,
            30,
            4,
            &format!("[API] added customer '{login}'"),
            context,
        );
        if login != pending.login {
            // The answer is read by the name that was asked for, which is longer than the column.
            return customers::not_found_by_name(&pending.login);
        }
        Ok(self
            .customers
            .get(&id)
            .map(|customer| self.shown(customer))
            .unwrap_or_default())
    }

    /// Puts the row into the table, with the next id. Returns it.
    pub(super) fn insert_customer(
        &mut self,
        mut row: Row,
        login: &str,
        admin: i64,
        password: Secret,
        created_at_ms: i64,
    ) -> i64 {
        self.last.customer += 1;
        let id = self.last.customer;
        if !row.on("guid") {
            self.last.guid += 1;
            row.set("guid", self.last.guid);
        }
        row.set("customerid", id);
        row.set("loginname", login);
        row.set("adminid", admin);
        row.set("documentroot", home(login));
        row.set(
            "allowed_mysqlserver",
            if row.int("mysqls") == 0 { "" } else { "[0]" },
        );
        let customer = Customer {
            row,
            password,
            created_at_ms,
            webspace_kib: 0,
            mailspace_kib: 0,
            dbspace_kib: 0,
        };
        self.customers.insert(id, customer);
        id
    }

    fn note_created(&self, id: i64, context: &mut Context<'_>) {
        if let Some(customer) = self.customers.get(&id) {
            let mut facts = customers::facts(&customer.row);
            facts["created"] = true.into();
            context.applied(customer.login(), &customer.incarnation(), facts);
        }
    }
}
