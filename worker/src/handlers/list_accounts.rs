//! Reading all accounts of a server, and taking over those that we do not know.

use std::collections::HashSet;

use async_trait::async_trait;
use entity::account;
use jobs::faults::Point;
use panels::PanelAccount;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};

pub(super) struct ListAccounts {
    pub(super) import: bool,
}

#[async_trait]
impl Handler for ListAccounts {
    type Todo = Vec<PanelAccount>;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Vec<PanelAccount>>, Halt> {
        Ok(Observed::ToDo(attempt.panel()?.list().await?))
    }

    async fn act(&self, attempt: &Attempt<'_>, listed: Vec<PanelAccount>) -> Result<Done, Halt> {
        let known = known(attempt).await?;
        let unknown: Vec<&PanelAccount> = listed
            .iter()
            .filter(|found| !known.contains(&found.username.as_str().to_ascii_lowercase()))
            .collect();
        let mut imported = 0_usize;
        if self.import {
            let server_id = attempt.server()?.id;
            for found in &unknown {
                let change = subject::as_found(found);
                let store = attempt.worker.store();
                let new = store
                    .import_account(server_id, &found.username, &change)
                    .await?;
                imported += usize::from(new);
                Point::Imported.reach(&attempt.claimed.job);
            }
        }
        let names: Vec<&str> = unknown
            .iter()
            .map(|found| found.username.as_str())
            .collect();
        Ok(Done::changed().with(serde_json::json!({
            "accounts": listed.len(),
            "unknown": names.len(),
            "imported": imported,
            // The whole list would make a row of megabytes on a big server.
            "unknown_names": names.iter().take(100).collect::<Vec<_>>(),
        })))
    }
}

/// The login names of the server's live accounts, in lower case.
async fn known(attempt: &Attempt<'_>) -> Result<HashSet<String>, Halt> {
    let names: Vec<String> = account::Entity::find()
        .select_only()
        .column(account::Column::Username)
        .filter(account::Column::ServerId.eq(attempt.server()?.id))
        .filter(account::Column::LiveKey.is_not_null())
        .into_tuple()
        .all(attempt.worker.store().reader())
        .await?;
    Ok(names
        .into_iter()
        .map(|name| name.to_ascii_lowercase())
        .collect())
}
