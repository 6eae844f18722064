//! The pump: hears rings and the timer, claims as many jobs as there are free slots, and hands them on.
//!
//! It is a task of its own, so that fetching never depends on what the worker loop is doing, and its
//! errors never reach that loop. No lease ticks in a queue: what is claimed starts at once.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::{Doorbell, Health, Want};
use crate::Lane;
use crate::store::{Claimed, Store, StoreError};

/// How long one wait for a ring lasts.
const HEAR_FOR: Duration = Duration::from_secs(5);
/// While the database is away it is asked this often.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// The places of one worker. A quarter of them is kept for jobs that somebody waits for.
#[derive(Debug)]
pub(super) struct Slots {
    all: usize,
    for_bulk: usize,
    used: AtomicUsize,
    used_by_bulk: AtomicUsize,
    freed: Notify,
}

impl Slots {
    pub(super) fn new(all: usize) -> Arc<Self> {
        let all = all.max(1);
        let kept = if all == 1 { 0 } else { (all / 4).max(1) };
        Arc::new(Self {
            all,
            for_bulk: all - kept,
            used: AtomicUsize::new(0),
            used_by_bulk: AtomicUsize::new(0),
            freed: Notify::new(),
        })
    }

    pub(super) fn want(&self) -> Want {
        let interactive = self.all.saturating_sub(self.used.load(Ordering::Acquire));
        let bulk = self
            .for_bulk
            .saturating_sub(self.used_by_bulk.load(Ordering::Acquire));
        Want {
            interactive,
            bulk: bulk.min(interactive),
        }
    }

    fn take(self: &Arc<Self>, lane: Lane) -> Slot {
        self.used.fetch_add(1, Ordering::AcqRel);
        if lane == Lane::Bulk {
            self.used_by_bulk.fetch_add(1, Ordering::AcqRel);
        }
        Slot {
            slots: Arc::clone(self),
            lane,
        }
    }
}

/// One taken place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    lane: Lane,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.used.fetch_sub(1, Ordering::AcqRel);
        if self.lane == Lane::Bulk {
            self.slots.used_by_bulk.fetch_sub(1, Ordering::AcqRel);
        }
        self.slots.freed.notify_one();
    }
}

/// A claimed job with its place.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) claimed: Claimed,
    pub(super) slot: Slot,
}

pub(super) struct Pump {
    pub(super) store: Store,
    pub(super) doorbell: Doorbell,
    pub(super) owner: String,
    pub(super) slots: Arc<Slots>,
    pub(super) poll_every: Duration,
    pub(super) health: Arc<Health>,
    pub(super) out: mpsc::Sender<Work>,
    pub(super) stop: watch::Receiver<bool>,
}

impl Pump {
    pub(super) async fn run(mut self) {
        let (ask, mut heard) = ear(self.doorbell.clone());
        let mut tick = tokio::time::interval(self.poll_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut backlog: VecDeque<i64> = VecDeque::new();
        let mut asked = false;
        // Whether the timer found as many as it could take, so that there may be more.
        let mut more = false;
        let slots = Arc::clone(&self.slots);
        loop {
            let want = slots.want();
            if !want.nothing() && !asked && backlog.is_empty() {
                asked = ask.try_send(want).is_ok();
            }
            let waiting = want.nothing() || !backlog.is_empty() || more;
            tokio::select! {
                biased;
                _ = self.stop.changed() => break,
                Some(ids) = heard.recv() => {
                    asked = false;
                    backlog.extend(ids);
                }
                _ = tick.tick() => more = self.look().await,
                () = slots.freed.notified(), if waiting => {
                    if more && backlog.is_empty() {
                        more = self.look().await;
                    }
                }
            }
            self.claim_from(&mut backlog).await;
        }
    }

    /// Claims from the rung ids as many as there are places.
    async fn claim_from(&self, backlog: &mut VecDeque<i64>) {
        while !backlog.is_empty() {
            let want = self.slots.want();
            if want.nothing() {
                return;
            }
            let ids: Vec<i64> = backlog
                .drain(..want.interactive.min(backlog.len()))
                .collect();
            self.claim(&ids).await;
        }
    }

    /// Asks SQL what could be claimed. `true` = all that was wanted was found, so there may be more.
    async fn look(&self) -> bool {
        let want = self.slots.want();
        if want.nothing() {
            self.health.looked();
            return true;
        }
        match self.find(want).await {
            Ok(ids) => {
                self.health.looked();
                let full = ids.len() >= want.bulk.max(1);
                self.claim(&ids).await;
                full && !ids.is_empty()
            }
            Err(error) => {
                self.away(&error).await;
                false
            }
        }
    }

    async fn find(&self, want: Want) -> Result<Vec<i64>, StoreError> {
        self.health.count_look();
        let limit = |places: usize| u64::try_from(places).unwrap_or(u64::MAX);
        let mut rings = self
            .store
            .pick(Lane::Interactive, limit(want.interactive))
            .await?;
        rings.extend(self.store.pick_checks().await?);
        let left = want.bulk.min(want.interactive.saturating_sub(rings.len()));
        rings.extend(self.store.pick(Lane::Bulk, limit(left)).await?);
        Ok(rings.into_iter().map(|ring| ring.job_id).collect())
    }

    async fn claim(&self, ids: &[i64]) {
        if ids.is_empty() {
            return;
        }
        self.health.count_claim();
        match self.store.claim(ids, &self.owner).await {
            Ok(claimed) => {
                self.health.looked();
                for claimed in claimed {
                    let slot = self.slots.take(claimed.lane());
                    // The worker loop ends only after this task; a refused send would end the lease unused.
                    let _ = self.out.send(Work { claimed, slot }).await;
                }
            }
            Err(error) => self.away(&error).await,
        }
    }

    async fn away(&self, error: &StoreError) {
        if self.health.may_complain(Instant::now()) {
            tracing::warn!(%error, "No jobs can be claimed: the database does not answer as it should");
        }
        wait(DATABASE_AWAY).await;
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a database that is away is not asked in a tight loop"
)]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}

/// Waits for rings in a task of its own: a blocking pop that is dropped half-way would keep its
/// connection busy. One question at a time.
fn ear(doorbell: Doorbell) -> (mpsc::Sender<Want>, mpsc::Receiver<Vec<i64>>) {
    let (ask, mut asked) = mpsc::channel::<Want>(1);
    let (tell, heard) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(want) = asked.recv().await {
            let ids = doorbell.hear(want, HEAR_FOR).await;
            if tell.send(ids).await.is_err() {
                break;
            }
        }
    });
    (ask, heard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quarter_of_the_places_is_kept_for_those_who_wait() {
        let slots = Slots::new(8);
        let bulk: Vec<Slot> = (0..6).map(|_| slots.take(Lane::Bulk)).collect();
        assert_eq!(
            slots.want(),
            Want {
                interactive: 2,
                bulk: 0
            }
        );
        drop(bulk);
        assert_eq!(
            slots.want(),
            Want {
                interactive: 8,
                bulk: 6
            }
        );
        assert_eq!(
            Slots::new(1).want(),
            Want {
                interactive: 1,
                bulk: 1
            }
        );
    }
}
