//! The client: one per server.

use std::error::Error;
use std::time::{Duration, Instant};

use reqwest::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, LOCATION, RETRY_AFTER,
};
use reqwest::{Client, Response, Url, redirect};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::destination::{self, CheckedResolver, Closed};
use super::reply::Asked;
use super::retry_after::http_date;
use super::{Body, Call, Effect, Redactor, Reply, deadline, trust};
use crate::{Detail, PanelError, ServerSettings};

/// Talks to one server: its own trust, its own check of addresses, no redirects, no proxy.
pub struct PanelClient {
    base: Url,
    reads: Client,
    changes: Client,
    secret: SecretString,
}

impl std::fmt::Debug for PanelClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PanelClient")
            .field("base", &self.base.as_str())
            .finish_non_exhaustive()
    }
}

impl PanelClient {
    /// A client for that server; nothing is sent yet.
    ///
    /// # Errors
    /// `Rejected` with code `server_settings` and what is wrong with them.
    pub fn new(settings: &ServerSettings, default_port: u16) -> Result<Self, PanelError> {
        let tls = trust::tls_config(settings)?;
        Ok(Self {
            base: destination::base(settings, default_port)?,
            reads: client(settings, tls.clone(), Idle::Kept)?,
            changes: client(settings, tls, Idle::Closed)?,
            secret: settings.secret.clone(),
        })
    }

    /// The server's address without path and query, for links.
    #[must_use]
    pub fn base(&self) -> &str {
        self.base.as_str()
    }

    /// Sends the call once and reads the whole answer.
    ///
    /// # Errors
    /// `Transient` when surely nothing was sent, or when a read broke off; `Auth` for a certificate, an
    /// address or a redirect that is not trusted (then no credential was sent) and for a credential that
    /// no header can hold; `InDoubt` when a change broke off, timed out, or its answer was too long.
    pub async fn send(&self, call: Call<'_>) -> Result<Reply, PanelError> {
        let asked = self.asked(&call);
        let begun = Instant::now();
        let request = self
            .request(&call)
            .map_err(|what| PanelError::Auth(asked.detail(what, Duration::ZERO)))?;
        let response = request
            .send()
            .await
            .map_err(|error| classify(&error.without_url(), &asked, begun.elapsed()))?;
        self.receive(response, call.cap, asked, begun).await
    }

    async fn receive(
        &self,
        mut response: Response,
        cap: usize,
        asked: Asked,
        begun: Instant,
    ) -> Result<Reply, PanelError> {
        let header = |name| {
            let value: &HeaderValue = response.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let mut reply = Reply {
            status: response.status().as_u16(),
            content_type: header(CONTENT_TYPE),
            retry_after: header(RETRY_AFTER),
            body: Vec::new(),
            elapsed: begun.elapsed(),
            panel_clock: header(DATE).as_deref().and_then(http_date),
            asked,
        };
        if response.status().is_redirection() && response.headers().contains_key(LOCATION) {
            return Err(reply.auth("the panel answered with a redirect, which is never followed"));
        }
        let broken = loop {
            match response.chunk().await {
                Ok(Some(chunk)) if reply.body.len() + chunk.len() > cap => {
                    reply.elapsed = begun.elapsed();
                    return Err(
                        reply.unknown(format!("the panel's answer is longer than {cap} bytes"))
                    );
                }
                Ok(Some(chunk)) => reply.body.extend_from_slice(&chunk),
                Ok(None) => break None,
                Err(error) => break Some(error.without_url()),
            }
        };
        reply.elapsed = begun.elapsed();
        match broken {
            // These say all by their status; half an error page is as good as a whole one.
            Some(_) if matches!(reply.status, 401 | 403 | 429) => Ok(reply),
            Some(error) if error.is_timeout() => {
                Err(reply.unknown("the panel's answer did not end in time"))
            }
            Some(_) => Err(reply.unknown("the panel's answer was cut off")),
            None => Ok(reply),
        }
    }

    fn asked(&self, call: &Call<'_>) -> Asked {
        let authorization = call.authorization.expose_secret();
        let secrets = call.secrets.iter().map(|secret| secret.expose_secret());
        let redactor = Redactor::of(
            [self.secret.expose_secret(), authorization]
                .into_iter()
                .chain(authorization.rsplit(' ').next())
                .chain(secrets),
        );
        let path = self.path(call.path);
        let request = match call.body {
            Body::Form(fields) => serde_urlencoded::to_string(fields).ok(),
            Body::Json(value) => Some(value.to_string()),
            Body::None if call.query.is_empty() => None,
            Body::None => serde_urlencoded::to_string(call.query).ok(),
        };
        Asked {
            method: call.method.to_string(),
            path: if path.ends_with(call.name) {
                path
            } else {
                format!("{path} {}", call.name)
            },
            request: request.map(Zeroizing::new),
            redactor,
            effect: call.effect,
        }
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base.path().trim_end_matches('/'))
    }

