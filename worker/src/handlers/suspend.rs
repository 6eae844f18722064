//! Suspending an account.

use async_trait::async_trait;
use hosting::Month;
use jobs::AccountState;
use panels::{PanelAccount, Standing};

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

/// How a row names a suspension for traffic alone.
pub(super) const OVERUSE: &str = "overuse";

pub(super) struct Suspend {
    /// The month whose traffic it is for; `None` = for what the platform has against it.
    pub(super) overuse: Option<Month>,
}

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
        let by_us = ours.unwrap_or(sent_one || is_noted_as_ours(attempt)?);
        if sent_one && by_us {
            let why = reason.clone().unwrap_or_else(|| self.why(attempt));
            self.note_suspended(attempt, &found, why);
            return Ok(Observed::AlreadySo(Done::changed()));
        }
        self.note_found(attempt, &found, by_us, reason.clone())?;
        Ok(Observed::AlreadySo(Done::already_so()))
    }

    async fn act(&self, attempt: &Attempt<'_>, found: PanelAccount) -> Result<Done, Halt> {
        attempt.check(&attempt.draft())?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let before = panel.remember(&key).await?;
        let reason = self.why(attempt);
        let text = format!("hostler: {reason}");
        let suspend = panel.suspend(&key, &text);
        // What an unsuspend needs is committed with the intent: afterwards the panel does not tell it.
        attempt
            .change(|progress| progress.remembered = before, suspend)
            .await?;
        self.note_suspended(attempt, &found, reason);
        Ok(Done::changed())
    }
}

impl Suspend {
    /// It was suspended already.
    fn note_found(
        &self,
        attempt: &Attempt<'_>,
        found: &PanelAccount,
        by_us: bool,
        on_the_panel: Option<String>,
    ) -> Result<(), Halt> {
        let for_overuse = attempt.account()?.suspended_by.as_deref() == Some(OVERUSE);
        // What is ours and not known to be for the traffic alone may be for an unpaid bill.
        let by = match self.overuse {
            Some(_) if by_us && for_overuse => OVERUSE,
            _ => subject::suspended_by(Some(by_us)),
        };
        // The panel goes on saying what the first of two suspensions was for.
        let second = by_us && for_overuse && self.overuse.is_none();
        let why = on_the_panel.filter(|_| !second);
        let why = why.unwrap_or_else(|| self.why(attempt));
        subject::note_evidence(attempt, found);
        attempt.note(|change| {
            change.state = Some(AccountState::Suspended);
            change.suspension = Some(Some((by, why)));
            if by_us && self.overuse.is_some() {
                change.overuse = Some(self.overuse);
            }
        });
        Ok(())
    }

    /// We have suspended it.
    fn note_suspended(&self, attempt: &Attempt<'_>, found: &PanelAccount, why: String) {
        subject::note_evidence(attempt, found);
        let remembered = attempt.progress().remembered;
        let by = self.overuse.map_or("us", |_| OVERUSE);
        attempt.note(|change| {
            change.state = Some(AccountState::Suspended);
            change.suspension = Some(Some((by, why)));
            change.overuse = Some(self.overuse);
            change.remembered = Some(remembered);
        });
    }

    fn why(&self, attempt: &Attempt<'_>) -> String {
        let asked = attempt.claimed.job.reason.as_deref().map(str::trim);
        match (asked, self.overuse) {
            (Some(reason), _) if !reason.is_empty() => reason.to_owned(),
            (_, Some(month)) => format!("the traffic of {month} is used up"),
            (_, None) => "suspended by the billing platform".to_owned(),
        }
    }
}

/// Whether the account's row says that we have suspended it, for whatever.
pub(super) fn is_noted_as_ours(attempt: &Attempt<'_>) -> Result<bool, Halt> {
    let noted = attempt.account()?.suspended_by.as_deref();
    Ok(matches!(noted, Some("us" | OVERUSE)))
}
