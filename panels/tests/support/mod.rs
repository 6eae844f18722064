//! A panel made of canned answers, on a real HTTPS socket and a thread of its own, so that a test
//! may stop its own clock. It speaks plain HTTP/1.1 by hand, because it must also break off.

#![allow(dead_code, reason = "each test binary uses a part of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod delivery;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

#[allow(unused_imports, reason = "each test binary uses a part of it")]
pub(crate) use delivery::{Answer, Pour, response};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use delivery::deliver;
use panels::ServerSettings;
use rcgen::PublicKeyData as _;
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

/// The secret of [`TestPanel::settings`]; no text that leaves a driver may hold it.
pub(crate) const SECRET: &str = "T0PSECRETTOKEN/with+signs=";

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Query and form fields, decoded, in this order.
    pub(crate) fields: Vec<(String, String)>,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// An answer that is sent whole.
#[derive(Debug, Clone)]
pub(crate) struct Canned {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Canned {
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "application/json", body)
    }

    pub(crate) fn html(body: impl Into<Vec<u8>>) -> Self {
        Self::new(200, "text/html", body)
    }

    pub(crate) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: vec![("Content-Type".into(), content_type.into())],
            body: body.into(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

type Script = Box<dyn FnMut(&Received) -> Answer + Send>;

struct Shared {
    script: Mutex<Script>,
    received: Mutex<Vec<Received>>,
    /// Every byte that came through TLS, also of what was no request.
    bytes: Mutex<Vec<u8>>,
    arrivals: Semaphore,
    stop: Notify,
}

/// The panel; it ends when dropped.
pub(crate) struct TestPanel {
    pub(crate) address: SocketAddr,
    pub(crate) pin: String,
    pub(crate) certificate_pem: String,
    shared: Arc<Shared>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for TestPanel {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl TestPanel {
    /// Answers each request by the script.
    pub(crate) fn start(script: impl FnMut(&Received) -> Answer + Send + 'static) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        Self::start_with(&key, &key, script)
    }

    /// Shows the certificate of one key and signs with the other.
    pub(crate) fn start_with(
        shown: &rcgen::KeyPair,
        signing: &rcgen::KeyPair,
        script: impl FnMut(&Received) -> Answer + Send + 'static,
    ) -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = rcgen::CertificateParams::new(names).unwrap();
        Self::start_as(&params, shown, signing, script)
    }

    /// Shows a certificate made by these parameters.
    pub(crate) fn start_as(
        params: &rcgen::CertificateParams,
        shown: &rcgen::KeyPair,
        signing: &rcgen::KeyPair,
        script: impl FnMut(&Received) -> Answer + Send + 'static,
    ) -> Self {
        let certificate = params.self_signed(shown).unwrap();
        let digest = Sha256::digest(shown.subject_public_key_info());
        let tls = server_config(certificate.der().clone(), signing);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: Mutex::new(Box::new(script)),
            received: Mutex::default(),
            bytes: Mutex::default(),
            arrivals: Semaphore::new(0),
            stop: Notify::new(),
        });
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
                .block_on(serve(listener, tls, for_thread));
        });
        Self {
            address,
            pin: format!("sha256/{}", STANDARD.encode(digest)),
            certificate_pem: certificate.pem(),
            shared,
            thread: Some(thread),
        }
    }

    /// Answers each request with the next of these, and 599 when there are no more.
    pub(crate) fn scripted(answers: Vec<Answer>) -> Self {
        let mut answers = answers.into_iter();
        Self::start(move |_| {
            let over = || Canned::new(599, "text/plain", "the script is over").into();
            answers.next().unwrap_or_else(over)
        })
    }

    /// Replaces the script by these answers and forgets what was received.
    pub(crate) fn rescript(&self, answers: Vec<Answer>) {
        let mut answers = answers.into_iter();
        self.script(move |_| {
            let over = || Canned::new(599, "text/plain", "the script is over").into();
            answers.next().unwrap_or_else(over)
        });
    }

    /// Replaces the script and forgets what was received.
    pub(crate) fn script(&self, script: impl FnMut(&Received) -> Answer + Send + 'static) {
        *self.shared.script.lock().unwrap() = Box::new(script);
        self.shared.received.lock().unwrap().clear();
        let waiting = self.shared.arrivals.available_permits();
        self.shared.arrivals.forget_permits(waiting);
    }

    /// Settings that lead here and trust its key.
    pub(crate) fn settings(&self) -> ServerSettings {
        ServerSettings {
            name: "web1".into(),
            url: format!("https://{}", self.address),
            user: Some("root".into()),
            secret: SECRET.into(),
            pins: vec![self.pin.clone()],
            ca_pem: None,
            allow_networks: vec!["127.0.0.0/8".parse().unwrap()],
            time_zone: chrono_tz::UTC,
            options: Default::default(),
        }
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// Every byte that came through TLS.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.shared.bytes.lock().unwrap().clone()
    }

    /// Waits until one more request has arrived whole.
    pub(crate) async fn arrival(&self) {
        self.shared.arrivals.acquire().await.unwrap().forget();
    }
}

fn server_config(certificate: CertificateDer<'static>, key: &rcgen::KeyPair) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    // Not `with_single_cert`: it would refuse a key that is not the certificate's, which one test needs.
    let certified = rustls::sign::CertifiedKey::new(vec![certificate], key);
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(certified)));
    Arc::new(config)
}

async fn serve(listener: std::net::TcpListener, tls: Arc<ServerConfig>, shared: Arc<Shared>) {
    let listener = TcpListener::from_std(listener).unwrap();
    let acceptor = TlsAcceptor::from(tls);
    loop {
        tokio::select! {
            () = shared.stop.notified() => return,
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                tokio::spawn(connection(stream, acceptor.clone(), Arc::clone(&shared)));
            }
        }
    }
}

/// One request, one answer, closed.
async fn connection(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(mut stream) = acceptor.accept(stream).await else {
        return;
    };
    let Some(received) = read_request(&mut stream, &shared.bytes).await else {
        return;
    };
    let answer = (shared.script.lock().unwrap())(&received);
    shared.received.lock().unwrap().push(received);
    shared.arrivals.add_permits(1);
    deliver(&mut stream, answer).await;
}

async fn read_request(
    stream: &mut TlsStream<TcpStream>,
    seen: &Mutex<Vec<u8>>,
) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 8192];
    let head_end = loop {
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        seen.lock().unwrap().extend_from_slice(&buffer[..read]);
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next()?.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let read = stream.read(&mut buffer).await.ok().filter(|n| *n > 0)?;
        body.extend_from_slice(&buffer[..read]);
    }
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut fields: Vec<(String, String)> = serde_urlencoded::from_str(query).unwrap();
    let form = headers
        .iter()
        .any(|(n, v)| n == "content-type" && v.starts_with("application/x-www-form"));
    if form {
        let more: Vec<(String, String)> = serde_urlencoded::from_bytes(&body).unwrap();
        fields.extend(more);
    }
    Some(Received {
        method,
        path: path.to_owned(),
        fields,
        headers,
        body,
    })
}
