//! Orders: placed once, then followed until they are there; and cancellations, which are followed too.

use chrono::{DateTime, Duration};
use serde_json::Value;

use super::HostBill;
use super::read::{label, offered, service_that_is};
use super::shapes::{Invoice, Service, Status, money};
use crate::http::lenient::text;
use crate::{
    AccountKey, Detail, Goal, Login, NewAccount, Order, OrderState, OrderStep, PanelAccount,
    PanelError,
};

/// As many unpaid invoices are looked into for the one of a service.
const LOOKED_INTO: usize = 20;

/// One request. What it answered is all that is known of the order, so that nothing else may follow here.
pub(super) async fn place(
    bill: &HostBill,
    account: &NewAccount,
    prepared: &Value,
) -> Result<Order, PanelError> {
    let product = prepared.get("product").and_then(text);
    let (Some(product), Some(order)) = (product, prepared.get("order")) else {
        let why = "the order was not prepared";
        return Err(PanelError::refused("order_refused", why));
    };
    let ordered = bill.wire().order(&product, order).await?;
    let Some(service) = ordered.service else {
        let what = "the supplier's answer names no service";
        return Err(PanelError::InDoubt(Box::new(Detail::of(what))));
    };
    Ok(Order {
        goal: Goal::Made,
        service,
        invoice: ordered.invoice,
        number: ordered.number,
        label: Some(label(&account.marker, &account.username)),
    })
}

pub(super) fn behind(account: &NewAccount, found: &PanelAccount) -> Option<Order> {
    Some(Order {
        goal: Goal::Made,
        service: found.evidence.panel_id.clone()?,
        invoice: None,
        number: None,
        label: Some(label(&account.marker, &account.username)),
    })
}

/// Invoices since a day before that moment, whose date is all that the list tells.
pub(super) async fn traces(bill: &HostBill, since: i64) -> Result<Vec<String>, PanelError> {
    let since = DateTime::from_timestamp_millis(since).unwrap_or_default() - Duration::days(1);
    let first = since.with_timezone(&bill.options.zone).date_naive();
    let invoices = bill.wire().invoices().await?;
    let recent = invoices
        .iter()
        .filter(|one| one.date.is_none_or(|date| date >= first));
    Ok(recent
        .map(|one| {
            let date = one
                .date
                .map_or_else(|| "no date".to_owned(), |date| date.to_string());
            format!(
                "invoice {} of {date} over {}, {}",
                one.id,
                money(one.total),
                one.status
            )
        })
        .take(LOOKED_INTO)
        .collect())
}

pub(super) async fn state(bill: &HostBill, order: &Order) -> Result<OrderState, PanelError> {
    let service = bill.wire().service(&order.service).await?;
    match (order.goal, service.status) {
        (Goal::Ended, Status::Cancelled | Status::Terminated) => {
            Ok(OrderState::Done(Login::default()))
        }
        (Goal::Ended, _) => Ok(OrderState::Waiting {
            code: "awaiting_cancellation",
            what: "the supplier has not yet carried the cancellation out".to_owned(),
        }),
        (Goal::Made | Goal::Changed, status) if !status.is_live() => Ok(OrderState::Over {
            what: format!("the supplier has set the service to {status:?}"),
        }),
        (Goal::Made, _) => made(bill, order, service).await,
        (Goal::Changed, _) => Ok(unpaid(bill, order)
            .await?
            .unwrap_or_else(|| OrderState::Done(Login::default()))),
    }
}

async fn made(bill: &HostBill, order: &Order, service: Service) -> Result<OrderState, PanelError> {
    if order
        .label
        .as_ref()
        .is_some_and(|label| *label != service.label)
    {
        return Ok(OrderState::Due(OrderStep::Mark));
    }
    if let Some(unpaid) = unpaid(bill, order).await? {
        return Ok(unpaid);
    }
    match (service.status, &service.username) {
        (Status::Active, Some(_)) => Ok(OrderState::Done(Login {
            username: service.username,
            password: service.password.map(Into::into),
        })),
        (status, _) => Ok(OrderState::Waiting {
            code: "awaiting_approval",
            what: format!("the supplier has not yet set the service up (it is {status:?})"),
        }),
    }
}

/// What there is to pay, and whether it can be; `None` = nothing.
async fn unpaid(bill: &HostBill, order: &Order) -> Result<Option<OrderState>, PanelError> {
    let Some(invoice) = invoice_of(bill, order).await? else {
        return Ok(None);
    };
    if !invoice.is_unpaid() {
        return match invoice.status.as_str() {
            "Paid" | "Credited" | "Collections" => Ok(None),
            status => Ok(Some(OrderState::Waiting {
                code: "awaiting_invoice",
                what: format!("the order's invoice {} is {status}", invoice.id),
            })),
        };
    }
    let (credit, currency) = bill.wire().credit().await?;
    if credit >= invoice.total {
        return Ok(Some(OrderState::Due(OrderStep::Pay)));
    }
    Ok(Some(OrderState::NeedsFunds {
        what: format!(
            "the supplier's invoice {} is over {} {currency}, and there are {} of credit",
            invoice.id,
            money(invoice.total),
            money(credit)
        ),
    }))
}

/// The order's invoice. Where its id is not known, it is among the unpaid ones, whose lines name the service.
async fn invoice_of(bill: &HostBill, order: &Order) -> Result<Option<Invoice>, PanelError> {
    if let Some(id) = &order.invoice {
        return bill.wire().invoice(id).await.map(Some);
    }
    // An order whose answer came and named none has none.
    if order.number.is_some() {
        return Ok(None);
    }
    let listed = bill.wire().invoices().await?;
    for one in listed
        .iter()
        .filter(|one| one.is_unpaid())
        .take(LOOKED_INTO)
    {
        let whole = bill.wire().invoice(&one.id).await?;
        if whole.services.contains(&order.service) {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

pub(super) async fn take_step(
    bill: &HostBill,
    order: &Order,
    step: OrderStep,
) -> Result<(), PanelError> {
    match step {
        OrderStep::Mark => {
            let label = order.label.as_deref().unwrap_or_default();
            bill.wire().set_label(&order.service, label).await
        }
        OrderStep::Pay => {
            // Only what is unpaid at this moment.
            let invoice = match invoice_of(bill, order).await? {
                Some(invoice) if invoice.is_unpaid() => invoice,
                _ => return Ok(()),
            };
            let status = bill.wire().pay(&invoice.id).await?;
            if status == "Paid" {
                return Ok(());
            }
            let why = format!("the supplier took the credit, and the invoice is {status}");
            Err(PanelError::refused("not_paid", why))
        }
    }
}

/// Asks for the service's end, at once. `None` = it has ended.
pub(super) async fn cancel(bill: &HostBill, key: &AccountKey) -> Result<Option<Order>, PanelError> {
    let service = match service_that_is(bill, key).await {
        Ok(service) => service,
        Err(PanelError::Rejected {
            code: "no_such_account",
            ..
        }) => return Ok(None),
        Err(error) => return Err(error),
    };
    offered(bill, &service.id, "POST", "/service/@id/cancel").await?;
    bill.wire().cancel(&service.id).await?;
    Ok(Some(Order {
        goal: Goal::Ended,
        service: service.id,
        invoice: None,
        number: None,
        label: None,
    }))
}
