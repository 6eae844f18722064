//! Upgrades: another product, or other amounts of its resources. Each is an order.

use hosting::{Limit, LimitName, Limits, PackageName};
use serde_json::{Map, Value, json};

use super::HostBill;
use super::catalogue::resolve;
use super::read::{offered, service_that_is};
use super::settings::Resource;
use super::shapes::{Choice, Item};
use super::wire::Ordered;
use crate::{AccountKey, Goal, Order, PanelError};

pub(super) async fn package(
    bill: &HostBill,
    key: &AccountKey,
    package: &PackageName,
) -> Result<Order, PanelError> {
    let service = service_that_is(bill, key).await?.id;
    offered(bill, &service, "POST", "/service/@id/upgrade").await?;
    let offers = bill.wire().upgrades(&service).await?;
    let product = resolve(&offers.packages, package)?;
    let body = json!({"package": product.id.parse::<u64>().ok(), "send": true});
    let ordered = bill.wire().upgrade(&service, &body).await?;
    Ok(order(service, ordered))
}

pub(super) async fn limits(
    bill: &HostBill,
    key: &AccountKey,
    limits: &Limits,
) -> Result<Order, PanelError> {
    let service = service_that_is(bill, key).await?.id;
    offered(bill, &service, "POST", "/service/@id/upgrade").await?;
    let offers = bill.wire().upgrades(&service).await?;
    let mut chosen = Map::new();
    for (name, limit) in limits.iter() {
        let (resource, choice) = choice_of(bill, &offers.resources, name)?;
        chosen.insert(resource.id.clone(), amount(resource, choice, name, limit)?);
    }
    let body = json!({"resources": chosen, "send": true});
    let ordered = bill.wire().upgrade(&service, &body).await?;
    Ok(order(service, ordered))
}

fn order(service: String, ordered: Ordered) -> Order {
    Order {
        goal: Goal::Changed,
        service,
        invoice: ordered.invoice,
        // One that named neither is looked for among the unpaid invoices.
        number: ordered.number,
        label: None,
    }
}

fn choice_of<'a>(
    bill: &'a HostBill,
    offered: &'a [Choice],
    name: LimitName,
) -> Result<(&'a Resource, &'a Choice), PanelError> {
    let resource = bill.options.resources.get(&name);
    let found = resource.and_then(|resource| {
        let choice = offered.iter().find(|one| one.id == resource.id)?;
        Some((resource, choice))
    });
    found.ok_or_else(|| {
        let why = format!("no resource of the service is set for {name}; see `resource.{name}`");
        PanelError::refused("limit_refused", why)
    })
}

/// An item's id where there are items, else the quantity.
fn amount(
    resource: &Resource,
    choice: &Choice,
    name: LimitName,
    limit: Limit,
) -> Result<Value, PanelError> {
    let refuse = |why: String| Err(PanelError::refused("limit_refused", why));
    let Limit::AtMost(wanted) = limit else {
        return refuse(format!("{name} cannot be unlimited here"));
    };
    if wanted % resource.unit != 0 {
        return refuse(format!("{name} must be a multiple of {}", resource.unit));
    }
    if choice.items.is_empty() || choice.kind == "slider" || choice.kind == "qty" {
        return Ok(json!((wanted / resource.unit).to_string()));
    }
    match choice
        .items
        .iter()
        .find(|item| amount_of(resource, item) == Some(wanted))
    {
        Some(item) => Ok(json!(item.id)),
        None => {
            let known: Vec<&str> = choice.items.iter().map(|item| item.name.as_str()).collect();
            refuse(format!(
                "{name} can be {} on this service",
                known.join(", ")
            ))
        }
    }
}

/// `100 GB` is 100 units of the resource, `1 TB` is 1024 of them where the unit is a GB: only plain numbers and
/// the usual letters are understood, and a letter only together with a unit of MB.
fn amount_of(resource: &Resource, item: &Item) -> Option<u64> {
    let (number, letter) = item.name.split_once(' ').unwrap_or((&item.name, ""));
    let number: u64 = number.parse().ok()?;
    let unit = match letter.trim() {
        "MB" => 1,
        "GB" => 1024,
        "TB" => 1024 * 1024,
        _ => resource.unit,
    };
    number.checked_mul(unit)
}

/// The limits that the service has, by what is selected.
pub(super) async fn limits_now(bill: &HostBill, service: &str) -> Result<Limits, PanelError> {
    let routes = bill.wire().routes(service).await?;
    if !routes
        .iter()
        .any(|route| route.is("GET", "/service/@id/upgrade"))
    {
        return Ok(Limits::new());
    }
    let offers = bill.wire().upgrades(service).await?;
    let mut limits = Limits::new();
    for (name, resource) in &bill.options.resources {
        let choice = offers.resources.iter().find(|one| one.id == resource.id);
        let selected = choice.and_then(|one| one.items.iter().find(|item| item.selected));
        if let Some(amount) = selected.and_then(|item| amount_of(resource, item)) {
            limits = limits.with(*name, Limit::AtMost(amount));
        }
    }
    Ok(limits)
}
