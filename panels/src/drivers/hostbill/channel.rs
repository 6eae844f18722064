//! The way to one HostBill: logging in, and how a call gets there.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::envelope::{Said, judge, without_records};
use super::settings::Options;
use crate::http::lenient::{signed, text};
use crate::http::{Body, Call, Effect, LIFECYCLE_CAP, Method, PanelClient, deadline};
use crate::{PanelError, ServerSettings};

/// A token is renewed so long before it ends.
const EARLY: Duration = Duration::from_secs(60);
/// A token that does not say when it ends is renewed after this.
const UNSAID: Duration = Duration::from_secs(600);

/// One client's way in.
pub(super) struct Channel {
    client: PanelClient,
    user: String,
    password: SecretString,
    /// For basic authentication, and to log in there is none.
    basic: Option<SecretString>,
    /// One at a time logs in; the others wait and use what it got.
    session: Mutex<Option<Session>>,
}

/// What a login gave.
struct Session {
    bearer: SecretString,
    token: SecretString,
    refresh: Option<SecretString>,
    until: Instant,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) name: &'a str,
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) effect: Effect,
    pub(super) deadline: Duration,
    pub(super) cap: usize,
    /// A password in the body.
    pub(super) secret: Option<&'a SecretString>,
}

impl Channel {
    pub(super) fn new(settings: &ServerSettings, options: &Options) -> Result<Self, PanelError> {
        let password = settings.secret.expose_secret();
        if options.user.is_empty() || password.is_empty() || options.user.contains(':') {
            let why = "hostbill needs the client's mail address as the user and its password as the secret";
            return Err(PanelError::refused("server_settings", why));
        }
        let pair = format!("{}:{password}", options.user);
        let basic = format!("Basic {}", STANDARD.encode(pair));
        Ok(Self {
            client: PanelClient::new(settings, 443)?,
            user: options.user.clone(),
            password: settings.secret.clone(),
            basic: options.basic.then(|| basic.into()),
            session: Mutex::new(None),
        })
    }

    /// Asks, logged in. A session that the panel refuses is renewed once, then begun anew once: a request
    /// without a valid session is refused before anything is done.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Said, PanelError> {
        if let Some(basic) = &self.basic {
            return self.send(ask, basic, &[]).await;
        }
        let (bearer, token) = self.bearer(None).await?;
        match self.send(ask, &bearer, &[&token]).await {
            Err(PanelError::Auth(detail)) if detail.status == Some(401) => {
                let (bearer, token) = self.bearer(Some(&bearer)).await?;
                self.send(ask, &bearer, &[&token]).await
            }
            other => other,
        }
    }

    /// A good token. `refused` = one that the panel does not take any more.
    async fn bearer(
        &self,
        refused: Option<&SecretString>,
    ) -> Result<(SecretString, SecretString), PanelError> {
        let mut session = self.session.lock().await;
        let is_refused = |one: &Session| {
            refused.is_some_and(|old| old.expose_secret() == one.bearer.expose_secret())
        };
        if let Some(one) = session.as_ref()
            && one.until > Instant::now()
            && !is_refused(one)
        {
            return Ok((one.bearer.clone(), one.token.clone()));
        }
        // Taken out: a refresh token is good once.
        let old = session.take().and_then(|old| old.refresh);
        let renewed = match old {
            Some(refresh) => self.renew(&refresh).await,
            None => None,
        };
        let new = match renewed {
            Some(new) => new,
            None => self.log_in().await?,
        };
        let pair = (new.bearer.clone(), new.token.clone());
        *session = Some(new);
        Ok(pair)
    }

    async fn log_in(&self) -> Result<Session, PanelError> {
        let body = json!({"username": self.user, "password": self.password.expose_secret()});
        let said = self.knock("login", "/login", &body, &[]).await;
        said.and_then(|said| session(&said))
            .map_err(|error| match error {
                // To us every refusal of a login is one of the credentials.
                PanelError::Rejected { detail, .. } => PanelError::Auth(detail),
                other => other,
            })
    }

    /// `None` = it cannot be renewed; whatever the reason, a login follows.
    async fn renew(&self, refresh: &SecretString) -> Option<Session> {
        let body = json!({"refresh_token": refresh.expose_secret()});
        let said = self
            .knock("token", "/token", &body, &[refresh])
            .await
            .ok()?;
        session(&said).ok()
    }

    /// A request without a session.
    async fn knock(
        &self,
        name: &str,
        path: &str,
        body: &Value,
        secrets: &[&SecretString],
    ) -> Result<Said, PanelError> {
        let ask = quick(name, path, Some(body));
        // The header must be there and be no secret.
        let none = SecretString::from("Bearer none");
        self.send(ask, &none, secrets).await
    }

    /// Ends the session, if there is one.
    pub(super) async fn log_out(&self) -> Result<(), PanelError> {
        let Some(session) = self.session.lock().await.take() else {
            return Ok(());
        };
        if let Some(refresh) = &session.refresh {
            let body = json!({"refresh_token": refresh.expose_secret()});
            let ask = quick("revoke", "/revoke", Some(&body));
            let secrets = [&session.token, refresh];
            self.send(ask, &session.bearer, &secrets)
                .await?
                .confirmed()?;
        }
        let ask = quick("logout", "/logout", None);
        let said = self.send(ask, &session.bearer, &[&session.token]).await?;
        said.confirmed()
    }

    async fn send(
        &self,
        ask: Ask<'_>,
        authorization: &SecretString,
        secrets: &[&SecretString],
    ) -> Result<Said, PanelError> {
        let secrets: Vec<&SecretString> = [&self.password]
            .into_iter()
            .chain(secrets.iter().copied())
            .chain(ask.secret)
            .collect();
        let call = Call {
            name: ask.name,
            method: ask.method.clone(),
            path: ask.path,
            query: &[],
            body: ask.body.map_or(Body::None, Body::Json),
            authorization,
            secrets: &secrets,
            effect: ask.effect,
            deadline: ask.deadline,
            cap: ask.cap,
        };
        let reply = self.client.send(call).await.map_err(without_records)?;
        judge(reply).map_err(without_records)
    }
}

