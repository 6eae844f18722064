//! Virtual machines of services that have them.

use serde_json::{Value, json};

use super::HostBill;
use super::answer::{Said, text};
use super::paths::Path;
use super::services::Service;
use crate::panel::Context;

#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub(super) id: i64,
    pub(super) label: String,
    pub(super) status: String,
    template: String,
}

pub(super) const ROUTES: [(&str, &str, &str); 10] = [
    ("List Virtual Machines", "GET", "/service/@id/vms"),
    ("Virtual Machine details", "GET", "/service/@id/vms/@vmid"),
    ("Create Virtual Machine", "POST", "/service/@id/vms"),
    (
        "Stop Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/stop",
    ),
    (
        "Start Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/start",
    ),
    (
        "Reboot Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/reboot",
    ),
    (
        "Rescue Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/rescue",
    ),
    (
        "Unrescue Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/unrescue",
    ),
    (
        "Rebuild Virtual Machine",
        "POST",
        "/service/@id/vms/@vmid/rebuild",
    ),
    ("Templates", "GET", "/service/@id/vms/@vmid/rebuild"),
];

impl Service {
    pub(super) fn add_machine(&mut self, id: i64, label: &str, template: &str) {
        let machine = Machine {
            id,
            label: label.to_owned(),
            status: "running".to_owned(),
            template: template.to_owned(),
        };
        self.machines.insert(id, machine);
    }
}

impl HostBill {
    pub(super) fn on_machines(
        &mut self,
        path: &Path,
        params: &Value,
        context: &mut Context<'_>,
    ) -> Said {
        let service_id = path.service().ok_or("Service not found")?;
        let new_id = self.next_id();
        let service = self
            .services
            .get_mut(&service_id)
            .ok_or("Service not found")?;
        if !service.product.machines || service.status != "Active" {
            return Err("invalid method".to_owned());
        }
        let domain = service.domain.clone();
        let parts = path.parts();
        match (path.method.as_str(), parts.get(3), parts.get(4).copied()) {
            ("GET", None, None) => {
                let rows: Vec<Value> = service.machines.values().map(row).collect();
                Ok(json!({"vms": rows}))
            }
            ("POST", None, None) => {
                let label = text(params, "label").ok_or("Please give a label")?;
                let template = text(params, "template").ok_or("Please choose a template")?;
                service.add_machine(new_id, &label, &template);
                context.applied(&domain, &new_id.to_string(), json!({"machine": label}));
                Ok(json!({"status": true}))
            }
            ("GET", Some(_), None) => {
                let machine = path.number(3).and_then(|id| service.machines.get(&id));
                Ok(json!({"vm": row(machine.ok_or("Not found")?)}))
            }
            ("POST", Some(_), Some(action)) => {
                let found = path.number(3).and_then(|id| service.machines.get_mut(&id));
                let machine = found.ok_or("Not found")?;
                act(machine, action, params)?;
                let id = machine.id.to_string();
                let change = json!({"machine": action, "status": machine.status});
                context.applied(&domain, &id, change);
                Ok(json!({"status": true}))
            }
            _ => Err("invalid method".to_owned()),
        }
    }
}

fn act(machine: &mut Machine, action: &str, params: &Value) -> Result<(), String> {
    let status = match (action, machine.status.as_str()) {
        ("start", "running") | ("stop", "stopped") => {
            return Err("Virtual machine is in this state already".to_owned());
        }
        ("start" | "reboot" | "unrescue", _) => "running",
        ("stop", _) => "stopped",
        ("rescue", _) => "rescue",
        ("rebuild", _) => {
            machine.template = text(params, "template").ok_or("Please choose a template")?;
            "running"
        }
        _ => return Err("invalid method".to_owned()),
    };
    status.clone_into(&mut machine.status);
    Ok(())
}

fn row(machine: &Machine) -> Value {
    json!({
        "id": machine.id.to_string(), "label": machine.label, "status": machine.status,
        "template": machine.template, "ip": "192.0.2.44", "memory": "2048", "disk": 20,
    })
}
