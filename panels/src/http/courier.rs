//! Posts to receivers that are no panels (webhooks), under the same rules: HTTPS only, no redirects, no
//! proxy, addresses checked, a deadline.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use reqwest::header::RETRY_AFTER;
use secrecy::SecretString;

use super::client::{Idle, classify, client};
use super::reply::Asked;
use super::retry_after::{http_date, retry_after};
use super::{Effect, Redactor, destination, trust};
use crate::{PanelError, ServerSettings};

/// What a receiver answered; its body is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The HTTP status.
    pub status: u16,
    /// How long it asks us to wait.
    pub retry_after: Option<Duration>,
}

/// Posts bodies.
pub struct Courier {
    client: reqwest::Client,
    settings: ServerSettings,
    deadline: Duration,
}

impl std::fmt::Debug for Courier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Courier")
    }
}

impl Courier {
    /// One that may reach public addresses and these networks, and trusts these certificates (PEM) instead
    /// of the public authorities.
    ///
    /// # Errors
    /// `Rejected` with code `server_settings` when the certificates cannot be read.
    pub fn new(
        allow_networks: Vec<IpNet>,
        ca_pem: Option<String>,
        deadline: Duration,
    ) -> Result<Self, PanelError> {
        let settings = ServerSettings {
            name: "webhook".to_owned(),
            url: String::new(),
            user: None,
            secret: SecretString::from(""),
            pins: Vec::new(),
            ca_pem,
            allow_networks,
            time_zone: chrono_tz::UTC,
            options: Default::default(),
        };
        let tls = trust::tls_config(&settings)?;
        Ok(Self {
            client: client(&settings, tls, Idle::Closed)?,
            settings,
            deadline,
        })
    }

    /// Posts it once.
    ///
    /// # Errors
    /// `Rejected` (`server_settings`) for an address that is not `https://`; `Auth` for a certificate or an
    /// address that is not trusted; `Transient` when there was no answer in time.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Result<Delivered, PanelError> {
        let target = self.target(url)?;
        let asked = Asked {
            method: "POST".to_owned(),
            path: target.path().to_owned(),
            request: None,
            redactor: Redactor::default(),
            effect: Effect::Read,
        };
        let mut request = self.client.post(target).timeout(self.deadline);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let begun = Instant::now();
        let answer = request
            .body(body.to_owned())
            .send()
            .await
            .map_err(|error| classify(&error.without_url(), &asked, begun.elapsed()))?;
        let header = |name: &str| answer.headers().get(name)?.to_str().ok();
        let clock = header("date").and_then(http_date);
        Ok(Delivered {
            status: answer.status().as_u16(),
            retry_after: header(RETRY_AFTER.as_str())
                .and_then(|text| retry_after(text, clock.unwrap_or_default())),
        })
    }

    /// The address, checked as a panel's is. A receiver's may hold a query.
    fn target(&self, url: &str) -> Result<reqwest::Url, PanelError> {
        let (place, query) = match url.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (url, None),
        };
        let settings = ServerSettings {
            url: place.to_owned(),
            ..self.settings.clone()
        };
        let mut target = destination::base(&settings, 443)?;
        target.set_query(query);
        Ok(target)
    }
}
