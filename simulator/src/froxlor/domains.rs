//! Domains of customers.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Froxlor;
use super::access::Caller;
use super::customer_add::home;
use super::failure::{Complaint, Failure};
use super::input::{Params, Selector};
use super::rows::{self, Row};
use super::search::Table;
use crate::panel::Context;

/// As shown: with the addresses it is served on.
fn shown(row: &Row) -> Value {
    row.clone()
        .with("ipsandports", json!([rows::ip_and_port()]))
        .with("domain_hascert", 0)
        .value()
}

fn table<'a>(froxlor: &Froxlor, caller: &Caller) -> Table<'a> {
    let seen =
        |domain: &&Row| caller.sees_admin(domain.int("adminid")) && !froxlor.is_standard(domain);
    Table {
        rows: froxlor.domains.values().filter(seen).cloned().collect(),
        alias: "d.",
        ambiguous: [
            "adminid",
            "customerid",
            "deactivated",
            "documentroot",
            "phpenabled",
        ]
        .map(str::to_owned)
        .to_vec(),
        columns: rows::domain().columns().map(str::to_owned).collect(),
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
        .map(shown)
        .collect();
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller).search(params)?.len().into())
}

fn find(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Row, Failure> {
    let selector = params.selector("id", "domainname")?;
    let fits = |domain: &&Row| {
        let named = match &selector {
            Selector::Id(id) => domain.int("id") == *id,
            Selector::Name(name) => domain.text("domain").eq_ignore_ascii_case(name),
        };
        named && caller.sees_admin(domain.int("adminid"))
    };
    froxlor.domains.values().find(fits).cloned().ok_or_else(|| {
        Failure::Plain(
            404,
            match &selector {
                Selector::Id(id) => format!("Domain with id #{id} could not be found"),
                Selector::Name(name) => {
                    format!("Domain with domainname '{name}' could not be found")
                }
            },
        )
    })
}

pub(super) fn get(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    find(froxlor, caller, params).map(|row| shown(&row))
}

pub(super) fn add(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let name = params.required("domain")?.to_ascii_lowercase();
    let selector = params.selector("customerid", "loginname")?;
    let customer = froxlor.find_customer(caller, &selector)?;
    let ascii = idna::domain_to_ascii(&name)
        .ok()
        .filter(|ascii| ascii.contains('.') && !ascii.contains(char::is_whitespace))
        .ok_or(Failure::Complaint(Complaint::Format("domain")))?;
    if froxlor
        .domains
        .values()
        .any(|domain| domain.text("domain") == name)
    {
        return Err(Complaint::DomainExists(name).into());
    }
    let id = froxlor.insert_domain(customer, &name, context.now_seconds());
    let login = froxlor.row_of(customer).text("loginname").to_owned();
    if let Some(row) = froxlor.domains.get_mut(&id) {
        row.set("domain_ace", ascii);
        if let Some(folder) = params
            .text("documentroot")?
            .filter(|folder| !folder.is_empty())
        {
            row.set(
                "documentroot",
                format!("{}{}/", home(&login), folder.trim_matches('/')),
            );
        }
        switches(row, params)?;
    }
    context.applied(&login, &customer.to_string(), json!({"domain_added": name}));
    Ok(froxlor.domains.get(&id).map(shown).unwrap_or_default())
}

fn switches(row: &mut Row, params: &Params) -> Result<(), Failure> {
    for column in [
        "isbinddomain",
        "isemaildomain",
        "subcanemaildomain",
        "caneditdomain",
        "phpenabled",
        "letsencrypt",
    ] {
        if let Some(number) = params.int(column) {
            row.set(column, number);
        }
    }
    if let Some(on) = params.flag("sslenabled") {
        row.set("ssl_enabled", i64::from(on));
    }
    if let Some(id) = params.int("phpsettingid") {
        row.set("phpsettingid", id);
    }
    if let Some(text) = params.text("description")? {
        row.set("description", text);
    }
    Ok(())
}

pub(super) fn update(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let mut row = find(froxlor, caller, params)?;
    switches(&mut row, params)?;
    let login = froxlor
        .row_of(row.int("customerid"))
        .text("loginname")
        .to_owned();
    context.applied(
        &login,
        &row.int("customerid").to_string(),
        json!({"domain_changed": row.text("domain")}),
    );
    froxlor.domains.insert(row.int("id"), row.clone());
    Ok(shown(&row))
}

pub(super) fn delete(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let row = find(froxlor, caller, params)?;
    froxlor.domains.remove(&row.int("id"));
    let login = froxlor
        .row_of(row.int("customerid"))
        .text("loginname")
        .to_owned();
    context.applied(
        &login,
        &row.int("customerid").to_string(),
        json!({"domain_removed": row.text("domain")}),
    );
    Ok(shown(&row))
}

impl Froxlor {
    pub(super) fn insert_domain(&mut self, customer: i64, name: &str, now: i64) -> i64 {
        let owner = self.row_of(customer);
        self.last.domain += 1;
        let mut row = rows::domain();
        row.set("id", self.last.domain);
        row.set("domain", name);
        row.set("domain_ace", name);
        row.set("adminid", owner.int("adminid"));
        row.set("customerid", customer);
        row.set("documentroot", owner.text("documentroot"));
        row.set("add_date", now);
        self.domains.insert(self.last.domain, row);
        self.last.domain
    }

    /// A name under the panel's own; its id goes into the customer's row.
    pub(super) fn insert_standard_subdomain(&mut self, customer: i64, now: i64) {
        let name = format!(
            "{}.{}",
            self.row_of(customer).text("loginname"),
            self.host_name
        );
        let id = self.insert_domain(customer, &name, now);
        if let Some(customer) = self.customers.get_mut(&customer) {
            customer.row.set("standardsubdomain", id);
        }
    }

    pub(super) fn is_standard(&self, domain: &Row) -> bool {
        let owner = self.customers.get(&domain.int("customerid"));
        owner.is_some_and(|owner| owner.row.int("standardsubdomain") == domain.int("id"))
    }

    /// How many domains each customer has, without the standard sub-domain.
    pub(super) fn domain_counts(&self) -> BTreeMap<i64, usize> {
        let mut counts = BTreeMap::new();
        for domain in self
            .domains
            .values()
            .filter(|domain| !self.is_standard(domain))
        {
            *counts.entry(domain.int("customerid")).or_insert(0) += 1;
        }
        counts
    }
}
