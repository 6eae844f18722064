//! Handing out what a job made: a generated password, a login link.
//!
//! The token that asked for the job may read it again and again (its answer can be lost) until it
//! acknowledges, or until 24 hours after success. Each read is in the job's history.

use entity::{job, secret};
use jobs::seal::{Keyring, SealError};
use jobs::store::{Audience, Purpose, Store};
use jobs::{JobKind, JobState};
use secrecy::SecretString;

use crate::Problem;
use crate::caller::{Caller, Scope};

/// A secret that is handed out.
#[derive(Debug)]
pub struct HandedOut {
    /// What it is.
    pub purpose: Purpose,
    /// The secret.
    pub value: SecretString,
    /// Until when it can be asked for again (milliseconds UTC).
    pub expires_at: Option<i64>,
}

/// Which secret a job of that kind leaves for its client, if any.
#[must_use]
pub fn purpose_of(kind: &str) -> Option<Purpose> {
    match kind.parse().ok()? {
        JobKind::Create => Some(Purpose::Password),
        JobKind::LoginUrl => Some(Purpose::LoginLink),
        JobKind::Suspend
        | JobKind::Unsuspend
        | JobKind::SuspendOveruse
        | JobKind::LiftOveruse
        | JobKind::Terminate
        | JobKind::ChangePackage
        | JobKind::ChangeLimits
        | JobKind::ChangePassword
        | JobKind::GetStats
        | JobKind::GetServerConfig
        | JobKind::CheckConnection
        | JobKind::ListAccounts
        | JobKind::Unlock
        | JobKind::Move
        | JobKind::VmList
        | JobKind::VmGet
        | JobKind::VmCreate
        | JobKind::VmStart
        | JobKind::VmStop
        | JobKind::VmReboot
        | JobKind::VmRescue
        | JobKind::VmUnrescue
        | JobKind::VmRebuild
        | JobKind::AskSupplier
        | JobKind::DeliverWebhook => None,
    }
}

/// Whether a secret's row can be handed out at `now`.
#[must_use]
pub fn is_available(row: &secret::Model, now: i64) -> bool {
    row.sealed.is_some() && row.expires_at.is_none_or(|end| end > now)
}

/// Hands a job's secret out, and notes that.
///
/// # Errors
/// 403 for another token, 404 when it has none, 409 while it has not succeeded, 410 when it is wiped.
pub async fn hand_out(
    store: &Store,
    keyring: &Keyring,
    caller: &Caller,
    job: &job::Model,
) -> Result<HandedOut, Problem> {
    let (purpose, row) = row_of(store, caller, job).await?;
    let row = row.ok_or_else(|| Problem::not_found("secret of this job"))?;
    if job.state != JobState::Succeeded.name() {
        return Err(Problem::conflict(
            "not_yet",
            format!(
                "the job is {}; its secret is true once it has succeeded",
                job.state
            ),
        ));
    }
    if !is_available(&row, store.now().await?) {
        return Err(Problem::gone(
            "the secret was acknowledged or its day is over",
        ));
    }
    let value = keyring.open(&row).map_err(|error| match error {
        SealError::Gone => Problem::gone("the secret was acknowledged or its day is over"),
        other => {
            tracing::error!(job.id = %job.public_id, failure = %other, "The secret of job {} does not open: {other}", job.public_id);
            Problem::unavailable()
        }
    })?;
    // Without the line in the history it is not handed out.
    store.note(job, &caller.actor, "secret_read", None).await?;
    store.secret_was_read(row.id).await?;
    Ok(HandedOut {
        purpose,
        value,
        expires_at: row.expires_at,
    })
}

/// Wipes a job's secret: its client has it. Twice is as once.
///
/// # Errors
/// 403 for another token, 404 when it has none.
pub async fn acknowledge(store: &Store, caller: &Caller, job: &job::Model) -> Result<(), Problem> {
    let (_, row) = row_of(store, caller, job).await?;
    if row.is_none() {
        return Err(Problem::not_found("secret of this job"));
    }
    if job.state != JobState::Succeeded.name() {
        return Err(Problem::conflict(
            "not_yet",
            format!("the job is {}", job.state),
        ));
    }
    let wiped = store.wipe_secrets(&owner(job), Audience::Api).await?;
    if wiped > 0 {
        store
            .note(job, &caller.actor, "secret_acknowledged", None)
            .await?;
    }
    Ok(())
}

async fn row_of(
    store: &Store,
    caller: &Caller,
    job: &job::Model,
) -> Result<(Purpose, Option<secret::Model>), Problem> {
    caller.need(Scope::Change)?;
    let purpose = purpose_of(&job.kind).ok_or_else(|| Problem::not_found("secret of this job"))?;
    let row = store.secret(&owner(job), purpose, Audience::Api).await?;
    let other_token = row
        .as_ref()
        .and_then(|row| row.token_id)
        .is_some_and(|id| Some(id) != caller.token_id);
    if job.actor != caller.actor || other_token {
        return Err(Problem::forbidden(
            "only the token that asked for the job gets its secret",
        ));
    }
    Ok((purpose, row))
}

/// As the secret's row names the job.
#[must_use]
pub fn owner(job: &job::Model) -> String {
    format!("job:{}", job.public_id)
}
