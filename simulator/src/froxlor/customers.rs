//! The commands on customers that read, remove, unlock and move.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::access::Caller;
use super::failure::Failure;
use super::input::{Params, Selector};
use super::rows::{self, Row};
use super::search::Table;
use super::{Customer, Froxlor};
use crate::panel::Context;

/// Columns that the ledger must not show.
const SECRETS: [&str; 4] = ["password", "leprivatekey", "lepublickey", "data_2fa"];

/// A customer's row without its secrets.
pub(super) fn facts(row: &Row) -> Value {
    let Value::Object(map) = row.value() else {
        return json!({});
    };
    map.into_iter()
        .filter(|(column, _)| !SECRETS.contains(&column.as_str()))
        .collect::<Map<_, _>>()
        .into()
}

pub(super) fn not_found_by_name<T>(login: &str) -> Result<T, Failure> {
    Failure::plain(
        404,
        format!("Customer with loginname '{login}' could not be found"),
    )
}

pub(super) fn get(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    let selector = params.selector("id", "loginname")?;
    let mut shown = get_by(froxlor, caller, &selector)?;
    if params.flag("show_usages").unwrap_or(false)
        && let Some(customer) = shown["customerid"]
            .as_i64()
            .and_then(|id| froxlor.customers.get(&id))
    {
        froxlor.add_usages(&mut shown, customer, &froxlor.domain_counts());
    }
    Ok(shown)
}

/// One customer, as the caller may see him.
pub(super) fn get_by(
    froxlor: &Froxlor,
    caller: &Caller,
    selector: &Selector,
) -> Result<Value, Failure> {
    let id = froxlor.find_customer(caller, selector)?;
    let Some(customer) = froxlor.customers.get(&id) else {
        return Ok(Value::Null);
    };
    match caller {
        Caller::Admin { .. } => Ok(froxlor.shown(customer)),
        Caller::Customer { .. } => {
            let mut row = customer.row.clone();
            if !row.on("custom_notes_show") {
                row.set("custom_notes", "");
            }
            Ok(row.value())
        }
    }
}

pub(super) fn listing(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &Context<'_>,
) -> Result<Value, Failure> {
    let rows = table(froxlor, caller).select(params)?;
    let usages = params.flag("show_usages").unwrap_or(false);
    let domains = if usages {
        froxlor.domain_counts()
    } else {
        BTreeMap::new()
    };
    let list: Vec<Value> = rows
        .iter()
        .map(|row| {
            let mut shown = row.value();
            if let Some(customer) = froxlor
                .customers
                .get(&row.int("customerid"))
                .filter(|_| usages)
            {
                froxlor.add_usages(&mut shown, customer, &domains);
            }
            shown
        })
        .collect();
    froxlor.write_log(
        &froxlor.name_of(caller),
        30,
        5,
        "[API] list customers",
        context,
    );
    Ok(json!({"count": list.len(), "list": list}))
}

pub(super) fn count(froxlor: &Froxlor, caller: &Caller, params: &Params) -> Result<Value, Failure> {
    Ok(table(froxlor, caller).search(params)?.len().into())
}

fn table<'a>(froxlor: &Froxlor, caller: &Caller) -> Table<'a> {
    let columns: Vec<String> = rows::customer().columns().map(str::to_owned).collect();
    let of_admins = rows::admin();
    Table {
        rows: froxlor
            .customers
            .values()
            .filter(|customer| caller.sees_admin(customer.row.int("adminid")))
            .map(|customer| froxlor.joined(customer))
            .collect(),
        alias: "c.",
        ambiguous: columns
            .iter()
            .filter(|column| of_admins.has(column))
            .cloned()
            .collect(),
        columns,
    }
}

pub(super) fn delete(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let selector = params.selector("id", "loginname")?;
    let id = froxlor.find_customer(caller, &selector)?;
    let shown = get_by(froxlor, caller, &Selector::Id(id))?;
    let row = froxlor.row_of(id);
    let login = row.text("loginname").to_owned();
    let mut change = facts(&row);
    change["removed"] = true.into();
    froxlor.drop_customer(id);
    // The order to make the home directory stays in the queue.
    if params.flag("delete_userfiles").unwrap_or(false) {
        froxlor.tasks.remove_home(&login, context.now_ms);
    }
    context.applied(&login, &id.to_string(), change);
    froxlor.write_log(
        &froxlor.name_of(caller),
        30,
        4,
        &format!("[API] deleted customer '{login}'"),
        context,
    );
    Ok(shown)
}

