//! How an answer of the test panel is delivered, well or badly.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Canned;

/// What the panel does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Whole(Canned),
    /// Promises the whole body and closes after so many bytes of it.
    CutAfter(usize, Canned),
    /// Sends so many bytes of the body as if they were all.
    Truncated(usize, Canned),
    /// These bytes, status line and all, and the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, one in a second.
    Drip(Vec<u8>),
    /// Bytes without an end.
    Pour(Pour),
    /// These bytes, and then nothing more.
    Stuck(Vec<u8>),
    /// Never answers.
    Silence,
    /// Closes without a byte.
    Closed,
}

/// Bytes that are sent until the other side closes.
#[derive(Debug, Clone)]
pub(crate) struct Pour {
    /// The first ones.
    pub(crate) first: Vec<u8>,
    /// All others, again and again.
    pub(crate) more: Vec<u8>,
    /// From so many bytes on it goes on only when the other side has taken all that was sent, so that
    /// what was sent is what was taken.
    pub(crate) paced_from: usize,
    /// How many were sent.
    pub(crate) sent: Arc<AtomicUsize>,
}

impl From<Canned> for Answer {
    fn from(canned: Canned) -> Self {
        Self::Whole(canned)
    }
}

/// A response with its body's length, as it goes over the wire.
pub(crate) fn response(canned: &Canned, promised: usize) -> Vec<u8> {
    let mut head = format!(
        "HTTP/1.1 {} Canned\r\nContent-Length: {promised}\r\nConnection: close\r\n",
        canned.status
    );
    for (name, value) in &canned.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    [head.as_bytes(), &canned.body].concat()
}

type Stream = TlsStream<TcpStream>;

pub(crate) async fn deliver(stream: &mut Stream, answer: Answer) {
    match answer {
        Answer::Closed => {}
        Answer::Silence => until_closed(stream).await,
        Answer::Whole(canned) => whole(stream, &response(&canned, canned.body.len())).await,
        Answer::Truncated(bytes, mut canned) => {
            canned.body.truncate(bytes);
            whole(stream, &response(&canned, canned.body.len())).await;
        }
        Answer::CutAfter(bytes, mut canned) => {
            let promised = canned.body.len();
            canned.body.truncate(bytes);
            cut(stream, &response(&canned, promised)).await;
        }
        Answer::Raw(bytes) => cut(stream, &bytes).await,
        Answer::Stuck(bytes) => {
            cut(stream, &bytes).await;
            until_closed(stream).await;
        }
        Answer::Drip(bytes) => drip(stream, &bytes).await,
        Answer::Pour(bytes) => {
            let _ = pour(stream, &bytes).await;
        }
    }
}

/// Until the other side gives up.
async fn until_closed(stream: &mut Stream) {
    let _ = stream.read(&mut [0; 1]).await;
}

async fn cut(stream: &mut Stream, bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
}

async fn whole(stream: &mut Stream, bytes: &[u8]) {
    cut(stream, bytes).await;
    let _ = stream.shutdown().await;
    // The other side closes once it has read all.
    let _ = tokio::time::timeout(Duration::from_secs(5), until_closed(stream)).await;
}

async fn drip(stream: &mut Stream, bytes: &[u8]) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for byte in bytes {
        seconds.tick().await;
        if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

async fn pour(stream: &mut Stream, bytes: &Pour) -> std::io::Result<()> {
    let (here, there) = {
        let socket = stream.get_ref().0;
        (socket.local_addr()?.port(), socket.peer_addr()?.port())
    };
    let mut next = &bytes.first;
    loop {
        stream.write_all(next).await?;
        stream.flush().await?;
        let sent = bytes.sent.fetch_add(next.len(), Ordering::SeqCst) + next.len();
        while sent >= bytes.paced_from && !has_taken_all(there, here) {
            tokio::task::yield_now().await;
        }
        next = &bytes.more;
    }
}

/// Whether nothing waits in the receive queue of the socket with these ports, or it is gone.
fn has_taken_all(port: u16, peer: u16) -> bool {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let (port, peer) = (format!(":{port:04X}"), format!(":{peer:04X}"));
    table.lines().all(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let ours = fields.len() > 4 && fields[1].ends_with(&port) && fields[2].ends_with(&peer);
        !ours || fields[4].ends_with(":00000000")
    })
}
