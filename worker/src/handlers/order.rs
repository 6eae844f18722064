//! Orders at a supplier: sent once, kept before anything else, and followed until they are done.
//!
//! An order costs money and has no key by which a supplier would know it again. So it is never sent a second time
//! because its answer did not come: what it may have left is looked for, and where nothing is found a person
//! decides. Who lets the job go on then has looked, and it is ordered again.

use std::future::Future;

use entity::attempt;
use jobs::retry;
use panels::{Login, Order, OrderState, OrderStep, PanelError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::attempt::{Attempt, Halt};

/// Steps of an order that one attempt takes at most.
const MOST_STEPS: usize = 4;

/// How a job is held whose order may have left.
const UNCLEAR: &str = "order_unclear";

/// What the row says while an order is on its way.
const PLACED: &str = "the order stands at the supplier, and is not finished";

/// Sends what may be an order, or follows the one that was sent. `true` = it was an order, and is done as far as
/// the supplier's books go.
pub(super) async fn send(
    attempt: &Attempt<'_>,
    call: impl Future<Output = Result<Option<Order>, PanelError>>,
) -> Result<bool, Halt> {
    let order = match attempt.progress().order {
        Some(order) => Some(order),
        None => send_once(attempt, call).await?,
    };
    match order {
        Some(order) => follow(attempt, &order).await.map(|_| true),
        None => Ok(false),
    }
}

/// Lets an order leave, if none may have left before, and keeps what it answered.
pub(super) async fn send_once(
    attempt: &Attempt<'_>,
    call: impl Future<Output = Result<Option<Order>, PanelError>>,
) -> Result<Option<Order>, Halt> {
    if !attempt.panel()?.orders() {
        return attempt.change(|_| {}, call).await;
    }
    let progress = attempt.progress();
    if progress.ordering && !was_released(attempt, UNCLEAR).await? {
        return Err(unclear(attempt).await?);
    }
    let now = attempt.now();
    let sent = attempt
        .change(
            |progress| {
                progress.first_sent_at = Some(now);
                progress.ordering = true;
            },
            call,
        )
        .await;
    match sent {
        Ok(order) => {
            attempt
                .step(|progress| {
                    progress.order.clone_from(&order);
                    progress.ordering = false;
                })
                .await?;
            Ok(order)
        }
        Err(unknown @ (Halt::Lost | Halt::Panel(PanelError::InDoubt(_)))) => Err(unknown),
        // Surely nothing was ordered.
        Err(other) => {
            attempt.step(|progress| progress.ordering = false).await?;
            Err(other)
        }
    }
}

/// Whether a person has let the job go on after it was held for that: only so does it come here again. It is asked
/// of the attempt that ended with the hold, and noted nowhere else: a note that is made before the hold would
/// outlive a worker that dies in between, and nobody would have looked.
pub(super) async fn was_released(attempt: &Attempt<'_>, code: &str) -> Result<bool, Halt> {
    let job = &attempt.claimed.job;
    let last = attempt::Entity::find()
        .filter(attempt::Column::JobId.eq(job.id))
        .filter(attempt::Column::Fence.lt(job.fence))
        .order_by_desc(attempt::Column::Fence)
        .one(attempt.worker.store().reader())
        .await?;
    Ok(last.is_some_and(|last| last.outcome == "held" && last.error_code.as_deref() == Some(code)))
}

/// An order has left, its answer is not known, and nothing of it is to be found.
async fn unclear(attempt: &Attempt<'_>) -> Result<Halt, Halt> {
    let since = attempt.progress().first_sent_at.unwrap_or_default();
    let traces = attempt.panel()?.traces(since).await?;
    attempt.doubt_is_resolved();
    let found = if traces.is_empty() {
        "no invoice since then".to_owned()
    } else {
        traces.join("; ")
    };
    Ok(Halt::hold(
        UNCLEAR,
        format!(
            "the supplier did not answer the order, and has no service that is known to be it ({found}); \
             look there, and replay the job to order again"
        ),
    ))
}

/// Takes the steps that are due. Returns when the order is done; what waits for others is looked at again later,
/// in an attempt of its own.
pub(super) async fn follow(attempt: &Attempt<'_>, order: &Order) -> Result<Login, Halt> {
    attempt.stands(PLACED);
    for _ in 0..MOST_STEPS {
        match attempt.panel()?.order_state(order).await? {
            OrderState::Done(login) => return Ok(login),
            OrderState::Due(step) => take(attempt, order, step).await?,
            OrderState::Waiting { code, what } => return Err(later(attempt, code, what).await?),
            OrderState::NeedsFunds { what } => return Err(Halt::hold("needs_funds", what)),
            OrderState::Over { what } => {
                attempt.nothing_stands();
                return Err(Halt::refuse("order_given_up", what));
            }
        }
    }
    let what = "the supplier does not show what was done for the order";
    Err(later(attempt, "awaiting_supplier", what.to_owned()).await?)
}

async fn take(attempt: &Attempt<'_>, order: &Order, step: OrderStep) -> Result<(), Halt> {
    let panel = attempt.panel()?;
    if step == OrderStep::Mark {
        return attempt.change(|_| {}, panel.take_step(order, step)).await;
    }
    // A payment whose answer is not known may still be under way.
    let now = attempt.now();
    let settle = attempt.claimed.kind().policy().settle.unwrap_or_default();
    let settle = attempt.worker.store().pace().of(settle).as_millis();
    if let Some(since) = attempt.progress().paying_since
        && u128::try_from(now.saturating_sub(since)).unwrap_or(0) < settle
    {
        let what = "the payment of the order's invoice is being looked up".to_owned();
        return Err(later(attempt, "awaiting_payment", what).await?);
    }
    attempt
        .change(
            |progress| progress.paying_since = Some(now),
            panel.take_step(order, step),
        )
        .await?;
    attempt.remember(|progress| progress.paying_since = None);
    Ok(())
}

/// Looks again later, in an attempt of its own: no try is used, and no worker waits.
pub(super) async fn later(
    attempt: &Attempt<'_>,
    code: &'static str,
    why: String,
) -> Result<Halt, Halt> {
    attempt.step(|progress| progress.polls += 1).await?;
    let jitter = attempt.worker.parts.chance.jitter();
    let after = retry::before_poll(attempt.progress().polls, jitter);
    let after = attempt.worker.store().pace().of(after);
    Ok(Halt::Later { after, code, why })
}
