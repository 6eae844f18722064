//! Invoices and credit.

use serde_json::{Value, json};

use super::HostBill;
use super::answer::{Said, date, money};
use super::paths::Path;
use super::services::Change;
use crate::panel::Context;

#[derive(Clone, Debug)]
pub(super) struct Invoice {
    pub(super) id: i64,
    pub(super) service: i64,
    total: i64,
    status: &'static str,
    date: String,
    /// What its payment lets happen.
    pub(super) change: Change,
}

impl HostBill {
    /// Makes an invoice; its id, 0 for nothing to pay.
    pub(super) fn bill(
        &mut self,
        service: i64,
        total: i64,
        change: Change,
        context: &Context<'_>,
    ) -> i64 {
        if total == 0 {
            self.paid(service, &change, context);
            return 0;
        }
        let id = self.next_id() + 308_000;
        let invoice = Invoice {
            id,
            service,
            total,
            status: "Unpaid",
            date: date(context),
            change,
        };
        self.invoices.insert(id, invoice);
        id
    }

    pub(super) fn balance(&self) -> Value {
        let unpaid = self.invoices.values().filter(|one| one.status == "Unpaid");
        let owed: i64 = unpaid.map(|one| one.total).sum();
        json!({"success": true, "details": {
            "currency": "USD", "acc_balance": money(owed), "acc_credit": money(self.credit),
        }})
    }

    pub(super) fn on_invoices(&mut self, path: &Path, context: &mut Context<'_>) -> Said {
        let none = || "Invoice not found".to_owned();
        match (path.method.as_str(), path.parts().as_slice()) {
            ("GET", ["invoice"]) => {
                let rows: Vec<Value> = self.invoices.values().map(row).collect();
                Ok(json!({"invoices": rows}))
            }
            ("GET", ["invoice", _]) => {
                let found = path.number(1).and_then(|id| self.invoices.get(&id));
                let invoice = found.ok_or_else(none)?;
                let mut whole = row(invoice);
                whole["subtotal"] = json!(money(invoice.total));
                whole["items"] = json!([{
                    "id": "1", "invoice_id": invoice.id.to_string(), "type": "Hosting",
                    "item_id": invoice.service.to_string(), "description": "a service",
                    "amount": money(invoice.total), "taxed": "0", "qty": "1.00",
                    "linetotal": money(invoice.total),
                }]);
                Ok(json!({"invoice": whole}))
            }
            ("POST", ["invoice", _, "credit"]) => {
                let id = path.number(1).ok_or_else(none)?;
                self.pay(id, context)
            }
            _ => Err("invalid method".to_owned()),
        }
    }

    fn pay(&mut self, id: i64, context: &mut Context<'_>) -> Said {
        let invoice = self.invoices.get_mut(&id).ok_or("Invoice not found")?;
        if invoice.status != "Unpaid" {
            return Err("This invoice is paid already".to_owned());
        }
        let applied = invoice.total.min(self.credit);
        if applied < invoice.total {
            return Err("You have not enough credit".to_owned());
        }
        invoice.status = "Paid";
        self.credit -= applied;
        let (service, change) = (invoice.service, invoice.change.clone());
        let domain = self.services.get(&service).map(|one| one.domain.clone());
        context.applied(
            &domain.unwrap_or_default(),
            &service.to_string(),
            json!({"paid": [id, money(applied)]}),
        );
        self.paid(service, &change, context);
        Ok(json!({"success": true, "invoice_status": "Paid", "applied": applied as f64 / 100.0}))
    }
}

fn row(one: &Invoice) -> Value {
    json!({
        "id": one.id.to_string(), "date": one.date, "dateorig": one.date, "duedate": one.date,
        "paybefore": one.date, "total": money(one.total), "datepaid": "0000-00-00 00:00:00",
        "status": one.status, "merge_id": null, "number": null, "currency": "USD",
    })
}
