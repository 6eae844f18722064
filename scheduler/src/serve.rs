//! The scheduler as a whole: it listens, and runs its duties.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use jobs::Steady;
use jobs::queue::Doorbell;
use jobs::seal::Keyring;
use jobs::store::{Store, in_time};
use metrics_exporter_prometheus::PrometheusHandle;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::api::Api;
use crate::cron::{Cron, Retention, Ticked};
use crate::top_up::TopUp;
use crate::wait::Waiters;

/// Tells whether the workers in this process look for jobs.
pub type ReadyProbe = Arc<dyn Fn() -> bool + Send + Sync>;

/// Requests in hand get this long at a shutdown.
const GRACE: Duration = Duration::from_secs(10);
/// A client gets this long to send its headers.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// Longest headers, in bytes.
const HEADERS: usize = 16 * 1024;

/// How the scheduler is started.
#[derive(Clone)]
pub struct Options {
    /// Where it listens; port 0 = any free one.
    pub listen: SocketAddr,
    /// Whether a plain listener may be reached from other machines.
    pub insecure_listen: bool,
    /// Certificate and key; without them it speaks plain HTTP.
    pub tls: Option<Tls>,
    /// Requests that each token may make a second.
    pub requests_a_second: u32,
    /// What it does besides answering.
    pub duties: Duties,
    /// How long things are kept.
    pub retention: Retention,
    /// What `/metrics` shows.
    pub metrics: Option<PrometheusHandle>,
    /// What `/readyz` asks besides the database.
    pub workers_ready: Option<ReadyProbe>,
}

impl Options {
    /// The usual ones: plain HTTP, 100 requests a second for each token.
    #[must_use]
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            insecure_listen: false,
            tls: None,
            requests_a_second: 100,
            duties: Duties::ClockAndTopUp,
            retention: Retention::default(),
            metrics: None,
            workers_ready: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("listen", &self.listen)
            .field("tls", &self.tls.is_some())
            .finish_non_exhaustive()
    }
}

/// What a scheduler does besides answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duties {
    /// The clock (nightly statistics, month close, retention) and the top-up of the doorbell.
    ClockAndTopUp,
    /// Nothing: other schedulers on the same database do.
    None,
}

/// A certificate chain and its key, PEM.
#[derive(Debug, Clone)]
pub struct Tls {
    /// The chain, the server's own certificate first.
    pub certificates: Vec<u8>,
    /// Its private key.
    pub key: SecretString,
}

/// Why the scheduler does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A plain listener could be reached from other machines.
    #[error(
        "listen: {0} can be reached from other machines and tokens would cross the network in clear; give --tls-cert and --tls-key, or --insecure-listen behind a proxy that does TLS"
    )]
    PlainListener(SocketAddr),
    /// The address cannot be listened on.
    #[error("listen: {address} cannot be used: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Certificate or key are not right.
    #[error("tls-cert, tls-key: {0}")]
    Tls(std::io::Error),
}

/// See [`Scheduler::start`].
#[derive(Debug)]
pub struct Scheduler;

/// A scheduler that runs.
#[derive(Debug)]
pub struct Serving {
    /// Where it listens.
    pub address: SocketAddr,
    tasks: JoinSet<()>,
}

impl Serving {
    /// Waits until it has ended after its shutdown.
    pub async fn ended(mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(failure = %error, "A duty of the scheduler ended in a panic: {error}");
            }
        }
    }
}

impl Scheduler {
    /// Listens, and runs clock, top-up and waiting until `shutdown` is ready.
    ///
    /// With TLS a process-wide rustls provider must be installed.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(
        options: Options,
        store: Store,
        doorbell: Doorbell,
        keyring: Arc<Keyring>,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<Serving, StartError> {
        if options.tls.is_none() && !options.listen.ip().is_loopback() && !options.insecure_listen {
            return Err(StartError::PlainListener(options.listen));
        }
        let (listener, address) = bind(options.listen)?;
        let waiters = Waiters::new(store.clone());
        let api = Api::new(
            store.clone(),
            doorbell.clone(),
            Arc::clone(&keyring),
            waiters.clone(),
            options.requests_a_second,
        )
        .with(options.metrics, options.workers_ready);
        let (ending, ended) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let handle = Handle::new();
        serve(&mut tasks, listener, options.tls, api, handle.clone()).await?;
        let closing = waiters.clone();
        tasks.spawn(async move {
            shutdown.await;
            // Those who wait are answered now, so that the listener can drain.
            closing.close();
            handle.graceful_shutdown(Some(GRACE));
            ending.send_replace(true);
        });
        let bell = doorbell.clone();
        until(&mut tasks, &ended, async move { waiters.run(&bell).await });
        let bell = doorbell.clone();
        until(&mut tasks, &ended, async move { bell.listen().await });
        if options.duties == Duties::ClockAndTopUp {
            let filler = TopUp::new(store.clone(), doorbell.clone());
            until(&mut tasks, &ended, top_up(store.clone(), filler));
            let cron = Cron::new(store.clone(), doorbell, keyring, options.retention);
            until(&mut tasks, &ended, tick(store, cron));
        }
        tracing::info!(%address, "Listening on {address}");
        Ok(Serving { address, tasks })
    }
}

