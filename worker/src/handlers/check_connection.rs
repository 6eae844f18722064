//! Seeing whether a server answers and lets us work.

use async_trait::async_trait;
use jobs::store::ServerEffect;

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};

pub(super) struct CheckConnection;

#[async_trait]
impl Handler for CheckConnection {
    type Todo = ();

    async fn observe(&self, _: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let check = attempt.panel()?.check().await?;
        let notes: Vec<&String> = check.missing_rights.iter().chain(&check.notes).collect();
        let effect = ServerEffect::Checked {
            version: check.version.clone(),
            rules: serde_json::to_value(&check.rules)
                .map_err(|error| Halt::hold("server_rules", error.to_string()))?,
            notes: serde_json::json!(notes),
            max_creates: i32::try_from(check.rules.creates_at_once).unwrap_or(1),
        };
        let result = serde_json::json!({
            "version": check.version,
            "missing_rights": check.missing_rights,
            "notes": check.notes,
        });
        Ok(Done::changed().with(result).telling(effect))
    }
}
