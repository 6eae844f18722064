//! Making a link that logs an account's owner in.

use async_trait::async_trait;
use jobs::faults::Point;
use jobs::store::{Audience, Purpose};

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};

/// How long a link is kept for fetching when the panel does not say when it ends.
const USUAL_LIFE_MS: i64 = 10 * 60_000;

pub(super) struct LoginUrl;

#[async_trait]
impl Handler for LoginUrl {
    type Todo = ();

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        let found = subject::subject(attempt).await?;
        subject::note_evidence(attempt, &found);
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        attempt.check(&attempt.draft())?;
        let link = attempt.panel()?.login_url(&attempt.key()?).await?;
        let (worker, owner) = (attempt.worker, attempt.secrets_owner());
        let sealed = worker
            .parts
            .keyring
            .api
            .seal(Audience::Api, Purpose::LoginLink, &owner, &link.url)
            .map_err(|error| Halt::hold("secret_unreadable", error.to_string()))?;
        attempt.keep_secrets(&[sealed]).await?;
        Point::LinkKept.reach(&attempt.claimed.job);
        let ends_at = link.expires_at.unwrap_or(attempt.now() + USUAL_LIFE_MS);
        worker
            .store()
            .expire_secret(&owner, Audience::Api, ends_at)
            .await?;
        Ok(Done::changed().with(serde_json::json!({
            "secret_available": true,
            "expires_at": ends_at,
        })))
    }
}
