//! Setting an account's panel password.

use std::time::Duration;

use async_trait::async_trait;
use entity::job;
use hosting::AccountDraft;
use panels::PanelError;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use secrecy::ExposeSecret;

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::passwords;

/// How long to wait for a suspension to be lifted.
const SUSPENDED: Duration = Duration::from_secs(300);

pub(super) struct ChangePassword;

#[async_trait]
impl Handler for ChangePassword {
    type Todo = ();

    /// No panel shows a password, so there is always something to do. Setting the same one twice is harmless.
    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let Some(password) = passwords::stored(attempt).await? else {
            let why = "the password that this job was to set is not kept any more; send a new job";
            return Err(Halt::refuse("password_missing", why));
        };
        attempt.check(&AccountDraft {
            password: Some(password.secret.expose_secret()),
            ..attempt.draft()
        })?;
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let changed = attempt
            .change(|_| {}, panel.change_password(&key, &password.secret))
            .await;
        match changed {
            Ok(()) => Ok(Done::changed().secrets_spent()),
            Err(Halt::Panel(PanelError::Rejected {
                code: "suspended", ..
            })) => Err(until_unsuspended(attempt).await?),
            Err(other) => Err(other),
        }
    }
}

/// WHM refuses it while the account is suspended. The job waits for that to end, but not at the head of
/// the account's line when something stands behind it: that may be the very unsuspend that it waits for.
async fn until_unsuspended(attempt: &Attempt<'_>) -> Result<Halt, Halt> {
    let behind = job::Entity::find()
        .filter(job::Column::OpenOf.eq(attempt.account()?.id))
        .filter(job::Column::Id.gt(attempt.claimed.job.id))
        .count(attempt.worker.store().reader())
        .await?;
    let why = "the account is suspended, and its panel sets no password until it is active again";
    if behind > 0 {
        return Ok(Halt::hold("account_suspended", why));
    }
    Ok(Halt::Later {
        after: attempt.worker.store().pace().of(SUSPENDED),
        code: "account_suspended",
        why: why.to_owned(),
    })
}
