//! Services: ordered, active when they are paid and the supplier gets to it, changed by upgrades, cancelled.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::HostBill;
use super::answer::{Said, date, money, text};
use super::catalogue::{self, Product, by_id};
use super::machines::Machine;
use super::paths::Path;
use crate::panel::Context;

/// When the supplier gets to something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delay {
    /// At once.
    None,
    /// After so many seconds of its clock.
    Seconds(u32),
    /// When a person does it.
    ByHand,
}

impl Delay {
    fn due(self, now_ms: i64) -> Option<i64> {
        match self {
            Delay::None => Some(now_ms),
            Delay::Seconds(seconds) => Some(now_ms + i64::from(seconds) * 1000),
            Delay::ByHand => None,
        }
    }
}

/// What is to happen with a service.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Activate,
    Become(Product),
    Choose(String),
    Cancel,
}

#[derive(Clone, Debug)]
struct Pending {
    change: Change,
    /// `None` = when a person does it.
    due_ms: Option<i64>,
}

#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) id: i64,
    pub(super) domain: String,
    pub(super) product: Product,
    pub(super) status: String,
    pub(super) label: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) created_ms: i64,
    created: String,
    pub(super) disk_used: u64,
    pub(super) traffic_used: u64,
    pub(super) machines: BTreeMap<i64, Machine>,
    /// What of the resource 1557 is chosen.
    bandwidth: String,
    pending: Vec<Pending>,
    cancelling: bool,
}

/// What of the resource can be chosen: ids, names and prices.
const BANDWIDTH: [(&str, &str, i64); 3] = [
    ("9953", "100 GB", 100),
    ("10103", "500 GB", 500),
    ("10104", "1 TB", 1000),
];

const ROUTES: [(&str, &str, &str); 8] = [
    ("Service details", "GET", "/service/@id"),
    ("Upgrade Request", "POST", "/service/@id/upgrade"),
    ("Upgrade Options", "GET", "/service/@id/upgrade"),
    ("Change service label", "POST", "/service/@id/label"),
    ("Service label", "GET", "/service/@id/label"),
    ("Cancel Service", "POST", "/service/@id/cancel"),
    ("Resources", "GET", "/service/@id/resources"),
    ("Available methods", "GET", "/service/@id/methods"),
];

impl Service {
    pub(super) fn is_live(&self) -> bool {
        ["Pending", "Active", "Suspended"].contains(&self.status.as_str())
    }

    pub(super) fn set_status(&mut self, status: &str) {
        status.clone_into(&mut self.status);
        self.pending.clear();
    }

    pub(super) fn approve(&mut self) {
        for pending in &mut self.pending {
            pending.due_ms = Some(i64::MIN);
        }
    }

    fn row(&self) -> Value {
        json!({
            "id": self.id.to_string(), "domain": self.domain, "total": money(self.product.price),
            "status": self.status, "billingcycle": "Monthly", "next_due": "0000-00-00",
            "category": "Hosting", "category_url": "hosting", "name": self.product.name,
        })
    }
}

impl HostBill {
    /// Carries out what is due by the supplier's clock.
    pub(super) fn carry_out(&mut self, context: &mut Context<'_>) {
        for service in self.services.values_mut() {
            let now = context.now_ms;
            let is_due = |one: &mut Pending| one.due_ms.is_some_and(|due| due <= now);
            let due: Vec<Pending> = service.pending.extract_if(.., is_due).collect();
            for pending in due {
                let before = service.status.clone();
                match pending.change {
                    Change::Activate => {
                        "Active".clone_into(&mut service.status);
                        service.username = format!("u{}", service.id);
                        let letters = "abcdefghjkmnpqrstuvwxyz23456789";
                        service.password = self.chance.text(letters, 16);
                    }
                    Change::Become(product) => service.product = product,
                    Change::Choose(item) => service.bandwidth = item,
                    Change::Cancel => "Cancelled".clone_into(&mut service.status),
                }
                context.applied(
                    &service.domain,
                    &service.id.to_string(),
                    json!({"status": [before, service.status], "product": service.product.name}),
                );
            }
        }
    }

    /// Something is paid, or costs nothing.
    pub(super) fn paid(&mut self, service: i64, change: &Change, context: &Context<'_>) {
        let due_ms = self.approval.due(context.now_ms);
        if let Some(service) = self.services.get_mut(&service) {
            let change = change.clone();
            service.pending.push(Pending { change, due_ms });
        }
    }

