//! The account here that belongs to a service there.

use entity::{account, job};
use jobs::store::{Store, StoreError};
use jobs::{AccountState, JobState};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use super::wish::Here;

/// The newest account of a reference, with what its last job says.
pub(super) struct Account {
    row: Option<account::Model>,
    /// Grows with each job of it: the same number is the same history.
    pub(super) history: i64,
    /// Why nothing more is asked for now.
    pub(super) stuck: Option<String>,
}

impl Account {
    pub(super) async fn find(
        store: &Store,
        platform_id: i64,
        reference: &str,
    ) -> Result<Self, StoreError> {
        let row = account::Entity::find()
            .filter(account::Column::PlatformId.eq(platform_id))
            .filter(account::Column::Reference.eq(reference))
            .order_by_desc(account::Column::Id)
            .one(store.reader())
            .await?;
        let Some(row) = row else {
            return Ok(Self {
                row: None,
                history: 0,
                stuck: None,
            });
        };
        let last = job::Entity::find()
            .filter(job::Column::AccountId.eq(row.id))
            .order_by_desc(job::Column::Id)
            .one(store.reader())
            .await?;
        let stuck = last.as_ref().and_then(stuck);
        Ok(Self {
            row: Some(row),
            history: last.map_or(0, |job| job.id),
            stuck,
        })
    }

    pub(super) fn here(&self) -> Here<'_> {
        let Some(row) = &self.row else {
            return Here::Nothing;
        };
        match row.state.parse() {
            Ok(AccountState::Terminated) => Here::Nothing,
            Ok(AccountState::Active) => Here::Active(row.package.as_deref().unwrap_or_default()),
            Ok(AccountState::Suspended) if row.suspended_by.as_deref() == Some("others") => {
                Here::SuspendedByOthers
            }
            Ok(AccountState::Suspended) => Here::Suspended,
            _ => Here::Unsettled,
        }
    }
}

/// A job that is not over, or did not end well, is looked at by those who look at jobs; another one of the same kind
/// would end as it did.
fn stuck(last: &job::Model) -> Option<String> {
    let state: JobState = last.state.parse().ok()?;
    match state {
        JobState::Succeeded | JobState::Cancelled => None,
        _ => Some(format!("{} {} is {state}", last.kind, last.public_id)),
    }
}
