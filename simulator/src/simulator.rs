//! A running simulator, and what tests do with it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};

use crate::SimulatorError;
use crate::connection::serve;
use crate::faults::{FaultPlan, Switchboard};
use crate::ledger::{Ledger, LedgerEntry, lock, read_ledger};
use crate::options::{Options, PanelKind};
use crate::seen::RequestSeen;
use crate::shared::Shared;
use crate::tls::Identity;

/// A panel that runs in this process. All methods may be called from any thread. Dropping it stops it.
pub struct Simulator {
    pub(crate) shared: Arc<Shared>,
    address: SocketAddr,
    user: String,
    secret: String,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulator")
            .field("panel", &self.shared.options.panel)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Starts a panel on its HTTPS listener.
///
/// # Errors
/// When the listener, the certificate or the ledger's file cannot be made.
pub async fn start(options: Options) -> Result<Simulator, SimulatorError> {
    let identity = Identity::new(&options.host_name, options.certificate)?;
    let ledger = Ledger::open(options.ledger.as_deref())?;
    let listener = bind(options.listen)?;
    let address = listener
        .local_addr()
        .map_err(|source| SimulatorError::Listen {
            address: options.listen,
            source,
        })?;
    let shared = Arc::new(Shared::new(options, identity, ledger));
    let (user, secret) =
        shared.with_panel(|panel| (panel.user().to_owned(), panel.secret().to_owned()));
    let accepting = Mutex::new(Some(accept(Arc::clone(&shared), listener)));
    Ok(Simulator {
        shared,
        address,
        user,
        secret,
        accepting,
    })
}

fn bind(address: SocketAddr) -> Result<TcpListener, SimulatorError> {
    let open = || {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        // A restart must get its old port although connections of before are still in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(1024)
    };
    open().map_err(|source| SimulatorError::Listen { address, source })
}

fn accept(shared: Arc<Shared>, listener: TcpListener) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => {
                        let _ = socket.set_nodelay(true);
                        connections.spawn(serve(Arc::clone(&shared), socket));
                    }
                    // Out of file handles: the next connection may find one again.
                    Err(_) => tokio::task::yield_now().await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    })
}

impl Simulator {
    /// The base address, `https://127.0.0.1:PORT` (HostBill: with `/api`): what `hostler server add --url` takes.
    #[must_use]
    pub fn url(&self) -> String {
        match self.shared.options.panel {
            PanelKind::Cpanel | PanelKind::Froxlor => format!("https://{}", self.address),
            PanelKind::HostBill => format!("https://{}/api", self.address),
        }
    }

    /// The full address of the API: `.../json-api/` for WHM, `.../api.php` for Froxlor (which also answers in the
    /// sub-folder `/froxlor`).
    #[must_use]
    pub fn api_url(&self) -> String {
        match self.shared.options.panel {
            PanelKind::Cpanel => format!("{}/json-api/", self.url()),
            PanelKind::Froxlor => format!("{}/api.php", self.url()),
            PanelKind::HostBill => self.url(),
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Which panel this is.
    #[must_use]
    pub fn kind(&self) -> PanelKind {
        self.shared.options.panel
    }

    /// The panel's own name.
    #[must_use]
    pub fn host_name(&self) -> &str {
        &self.shared.options.host_name
    }

    /// Who to log in as: `root` for WHM, the API key (64 hex digits) for Froxlor, a mail address for HostBill.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The API token (WHM), the API secret (Froxlor, 128 hex digits) or the client's password (HostBill).
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// `sha256/BASE64` of the certificate's public key.
    #[must_use]
    pub fn pin(&self) -> String {
        self.identity().pin().to_owned()
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.identity().certificate_pem().to_owned()
    }

    fn identity(&self) -> Identity {
        self.shared
            .identity
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Shows another certificate, with another key, on new connections.
    pub fn replace_identity(&self, identity: Identity) {
        *self
            .shared
            .identity
            .write()
            .unwrap_or_else(PoisonError::into_inner) = identity;
    }

    /// Every side effect since the start, in order.
    #[must_use]
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        // What is due by the panel's clock has happened.
        self.shared.with_panel(|_| ());
        self.shared.ledger.entries()
    }

    /// How many side effects there were since the start.
    #[must_use]
    pub fn effects(&self) -> usize {
        self.shared.ledger.count()
    }

    /// The ledger's file, when there is one.
    #[must_use]
    pub fn ledger_path(&self) -> Option<&Path> {
        self.shared.ledger.path()
    }

    /// Reads a ledger's file, also of a simulator in another process.
    ///
    /// # Errors
    /// See [`read_ledger`].
    pub fn read_ledger(path: &Path) -> Result<Vec<LedgerEntry>, SimulatorError> {
        read_ledger(path)
    }

    /// Every request that was received, in order, without secrets.
    #[must_use]
    pub fn requests(&self) -> Vec<RequestSeen> {
        self.shared.seen()
    }

    /// Waits until a call has been received this many times (since the start). To act while a request hangs.
    pub async fn wait_for_call(&self, call: &str, times: usize) {
        let mut received = self.shared.received.subscribe();
        loop {
            let seen = self.requests();
            if seen
                .iter()
                .filter(|request| request.call.eq_ignore_ascii_case(call))
                .count()
                >= times
            {
                return;
            }
            if received.changed().await.is_err() {
                return;
            }
        }
    }

    /// Waits until this many side effects have taken place since the start.
    pub async fn wait_for_effects(&self, count: usize) {
        let mut effects = self.shared.effects.subscribe();
        while self.shared.ledger.entries().len() < count {
            if effects.changed().await.is_err() {
                return;
            }
        }
    }

    /// The faults, to be added and removed at any time.
    #[must_use]
    pub fn faults(&self) -> &Switchboard {
        &self.shared.faults
    }

    /// Adds all faults of a plan.
    pub fn add_faults(&self, plan: &FaultPlan) {
        for fault in &plan.faults {
            self.shared.faults.add(fault.clone());
        }
    }

    /// How many calls will still take effect later, see [`crate::Applied::AfterSeconds`].
    #[must_use]
    pub fn deferred(&self) -> usize {
        self.shared.deferred()
    }

    /// Closes the listener and all connections; the state stays. New connections are refused.
    pub async fn stop_listening(&self) {
        let task = lock(&self.accepting).take();
        if let Some(task) = task {
            task.abort();
            // The abort is not an error; waiting makes sure that the port is free.
            let _ = task.await;
        }
    }

    /// Listens again on the same address. Does nothing when it does so already.
    ///
    /// # Errors
    /// When the port has been taken by someone else meanwhile.
    pub fn listen_again(&self) -> Result<(), SimulatorError> {
        let mut accepting = lock(&self.accepting);
        if accepting.is_none() {
            *accepting = Some(accept(Arc::clone(&self.shared), bind(self.address)?));
        }
        Ok(())
    }

    /// As a restart of the panel's web server: all connections end, the state stays, the port too.
    ///
    /// # Errors
    /// See [`Simulator::listen_again`].
    pub async fn restart(&self) -> Result<(), SimulatorError> {
        self.stop_listening().await;
        self.listen_again()
    }

    /// Ends the simulator.
    pub async fn stop(self) {
        self.stop_listening().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.accepting).take() {
            task.abort();
        }
    }
}
