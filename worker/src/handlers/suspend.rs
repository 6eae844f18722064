//! Suspending an account.

use async_trait::async_trait;
use jobs::AccountState;
use panels::{PanelAccount, Standing};

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

pub(super) struct Suspend;

#[async_trait]
impl Handler for Suspend {
    type Todo = PanelAccount;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<PanelAccount>, Halt> {
        let found = subject::subject(attempt).await?;
        let Standing::Suspended { reason, ours, .. } = &found.standing else {
            return Ok(Observed::ToDo(found));
        };
        // Where the panel cannot tell whose it is, our own records do: we sent one, or had noted it as ours.
        let sent_one = attempt.doubt() == Doubt::Open;
        let noted = attempt.account()?.suspended_by.as_deref() == Some("us");
        let by_us = ours.unwrap_or(sent_one || noted);
        let why = reason.clone().unwrap_or_else(|| why(attempt));
        if sent_one && by_us {
            note_suspended(attempt, &found, ("us", why));
            return Ok(Observed::AlreadySo(Done::changed()));
        }
        let by = subject::suspended_by(Some(by_us));
        subject::note_evidence(attempt, &found);
        attempt.note(|change| {
            change.state = Some(AccountState::Suspended);
            change.suspension = Some(Some((by, why)));
        });
        Ok(Observed::AlreadySo(Done::already_so()))
    }

    async fn act(&self, attempt: &Attempt<'_>, found: PanelAccount) -> Result<Done, Halt> {
        attempt.check(&attempt.draft())?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let before = panel.remember(&key).await?;
        let reason = why(attempt);
        let text = format!("hostler: {reason}");
        let suspend = panel.suspend(&key, &text);
        // What an unsuspend needs is committed with the intent: afterwards the panel does not tell it.
        attempt
            .change(|progress| progress.remembered = before, suspend)
            .await?;
        note_suspended(attempt, &found, ("us", reason));
        Ok(Done::changed())
    }
}

fn note_suspended(attempt: &Attempt<'_>, found: &PanelAccount, by: (&'static str, String)) {
    subject::note_evidence(attempt, found);
    let remembered = attempt.progress().remembered;
    attempt.note(|change| {
        change.state = Some(AccountState::Suspended);
        change.suspension = Some(Some(by));
        change.remembered = Some(remembered);
    });
}

fn why(attempt: &Attempt<'_>) -> String {
    let asked = attempt.claimed.job.reason.as_deref().map(str::trim);
    match asked {
        Some(reason) if !reason.is_empty() => reason.to_owned(),
        _ => "suspended by the billing platform".to_owned(),
    }
}