    pub(super) fn on_orders(
        &mut self,
        path: &Path,
        params: &Value,
        context: &mut Context<'_>,
    ) -> Said {
        match (path.method.as_str(), path.parts().as_slice()) {
            ("GET", ["order", _]) => {
                let found = path.number(1).and_then(by_id);
                found
                    .map(|one| catalogue::form(&one))
                    .ok_or_else(|| "Product not found".to_owned())
            }
            ("POST", ["quote"]) => {
                let items = params.get("items").and_then(Value::as_array);
                let items = items.ok_or("Nothing to quote")?;
                let rows: Vec<Value> = items.iter().map(quoted).collect();
                Ok(json!({"summary": {"subtotal": 0, "total": 0}, "items": rows}))
            }
            ("POST", ["order", _]) => {
                let found = path.number(1).and_then(by_id);
                let product = found.ok_or("Product not found")?;
                if let Some(why) = wrong(&product, params) {
                    return Err(why);
                }
                Ok(self.order(product, params, context))
            }
            _ => Err("invalid method".to_owned()),
        }
    }

    fn order(&mut self, product: Product, params: &Value, context: &mut Context<'_>) -> Value {
        let id = self.next_id();
        let service = Service {
            id,
            domain: text(params, "domain").unwrap_or_default(),
            product,
            status: "Pending".to_owned(),
            label: String::new(),
            username: String::new(),
            password: String::new(),
            created_ms: context.now_ms,
            created: date(context),
            disk_used: 0,
            traffic_used: 0,
            machines: BTreeMap::new(),
            bandwidth: "9953".to_owned(),
            pending: Vec::new(),
            cancelling: false,
        };
        context.applied(
            &service.domain,
            &id.to_string(),
            json!({"ordered": product.name}),
        );
        self.services.insert(id, service);
        let year = text(params, "cycle").as_deref() == Some("a");
        let total = product.price * if year { 10 } else { 1 };
        let invoice = self.bill(id, total, Change::Activate, context);
        // A number here and a text there.
        json!({
            "order_num": 873_340_000 + id, "invoice_id": invoice.to_string(), "total": money(total),
            "items": {"id": id.to_string(), "type": "Hosting", "name": "", "product_id": product.id.to_string()},
        })
    }

    pub(super) fn on_services(
        &mut self,
        path: &Path,
        params: &Value,
        context: &mut Context<'_>,
    ) -> Said {
        if path.parts().as_slice() == ["service"] {
            let rows: Vec<Value> = self.services.values().map(Service::row).collect();
            return Ok(json!({"services": rows}));
        }
        let id = path.service().ok_or("Service not found")?;
        let withdrawn = self.withdrawn.clone();
        let service = self.services.get_mut(&id).ok_or("Service not found")?;
        let offered = |method: &str, route: &str| !withdrawn.contains(&format!("{method} {route}"));
        match (path.method.as_str(), path.parts().get(2).copied()) {
            ("GET", None) => {
                let mut whole = service.row();
                whole["date_created"] = json!(service.created);
                whole["firstpayment"] = json!(money(service.product.price));
                whole["next_invoice"] = json!("0000-00-00");
                whole["label"] = json!(service.label);
                whole["username"] = json!(service.username);
                whole["password"] = json!(service.password);
                Ok(json!({"service": whole}))
            }
            ("GET", Some("methods")) => {
                let own = ROUTES.iter().copied();
                let machines = super::machines::ROUTES.iter().copied();
                let machines = machines.filter(|_| service.product.machines);
                let rows: Vec<Value> = own
                    .chain(machines)
                    .filter(|(_, method, route)| offered(method, route))
                    .map(|(name, method, route)| json!({"name": name, "method": method, "route": route}))
                    .collect();
                Ok(json!({"methods": rows}))
            }
            ("GET", Some("label")) => Ok(json!({"label": service.label})),
            ("POST", Some("label")) => {
                let label = text(params, "label").unwrap_or_default();
                let before = std::mem::replace(&mut service.label, label);
                let change = json!({"label": [before, service.label]});
                context.applied(&service.domain.clone(), &id.to_string(), change);
                Ok(json!({"success": true, "info": ["Label has been updated"]}))
            }
            ("GET", Some("resources"))
                if self.hidden.contains(&service.username.to_ascii_lowercase()) =>
            {
                Ok(json!({"resources": []}))
            }
            ("GET", Some("resources")) => Ok(json!({"resources": [
                {"name": "Bandwidth", "used": service.traffic_used, "unit": "B", "available": "100 GB"},
                {"name": "Disk space", "used": service.disk_used, "unit": "B", "available": "10 GB"},
            ]})),
            ("POST", Some("cancel")) => {
                if service.cancelling || !service.is_live() {
                    return Err("Cancellation request has been sent already".to_owned());
                }
                service.cancelling = true;
                let due_ms = self.cancellation.due(context.now_ms);
                service.pending.push(Pending {
                    change: Change::Cancel,
                    due_ms,
                });
                let domain = service.domain.clone();
                context.applied(&domain, &id.to_string(), json!({"cancel": "asked for"}));
                Ok(json!({"info": ["Your cancellation request was received"]}))
            }
            ("GET", Some("upgrade")) => Ok(upgrades(service)),
            ("POST", Some("upgrade")) => self.upgrade(id, params, context),
            _ => Err("invalid method".to_owned()),
        }
    }

