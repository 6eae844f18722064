//! A worker process's composition.

use std::sync::Arc;

use jobs::faults::Point;
use jobs::queue::{self, Doorbell, Health, WorkerOptions};
use jobs::seal::Keyring;
use jobs::store::{Claimed, Report, Store, Writer};
use tokio::sync::watch;

use crate::panel_source::{PanelSource, Panels};
use crate::parts::{Chance, Parts, Worker};
use crate::rescue;
use crate::webhook::WebhookSender;

/// How a worker is started.
pub struct Options {
    /// Its name, its places, its patience.
    pub loop_options: WorkerOptions,
    /// The ledger.
    pub store: Store,
    /// The doorbell.
    pub doorbell: Doorbell,
    /// This process's keys; the workers' private one must be among them.
    pub keyring: Arc<Keyring>,
    /// Sends webhooks.
    pub webhooks: Arc<dyn WebhookSender>,
    /// Names this installation in the markers that are left on panels; letters and digits, the same for all
    /// workers of one database and different from those of others.
    pub deployment: String,
    /// Where the loop's health is to be seen.
    pub health: Arc<Health>,
}

/// Runs a worker until `shutdown` ends, then waits for what runs (at most the loop's grace) and for what is
/// being written about it.
pub async fn start(options: Options, shutdown: impl Future<Output = ()> + Send + 'static) {
    let Options {
        loop_options,
        store,
        doorbell,
        keyring,
        webhooks,
        deployment,
        health,
    } = options;
    let writer = Writer::start(store.clone(), after_commit(store.clone(), doorbell.clone()));
    let panels: Arc<dyn PanelSource> = Arc::new(Panels::new(store.clone(), Arc::clone(&keyring)));
    let worker = Arc::new(Worker::new(Parts {
        store: store.clone(),
        writer: writer.clone(),
        keyring,
        panels,
        webhooks,
        chance: Chance::of_the_system(),
        deployment,
    }));
    let (stop, stopped) = watch::channel(false);
    let sweeps = tokio::spawn(rescue::sweep(store.clone(), doorbell.clone(), stopped));
    let handler = move |claimed: Claimed| {
        let worker = Arc::clone(&worker);
        async move { worker.handle(claimed).await }
    };
    // An outcome is written before its attempt ends, so nothing is left to write when the loop has ended.
    queue::run(
        loop_options,
        store,
        doorbell,
        writer,
        health,
        handler,
        shutdown,
    )
    .await;
    stop.send_replace(true);
    if let Err(error) = sweeps.await {
        tracing::error!(%error, "The sweeps had ended before");
    }
}

/// What follows a commit: ring what became claimable, tell who waits, and ring what the freed places can
/// take. None of it matters for correctness.
fn after_commit(store: Store, doorbell: Doorbell) -> impl Fn(Report) + Send + Sync + 'static {
    move |report: Report| {
        if report.rings.is_empty() && report.settled.is_empty() && report.freed.is_empty() {
            return;
        }
        let (store, doorbell) = (store.clone(), doorbell.clone());
        tokio::spawn(async move {
            Point::Reported.reach_each(report.settled.iter().copied());
            doorbell.ring(&report.rings).await;
            Point::FinishRung.reach_each(report.settled.iter().copied());
            doorbell.announce(&report.settled).await;
            match store.next_on(&report.freed).await {
                Ok(next) => doorbell.ring(&next).await,
                // The timers find it.
                Err(error) => tracing::debug!(%error, "Could not look for what may run next"),
            }
        });
    }
}
