//! The password of a job: submitted and sealed at intake, or generated here and sealed before it is used.

use entity::secret;
use hosting::{PasswordRule, generate_password};
use jobs::faults::Bug;
use jobs::seal::SealError;
use jobs::store::{Audience, Purpose, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use secrecy::{ExposeSecret, SecretString};

use crate::attempt::{Attempt, Halt};

/// A job's password.
pub(crate) struct Password {
    /// Itself.
    pub(crate) secret: SecretString,
    /// Whether it was generated here, so that somebody will ask the API for it.
    pub(crate) generated: bool,
}

/// The password that came with the job, or that an earlier attempt generated; `None` = there is none.
pub(crate) async fn stored(attempt: &Attempt<'_>) -> Result<Option<Password>, Halt> {
    let rows = rows(attempt).await?;
    let of = |audience: Audience| rows.iter().find(|row| row.audience == audience.name());
    let Some(row) = of(Audience::Worker).filter(|row| row.sealed.is_some()) else {
        return Ok(None);
    };
    let secret = attempt.worker.parts.keyring.open(row).map_err(unreadable)?;
    if Bug::SecretInLog.is_on() {
        tracing::warn!(password = secret.expose_secret(), "A password was opened");
    }
    Ok(Some(Password {
        secret,
        generated: of(Audience::Api).is_some(),
    }))
}

/// The job's password; where it has none one is generated, and sealed to the workers and to the API
/// before anybody uses it: an answer that is lost must not lose the password with it.
pub(crate) async fn stored_or_generated(
    attempt: &Attempt<'_>,
    rule: &PasswordRule,
) -> Result<Password, Halt> {
    if let Some(password) = stored(attempt).await? {
        return Ok(password);
    }
    let worker = attempt.worker;
    let text = generate_password(rule, |below| worker.parts.chance.draw(below));
    let secret = SecretString::from(text);
    let keyring = &worker.parts.keyring;
    let owner = attempt.secrets_owner();
    let sealed = [
        keyring
            .worker
            .seal(Audience::Worker, Purpose::Password, &owner, &secret)
            .map_err(unreadable)?,
        keyring
            .api
            .seal(Audience::Api, Purpose::Password, &owner, &secret)
            .map_err(unreadable)?,
    ];
    attempt.keep_secrets(&sealed).await?;
    Ok(Password {
        secret,
        generated: true,
    })
}

/// Seals a password that somebody else chose to the API, which hands it out.
pub(crate) async fn hand_out(attempt: &Attempt<'_>, secret: &SecretString) -> Result<(), Halt> {
    let keyring = &attempt.worker.parts.keyring;
    let owner = attempt.secrets_owner();
    let sealed = keyring
        .api
        .seal(Audience::Api, Purpose::Password, &owner, secret)
        .map_err(unreadable)?;
    attempt.keep_secrets(&[sealed]).await
}

async fn rows(attempt: &Attempt<'_>) -> Result<Vec<secret::Model>, StoreError> {
    Ok(secret::Entity::find()
        .filter(secret::Column::Owner.eq(attempt.secrets_owner()))
        .filter(secret::Column::Purpose.eq(Purpose::Password.name()))
        .all(attempt.worker.store().reader())
        .await?)
}

/// A key that is not here will not come by trying again.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is used as a function of map_err"
)]
fn unreadable(error: SealError) -> Halt {
    Halt::hold("secret_unreadable", error.to_string())
}