pub(super) fn unlock(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let selector = params.selector("id", "loginname")?;
    let id = froxlor.find_customer(caller, &selector)?;
    if let Some(customer) = froxlor.customers.get_mut(&id) {
        let before = customer.row.int("loginfail_count");
        customer.row.set("loginfail_count", 0);
        let (login, incarnation) = (customer.login().to_owned(), customer.incarnation());
        context.applied(
            &login,
            &incarnation,
            json!({"loginfail_count": [before, 0]}),
        );
    }
    get_by(froxlor, caller, &Selector::Id(id))
}

pub(super) fn move_to(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let may = match caller {
        Caller::Admin { id, .. } => froxlor
            .admins
            .get(id)
            .is_some_and(|row| row.on("change_serversettings")),
        Caller::Customer { .. } => false,
    };
    if !may {
        return Failure::plain(403, "Not allowed to execute given command.");
    }
    let target = super::input::as_int(&Value::from(params.required("adminid")?));
    let selector = params.selector("id", "loginname")?;
    let id = froxlor.find_customer(caller, &selector)?;
    if froxlor.row_of(id).int("adminid") == target {
        return Failure::plain(
            406,
            "Cannot move customer to the same admin/reseller as he currently is assigned to",
        );
    }
    froxlor.move_customer(id, target, context)?;
    get_by(froxlor, caller, &Selector::Id(id))
}

impl Froxlor {
    /// The customer's id. For a key that may not see him he does not exist; a customer's key gets 401 for anybody
    /// else, existing or not.
    pub(super) fn find_customer(
        &self,
        caller: &Caller,
        selector: &Selector,
    ) -> Result<i64, Failure> {
        let found = match selector {
            Selector::Id(id) => self.customers.get(id),
            Selector::Name(login) => self.by_login(login),
        };
        match (caller, found) {
            (Caller::Customer { id }, Some(customer)) if customer.id() == *id => Ok(*id),
            (Caller::Customer { .. }, _) => {
                Failure::plain(401, "You cannot access data of other customers")
            }
            (caller, Some(customer)) if caller.sees_admin(customer.row.int("adminid")) => {
                Ok(customer.id())
            }
            _ => match selector {
                Selector::Id(id) => {
                    Failure::plain(404, format!("Customer with id #{id} could not be found"))
                }
                Selector::Name(login) => not_found_by_name(login),
            },
        }
    }

    /// The row with the admin's name.
    fn joined(&self, customer: &Customer) -> Row {
        let admin = self.admin_name(customer.row.int("adminid"));
        customer.row.clone().with("adminname", admin)
    }

    pub(super) fn shown(&self, customer: &Customer) -> Value {
        self.joined(customer).value()
    }

    /// `show_usages`: the number of domains without the standard sub-domain, and the spaces in KiB.
    fn add_usages(&self, shown: &mut Value, customer: &Customer, domains: &BTreeMap<i64, usize>) {
        shown["domains"] = domains.get(&customer.id()).copied().unwrap_or(0).into();
        shown["webspace_used"] = customer.webspace_kib.into();
        shown["mailspace_used"] = customer.mailspace_kib.into();
        shown["dbspace_used"] = customer.dbspace_kib.into();
    }

    pub(super) fn move_customer(
        &mut self,
        id: i64,
        target: i64,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        if !self.admins.contains_key(&target) {
            return Failure::plain(404, format!("Admin with id #{target} could not be found"));
        }
        for domain in self
            .domains
            .values_mut()
            .filter(|domain| domain.int("customerid") == id)
        {
            domain.set("adminid", target);
        }
        if let Some(customer) = self.customers.get_mut(&id) {
            let before = customer.row.int("adminid");
            customer.row.set("adminid", target);
            let (login, incarnation) = (customer.login().to_owned(), customer.incarnation());
            context.applied(&login, &incarnation, json!({"adminid": [before, target]}));
        }
        Ok(())
    }

    /// Removes a customer and what belongs to him: domains, FTP users, keys, traffic.
    pub(super) fn drop_customer(&mut self, id: i64) {
        self.customers.remove(&id);
        self.domains
            .retain(|_, domain| domain.int("customerid") != id);
        self.ftps.retain(|_, ftp| ftp.int("customerid") != id);
        self.keys
            .retain(|key| key.owner != super::KeyOwner::Customer(id));
        self.traffic.forget(&id.to_string());
    }
}
