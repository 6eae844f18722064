//! Waiting for jobs to come to rest.
//!
//! One registry a process. A wake comes from the doorbell; in case it got lost, one query a second asks
//! for all the jobs that are waited for together, and none is made while nobody waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jobs::queue::Doorbell;
use jobs::store::{Store, StoreError, in_time};
use tokio::sync::{broadcast::error::RecvError, watch};
use tokio::time::MissedTickBehavior;

/// The registry. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Waiters(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    store: Store,
    waiting: Mutex<HashMap<i64, Entry>>,
    queries: AtomicU64,
    closing: watch::Sender<bool>,
}

#[derive(Debug)]
struct Entry {
    count: usize,
    /// Not a `Notify`: a wake between "registered" and "waiting" must not be lost.
    rested: watch::Sender<bool>,
}

/// A place in the registry; leaves it when dropped. Take it *before* reading the job's state.
#[derive(Debug)]
pub struct Place {
    job_id: i64,
    rested: watch::Receiver<bool>,
    closing: watch::Receiver<bool>,
    waiters: Waiters,
}

impl Waiters {
    /// An empty registry.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self(Arc::new(Shared {
            store,
            waiting: Mutex::default(),
            queries: AtomicU64::new(0),
            closing: watch::channel(false).0,
        }))
    }

    /// Registers for the job of that row.
    #[must_use]
    pub fn register(&self, job_id: i64) -> Place {
        let mut waiting = self.waiting();
        let entry = waiting.entry(job_id).or_insert_with(|| Entry {
            count: 0,
            rested: watch::channel(false).0,
        });
        entry.count += 1;
        Place {
            job_id,
            rested: entry.rested.subscribe(),
            closing: self.0.closing.subscribe(),
            waiters: self.clone(),
        }
    }

    /// How many jobs are waited for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting().len()
    }

    /// Whether nobody waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    /// How many queries the fallback has made.
    #[must_use]
    pub fn queries(&self) -> u64 {
        self.0.queries.load(Ordering::Relaxed)
    }

    /// Wakes those who wait for that job.
    pub fn wake(&self, job_id: i64) {
        if let Some(entry) = self.waiting().get(&job_id) {
            entry.rested.send_replace(true);
        }
    }

    /// The fallback: asks once for all waited-for jobs and wakes those at rest. No query when nobody waits.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn sweep(&self) -> Result<(), StoreError> {
        let ids: Vec<i64> = self.waiting().keys().copied().collect();
        if ids.is_empty() {
            return Ok(());
        }
        self.0.queries.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("hostler_wait_queries_total").increment(1);
        for id in self.0.store.settled(&ids).await? {
            self.wake(id);
        }
        Ok(())
    }

    /// Ends all waiting: the process shuts down.
    pub fn close(&self) {
        self.0.closing.send_replace(true);
    }

    /// Wakes by the doorbell and, once a second, by the fallback; for ever.
    pub async fn run(&self, doorbell: &Doorbell) {
        let mut settled = doorbell.settled();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                heard = settled.recv() => match heard {
                    Ok(id) => self.wake(id),
                    // What was missed is found within the second.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = second.tick() => {
                    if let Err(error) = in_time(self.sweep()).await {
                        tracing::debug!(failure = %error, "Jobs that are waited for could not be looked up: {error}");
                    }
                }
            }
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<i64, Entry>> {
        // The map is consistent after every statement, so a panic elsewhere does not spoil it.
        self.0
            .waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Waits until the job has come to rest, `patience` is over, or the process shuts down.
    pub async fn rested(&mut self, patience: Duration) {
        let woken = async {
            tokio::select! {
                _ = self.rested.wait_for(|rested| *rested) => {}
                _ = self.closing.wait_for(|closing| *closing) => {}
            }
        };
        // Over or woken: the caller reads the job in both cases.
        let _ = tokio::time::timeout(patience, woken).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.waiters.waiting();
        if let Some(entry) = waiting.get_mut(&self.job_id) {
            entry.count -= 1;
            if entry.count == 0 {
                waiting.remove(&self.job_id);
            }
        }
    }
}
