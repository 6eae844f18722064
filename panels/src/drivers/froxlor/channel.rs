//! The way to one Froxlor: credentials, the generation that it speaks, and how a command gets there.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::envelope::{Generation, Judged, judge, without_records};
use super::wire::Outcome;
use crate::http::{Body, Call, Effect, LIFECYCLE_CAP, LISTING_CAP, Method, PanelClient, deadline};
use crate::{Detail, PanelError, ServerSettings};

/// One Froxlor.
pub(super) struct Channel {
    client: PanelClient,
    path: &'static str,
    key: SecretString,
    secret: SecretString,
    basic: SecretString,
    generation: AtomicU8,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("client", &self.client)
            .field("generation", &self.generation())
            .finish_non_exhaustive()
    }
}

/// How one call is made.
#[derive(Clone, Copy)]
pub(super) struct Manner {
    effect: Effect,
    deadline: Duration,
    cap: usize,
}

pub(super) const READ: Manner = manner(Effect::Read, deadline::READ, LIFECYCLE_CAP);
pub(super) const QUICK: Manner = manner(Effect::Read, deadline::QUICK, LIFECYCLE_CAP);
pub(super) const BULK: Manner = manner(Effect::Read, deadline::BULK, LISTING_CAP);

/// A change that may take so long.
pub(super) const fn change(deadline: Duration) -> Manner {
    manner(Effect::Change, deadline, LIFECYCLE_CAP)
}

const fn manner(effect: Effect, deadline: Duration, cap: usize) -> Manner {
    Manner {
        effect,
        deadline,
        cap,
    }
}

impl Channel {
    /// For that server. Its address may be the panel's or the whole one of `api.php`.
    pub(super) fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        let key = settings.user.as_deref().unwrap_or_default().trim();
        let secret = settings.secret.expose_secret();
        if key.is_empty() || secret.is_empty() || key.contains(':') {
            let why = "froxlor needs an API key as the user and its secret as the secret";
            return Err(PanelError::refused("server_settings", why));
        }
        let whole = settings.url.trim().trim_end_matches('/').ends_with(".php");
        Ok(Self {
            client: PanelClient::new(settings, 443)?,
            path: if whole { "" } else { "/api.php" },
            basic: format!("Basic {}", STANDARD.encode(format!("{key}:{secret}"))).into(),
            key: key.to_owned().into(),
            secret: settings.secret.clone(),
            generation: AtomicU8::new(0),
        })
    }

    /// The generation that the panel was heard to speak; `None` = not heard yet.
    pub(super) fn generation(&self) -> Option<Generation> {
        match self.generation.load(Ordering::Relaxed) {
            1 => Some(Generation::Modern),
            2 => Some(Generation::Legacy),
            _ => None,
        }
    }

    fn remember(&self, generation: Option<Generation>) {
        let code = match generation {
            None => 0,
            Some(Generation::Modern) => 1,
            Some(Generation::Legacy) => 2,
        };
        self.generation.store(code, Ordering::Relaxed);
    }

    /// Sends a command in the panel's generation.
    ///
    /// The rule: a read on first use goes out as 2.x; an answer with `status_message` comes from 0.10,
    /// which refuses a body without its `header` before it looks at anything else, and the read is put
    /// again in that form. A change never finds out: a read does so first. A panel that was upgraded
    /// meanwhile refuses the other form's body as well; nothing was done then, and the form is kept for
    /// the next call.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        command: &str,
        params: &Value,
        manner: Manner,
        extra: Option<&SecretString>,
    ) -> Outcome<T> {
        if manner.effect == Effect::Change && self.generation().is_none() {
            self.hear().await?;
        }
        let first = self.generation().unwrap_or(Generation::Modern);
        let judged = self.post(first, command, params, manner, extra).await?;
        let other = judged
            .spoken
            .filter(|spoken| *spoken != first && judged.refused_whole);
        let Some(spoken) = other else {
            if self.generation().is_none() {
                self.remember(judged.spoken);
            }
            return judged.outcome;
        };
        self.remember(Some(spoken));
        match (manner.effect, judged.outcome) {
            (Effect::Read, _) => {
                let again = self.post(spoken, command, params, manner, extra).await?;
                again.outcome
            }
            (Effect::Change, Ok(Err(said))) => Err(other_generation(said.reply.detail(""))),
            (Effect::Change, Err(PanelError::Auth(detail))) => Err(other_generation(detail)),
            (Effect::Change, outcome) => outcome,
        }
    }

    /// Asks something harmless: whatever Froxlor says to it, it says it in its generation.
    async fn hear(&self) -> Result<(), PanelError> {
        let params = json!({});
        // Boxed because `send` comes here, and this goes there.
        let asked = self.send::<Value>("Customers.listingCount", &params, QUICK, None);
        Box::pin(asked).await.map(drop)
    }

    async fn post<T: DeserializeOwned>(
        &self,
        generation: Generation,
        command: &str,
        params: &Value,
        manner: Manner,
        extra: Option<&SecretString>,
    ) -> Result<Judged<T>, PanelError> {
        let (key, secret) = (self.key.expose_secret(), self.secret.expose_secret());
        let body = generation.request(key, secret, command, params);
        let secrets: Vec<&SecretString> =
            [&self.key, &self.secret].into_iter().chain(extra).collect();
        let call = Call {
            name: command,
            method: Method::POST,
            path: self.path,
            query: &[],
            body: Body::Json(&body),
            authorization: &self.basic,
            secrets: &secrets,
            effect: manner.effect,
            deadline: manner.deadline,
            cap: manner.cap,
        };
        let reply = self.client.send(call).await.map_err(without_records)?;
        let judged = judge(reply);
        Ok(Judged {
            outcome: judged.outcome.map_err(without_records),
            ..judged
        })
    }
}

/// A change that went out in a form which the panel does not speak any more.
fn other_generation(mut detail: Box<Detail>) -> PanelError {
    "Froxlor speaks another version of its API than before; nothing was done"
        .clone_into(&mut detail.what);
    PanelError::Transient(detail)
}
