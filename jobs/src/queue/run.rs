//! The worker loop: apalis runs what the pump has claimed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use apalis::prelude::{Data, Monitor, WorkerBuilder};

use super::Doorbell;
use super::backend::{Claims, Parcel};
use super::pump::{Pump, Slots, Work};
use crate::store::{Claimed, Store, Writer};

/// How a worker runs.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Its name, unique by construction: host, process id and something random.
    pub name: String,
    /// Most jobs at one time.
    pub concurrency: usize,
    /// How often it asks SQL for due jobs, whatever the doorbell says.
    pub poll_every: Duration,
    /// How long a stop waits for running calls.
    pub grace: Duration,
}

/// Whether the worker loop lives, measured at the loop.
#[derive(Debug)]
pub struct Health {
    looked_at: Mutex<Instant>,
    complained_at: Mutex<Option<Instant>>,
    looks: AtomicU64,
    claims: AtomicU64,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            looked_at: Mutex::new(Instant::now()),
            complained_at: Mutex::new(None),
            looks: AtomicU64::new(0),
            claims: AtomicU64::new(0),
        }
    }
}

impl Health {
    /// Whether the loop has asked SQL for work within the last 30 seconds, with an answer.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            < Duration::from_secs(30)
    }

    /// How often the timer has asked SQL for due jobs.
    #[must_use]
    pub fn looks(&self) -> u64 {
        self.looks.load(Ordering::Relaxed)
    }

    /// How many claim transactions there were.
    #[must_use]
    pub fn claims(&self) -> u64 {
        self.claims.load(Ordering::Relaxed)
    }

    pub(super) fn looked(&self) {
        *self
            .looked_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn count_look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_claim(&self) {
        self.claims.fetch_add(1, Ordering::Relaxed);
    }

    /// At most one complaint in ten seconds.
    pub(super) fn may_complain(&self, now: Instant) -> bool {
        let mut last = self
            .complained_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let may = last.is_none_or(|at| now.duration_since(at) > Duration::from_secs(10));
        if may {
            *last = Some(now);
        }
        may
    }
}

/// Runs jobs until `shutdown` ends, then stops claiming, lets running ones finish (at most
/// [`WorkerOptions::grace`]) and gives back what was claimed but not begun.
///
/// `handler` gets each claimed job and ends by writing its outcome through `writer`; it runs as a task of
/// its own.
pub async fn run<H, F>(
    options: WorkerOptions,
    store: Store,
    doorbell: Doorbell,
    writer: Writer,
    health: Arc<Health>,
    handler: H,
    shutdown: impl Future<Output = ()> + Send + 'static,
) where
    H: Fn(Claimed) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let slots = Slots::new(options.concurrency, store.pace());
    let grace = options.grace;
    let build = move |_restarts: usize| {
        let (store, doorbell, health) = (store.clone(), doorbell.clone(), Arc::clone(&health));
        let (owner, poll_every) = (options.name.clone(), options.poll_every);
        let places = Arc::clone(&slots);
        let claims = Claims::start(
            writer.clone(),
            move |out, stop| Pump {
                store,
                doorbell,
                owner,
                slots: places,
                poll_every,
                health,
                out,
                stop,
            },
            options.concurrency,
        );
        let handler = handler.clone();
        let begin = move |claimed: Claimed| -> Running { tokio::spawn(handler(claimed)) };
        WorkerBuilder::new(options.name.clone())
            .backend(claims)
            .data(Begin(Arc::new(begin)))
            .build(work)
    };
    let ended = Monitor::new()
        .register(build)
        .should_restart(|_, error| {
            tracing::error!(%error, "The worker loop ended and is started again");
            true
        })
        .shutdown_timeout(grace)
        .run_with_signal(async move {
            shutdown.await;
            Ok(())
        })
        .await;
    if let Err(error) = ended {
        tracing::error!(%error, "The worker loop ended in an error");
    }
}

type Running = tokio::task::JoinHandle<()>;

/// Begins a job as a task of its own: a handler that blocks or panics does not stop the loop.
#[derive(Clone)]
struct Begin(Arc<dyn Fn(Claimed) -> Running + Send + Sync>);

async fn work(parcel: Parcel, Data(Begin(begin)): Data<Begin>) {
    let Some(Work { claimed, slot }) = parcel.0 else {
        return;
    };
    let public_id = claimed.job.public_id.clone();
    if begin(claimed).await.is_err() {
        tracing::error!(job.id = %public_id, "Job {public_id} took its task down; its lease will end and it will be looked at again");
    }
    drop(slot);
}
