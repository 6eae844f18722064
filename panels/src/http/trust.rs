//! Which certificates are believed: public authorities, the operator's own, or pinned keys.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::{PanelError, ServerSettings};

/// The TLS side of one server's client.
///
/// Pins stand instead of authorities, names and dates: a pinned key is believed whatever its certificate
/// says. With pins *and* own authorities both must agree.
///
/// # Errors
/// `Rejected` with code `server_settings` when a pin or a certificate cannot be read.
pub(super) fn tls_config(settings: &ServerSettings) -> Result<ClientConfig, PanelError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if settings.pins.is_empty() {
        authorities(settings, &provider)?
    } else {
        let inner = match settings.ca_pem {
            Some(_) => Some(authorities(settings, &provider)?),
            None => None,
        };
        Arc::new(PinnedKeys {
            pins: parse_pins(settings)?,
            inner,
            provider: Arc::clone(&provider),
        })
    };
    with_verifier(provider, verifier).map_err(|error| wrong(settings, &error.to_string()))
}

fn with_verifier(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

fn wrong(settings: &ServerSettings, why: &str) -> PanelError {
    PanelError::refused(
        "server_settings",
        format!("server `{}`: {why}", settings.name),
    )
}

fn authorities(
    settings: &ServerSettings,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, PanelError> {
    let mut roots = RootCertStore::empty();
    match &settings.ca_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate =
                    certificate.map_err(|_| wrong(settings, "the CA certificate is not PEM"))?;
                roots
                    .add(certificate)
                    .map_err(|_| wrong(settings, "a CA certificate cannot be used"))?;
            }
        }
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|_| wrong(settings, "there is no certificate in the CA file"))
}

fn parse_pins(settings: &ServerSettings) -> Result<Vec<[u8; 32]>, PanelError> {
    let parse = |pin: &String| {
        pin.trim()
            .strip_prefix("sha256/")
            .and_then(|digest| STANDARD.decode(digest).ok())
            .and_then(|digest| digest.try_into().ok())
            .ok_or_else(|| {
                wrong(
                    settings,
                    "a pin must be `sha256/` and 44 characters of base64",
                )
            })
    };
    settings.pins.iter().map(parse).collect()
}

/// SHA-256 of the public key with its algorithm (SPKI, as in RFC 7469): it survives a renewal of the
/// certificate with the same key.
fn spki_digest(certificate: &CertificateDer<'_>) -> Result<[u8; 32], rustls::Error> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate)
        .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    Ok(Sha256::digest(parsed.tbs_certificate.subject_pki.raw).into())
}

/// Believes a certificate by its key alone.
#[derive(Debug)]
struct PinnedKeys {
    pins: Vec<[u8; 32]>,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKeys {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if !self.pins.contains(&spki_digest(end_entity)?) {
            return Err(rustls::Error::InvalidCertificate(
                CertificateError::ApplicationVerificationFailure,
            ));
        }
        match &self.inner {
            Some(inner) => {
                inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            }
            None => Ok(ServerCertVerified::assertion()),
        }
    }

    // Certificates are public: without these two checks anybody could show the pinned one.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A certificate that a server shows, for an operator to compare on another path before pinning it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Presented {
    /// The pin of its key: `sha256/BASE64`.
    pub pin: String,
    /// Whose it says it is.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// Valid from, in milliseconds UTC.
    pub not_before: i64,
    /// Valid until, in milliseconds UTC.
    pub not_after: i64,
}

/// The certificates that the server of `settings` shows, leaf first. No credential is sent: the
/// handshake is broken off as soon as they are seen. Pins and authorities in `settings` don't matter.
///
/// # Errors
/// `Rejected` (`server_settings`) for an address that cannot be used, `Transient` when no certificate
/// was seen.
pub async fn present(
    settings: &ServerSettings,
    default_port: u16,
) -> Result<Vec<Presented>, PanelError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let looker = Arc::new(LookOnly {
        seen: Mutex::new(Vec::new()),
        provider: Arc::clone(&provider),
    });
    let tls = with_verifier(provider, Arc::clone(&looker) as Arc<dyn ServerCertVerifier>)
        .map_err(|error| wrong(settings, &error.to_string()))?;
    let error = super::client::look(settings, default_port, tls).await?;
    let seen = looker
        .seen
        .lock()
        .map(|seen| seen.clone())
        .unwrap_or_default();
    if seen.is_empty() {
        return Err(error);
    }
    seen.iter()
        .map(|der| describe(der).ok_or_else(|| wrong(settings, "shows a broken certificate")))
        .collect()
}

fn describe(der: &CertificateDer<'_>) -> Option<Presented> {
    let digest = spki_digest(der).ok()?;
    let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
    let clean = |name: String| super::Redactor::default().reason(&name);
    Some(Presented {
        pin: format!("sha256/{}", STANDARD.encode(digest)),
        subject: clean(parsed.subject().to_string()),
        issuer: clean(parsed.issuer().to_string()),
        not_before: parsed.validity().not_before.timestamp() * 1000,
        not_after: parsed.validity().not_after.timestamp() * 1000,
    })
}

/// Keeps the certificates and refuses them all, so that no connection ever comes about.
#[derive(Debug)]
struct LookOnly {
    seen: Mutex<Vec<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for LookOnly {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if let Ok(mut seen) = self.seen.lock() {
            *seen = std::iter::once(end_entity)
                .chain(intermediates)
                .map(|der| der.clone().into_owned())
                .collect();
        }
        Err(refused())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refused())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(refused())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn refused() -> rustls::Error {
    rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
}
