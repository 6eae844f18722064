//! One connection: TLS, requests, and answers that are delivered well or badly.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::clock::pause as wait;
use crate::faults::{Candidate, Fault, Reply};
use crate::http::{Reader, Response};
use crate::shared::{Received, Shared};

/// Serves a connection until it ends. Errors of the connection are the client's business.
pub(crate) async fn serve(shared: Arc<Shared>, socket: TcpStream) {
    let peer = socket
        .peer_addr()
        .map(|address| address.ip().to_string())
        .unwrap_or_default();
    let candidate = Candidate {
        call: "connect",
        username: None,
        changes: false,
        request: 0,
        at_ms: shared.clock.now_ms(),
    };
    let socket = match shared.faults.strike(&candidate) {
        None => socket,
        Some(fault) => match spoil_connection(&shared, socket, &fault).await {
            Some(socket) => socket,
            None => return,
        },
    };
    let acceptor = shared
        .identity
        .read()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
        .acceptor();
    if let Ok(stream) = acceptor.accept(socket).await {
        // A connection that breaks has nobody left to be told.
        let _ = requests(&shared, stream, peer).await;
    }
}

async fn requests(
    shared: &Arc<Shared>,
    mut stream: TlsStream<TcpStream>,
    peer: String,
) -> std::io::Result<()> {
    let mut reader = Reader::new(peer);
    while let Some((request, keep)) = reader.next(&mut stream).await? {
        let received = shared.receive(request);
        let _in_flight = InFlight {
            shared,
            ordinal: received.ordinal,
        };
        // The panel works on even when the client hangs up, as Apache and PHP do; only a stop of the simulator ends it.
        let response = shared.answer(&received).await;
        if !deliver(shared, &mut stream, &received, response, keep).await? {
            return Ok(());
        }
    }
    stream.shutdown().await
}

/// Takes the request off the list of those that are worked on, also when the connection's task is dropped.
struct InFlight<'a> {
    shared: &'a Shared,
    ordinal: u64,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.shared.ledger.answered(self.ordinal);
    }
}

/// Delivers an answer as its fault wants it. False when the connection is over.
async fn deliver(
    shared: &Shared,
    stream: &mut TlsStream<TcpStream>,
    received: &Received,
    response: Response,
    keep: bool,
) -> std::io::Result<bool> {
    let normal = Reply::Normal;
    let reply = received
        .fault
        .as_ref()
        .map_or(&normal, |fault| &fault.reply);
    let response = shared.replaced(reply, response);
    let date = shared
        .clock
        .local(shared.clock.now_ms())
        .to_utc()
        .format("%a, %d %b %Y %H:%M:%S GMT")
        .to_string();
    let whole = |keep: bool| {
        let head = response.head(&date, Some(response.body.len()), keep);
        let body = if response.status == 204 {
            &[]
        } else {
            response.body.as_slice()
        };
        (head.len(), [head.as_slice(), body].concat())
    };
    match reply {
        Reply::Never => {
            hold(stream).await;
            return Ok(false);
        }
        Reply::Reset => {
            // A zero linger turns the close into an RST.
            stream.get_ref().0.set_zero_linger()?;
            return Ok(false);
        }
        Reply::CutBody { after } => {
            let (head, bytes) = whole(keep);
            let end = head.saturating_add(*after).min(bytes.len());
            return cut(stream, bytes.get(..end).unwrap_or_default()).await;
        }
        Reply::CutResponse { after } => {
            let (_, bytes) = whole(keep);
            return cut(stream, bytes.get(..*after).unwrap_or(&bytes)).await;
        }
        Reply::Raw { text } => return cut(stream, text.as_bytes()).await,
        Reply::Endless => {
            stream.write_all(&response.head(&date, None, false)).await?;
            return endless(stream, b"{\"data\":\"", &[b'x'; 16 * 1024], Duration::ZERO).await;
        }
        Reply::EndlessHeaders => {
            let line = b"X-Filler: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n";
            return endless(
                stream,
                b"HTTP/1.1 200 OK\r\n",
                line,
                Duration::from_millis(50),
            )
            .await;
        }
        Reply::Slow { bytes_per_second } => {
            let (_, bytes) = whole(keep);
            drip(stream, &bytes, *bytes_per_second).await?;
        }
        Reply::Late { ms } => {
            wait(Duration::from_millis(*ms)).await;
            stream.write_all(&whole(keep).1).await?;
        }
        _ => stream.write_all(&whole(keep).1).await?,
    }
    stream.flush().await?;
    Ok(keep)
}

/// Keeps the connection open and silent until the client ends it.
async fn hold(stream: &mut TlsStream<TcpStream>) {
    let mut sink = [0u8; 1024];
    while matches!(stream.read(&mut sink).await, Ok(read) if read > 0) {}
}

async fn cut(stream: &mut TlsStream<TcpStream>, bytes: &[u8]) -> std::io::Result<bool> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    Ok(false)
}

async fn endless(
    stream: &mut TlsStream<TcpStream>,
    start: &[u8],
    more: &[u8],
    pause: Duration,
) -> std::io::Result<bool> {
    stream.write_all(start).await?;
    loop {
        stream.write_all(more).await?;
        stream.flush().await?;
        if !pause.is_zero() {
            wait(pause).await;
        }
    }
}

async fn drip(
    stream: &mut TlsStream<TcpStream>,
    bytes: &[u8],
    per_second: u32,
) -> std::io::Result<()> {
    let pause = Duration::from_secs(1) / per_second.max(1);
    for byte in bytes {
        stream.write_all(&[*byte]).await?;
        stream.flush().await?;
        wait(pause).await;
    }
    Ok(())
}

/// What goes wrong before TLS. Some answer in plain HTTP, as a server that has no TLS on this port would.
async fn spoil_connection(
    shared: &Shared,
    mut socket: TcpStream,
    fault: &Fault,
) -> Option<TcpStream> {
    match &fault.reply {
        Reply::Normal => return Some(socket),
        Reply::Late { ms } => {
            wait(Duration::from_millis(*ms)).await;
            return Some(socket);
        }
        Reply::Reset => {
            let _ = socket.set_zero_linger();
        }
        Reply::Never => {
            let mut sink = [0u8; 1024];
            while matches!(socket.read(&mut sink).await, Ok(read) if read > 0) {}
        }
        Reply::CutResponse { .. } | Reply::CutBody { .. } => {}
        Reply::Raw { text } => {
            let _ = socket.write_all(text.as_bytes()).await;
        }
        other => {
            let plain = Response::new(
                400,
                "text/html",
                "This server does not speak TLS on this port.\n",
            );
            let response = shared.replaced(other, plain);
            let head = response.head(
                "Thu, 01 Jan 1970 00:00:00 GMT",
                Some(response.body.len()),
                false,
            );
            let _ = socket.write_all(&[head, response.body].concat()).await;
        }
    }
    None
}
