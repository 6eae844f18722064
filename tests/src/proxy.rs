//! A proxy in front of a database, Redis or a panel, and what can become of the connections through it.
//!
//! It also counts *exchanges*: a message of the client to which the server answers. The N-th of them can be
//! lost on its way, or its answer: so the N-th thing that a process says to its database fails, for every N.

#![expect(
    clippy::expect_used,
    reason = "a proxy that cannot be made must fail its test at once"
)]

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What becomes of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// They pass.
    Pass,
    /// New ones are refused, old ones are reset.
    Refuse,
    /// New ones are accepted; nothing passes in either direction.
    Hang,
    /// New ones are accepted and reset, old ones are reset.
    Reset,
}

/// How an exchange is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// The server never gets the message.
    Message,
    /// The server gets it; of its answer this many bytes come back.
    Answer(usize),
}

/// Which exchanges are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Count {
    /// Each.
    #[default]
    All,
    /// Those of SQL transactions, from BEGIN to COMMIT; a duty that finds nothing to do begins none.
    Transactions,
}

#[derive(Debug, Default)]
struct Armed {
    /// (which exchange, how); taken when it strikes.
    cut: Option<(u64, Cut)>,
    count: Count,
    seen: u64,
}

#[derive(Debug)]
struct Shared {
    to: SocketAddr,
    mode: watch::Sender<Mode>,
    armed: Mutex<Armed>,
    accepted: AtomicU64,
}

/// A proxy on a port of the loopback. It ends with its handle.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Proxy {
    /// In front of that port of the loopback; everything passes.
    pub async fn before(port: u16) -> Self {
        let listener = listen(0).await.expect("a port can be listened on");
        let own = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            to: (Ipv4Addr::LOCALHOST, port).into(),
            mode: watch::Sender::new(Mode::Pass),
            armed: Mutex::default(),
            accepted: AtomicU64::new(0),
        });
        let accepting = tokio::spawn(accept(listener, own.port(), Arc::clone(&shared)));
        Self {
            port: own.port(),
            shared,
            accepting,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on connections do this.
    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// Cuts the N-th exchange from now on (counted from 1) and its connection.
    pub fn cut(&self, count: Count, nth: u64, cut: Cut) {
        *self.shared.armed() = Armed {
            cut: Some((nth, cut)),
            count,
            seen: 0,
        };
    }

    /// Takes a cut back that has not struck; `false` = it has.
    #[must_use]
    pub fn disarm(&self) -> bool {
        self.shared.armed().cut.take().is_some()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn armed(&self) -> std::sync::MutexGuard<'_, Armed> {
        self.armed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An exchange begins; how it is cut, if it is.
    fn begins(&self, in_transaction: bool) -> Option<Cut> {
        let mut armed = self.armed();
        if armed.count == Count::Transactions && !in_transaction {
            return None;
        }
        armed.seen += 1;
        let seen = armed.seen;
        let (_, cut) = armed.cut.take_if(|(nth, _)| *nth == seen)?;
        Some(cut)
    }
}

async fn listen(port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await
}

async fn accept(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    let mut mode = shared.mode.subscribe();
    let mut open = Some(listener);
    loop {
        let refuses = *mode.borrow_and_update() == Mode::Refuse;
        match (&open, refuses) {
            (Some(_), true) => open = None,
            (None, false) => open = Some(listen(port).await.expect("its own port is free")),
            _ => {}
        }
        let Some(listener) = &open else {
            if mode.changed().await.is_err() {
                return;
            }
            continue;
        };
        tokio::select! {
            changed = mode.changed() => if changed.is_err() { return },
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                shared.accepted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(carry(client, Arc::clone(&shared)));
            },
        }
    }
}

/// One connection, from its beginning to its end.
async fn carry(mut client: TcpStream, shared: Arc<Shared>) {
    let server = TcpStream::connect(shared.to).await;
    let mut mode = shared.mode.subscribe();
    let Ok(mut server) = server else {
        let _ = client.set_zero_linger();
        return;
    };
    if relay(&mut client, &mut server, &mut mode, &shared)
        .await
        .is_err()
    {
        // A reset, not an orderly end.
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

/// Carries bytes until an end; an error = both sides are to be reset.
async fn relay(
    client: &mut TcpStream,
    server: &mut TcpStream,
    mode: &mut watch::Receiver<Mode>,
    shared: &Shared,
) -> io::Result<()> {
    let (mut asked, mut told) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let (mut in_exchange, mut in_transaction) = (false, false);
    let mut cut = None;
    loop {
        let now = *mode.borrow_and_update();
        if matches!(now, Mode::Refuse | Mode::Reset) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let passes = now == Mode::Pass;
        tokio::select! {
            changed = mode.changed() => changed.map_err(io::Error::other)?,
            read = client.read(&mut asked), if passes => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                in_transaction |= holds(&asked[..count], b"BEGIN");
                if !in_exchange {
                    in_exchange = true;
                    cut = shared.begins(in_transaction);
                }
                in_transaction &= !holds(&asked[..count], b"COMMIT");
                in_transaction &= !holds(&asked[..count], b"ROLLBACK");
                if cut == Some(Cut::Message) {
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                server.write_all(&asked[..count]).await?;
            }
            read = server.read(&mut told), if passes => {
                let count = read?;
                if count == 0 {
                    return Ok(());
                }
                in_exchange = false;
                if let Some(Cut::Answer(bytes)) = cut {
                    client.write_all(&told[..bytes.min(count)]).await?;
                    return Err(io::ErrorKind::ConnectionReset.into());
                }
                client.write_all(&told[..count]).await?;
            }
        }
    }
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}
