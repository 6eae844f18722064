//! A raw HTTPS server that says what it is told, for tests of clients.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::http::{Reader, Request};
use crate::ledger::lock;
use crate::{Certificate, Identity, SimulatorError};

/// What to do with one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Script {
    /// Write these bytes, status line and all, and keep the connection.
    Raw(Vec<u8>),
    /// Write these bytes and end the connection.
    RawThenClose(Vec<u8>),
    /// A complete response with this status, content type and body.
    Reply {
        /// The status.
        status: u16,
        /// The `Content-Type`.
        content_type: String,
        /// The body.
        body: Vec<u8>,
    },
    /// Keep the connection open, say nothing.
    Hang,
    /// Reset the connection.
    Reset,
}

impl Script {
    /// Status 200 with a JSON body.
    #[must_use]
    pub fn json(body: &str) -> Self {
        Script::status(200, "application/json", body)
    }

    /// A response with this status, content type and body.
    #[must_use]
    pub fn status(status: u16, content_type: &str, body: &str) -> Self {
        Script::Reply {
            status,
            content_type: content_type.to_owned(),
            body: body.as_bytes().to_vec(),
        }
    }
}

/// A request as the server read it. It holds secrets: for assertions only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ScriptedRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for ScriptedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedRequest")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

struct Inner {
    scripts: Mutex<Vec<Script>>,
    requests: Mutex<Vec<ScriptedRequest>>,
    count: watch::Sender<usize>,
    identity: Identity,
}

/// Answers each request with the next script; the last one stays in force. Without any it hangs.
pub struct ScriptedServer {
    inner: Arc<Inner>,
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts on a free loopback port.
    ///
    /// # Errors
    /// When no port or certificate can be had.
    pub async fn start(scripts: Vec<Script>) -> Result<Self, SimulatorError> {
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let listen = |source| SimulatorError::Listen {
            address: wanted,
            source,
        };
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let inner = Arc::new(Inner {
            scripts: Mutex::new(scripts),
            requests: Mutex::new(Vec::new()),
            count: watch::Sender::new(0),
            identity: Identity::new("scripted.example.net", Certificate::Good)?,
        });
        let task = tokio::spawn(accept(Arc::clone(&inner), listener));
        Ok(ScriptedServer {
            inner,
            address,
            task,
        })
    }

    /// `https://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `sha256/BASE64` of the certificate's public key.
    #[must_use]
    pub fn pin(&self) -> &str {
        self.inner.identity.pin()
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> &str {
        self.inner.identity.certificate_pem()
    }

    /// Adds a script behind those that are there.
    pub fn then(&self, script: Script) {
        lock(&self.inner.scripts).push(script);
    }

    /// What was received so far.
    #[must_use]
    pub fn requests(&self) -> Vec<ScriptedRequest> {
        lock(&self.inner.requests).clone()
    }

    /// Waits until this many requests have been received.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut seen = self.inner.count.subscribe();
        // An error means that the server is gone, and nothing more will come.
        let _ = seen.wait_for(|now| *now >= count).await;
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl std::fmt::Debug for ScriptedServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScriptedServer")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

async fn accept(inner: Arc<Inner>, listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((socket, _)) = accepted {
                let inner = Arc::clone(&inner);
                // A connection that breaks is part of the play.
                connections.spawn(async move { let _ = serve(&inner, socket).await; });
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(inner: &Inner, socket: tokio::net::TcpStream) -> std::io::Result<()> {
    let mut stream = inner.identity.acceptor().accept(socket).await?;
    let mut reader = Reader::new(String::new());
    while let Some((request, _)) = reader.next(&mut stream).await? {
        let script = next_script(inner, request);
        match script {
            Script::Raw(bytes) => stream.write_all(&bytes).await?,
            Script::RawThenClose(bytes) => {
                stream.write_all(&bytes).await?;
                stream.flush().await?;
                return Ok(());
            }
            Script::Reply {
                status,
                content_type,
                body,
            } => {
                let response = crate::http::Response::new(status, &content_type, body);
                let head = response.head(
                    "Thu, 01 Jan 1970 00:00:00 GMT",
                    Some(response.body.len()),
                    true,
                );
                stream.write_all(&[head, response.body].concat()).await?;
            }
            Script::Hang => {
                let mut sink = [0u8; 1024];
                while stream.read(&mut sink).await? > 0 {}
                return Ok(());
            }
            Script::Reset => return stream.get_ref().0.set_zero_linger(),
        }
        stream.flush().await?;
    }
    Ok(())
}

fn next_script(inner: &Inner, request: Request) -> Script {
    let target = if request.query.is_empty() {
        request.path
    } else {
        format!("{}?{}", request.path, request.query)
    };
    let received = ScriptedRequest {
        method: request.method,
        target,
        headers: request.headers,
        body: request.body,
    };
    let mut requests = lock(&inner.requests);
    requests.push(received);
    inner.count.send_replace(requests.len());
    drop(requests);
    let mut scripts = lock(&inner.scripts);
    match scripts.len() {
        0 => Script::Hang,
        1 => scripts[0].clone(),
        _ => scripts.remove(0),
    }
}
