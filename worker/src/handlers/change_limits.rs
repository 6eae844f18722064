//! Overriding limits of an account's package.

use async_trait::async_trait;
use hosting::{AccountDraft, Limits};

use super::{Handler, Observed, order, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

pub(super) struct ChangeLimits<'a> {
    pub(super) limits: &'a Limits,
}

#[async_trait]
impl Handler for ChangeLimits<'_> {
    /// Those that differ.
    type Todo = Limits;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Limits>, Halt> {
        let sent = attempt.doubt() == Doubt::Open || attempt.progress().order.is_some();
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        let missing = subject::missing(&found, self.limits);
        if !missing.is_empty() {
            return Ok(Observed::ToDo(missing));
        }
        let done = if sent {
            Done::changed()
        } else {
            Done::already_so()
        };
        Ok(Observed::AlreadySo(self.noted(attempt, done)))
    }

    async fn act(&self, attempt: &Attempt<'_>, missing: Limits) -> Result<Done, Halt> {
        attempt.check(&AccountDraft {
            limits: Some(self.limits),
            ..attempt.draft()
        })?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let ordered = order::send(attempt, panel.set_limits(&key, &missing)).await?;
        if ordered {
            let found = subject::subject(attempt).await?;
            if !subject::missing(&found, self.limits).is_empty() {
                let why = "the supplier has not yet carried the upgrade out".to_owned();
                return Err(order::later(attempt, "awaiting_upgrade", why).await?);
            }
        }
        Ok(self.noted(attempt, Done::changed()))
    }
}

impl ChangeLimits<'_> {
    /// The account keeps them, so that a change of its package re-applies them.
    fn noted(&self, attempt: &Attempt<'_>, done: Done) -> Done {
        let all = attempt.overrides().overridden_by(self.limits);
        let result = serde_json::json!({"limits": all});
        attempt.note(|change| change.limits = Some(all));
        done.with(result)
    }
}