fn bind(address: SocketAddr) -> Result<(std::net::TcpListener, SocketAddr), StartError> {
    let wrong = |source| StartError::Listen { address, source };
    let listener = std::net::TcpListener::bind(address).map_err(wrong)?;
    listener.set_nonblocking(true).map_err(wrong)?;
    let bound = listener.local_addr().map_err(wrong)?;
    Ok((listener, bound))
}

async fn serve(
    tasks: &mut JoinSet<()>,
    listener: std::net::TcpListener,
    tls: Option<Tls>,
    api: Api,
    handle: Handle<SocketAddr>,
) -> Result<(), StartError> {
    let service = api
        .router()
        .into_make_service_with_connect_info::<SocketAddr>();
    macro_rules! listen {
        ($server:expr) => {{
            let mut server = $server.handle(handle);
            server
                .http_builder()
                .http1()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME)
                .max_buf_size(HEADERS);
            tasks.spawn(async move {
                if let Err(error) = server.serve(service).await {
                    tracing::error!(failure = %error, "The listener ended: {error}");
                }
            });
        }};
    }
    match tls {
        Some(tls) => {
            let key = tls.key.expose_secret().as_bytes().to_vec();
            let config = RustlsConfig::from_pem(tls.certificates, key)
                .await
                .map_err(StartError::Tls)?;
            let server = axum_server::from_tcp_rustls(listener, config).map_err(StartError::Tls)?;
            listen!(server);
        }
        None => {
            let server = axum_server::from_tcp(listener).map_err(StartError::Tls)?;
            listen!(server);
        }
    }
    Ok(())
}

/// Runs a duty until the end begins. All of them may be dropped at any await: what they do is in
/// transactions.
fn until(
    tasks: &mut JoinSet<()>,
    ended: &watch::Receiver<bool>,
    duty: impl Future<Output = ()> + Send + 'static,
) {
    let mut ended = ended.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = duty => {}
            _ = ended.wait_for(|ended| *ended) => {}
        }
    });
}

async fn top_up(store: Store, mut top_up: TopUp) {
    let mut timer = timer(TopUp::EVERY);
    loop {
        timer.tick().await;
        let ticked = async {
            let now = store.now().await?;
            top_up.tick(now).await
        };
        if let Err(error) = in_time(ticked).await {
            tracing::warn!(failure = %error, "The doorbell was not topped up: {error}");
        }
    }
}

/// A clock that was moved is believed after this: months must not close and rows not go by a mistake.
const BELIEVE_AFTER: Duration = Duration::from_secs(3600);

async fn tick(store: Store, mut cron: Cron) {
    let (begun, mut steady) = (Instant::now(), Steady::new(BELIEVE_AFTER));
    let mut timer = timer(Cron::EVERY);
    loop {
        timer.tick().await;
        let ticked = async {
            let doubted = steady.doubts();
            if !steady.relies_on(store.wall_clock().await?, begun.elapsed()) {
                if !doubted {
                    tracing::warn!(
                        "The database's clock was moved; the clock's duties wait until it is right, or has been so for an hour"
                    );
                }
                return Ok(Ticked::default());
            }
            let now = store.now().await?;
            cron.tick(now).await
        };
        match ticked.await {
            Ok(done) if done.stats_jobs > 0 || done.closed > 0 => {
                tracing::info!(
                    stats = done.stats_jobs,
                    closed = done.closed,
                    "The clock asked for {} readings and closed {} months of accounts",
                    done.stats_jobs,
                    done.closed
                );
            }
            Ok(_) => {}
            Err(error) => tracing::warn!(failure = %error, "The clock's duties failed: {error}"),
        }
    }
}

fn timer(every: Duration) -> tokio::time::Interval {
    let mut timer = tokio::time::interval(every);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    timer
}
