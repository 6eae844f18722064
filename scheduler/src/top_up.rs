//! Rings what is due: jobs whose time has come, and those whose ring got lost or did not fit.

use std::collections::HashMap;
use std::time::Duration;

use jobs::Lane;
use jobs::faults::Point;
use jobs::queue::Doorbell;
use jobs::store::{Ring, Store, StoreError};

/// Most jobs that are rung at once in a lane.
const AT_ONCE: usize = 1000;

/// A job that was rung is not rung again for so long; then the ring is taken for lost.
const LOST_AFTER_MS: i64 = 30_000;

/// The duty.
#[derive(Debug)]
pub struct TopUp {
    store: Store,
    doorbell: Doorbell,
    rung: HashMap<i64, i64>,
}

impl TopUp {
    /// How often it looks.
    pub const EVERY: Duration = Duration::from_secs(3);

    /// A duty on that ledger.
    #[must_use]
    pub fn new(store: Store, doorbell: Doorbell) -> Self {
        Self {
            store,
            doorbell,
            rung: HashMap::new(),
        }
    }

    /// Looks once. Returns how many it rang.
    ///
    /// # Errors
    /// The ledger's.
    pub async fn tick(&mut self, now: i64) -> Result<usize, StoreError> {
        self.rung.retain(|_, at| *at > now - LOST_AFTER_MS);
        let joined = self.store.join_lines(500).await?;
        let mut count = self.ring(joined.rings, now).await;
        for lane in [Lane::Interactive, Lane::Bulk] {
            let room = self.doorbell.room(lane).await.min(AT_ONCE);
            let due = self.store.pick(lane, room as u64).await?;
            count += self.ring(due, now).await;
        }
        // A check may pass a gate that is closed to all else.
        let checks = self.store.pick_checks().await?;
        Ok(count + self.ring(checks, now).await)
    }

    async fn ring(&mut self, mut rings: Vec<Ring>, now: i64) -> usize {
        rings.retain(|ring| !self.rung.contains_key(&ring.job_id));
        self.rung
            .extend(rings.iter().map(|ring| (ring.job_id, now)));
        Point::TopUpPicked.reach_each(rings.iter().map(|ring| ring.job_id));
        self.doorbell.ring(&rings).await;
        Point::TopUpRung.reach_each(rings.iter().map(|ring| ring.job_id));
        rings.len()
    }
}
