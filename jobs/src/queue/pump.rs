//! The pump: hears rings and the timer, claims as many jobs as there are free slots, and hands them on.
//!
//! It is a task of its own, so that fetching never depends on what the worker loop is doing, and its
//! errors never reach that loop. No lease ticks in a queue: what is claimed starts at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::{Doorbell, Health, Want};
use crate::store::{Claimed, Store, StoreError, in_time};
use crate::{Lane, Pace};

/// How long one wait for a ring lasts.
const HEAR_FOR: Duration = Duration::from_secs(5);
/// While the database is away it is asked this often.
const DATABASE_AWAY: Duration = Duration::from_secs(1);

/// A job that has had its place for so long waits for its panel, and its place is lent to others: one panel
/// that hangs must not slow the jobs of all others, however many of a worker's places its own jobs fill.
const LEND_AFTER: Duration = Duration::from_secs(10);
/// Most places that are lent at one time, as a multiple of all.
const LENT: usize = 3;

/// The places of one worker. A quarter of them is kept for jobs that somebody waits for.
#[derive(Debug)]
pub(super) struct Slots {
    all: usize,
    for_bulk: usize,
    lend_after: Duration,
    taken: Mutex<Taken>,
    freed: Notify,
}

/// Who has a place, since when; by the order in which they were taken.
#[derive(Debug, Default)]
struct Taken {
    next: u64,
    places: BTreeMap<u64, (Lane, Instant)>,
}

impl Slots {
    pub(super) fn new(all: usize, pace: Pace) -> Arc<Self> {
        let all = all.max(1);
        let kept = if all == 1 { 0 } else { (all / 4).max(1) };
        Arc::new(Self {
            all,
            for_bulk: all - kept,
            lend_after: pace.of(LEND_AFTER),
            taken: Mutex::default(),
            freed: Notify::new(),
        })
    }

    pub(super) fn want(&self) -> Want {
        self.want_at(Instant::now())
    }

    fn want_at(&self, now: Instant) -> Want {
        let taken = self.taken();
        let long = |since: Instant| now.saturating_duration_since(since) >= self.lend_after;
        // The oldest are lent first.
        let lent = taken.places.values().take_while(|(_, since)| long(*since));
        let lent = lent.count().min(LENT * self.all);
        let (mut used, mut used_by_bulk) = (0, 0);
        for (lane, _) in taken.places.values().skip(lent) {
            used += 1;
            used_by_bulk += usize::from(*lane == Lane::Bulk);
        }
        let interactive = self.all.saturating_sub(used);
        Want {
            interactive,
            bulk: self.for_bulk.saturating_sub(used_by_bulk).min(interactive),
        }
    }

    fn take(self: &Arc<Self>, lane: Lane) -> Slot {
        let mut taken = self.taken();
        let number = taken.next;
        taken.next += 1;
        taken.places.insert(number, (lane, Instant::now()));
        Slot {
            slots: Arc::clone(self),
            number,
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        // Each change is one statement; a panic elsewhere leaves it whole.
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One taken place; given back when dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    number: u64,
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.taken().places.remove(&self.number);
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
        match in_time(self.find(want)).await {
            Ok(ids) => {
                // Who finds work and cannot claim it does not work; the claim says so.
                if ids.is_empty() {
                    self.health.looked();
                }
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
        let slots = Slots::new(8, Pace::default());
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
            Slots::new(1, Pace::default()).want(),
            Want {
                interactive: 1,
                bulk: 1
            }
        );
    }

    #[test]
    fn the_place_of_a_job_that_waits_long_is_lent_to_others() {
        let slots = Slots::new(4, Pace::default());
        let held: Vec<Slot> = (0..4).map(|_| slots.take(Lane::Interactive)).collect();
        let later = Instant::now() + LEND_AFTER;
        assert!(slots.want_at(Instant::now()).nothing());
        assert_eq!(
            slots.want_at(later),
            Want {
                interactive: 4,
                bulk: 3
            }
        );
        let more: Vec<Slot> = (0..8).map(|_| slots.take(Lane::Interactive)).collect();
        let last = slots.take(Lane::Interactive);
        let later = Instant::now() + LEND_AFTER;
        assert_eq!(
            slots.want_at(later).interactive,
            3,
            "no more than three times all are lent"
        );
        drop((held, more, last));
        assert_eq!(slots.want().interactive, 4);
    }
}
