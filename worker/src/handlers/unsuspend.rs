//! Lifting a suspension of ours.

use async_trait::async_trait;
use jobs::{AccountState, OPERATOR};
use panels::{PanelAccount, Standing};
use serde_json::Value;

use super::suspend::{OVERUSE, is_noted_as_ours};
use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

pub(super) struct Unsuspend {
    /// What was for its traffic is lifted, and nothing else; else whatever a platform has set.
    pub(super) overuse: bool,
}

#[async_trait]
impl Handler for Unsuspend {
    type Todo = PanelAccount;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<PanelAccount>, Halt> {
        let found = subject::subject(attempt).await?;
        match &found.standing {
            Standing::Active => {
                let sent = attempt.doubt() == Doubt::Open;
                if !missing(attempt).await?.is_empty() {
                    return Ok(Observed::ToDo(found));
                }
                note_active(attempt, &found);
                let done = if sent {
                    Done::changed()
                } else {
                    Done::already_so()
                };
                Ok(Observed::AlreadySo(done))
            }
            Standing::Suspended {
                locked,
                ours,
                reason,
            } => {
                let is_ours = ours.map_or_else(|| is_noted_as_ours(attempt), Ok)?;
                let row = attempt.account()?;
                if self.overuse && !(is_ours && row.suspended_by.as_deref() == Some(OVERUSE)) {
                    // It stays suspended, for something else.
                    attempt.note(|change| change.overuse = Some(None));
                    return Ok(Observed::AlreadySo(Done::already_so()));
                }
                // A payment lifts only what we set: the panel's marker says it, or our own record where it keeps none.
                if *locked || !(is_ours || is_forced(attempt)) {
                    attempt.doubt_is_resolved();
                    return Err(not_ours(attempt, reason.as_deref()));
                }
                if let Some(month) = &row.overuse_month
                    && !self.overuse
                    && !is_forced(attempt)
                {
                    attempt.doubt_is_resolved();
                    return Err(overused(attempt, month));
                }
                Ok(Observed::ToDo(found))
            }
        }
    }

    async fn act(&self, attempt: &Attempt<'_>, found: PanelAccount) -> Result<Done, Halt> {
        attempt.check(&attempt.draft())?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let before = before(attempt)?;
        attempt
            .change(|_| {}, panel.unsuspend(&key, before.as_ref()))
            .await?;
        let missing = missing(attempt).await?;
        if !missing.is_empty() {
            attempt.note(|change| change.state = Some(AccountState::Active));
            let why = format!(
                "the account is active again, but the panel has not restored {}",
                missing.join(", ")
            );
            return Err(Halt::hold("not_restored", why));
        }
        note_active(attempt, &found);
        Ok(Done::changed())
    }
}

fn note_active(attempt: &Attempt<'_>, found: &PanelAccount) {
    subject::note_evidence(attempt, found);
    attempt.note(|change| {
        change.state = Some(AccountState::Active);
        change.suspension = Some(None);
        change.overuse = Some(None);
        change.remembered = Some(None);
    });
}

/// What the panel has not brought back of what it had before the suspension.
async fn missing(attempt: &Attempt<'_>) -> Result<Vec<String>, Halt> {
    let before = before(attempt)?;
    let key = attempt.key()?;
    let panel = attempt.panel()?;
    Ok(panel.missing_after_unsuspend(&key, before.as_ref()).await?)
}

fn before(attempt: &Attempt<'_>) -> Result<Option<Value>, Halt> {
    let text = attempt.account()?.remembered.as_deref();
    Ok(text.and_then(|text| serde_json::from_str(text).ok()))
}

/// An operator who says why may lift any suspension.
fn is_forced(attempt: &Attempt<'_>) -> bool {
    let job = &attempt.claimed.job;
    let says_why = job
        .reason
        .as_deref()
        .is_some_and(|why| !why.trim().is_empty());
    job.platform_id == OPERATOR && says_why
}

fn not_ours(attempt: &Attempt<'_>, reason: Option<&str>) -> Halt {
    let shown = reason.unwrap_or_default().to_owned();
    attempt.note(|change| {
        change.state = Some(AccountState::Suspended);
        change.suspension = Some(Some(("others", shown)));
    });
    Halt::refuse(
        "suspended_by_others",
        "the account was suspended by somebody else and stays so; the hosting provider must lift it",
    )
}

/// What the platform has set is lifted; what is for the traffic stays until the month is over, or the limit is
/// raised.
fn overused(attempt: &Attempt<'_>, month: &str) -> Halt {
    let why = format!("the traffic of {month} is used up");
    attempt.note(|change| change.suspension = Some(Some((OVERUSE, why))));
    Halt::refuse(
        "suspended_for_overuse",
        format!(
            "the account stays suspended because its traffic of {month} is used up, until the month is over or \
             its limit is raised; nothing else keeps it suspended any more"
        ),
    )
}
