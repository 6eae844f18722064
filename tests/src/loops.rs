//! A worker's loop with a handler of the test's own, over the real store and doorbell.

#![expect(
    clippy::expect_used,
    reason = "a loop that ends in a panic must fail its test"
)]

use std::sync::Arc;
use std::time::Duration;

use jobs::queue::{Doorbell, Health, WorkerOptions, run};
use jobs::store::{Claimed, Store, Writer};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A running loop.
#[derive(Debug)]
pub struct Loop {
    /// What it has looked for and claimed.
    pub health: Arc<Health>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Loop {
    /// Starts one with so many places, which asks SQL by itself that often.
    pub fn start<H, F>(
        store: &Store,
        doorbell: &Doorbell,
        places: usize,
        poll_every: Duration,
        handler: H,
    ) -> Self
    where
        H: Fn(Claimed, Writer) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let options = WorkerOptions {
            name: "worker".into(),
            concurrency: places,
            poll_every,
            grace: Duration::from_secs(10),
        };
        let writer = writer(store, doorbell);
        let health = Arc::new(Health::default());
        let (stop, stopped) = oneshot::channel();
        let handler = {
            let writer = writer.clone();
            move |claimed: Claimed| handler(claimed, writer.clone())
        };
        let task = tokio::spawn(run(
            options,
            store.clone(),
            doorbell.clone(),
            writer,
            Arc::clone(&health),
            handler,
            async {
                let _ = stopped.await;
            },
        ));
        Self { health, stop, task }
    }

    /// Ends it, after what runs.
    pub async fn end(self) {
        let _ = self.stop.send(());
        self.task.await.expect("the loop ends well");
    }
}

/// A writer that rings and announces as a worker's does.
#[must_use]
pub fn writer(store: &Store, doorbell: &Doorbell) -> Writer {
    let (after, bell) = (store.clone(), doorbell.clone());
    Writer::start(store.clone(), move |report| {
        let (store, bell) = (after.clone(), bell.clone());
        tokio::spawn(async move {
            bell.ring(&report.rings).await;
            // The database may be gone already when the test is over.
            if let Ok(rings) = store.next_on(&report.freed).await {
                bell.ring(&rings).await;
            }
            bell.announce(&report.settled).await;
        });
    })
}
