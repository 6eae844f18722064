//! The pump: hears rings and the timer, claims as many jobs as there are free slots, and hands them on.
//!
//! It is a task of its own, so that fetching never depends on what the worker loop is doing, and its
//! errors never reach that loop. No lease ticks in a queue: what is claimed starts at once.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::{Doorbell, Health};
use crate::store::{Claimed, Ring, Store, StoreError, in_time};
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

/// What a look finds beyond the free places waits in the backlog, up to so many times the places for bulk jobs: a
/// look asks of every server, and a night of many servers must not need one for each job.
const AHEAD: usize = 4;

/// How many jobs of each lane are wanted. Those for bulk jobs are among those for interactive ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Want {
    interactive: usize,
    bulk: usize,
}

impl Want {
    fn nothing(self) -> bool {
        self.interactive == 0 && self.bulk == 0
    }
}

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
        let mut rings = Rings {
            interactive: Ear::of(Lane::Interactive, self.doorbell.clone()),
            bulk: Ear::of(Lane::Bulk, self.doorbell.clone()),
        };
        let mut tick = tokio::time::interval(self.poll_every);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let slots = Arc::clone(&self.slots);
        loop {
            let want = slots.want();
            rings.ask(want);
            let may_claim = rings.fit(want);
            let Rings { interactive, bulk } = &mut rings;
            tokio::select! {
                biased;
                _ = self.stop.changed() => break,
                _ = tick.tick() => self.look(&mut rings).await,
                Some(ids) = interactive.heard.recv() => interactive.hear(ids),
                Some(ids) = bulk.heard.recv() => bulk.hear(ids),
                () = slots.freed.notified() => {
                    if rings.are_short(slots.want()) {
                        self.look(&mut rings).await;
                    }
                }
                () = std::future::ready(()), if may_claim => {}
            }
            self.claim_some(&mut rings).await;
        }
    }

    /// Claims as many of what is known as there are places. Once: places are freed while a claim waits for the
    /// database, and what is heard meanwhile must not wait for a long backlog of bulk jobs.
    async fn claim_some(&self, rings: &mut Rings) {
        let ids = rings.next(self.slots.want());
        if !ids.is_empty() && !self.claim(&ids).await {
            // The timer finds them once the database answers.
            rings.forget();
        }
    }

    /// Asks SQL what could be claimed.
    async fn look(&self, rings: &mut Rings) {
        let want = self.slots.want();
        if want.nothing() {
            self.health.looked();
            rings.interactive.more = true;
            rings.bulk.more = true;
            return;
        }
        match in_time(self.find(want, rings)).await {
            // Who finds work that has a place and cannot claim it does not work; the claim says so.
            Ok(()) if !rings.fit(want) => self.health.looked(),
            Ok(()) => {}
            Err(error) => self.away(&error).await,
        }
    }

    async fn find(&self, want: Want, rings: &mut Rings) -> Result<(), StoreError> {
        self.health.count_look();
        let most = want.interactive;
        let mut found = self.store.pick(Lane::Interactive, most as u64).await?;
        rings.interactive.more = found.len() >= most;
        found.extend(self.store.pick_checks().await?);
        let left = want.bulk.min(want.interactive.saturating_sub(found.len()));
        rings.interactive.know(&found);
        // Nobody has asked for those without a place.
        rings.bulk.more = true;
        if left > 0 {
            let most = left + AHEAD * self.slots.for_bulk;
            let found = self.store.pick(Lane::Bulk, most as u64).await?;
            rings.bulk.more = found.len() >= most;
            rings.bulk.know(&found);
        }
        Ok(())
    }

    /// Whether the database answered.
    async fn claim(&self, ids: &[i64]) -> bool {
        self.health.count_claim();
        match self.store.claim(ids, &self.owner).await {
            Ok(claimed) => {
                self.health.looked();
                for claimed in claimed {
                    let slot = self.slots.take(claimed.lane());
                    // The worker loop ends only after this task; a refused send would end the lease unused.
                    let _ = self.out.send(Work { claimed, slot }).await;
                }
                true
            }
            Err(error) => {
                self.away(&error).await;
                false
            }
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

/// What is known of jobs that could be claimed, from rings and looks. Hints, no more.
struct Rings {
    interactive: Ear,
    bulk: Ear,
}

impl Rings {
    /// Each lane is listened to by itself: while all places for bulk jobs are taken one waits for interactive
    /// rings alone, and a place that is freed then must not have to wait until that ends.
    fn ask(&mut self, want: Want) {
        self.interactive.ask(want.interactive);
        self.bulk.ask(want.bulk);
    }

    /// Takes out what is wanted, interactive jobs first.
    fn next(&mut self, want: Want) -> Vec<i64> {
        let mut ids = self.interactive.take(want.interactive);
        let left = want.interactive.saturating_sub(ids.len());
        ids.extend(self.bulk.take(want.bulk.min(left)));
        ids
    }

    /// Whether something is known that there is a place for.
    fn fit(&self, want: Want) -> bool {
        let fits = |ear: &Ear, most: usize| most > 0 && !ear.backlog.is_empty();
        fits(&self.interactive, want.interactive) || fits(&self.bulk, want.bulk)
    }

    /// Whether there is a place that a look could fill and nothing known can.
    fn are_short(&self, want: Want) -> bool {
        self.interactive.is_short(want.interactive) || self.bulk.is_short(want.bulk)
    }

    fn forget(&mut self) {
        self.interactive.backlog.clear();
        self.bulk.backlog.clear();
    }
}

/// Who listens for one lane's rings, and what is known of that lane and not yet claimed.
struct Ear {
    question: mpsc::Sender<usize>,
    heard: mpsc::Receiver<Vec<i64>>,
    asked: bool,
    backlog: VecDeque<i64>,
    /// Whether the last look did not find all there is.
    more: bool,
}

impl Ear {
    /// Waits for rings in a task of its own: a blocking pop that is dropped half-way would keep its
    /// connection busy. One question at a time.
    fn of(lane: Lane, doorbell: Doorbell) -> Self {
        let (question, mut asked) = mpsc::channel::<usize>(1);
        let (tell, heard) = mpsc::channel(1);
        tokio::spawn(async move {
            while let Some(most) = asked.recv().await {
                let ids = doorbell.hear(lane, most, HEAR_FOR).await;
                if tell.send(ids).await.is_err() {
                    break;
                }
            }
        });
        Self {
            question,
            heard,
            asked: false,
            backlog: VecDeque::new(),
            more: false,
        }
    }

    fn is_short(&self, most: usize) -> bool {
        self.more && most > 0 && self.backlog.is_empty()
    }

    /// Asks for the next rings where there is a place for them and nothing known that could take it.
    fn ask(&mut self, most: usize) {
        if most > 0 && !self.asked && self.backlog.is_empty() {
            self.asked = self.question.try_send(most).is_ok();
        }
    }

    fn hear(&mut self, ids: Vec<i64>) {
        self.asked = false;
        self.backlog.extend(ids);
    }

    /// What a look finds takes the place of what was known: most of it would be the same.
    fn know(&mut self, found: &[Ring]) {
        self.backlog = found.iter().map(|ring| ring.job_id).collect();
    }

    fn take(&mut self, most: usize) -> Vec<i64> {
        let many = most.min(self.backlog.len());
        self.backlog.drain(..many).collect()
    }
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

    #[tokio::test]
    async fn a_bulk_place_that_is_freed_hears_at_once_though_interactive_rings_are_waited_for() {
        let bell = Doorbell::local();
        let mut rings = Rings {
            interactive: Ear::of(Lane::Interactive, bell.clone()),
            bulk: Ear::of(Lane::Bulk, bell.clone()),
        };
        let ring = |job_id, lane| Ring { job_id, lane };
        let want = |interactive, bulk| Want { interactive, bulk };
        rings.ask(want(1, 0));
        bell.ring(&[ring(1, Lane::Bulk), ring(2, Lane::Bulk)]).await;
        rings.ask(want(2, 1));
        let ids = rings.bulk.heard.recv().await.expect("an ear lives");
        rings.bulk.hear(ids);
        bell.ring(&[ring(3, Lane::Interactive)]).await;
        let ids = rings.interactive.heard.recv().await.expect("an ear lives");
        rings.interactive.hear(ids);
        assert_eq!(rings.next(want(1, 1)), [3], "interactive jobs come first");
        assert_eq!(rings.next(want(1, 0)), [0; 0]);
        assert_eq!(rings.next(want(1, 1)), [1]);
        assert!(!rings.fit(want(1, 1)));
        assert!(!rings.are_short(want(1, 1)));
        rings.bulk.more = true;
        assert!(rings.are_short(want(1, 1)));
        assert!(!rings.are_short(want(1, 0)));
        rings.bulk.know(&[ring(4, Lane::Bulk), ring(5, Lane::Bulk)]);
        rings.bulk.know(&[ring(5, Lane::Bulk)]);
        assert!(rings.fit(want(1, 1)) && !rings.fit(want(1, 0)));
        assert_eq!(
            rings.next(want(9, 9)),
            [5],
            "a look replaces what was known"
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
