//! Virtual machines of a service, where its module has them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::HostBill;
use super::read::{offered, service_that_is};
use super::shapes::{id, word};
use crate::http::Method;
use crate::http::lenient::items;
use crate::{AccountKey, Machine, MachineAction, NewMachine, PanelError, Power};

/// What is shown of a machine beside its state; what else a module tells may be secret.
const SHOWN: [&str; 10] = [
    "hostname", "ip", "ipv4", "ipv6", "memory", "cpu", "disk", "template", "flavor", "os",
];

pub(super) fn machine(row: &Value) -> Option<Machine> {
    let status = ["status", "state", "power"]
        .iter()
        .find_map(|name| row.get(*name).and_then(word))?;
    let label = ["label", "name", "hostname"]
        .iter()
        .find_map(|name| row.get(*name).and_then(word));
    let details = SHOWN.iter().filter_map(|name| {
        let value = row
            .get(*name)
            .and_then(word)
            .filter(|word| !word.is_empty())?;
        Some(((*name).to_owned(), value))
    });
    Some(Machine {
        id: row.get("id").or_else(|| row.get("vmid")).and_then(id)?,
        label: label.filter(|label| !label.is_empty()),
        power: power(&status),
        status,
        details: details.collect::<BTreeMap<_, _>>(),
    })
}

fn power(status: &str) -> Power {
    match status.to_ascii_lowercase().as_str() {
        "running" | "active" | "on" | "online" | "started" => Power::On,
        "stopped" | "off" | "offline" | "shutoff" | "halted" => Power::Off,
        "rescue" | "rescued" => Power::Rescue,
        _ => Power::Other,
    }
}

pub(super) async fn list(bill: &HostBill, key: &AccountKey) -> Result<Vec<Machine>, PanelError> {
    let service = service_that_is(bill, key).await?.id;
    list_of(bill, &service).await
}

async fn list_of(bill: &HostBill, service: &str) -> Result<Vec<Machine>, PanelError> {
    offered(bill, service, "GET", "/service/@id/vms").await?;
    let said = bill.wire().look(&format!("/service/{service}/vms")).await?;
    // A list, or an object by id.
    said.read("vms", |vms| match vms {
        Value::Null => None,
        vms => items(vms).into_iter().map(machine).collect(),
    })
}

pub(super) async fn one(
    bill: &HostBill,
    key: &AccountKey,
    id: &str,
) -> Result<Option<Machine>, PanelError> {
    let all = list(bill, key).await?;
    Ok(all.into_iter().find(|machine| machine.id == id))
}

/// Whether the service has machines and none of them is on. One that has none by its module is never off.
pub(super) async fn all_off(bill: &HostBill, service: &str) -> Result<bool, PanelError> {
    match list_of(bill, service).await {
        Ok(all) => Ok(!all.is_empty() && all.iter().all(|one| one.power == Power::Off)),
        Err(PanelError::Rejected {
            code: "not_offered",
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Stops or starts every machine that is not so. Setting a machine to what it is to be may be repeated.
pub(super) async fn switch_all(
    bill: &HostBill,
    key: &AccountKey,
    action: &MachineAction,
) -> Result<(), PanelError> {
    if !bill.options.power {
        let why =
            "a suspend needs the option vm_power=suspend: HostBill's user API has none of its own";
        return Err(PanelError::refused("unsupported", why));
    }
    let service = service_that_is(bill, key).await?.id;
    let wanted = match action {
        MachineAction::Stop => Power::Off,
        _ => Power::On,
    };
    let machines = list_of(bill, &service).await?;
    if machines.is_empty() {
        let why = "the service has no machine to stop or start";
        return Err(PanelError::refused("no_machine", why));
    }
    let mut sent = false;
    for machine in machines.iter().filter(|one| one.power != wanted) {
        match act(bill, &service, &machine.id, action).await {
            Ok(()) => sent = true,
            // Behind a change that was made, nothing can be said to be as before.
            Err(PanelError::InDoubt(detail)) => return Err(PanelError::InDoubt(detail)),
            Err(error) if sent => {
                return Err(PanelError::InDoubt(Box::new(error.detail().clone())));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn act(
    bill: &HostBill,
    service: &str,
    machine: &str,
    action: &MachineAction,
) -> Result<(), PanelError> {
    let name = action.name();
    let body = match action {
        MachineAction::Rebuild { template } => Some(json!({"template": template})),
        _ => None,
    };
    let path = format!("/service/{service}/vms/{machine}/{name}");
    let said = bill
        .wire()
        .change(&Method::POST, &path, body.as_ref(), None)
        .await?;
    said.confirmed()
}

pub(super) async fn create(
    bill: &HostBill,
    key: &AccountKey,
    new: &NewMachine,
) -> Result<(), PanelError> {
    use secrecy::ExposeSecret as _;
    let service = service_that_is(bill, key).await?.id;
    offered(bill, &service, "POST", "/service/@id/vms").await?;
    let mut body = Map::from_iter([
        ("label".to_owned(), json!(new.label)),
        ("template".to_owned(), json!(new.template)),
    ]);
    if let Some(flavor) = &new.flavor {
        body.insert("flavor".to_owned(), json!(flavor));
    }
    if let Some(disk) = new.disk_gb {
        body.insert("disk".to_owned(), json!(disk));
    }
    if let Some(password) = &new.password {
        body.insert("password".to_owned(), json!(password.expose_secret()));
    }
    let path = format!("/service/{service}/vms");
    let body = Value::Object(body);
    let said = bill
        .wire()
        .change(&Method::POST, &path, Some(&body), new.password.as_ref())
        .await?;
    said.confirmed()
}

pub(super) async fn drive(
    bill: &HostBill,
    key: &AccountKey,
    machine: &str,
    action: &MachineAction,
) -> Result<(), PanelError> {
    if !super::settings::is_id(machine) {
        let why = "a machine's id is digits";
        return Err(PanelError::refused("no_such_machine", why));
    }
    let service = service_that_is(bill, key).await?.id;
    let path = format!("/service/@id/vms/@vmid/{}", action.name());
    offered(bill, &service, "POST", &path).await?;
    act(bill, &service, machine, action).await
}
