//! Giving an account to another owner on the same server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hosting::AccountDraft;

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

pub(super) struct Move<'a> {
    pub(super) target: &'a str,
}

#[async_trait]
impl Handler for Move<'_> {
    type Todo = ();

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let sent = attempt.doubt() == Doubt::Open;
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        if !attempt.panel()?.belongs_to(&found, self.target).await? {
            return Ok(Observed::ToDo(()));
        }
        let done = if sent {
            Done::changed()
        } else {
            Done::already_so()
        };
        Ok(Observed::AlreadySo(self.tell(done)))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let panel_fields = BTreeMap::from([("target".to_owned(), self.target.into())]);
        attempt.check(&AccountDraft {
            panel: Some(&panel_fields),
            ..attempt.draft()
        })?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        attempt
            .change(|_| {}, panel.move_to(&key, self.target))
            .await?;
        Ok(self.tell(Done::changed()))
    }
}

impl Move<'_> {
    fn tell(&self, done: Done) -> Done {
        done.with(serde_json::json!({"owner": self.target}))
    }
}