    fn request(&self, call: &Call<'_>) -> Result<reqwest::RequestBuilder, &'static str> {
        let mut url = self.base.clone();
        url.set_path(&self.path(call.path));
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut authorization = HeaderValue::from_str(call.authorization.expose_secret())
            .map_err(|_| "the credential holds characters that cannot be sent")?;
        authorization.set_sensitive(true);
        // A kept connection may be closed by the panel at the moment it is used again; for a read that
        // costs a repetition, for a change it would be a doubt. So changes get a fresh one.
        let client = match call.effect {
            Effect::Read => &self.reads,
            Effect::Change => &self.changes,
        };
        let request = client
            .request(call.method.clone(), url)
            .timeout(call.deadline)
            .header(AUTHORIZATION, authorization)
            .header(ACCEPT, "application/json");
        Ok(match call.body {
            Body::None => request,
            Body::Form(fields) => request.form(fields),
            Body::Json(value) => request.json(value),
        })
    }
}

/// Whether connections are kept for the next call.
#[derive(Clone, Copy)]
pub(super) enum Idle {
    Kept,
    Closed,
}

pub(super) fn client(
    settings: &ServerSettings,
    tls: rustls::ClientConfig,
    idle: Idle,
) -> Result<Client, PanelError> {
    let resolver = CheckedResolver::new(&settings.allow_networks);
    with_resolver(settings, tls, idle, resolver)
}

/// The same, which asks that resolver for addresses.
pub(super) fn with_resolver(
    settings: &ServerSettings,
    tls: rustls::ClientConfig,
    idle: Idle,
    resolver: CheckedResolver,
) -> Result<Client, PanelError> {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the place that makes clients"
    )]
    Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(true)
        .http1_only()
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(deadline::CONNECT)
        .tcp_keepalive(Duration::from_secs(30))
        .pool_idle_timeout(Duration::from_secs(4))
        .pool_max_idle_per_host(match idle {
            Idle::Kept => 4,
            Idle::Closed => 0,
        })
        .user_agent(concat!("hostler/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(resolver)
        .build()
        .map_err(|error| {
            let why = format!(
                "no client for server `{}`: {}",
                settings.name,
                error.without_url()
            );
            PanelError::refused("server_settings", why)
        })
}

/// Makes one connection with that trust, which refuses every certificate, and gives what became of it.
pub(super) async fn look(
    settings: &ServerSettings,
    default_port: u16,
    tls: rustls::ClientConfig,
) -> Result<PanelError, PanelError> {
    let base = destination::base(settings, default_port)?;
    let asked = Asked {
        method: "HEAD".to_owned(),
        path: "/".to_owned(),
        request: None,
        redactor: Redactor::default(),
        effect: Effect::Read,
    };
    let begun = Instant::now();
    match client(settings, tls, Idle::Closed)?.head(base).send().await {
        Err(error) => Ok(classify(&error.without_url(), &asked, begun.elapsed())),
        Ok(_) => Ok(PanelError::Transient(Box::new(Detail::of(
            "no certificate was seen",
        )))),
    }
}

/// What a failure below the answer means.
pub(super) fn classify(error: &reqwest::Error, asked: &Asked, elapsed: Duration) -> PanelError {
    let detail = |what: String| asked.detail(what, elapsed);
    if let Some(closed) = find::<Closed>(error) {
        return PanelError::Auth(detail(format!("nothing was sent: {closed}")));
    }
    if let Some(rustls::Error::InvalidCertificate(why)) = find::<rustls::Error>(error) {
        return PanelError::Auth(detail(format!(
            "nothing was sent: the server's certificate is not trusted ({})",
            certificate_fault(why)
        )));
    }
    if error.is_connect() {
        let why = find::<rustls::Error>(error)
            .map(ToString::to_string)
            .or_else(|| find::<std::io::Error>(error).map(ToString::to_string));
        let what = if error.is_timeout() {
            "no connection in time"
        } else {
            "no connection"
        };
        let why = why.map(|why| format!(": {why}")).unwrap_or_default();
        return PanelError::Transient(detail(format!("nothing was sent: {what}{why}")));
    }
    if error.is_timeout() {
        return asked.unknown(detail("no answer in time".to_owned()));
    }
    asked.unknown(detail("the connection broke before the answer".to_owned()))
}

fn certificate_fault(why: &rustls::CertificateError) -> String {
    match why {
        rustls::CertificateError::ApplicationVerificationFailure => {
            "its key is none of the pinned ones".to_owned()
        }
        other => other.to_string(),
    }
}

/// The first error of that type in the chain of causes. `io::Error` hides what it wraps from
/// `source()`, so it is looked into.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}
