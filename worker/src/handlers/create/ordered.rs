//! A create that is an order: prepared, placed once, followed. Name and password are the supplier's choice.

use panels::{Login, NewAccount, Order, PanelAccount};
use secrecy::SecretString;
use serde_json::json;

use super::{Create, Offered, Todo, steps};
use crate::attempt::{Attempt, Done, Halt};
use crate::handlers::order;
use crate::passwords;

pub(super) async fn act(
    create: &Create<'_>,
    attempt: &Attempt<'_>,
    todo: Todo,
) -> Result<Done, Halt> {
    let new = create.new_account(attempt, &SecretString::default())?;
    let order = match (attempt.progress().order, todo) {
        (Some(order), _) => order,
        (None, Todo::GoOn(found)) => adopt(attempt, &new, &found).await?,
        (None, Todo::Make | Todo::Follow) => place(create, attempt, &new).await?,
    };
    let login = order::follow(attempt, &order).await?;
    let found = steps::read_back(attempt).await?;
    steps::note_made(attempt, &found, create.wanted);
    finished(create, attempt, &found, login).await
}

async fn place(
    create: &Create<'_>,
    attempt: &Attempt<'_>,
    new: &NewAccount,
) -> Result<Order, Halt> {
    create.check(attempt, None)?;
    let panel = attempt.panel()?;
    let prepared = panel.prepare(new).await?;
    // The look before had another reason; this one is right before the order.
    steps::domain_is_free(attempt, new).await?;
    let placed = async { panel.place(new, &prepared).await.map(Some) };
    let order = order::send_once(attempt, placed).await?;
    order.ok_or_else(|| Halt::hold("order_unclear", "the supplier's answer names no order"))
}

/// The service that an order of ours has made whose answer never came.
async fn adopt(
    attempt: &Attempt<'_>,
    new: &NewAccount,
    found: &PanelAccount,
) -> Result<Order, Halt> {
    let Some(order) = attempt.panel()?.order_behind(new, found) else {
        return Err(Halt::hold("order_unclear", "the service found has no id"));
    };
    attempt
        .step(|progress| {
            progress.order = Some(order.clone());
            progress.ordering = false;
        })
        .await?;
    Ok(order)
}

async fn finished(
    create: &Create<'_>,
    attempt: &Attempt<'_>,
    found: &PanelAccount,
    login: Login,
) -> Result<Done, Halt> {
    let offered = match &login.password {
        Some(password) => {
            passwords::hand_out(attempt, password).await?;
            Offered::Password
        }
        None => Offered::Nothing,
    };
    let mut result = steps::result(attempt, create.wanted, found, offered);
    if let (Some(fields), Some(order)) = (result.as_object_mut(), attempt.progress().order) {
        fields.insert("login".to_owned(), json!(login.username));
        fields.insert("service".to_owned(), json!(order.service));
        fields.insert("invoice".to_owned(), json!(order.invoice));
    }
    Ok(Done::changed().with(result).secrets_spent())
}