    fn upgrade(&mut self, id: i64, params: &Value, context: &mut Context<'_>) -> Said {
        let send = text(params, "send").is_some_and(|send| ["true", "1"].contains(&send.as_str()));
        let package = text(params, "package").and_then(|id| by_id(id.parse().ok()?));
        let chosen = params.get("resources").and_then(|all| text(all, "1557"));
        let (change, price) = match (package, chosen) {
            (Some(product), _) => (Change::Become(product), product.price),
            (None, Some(item)) => {
                let known = BANDWIDTH.iter().find(|one| one.0 == item);
                (
                    Change::Choose(item.clone()),
                    known.ok_or("No such choice")?.2,
                )
            }
            (None, None) => return Err("Nothing to upgrade".to_owned()),
        };
        if !send {
            return Ok(json!({"info": ["This is an estimate"], "total": money(price)}));
        }
        let service = self.services.get(&id).ok_or("Service not found")?;
        let domain = service.domain.clone();
        context.applied(&domain, &id.to_string(), json!({"upgrade": "ordered"}));
        let invoice = self.bill(id, price, change, context);
        Ok(
            json!({"success": true, "order_num": 874_000_000 + invoice, "invoice_id": invoice.to_string()}),
        )
    }
}

fn upgrades(service: &Service) -> Value {
    let item = |(id, name, price): (&str, &str, i64)| json!({"id": id, "name": name, "price": price as f64 / 100.0, "setup_price": 0, "selected": service.bandwidth == id});
    let others = catalogue::PRODUCTS
        .into_iter()
        .filter(|one| one.category == service.product.category && one.id != service.product.id);
    let packages: Vec<Value> = others
        .map(|one| json!({"id": one.id.to_string(), "name": one.name, "price": money(one.price)}))
        .collect();
    json!({
        "resources": [{"id": 1557, "name": "Bandwidth", "type": "select", "items": BANDWIDTH.map(item)}],
        "package": packages,
    })
}

fn quoted(item: &Value) -> Value {
    let product = text(item, "product_id").and_then(|id| by_id(id.parse().ok()?));
    let error = match &product {
        None => Some("Product not found".to_owned()),
        Some(product) => wrong(product, item),
    };
    json!({
        "product": product.map(|one| one.name), "index": 0, "valid": error.is_none(),
        "info": [], "error": error.into_iter().collect::<Vec<_>>(),
    })
}

/// What the supplier would say against an order.
fn wrong(product: &Product, params: &Value) -> Option<String> {
    let domain = text(params, "domain").unwrap_or_default();
    let cycle = text(params, "cycle").unwrap_or_else(|| "m".to_owned());
    if !domain.contains('.') {
        return Some("Please provide a valid domain".to_owned());
    }
    if !["m", "a"].contains(&cycle.as_str()) {
        return Some("Wrong billing cycle".to_owned());
    }
    let (form, _) = product.form?;
    let filled = params
        .get("custom")
        .and_then(|custom| custom.get(form.to_string()));
    filled
        .is_none()
        .then(|| "Please fill in all required fields".to_owned())
}
