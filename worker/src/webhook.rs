//! Signing and sending webhooks (the Standard Webhooks specification, version 1).

use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use ipnet::IpNet;
use panels::PanelError;
use panels::http::{Courier, Delivered};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// How long a receiver may take.
const DEADLINE: Duration = Duration::from_secs(15);

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The receiver's address.
    pub url: String,
    /// The same for every try, so that the receiver can tell repetitions.
    pub id: String,
    /// Seconds since 1970.
    pub timestamp: i64,
    /// `v1,` and the signature in base64; several, with a space between, while a key is replaced.
    pub signature: String,
    /// JSON.
    pub body: String,
}

/// Sends webhooks. Tests have one of their own.
#[async_trait]
pub trait WebhookSender: Send + Sync {
    /// Sends it once.
    ///
    /// # Errors
    /// `Transient` when no answer came, `Auth` for a certificate, an address or a redirect that is not
    /// trusted, `Rejected` for an address that cannot be one.
    async fn send(&self, message: &Message) -> Result<Delivered, PanelError>;
}

/// Sends over HTTPS, to public addresses unless others are allowed; never follows a redirect.
#[derive(Debug)]
pub struct HttpsSender {
    courier: Courier,
}

impl HttpsSender {
    /// One that may also reach these networks, and trusts these certificates (PEM) instead of the public
    /// authorities.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(allow_networks: Vec<IpNet>, ca_pem: Option<String>) -> Result<Self, PanelError> {
        Ok(Self {
            courier: Courier::new(allow_networks, ca_pem, DEADLINE)?,
        })
    }
}

#[async_trait]
impl WebhookSender for HttpsSender {
    async fn send(&self, message: &Message) -> Result<Delivered, PanelError> {
        let timestamp = message.timestamp.to_string();
        let headers = [
            ("content-type", "application/json"),
            ("webhook-id", message.id.as_str()),
            ("webhook-timestamp", timestamp.as_str()),
            ("webhook-signature", message.signature.as_str()),
        ];
        self.courier
            .post(&message.url, &headers, &message.body)
            .await
    }
}

/// Something is wrong with an endpoint's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a webhook key is `whsec_` and base64 of 24 to 64 bytes")]
pub struct NoKey;

/// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, by a key written `whsec_BASE64`.
///
/// # Errors
/// [`NoKey`].
pub fn sign(key: &SecretString, id: &str, timestamp: i64, body: &str) -> Result<String, NoKey> {
    let text = key.expose_secret().trim();
    let text = text.strip_prefix("whsec_").ok_or(NoKey)?;
    let bytes = zeroize::Zeroizing::new(BASE64.decode(text).map_err(|_| NoKey)?);
    if !(24..=64).contains(&bytes.len()) {
        return Err(NoKey);
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).map_err(|_| NoKey)?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", BASE64.encode(mac.finalize().into_bytes())))
}

/// The signatures of several keys, with a space between, as the specification wants it: a receiver takes
/// the message when one of them is right.
///
/// # Errors
/// [`NoKey`] when one of them is none.
pub fn signatures(
    keys: &[SecretString],
    id: &str,
    timestamp: i64,
    body: &str,
) -> Result<String, NoKey> {
    let all: Result<Vec<String>, NoKey> = keys
        .iter()
        .map(|key| sign(key, id, timestamp, body))
        .collect();
    Ok(all?.join(" "))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    /// A message that was signed with the specification's reference library.
    #[derive(Deserialize)]
    struct Vector {
        secret: String,
        id: String,
        timestamp: i64,
        body: String,
        signature: String,
    }

    fn key(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn signatures_are_those_of_the_specification() {
        let vectors = include_str!("../fixtures/standard-webhooks.json");
        let vectors: Vec<Vector> = serde_json::from_str(vectors).unwrap();
        assert_eq!(vectors.len(), 3);
        for it in vectors {
            let signed = sign(&key(&it.secret), &it.id, it.timestamp, &it.body).unwrap();
            assert_eq!(signed, it.signature, "{}", it.id);
        }
    }

    #[test]
    fn two_keys_make_a_list_of_two() {
        let keys = [
            key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
            key("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        ];
        let one = |n: usize| sign(&keys[n], "m", 1, "{}").unwrap();
        let both = signatures(&keys, "m", 1, "{}").unwrap();
        assert_eq!(both, format!("{} {}", one(0), one(1)));
        assert_ne!(one(0), one(1));
    }

    #[test]
    fn what_is_no_key_signs_nothing() {
        for bad in [
            "",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAA",
            "whsec_?",
        ] {
            assert_eq!(sign(&key(bad), "m", 1, "{}"), Err(NoKey), "{bad}");
        }
    }
}
