//! DNS zones, tickets and contacts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::HostBill;
use super::answer::{Said, text};
use super::paths::Path;

#[derive(Clone, Debug)]
pub(super) struct Zone {
    id: i64,
    service: i64,
    name: String,
    records: BTreeMap<i64, Value>,
}

impl HostBill {
    pub(super) fn all_zones(&self) -> Value {
        let zones: Vec<Value> = self
            .zones
            .values()
            .map(|zone| {
                json!({"domain_id": zone.id.to_string(), "name": zone.name, "service_id": zone.service.to_string()})
            })
            .collect();
        let services: Vec<String> = self.services.keys().map(ToString::to_string).collect();
        json!({"service_ids": services, "zones": zones})
    }

    pub(super) fn on_zones(&mut self, path: &Path, params: &Value) -> Said {
        let service = path.service().ok_or("Service not found")?;
        if !self.services.contains_key(&service) {
            return Err("Service not found".to_owned());
        }
        let new_id = self.next_id();
        let parts = path.parts();
        if (path.method.as_str(), parts.len()) == ("POST", 3) {
            let name = text(params, "name").ok_or("Please give a name")?;
            let zone = Zone {
                id: new_id,
                service,
                name: name.clone(),
                records: BTreeMap::new(),
            };
            self.zones.insert(new_id, zone);
            return Ok(json!({"info": [format!("Domain zone {name} was created successfully.")]}));
        }
        let id = path.number(3).ok_or("invalid method")?;
        let zone = self
            .zones
            .get_mut(&id)
            .filter(|zone| zone.service == service);
        let zone = zone.ok_or("Zone not found")?;
        match (path.method.as_str(), parts.get(4), path.number(5)) {
            ("GET", None, _) => {
                let records: Vec<&Value> = zone.records.values().collect();
                Ok(json!({"service_id": zone.service, "name": zone.name, "records": records}))
            }
            ("DELETE", None, _) => {
                self.zones.remove(&id);
                Ok(json!({"info": ["Domain zone was deleted successfully."]}))
            }
            ("POST", Some(_), None) => {
                let mut record = params.clone();
                record["id"] = json!(new_id.to_string());
                zone.records.insert(new_id, record.clone());
                Ok(json!({"record": record, "info": ["dnsnewrecordadded"]}))
            }
            ("PUT", Some(_), Some(record)) if zone.records.contains_key(&record) => {
                let mut new = params.clone();
                new["id"] = json!(record.to_string());
                zone.records.insert(record, new.clone());
                Ok(json!({"record": new, "info": ["The record was updated successfully."]}))
            }
            ("DELETE", Some(_), Some(record)) if zone.records.remove(&record).is_some() => {
                Ok(json!({"info": ["dnsrecordwasdeleted"]}))
            }
            _ => Err("Record not found".to_owned()),
        }
    }

    pub(super) fn on_contacts(&mut self, path: &Path, params: &Value) -> Said {
        if path.method == "POST" {
            let mut new = params.clone();
            new["id"] = json!(self.next_id().to_string());
            self.contacts.push(new);
            return Ok(json!({"success": true, "info": ["Profile has been added"]}));
        }
        Ok(json!({"contacts": self.contacts}))
    }

    pub(super) fn on_tickets(&mut self, path: &Path, params: &Value) -> Said {
        let found = |tickets: &mut Vec<Value>| {
            let number = path.number(1).unwrap_or_default().to_string();
            tickets
                .iter()
                .position(|one| one["ticket_number"] == json!(number))
        };
        match (path.method.as_str(), path.parts().as_slice()) {
            ("GET", ["tickets"]) => Ok(json!({"tickets": self.tickets})),
            ("POST", ["tickets"]) => {
                let number = 865_000 + self.next_id();
                self.tickets.push(json!({
                    "client_read": "1", "ticket_number": number.to_string(), "date": "2026-11-26 10:00:00",
                    "deptname": "General", "subject": text(params, "subject"), "status": "Open", "lastreply": "",
                }));
                Ok(json!({"ticket": number}))
            }
            ("POST", ["tickets", _]) if found(&mut self.tickets).is_some() => {
                Ok(json!({"info": ["Reply added successfully"]}))
            }
            ("PUT", ["tickets", _, "close"]) => {
                let at = found(&mut self.tickets).ok_or("Ticket not found")?;
                self.tickets[at]["status"] = json!("Closed");
                Ok(json!({"status": true}))
            }
            _ => Err("Ticket not found".to_owned()),
        }
    }
}
