//! `Traffic.listing`: one row a customer and day, in bytes of whole KiB.

use chrono::{Datelike, NaiveDate, NaiveTime, TimeZone};
use serde_json::{Value, json};

use super::access::Caller;
use super::failure::Failure;
use super::input::{Params, Selector};
use super::{Customer, Froxlor};
use crate::panel::Context;
use crate::traffic::{DayTraffic, TrafficBook};

/// The table holds KiB: what is less is not shown.
fn whole(bytes: u64) -> u64 {
    bytes / 1024 * 1024
}

fn total(row: &DayTraffic) -> u64 {
    whole(row.http) + whole(row.ftp_up) + whole(row.ftp_down) + whole(row.mail)
}

/// A month's bytes, as the rows show them.
pub(super) fn month_total(book: &TrafficBook, incarnation: &str, month: &str) -> u64 {
    book.rows(incarnation)
        .iter()
        .filter(|row| row.month() == month)
        .map(total)
        .sum()
}

pub(super) fn listing(
    froxlor: &Froxlor,
    caller: &Caller,
    params: &Params,
    context: &Context<'_>,
) -> Result<Value, Failure> {
    let of_customers = params.flag("customer_traffic").unwrap_or(false);
    let rows = match caller {
        Caller::Customer { id } => froxlor.customers.get(id).map(|own| vec![own]),
        Caller::Admin { .. } if of_customers => Some(chosen(froxlor, caller, params)?),
        // Without the flag the sums of the calling admin come, whatever customer was named.
        Caller::Admin { .. } => None,
    };
    let list: Vec<Value> = match rows {
        Some(customers) => customers
            .into_iter()
            .filter(|customer| {
                !froxlor
                    .hidden
                    .contains(&customer.login().to_ascii_lowercase())
            })
            .flat_map(|customer| {
                let rows = froxlor.traffic.rows(&customer.incarnation()).iter();
                rows.map(|row| shown(row, "customerid", customer.id(), context))
                    .collect::<Vec<_>>()
            })
            .collect(),
        None => admin_rows(froxlor, caller, context),
    };
    let list: Vec<Value> = filtered(list, params);
    Ok(json!({"count": list.len(), "list": list}))
}

fn chosen<'a>(
    froxlor: &'a Froxlor,
    caller: &Caller,
    params: &Params,
) -> Result<Vec<&'a Customer>, Failure> {
    let named = params.text("loginname")?.filter(|login| !login.is_empty());
    let selector = match (params.int("customerid").filter(|id| *id > 0), named) {
        (Some(id), _) => Selector::Id(id),
        (None, Some(login)) => Selector::Name(login),
        (None, None) => {
            let seen = |customer: &&Customer| caller.sees_admin(customer.row.int("adminid"));
            let all: Vec<&Customer> = froxlor.customers.values().filter(seen).collect();
            return if all.is_empty() {
                Failure::plain(405, "Required resource unsatisfied.")
            } else {
                Ok(all)
            };
        }
    };
    let id = froxlor.find_customer(caller, &selector)?;
    Ok(froxlor.customers.get(&id).into_iter().collect())
}

/// The sums of an admin's customers, day by day.
fn admin_rows(froxlor: &Froxlor, caller: &Caller, context: &Context<'_>) -> Vec<Value> {
    let Caller::Admin { id, .. } = *caller else {
        return Vec::new();
    };
    let mut days: std::collections::BTreeMap<NaiveDate, DayTraffic> =
        std::collections::BTreeMap::new();
    let own = froxlor
        .customers
        .values()
        .filter(|customer| customer.row.int("adminid") == id);
    for row in own.flat_map(|customer| froxlor.traffic.rows(&customer.incarnation())) {
        let empty = DayTraffic {
            http: 0,
            ftp_up: 0,
            ftp_down: 0,
            mail: 0,
            ..*row
        };
        let day = days.entry(row.date).or_insert(empty);
        day.http += row.http;
        day.ftp_up += row.ftp_up;
        day.ftp_down += row.ftp_down;
        day.mail += row.mail;
    }
    days.values()
        .map(|day| shown(day, "adminid", id, context))
        .collect()
}

/// The job runs half an hour past midnight; the row has the date of the run.
fn shown(row: &DayTraffic, owner: &str, id: i64, context: &Context<'_>) -> Value {
    let run = NaiveTime::from_hms_opt(0, 30, 0).unwrap_or_default();
    let stamp = context
        .clock
        .zone()
        .from_local_datetime(&row.date.and_time(run))
        .single();
    json!({
        "id": row.id, owner: id, "year": format!("{:04}", row.date.year()),
        "month": format!("{:02}", row.date.month()), "day": format!("{:02}", row.date.day()),
        "stamp": stamp.map_or(0, |stamp| stamp.timestamp()), "http": whole(row.http),
        "ftp_up": whole(row.ftp_up), "ftp_down": whole(row.ftp_down), "mail": whole(row.mail),
    })
}

/// Both dates are inclusive, one alone is exclusive, equal ones are the first alone, and the wrong way round is turned.
fn filtered(list: Vec<Value>, params: &Params) -> Vec<Value> {
    let (from, until) = match (params.int("date_from"), params.int("date_until")) {
        (Some(from), Some(until)) if from > until => (Some(until), Some(from)),
        (Some(from), Some(until)) if from == until => (Some(from), None),
        other => other,
    };
    let part =
        |row: &Value, name: &str| row[name].as_str().and_then(|text| text.parse::<i64>().ok());
    list.into_iter()
        .filter(|row| {
            ["year", "month", "day"].iter().all(|name| {
                params
                    .int(name)
                    .is_none_or(|wanted| part(row, name) == Some(wanted))
            })
        })
        .filter(|row| {
            let stamp = row["stamp"].as_i64().unwrap_or(0);
            match (from, until) {
                (Some(from), Some(until)) => (from..=until).contains(&stamp),
                (Some(from), None) => stamp > from,
                (None, Some(until)) => stamp < until,
                (None, None) => true,
            }
        })
        .collect()
}

impl Froxlor {
    pub(crate) fn add_traffic(&mut self, username: &str, day: NaiveDate, bytes: u64) -> bool {
        let Some(incarnation) = self.by_login(username).map(Customer::incarnation) else {
            return false;
        };
        self.traffic.add(&incarnation, day, bytes);
        true
    }

    pub(crate) fn clear_traffic(&mut self, username: &str, month: &str) -> bool {
        let Some(incarnation) = self.by_login(username).map(Customer::incarnation) else {
            return false;
        };
        self.traffic.clear_month(&incarnation, month);
        true
    }

    /// Books a day's row as it is; its id is given by the table.
    pub fn add_traffic_row(&mut self, login: &str, row: DayTraffic) -> bool {
        let Some(incarnation) = self.by_login(login).map(Customer::incarnation) else {
            return false;
        };
        self.traffic.add_row(&incarnation, row);
        true
    }

    pub(crate) fn hidden_mut(&mut self) -> &mut std::collections::BTreeSet<String> {
        &mut self.hidden
    }

    pub(crate) fn set_disk_used(&mut self, username: &str, bytes: u64) -> bool {
        self.set_spaces(
            username,
            i64::try_from(bytes / 1024).unwrap_or(i64::MAX),
            0,
            0,
        )
    }
}