fn quick<'a>(name: &'a str, path: &'a str, body: Option<&'a Value>) -> Ask<'a> {
    Ask {
        name,
        method: &Method::POST,
        path,
        body,
        effect: Effect::Read,
        deadline: deadline::QUICK,
        cap: LIFECYCLE_CAP,
        secret: None,
    }
}

fn session(said: &Said) -> Result<Session, PanelError> {
    let word =
        |value: &Value| text(value).filter(|word| word.bytes().all(|b| b.is_ascii_graphic()));
    let token = said.read("token", |value| word(value).filter(|word| !word.is_empty()))?;
    let life = life_of(&token, said.reply.panel_clock);
    Ok(Session {
        bearer: format!("Bearer {token}").into(),
        token: token.into(),
        refresh: said.get("refresh").and_then(word).map(Into::into),
        until: Instant::now() + life,
    })
}

/// How long a token may be used: what it says of itself, by the panel's own clock.
fn life_of(token: &str, now: Option<i64>) -> Duration {
    let end = token.split('.').nth(1).and_then(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        let claims: Value = serde_json::from_slice(&bytes).ok()?;
        signed(claims.get("exp")?)?.checked_mul(1000)
    });
    let (Some(end), Some(now)) = (end, now) else {
        return UNSAID;
    };
    let left = u64::try_from(end.saturating_sub(now)).unwrap_or(0);
    // A year from now is as good as never, and an `Instant` cannot take everything.
    Duration::from_millis(left.min(365 * 86_400_000)).saturating_sub(EARLY)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn a_token_is_used_until_a_minute_before_its_end() {
        let now = Some(1_000_000_000);
        let life = |claims: &str| life_of(&token(claims), now);
        assert_eq!(life(r#"{"exp":1000900}"#), Duration::from_secs(840));
        assert_eq!(life(r#"{"exp":"1000900"}"#), Duration::from_secs(840));
        assert_eq!(life(r#"{"exp":999}"#), Duration::ZERO);
        assert_eq!(life("{}"), UNSAID);
        assert_eq!(life_of("opaque", now), UNSAID);
        assert_eq!(life_of(&token(r#"{"exp":1000900}"#), None), UNSAID);
        assert!(life(&format!(r#"{{"exp":{}}}"#, i64::MAX)) <= UNSAID);
    }
}
