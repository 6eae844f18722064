//! The listener's certificate, made at the start.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData, date_time_ymd};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use crate::{Certificate, SimulatorError};

/// A key with its self-signed certificate.
#[derive(Clone)]
pub struct Identity {
    pem: String,
    pin: String,
    acceptor: TlsAcceptor,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("pin", &self.pin)
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// A new key and certificate.
    ///
    /// # Errors
    /// When the key or the certificate cannot be made, which would be a fault of this machine's random numbers.
    pub fn new(host_name: &str, certificate: Certificate) -> Result<Self, SimulatorError> {
        let key = KeyPair::generate().map_err(SimulatorError::Certificate)?;
        let made = params(host_name, certificate)
            .and_then(|params| params.self_signed(&key))
            .map_err(SimulatorError::Certificate)?;
        let digest = Sha256::digest(key.subject_public_key_info());
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(
            rustls::crypto::ring::default_provider(),
        ))
        .with_safe_default_protocol_versions()
        .map_err(SimulatorError::Tls)?
        .with_no_client_auth()
        .with_single_cert(
            vec![made.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .map_err(SimulatorError::Tls)?;
        Ok(Identity {
            pem: made.pem(),
            pin: format!("sha256/{}", STANDARD.encode(digest)),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        })
    }

    /// The certificate in PEM, to be trusted as a root.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// `sha256/BASE64` of the public key (SPKI).
    #[must_use]
    pub fn pin(&self) -> &str {
        &self.pin
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn params(host_name: &str, certificate: Certificate) -> Result<CertificateParams, rcgen::Error> {
    let names = match certificate {
        Certificate::WrongHost => vec!["other.example.org".to_owned()],
        Certificate::Good | Certificate::Expired => vec![
            "localhost".to_owned(),
            "127.0.0.1".to_owned(),
            "::1".to_owned(),
            host_name.to_owned(),
        ],
    };
    let mut params = CertificateParams::new(names)?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, host_name);
    params.distinguished_name = name;
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = match certificate {
        Certificate::Expired => date_time_ymd(2021, 1, 1),
        Certificate::Good | Certificate::WrongHost => date_time_ymd(2199, 1, 1),
    };
    Ok(params)
}
