//! Clearing a lock after failed logins.

use async_trait::async_trait;

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};

pub(super) struct Unlock;

#[async_trait]
impl Handler for Unlock {
    type Todo = ();

    /// No panel tells whether there is a lock; clearing none is harmless.
    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        attempt.check(&attempt.draft())?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        attempt.change(|_| {}, panel.unlock(&key)).await?;
        Ok(Done::changed())
    }
}
