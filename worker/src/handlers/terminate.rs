//! Removing an account with its files.

use async_trait::async_trait;
use chrono::DateTime;
use entity::job;
use hosting::Month;
use jobs::faults::Point;
use jobs::{AccountState, JobKind};
use panels::{Goal, Order, PanelAccount, PanelError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{Handler, Observed, order, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::identity::{Expected, Incarnation, incarnation, is_ours};
use crate::ledger::{self, Run, Taken};
use crate::progress::Progress;
use crate::verdict::{Doubt, Tries};

pub(super) struct Terminate;

#[async_trait]
impl Handler for Terminate {
    type Todo = Option<Box<PanelAccount>>;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Self::Todo>, Halt> {
        if attempt.account_state() == Some(AccountState::Terminated) {
            // Its name may be another account's by now.
            return Ok(Observed::AlreadySo(Done::already_so()));
        }
        if attempt.progress().order.is_some() {
            attempt.doubt_is_resolved();
            return Ok(Observed::ToDo(None));
        }
        let sent = attempt.doubt() == Doubt::Open;
        match subject::find(attempt).await? {
            Some(found) if is_the_one(attempt, &found).await? => {
                Ok(Observed::ToDo(Some(Box::new(found))))
            }
            _ => {
                note_gone(attempt);
                let done = if sent {
                    Done::changed()
                } else {
                    Done::already_so()
                };
                Ok(Observed::AlreadySo(done))
            }
        }
    }

    async fn act(&self, attempt: &Attempt<'_>, todo: Self::Todo) -> Result<Done, Halt> {
        let Some(found) = todo else {
            return ended(attempt).await;
        };
        attempt.check(&attempt.draft())?;
        let missing_final = !read_for_the_last_time(attempt).await?;
        Point::LastReading.reach(&attempt.claimed.job);
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let asked_before = attempt.progress().ordering;
        let orders = panel.orders();
        let sent = attempt
            .change(|progress| progress.ordering = orders, panel.terminate(&key))
            .await;
        let order = match sent {
            // What a second request for the same is answered with, after a first one without an answer.
            Err(Halt::Panel(PanelError::Rejected { .. })) if asked_before => behind(&found),
            other => other?,
        };
        if let Some(order) = order {
            attempt
                .step(|progress| progress.order = Some(order))
                .await?;
            return ended(attempt).await;
        }
        note_gone(attempt);
        Ok(Done::changed().with(serde_json::json!({"final_reading": !missing_final})))
    }
}

/// The end that was asked for, by the account's own id.
fn behind(found: &PanelAccount) -> Option<Order> {
    Some(Order {
        goal: Goal::Ended,
        service: found.evidence.panel_id.clone()?,
        invoice: None,
        number: None,
        label: None,
    })
}

/// What was asked for is looked at until it is done.
async fn ended(attempt: &Attempt<'_>) -> Result<Done, Halt> {
    if let Some(order) = attempt.progress().order {
        order::follow(attempt, &order).await?;
    }
    note_gone(attempt);
    Ok(Done::changed())
}

fn note_gone(attempt: &Attempt<'_>) {
    attempt.note(|change| change.state = Some(AccountState::Terminated));
}

/// Whether what was found is the account that the job means. `false` = the one that it means was never
/// made, and what is found belongs to somebody else.
///
/// # Errors
/// Held as `other_incarnation` when it could be, but nothing proves it.
async fn is_the_one(attempt: &Attempt<'_>, found: &PanelAccount) -> Result<bool, Halt> {
    let known = incarnation(&attempt.recorded(), &found.evidence) == Incarnation::Same;
    let imported = attempt.account_state() == Some(AccountState::Importing);
    if known || imported {
        return Ok(true);
    }
    let (key, row) = (attempt.key()?, attempt.account()?);
    let marker = attempt.worker.marker(row.id);
    let expected = Expected {
        marker: &marker,
        domain: key.domain.as_ref(),
        owner: attempt.server()?.user.as_deref(),
        sent_at: create_sent_at(attempt, row.id).await?,
        read_at: attempt.now(),
    };
    if is_ours(found, &expected) {
        return Ok(true);
    }
    let other_mark = found.evidence.marker.is_some();
    let other_domain = found.domain.is_some() && found.domain != key.domain;
    let never_made = [
        Some(AccountState::Requested),
        Some(AccountState::Provisioning),
        Some(AccountState::Failed),
        Some(AccountState::Conflict),
    ]
    .contains(&attempt.account_state());
    if never_made && (other_mark || other_domain) {
        return Ok(false);
    }
    attempt.doubt_is_resolved();
    Err(subject::other_incarnation(
        "nothing proves that the account of that name on the panel is the one that this job means",
    ))
}

/// When the first create of that account left; `None` = none did, so nothing that is there is its work.
async fn create_sent_at(attempt: &Attempt<'_>, account_id: i64) -> Result<Option<i64>, Halt> {
    let steps: Vec<Option<String>> = job::Entity::find()
        .select_only()
        .column(job::Column::Progress)
        .filter(job::Column::AccountId.eq(account_id))
        .filter(job::Column::Kind.eq(JobKind::Create.name()))
        .into_tuple()
        .all(attempt.worker.store().reader())
        .await?;
    let sent = steps
        .iter()
        .filter_map(|steps| Progress::read(steps.as_deref()).first_sent_at);
    Ok(sent.min())
}

/// The panel deletes its traffic with the account, so it is read before. `false` = it could not be, and
/// this was the last try.
async fn read_for_the_last_time(attempt: &Attempt<'_>) -> Result<bool, Halt> {
    let month = month_now(attempt)?;
    let mut read = true;
    for month in [month.previous(), month] {
        match read_month(attempt, month).await {
            Ok(()) => {}
            Err(error) if may_go_on(attempt, &error) => {
                tracing::warn!(%month, "The last traffic reading is missing: {error}");
                ledger::flag_missing_final(attempt, month).await?;
                read = false;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(read)
}

/// A refused reading will not come by waiting; a failed one is tried again with the job, up to the last try.
fn may_go_on(attempt: &Attempt<'_>, error: &Reading) -> bool {
    match error {
        Reading::Panel(PanelError::Rejected { .. }) => true,
        Reading::Panel(PanelError::Transient(_) | PanelError::InDoubt(_)) => {
            attempt.tries() == Tries::None
        }
        Reading::Panel(PanelError::Auth(_) | PanelError::Throttled { .. }) | Reading::Ours(_) => {
            false
        }
    }
}

enum Reading {
    Panel(PanelError),
    Ours(Halt),
}

impl std::fmt::Display for Reading {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reading::Panel(error) => error.fmt(f),
            Reading::Ours(_) => f.write_str("our database did not take it"),
        }
    }
}

impl From<Reading> for Halt {
    fn from(error: Reading) -> Self {
        match error {
            Reading::Panel(error) => Halt::Panel(error),
            Reading::Ours(halt) => halt,
        }
    }
}

async fn read_month(attempt: &Attempt<'_>, month: Month) -> Result<(), Reading> {
    let panel = attempt.panel().map_err(Reading::Ours)?;
    let key = attempt.key().map_err(Reading::Ours)?;
    let taken = Taken::from(attempt, panel.usage_of(&key, month))
        .await
        .map_err(Reading::Panel)?;
    let run = Run::of_one(attempt, panel.counter(), month).map_err(Reading::Ours)?;
    ledger::write(attempt, &run, &taken)
        .await
        .map(|_| ())
        .map_err(Reading::Ours)
}

/// The month that it is now where the panel stands.
fn month_now(attempt: &Attempt<'_>) -> Result<Month, Halt> {
    let zone: chrono_tz::Tz = attempt
        .server()?
        .time_zone
        .parse()
        .unwrap_or(chrono_tz::UTC);
    let now = DateTime::from_timestamp_millis(attempt.now()).unwrap_or_default();
    Ok(Month::of(&now.with_timezone(&zone)))
}
