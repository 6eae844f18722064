//! The doorbell of one process: two lists in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::Lane;

/// Rings beyond this are left to the timer and the top-up.
const CAP: usize = 10_000;

/// One lane's rings, and the one who waits for them.
#[derive(Debug, Default)]
struct List {
    ids: Mutex<VecDeque<i64>>,
    rung: Notify,
}

impl List {
    fn ids(&self) -> MutexGuard<'_, VecDeque<i64>> {
        // A list of hints cannot be left half-changed by a panic.
        self.ids.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub(super) struct Local {
    interactive: List,
    bulk: List,
}

impl Local {
    fn of(&self, lane: Lane) -> &List {
        match lane {
            Lane::Interactive => &self.interactive,
            Lane::Bulk => &self.bulk,
        }
    }

    pub(super) fn push(&self, lane: Lane, ids: &[i64]) {
        let list = self.of(lane);
        {
            let mut there = list.ids();
            let room = CAP.saturating_sub(there.len());
            there.extend(ids.iter().take(room));
        }
        list.rung.notify_one();
    }

    pub(super) fn room(&self, lane: Lane) -> usize {
        CAP.saturating_sub(self.of(lane).ids().len())
    }

    /// At most so many rings, those that were rung first.
    pub(super) fn take(&self, lane: Lane, most: usize) -> Vec<i64> {
        let mut there = self.of(lane).ids();
        let many = most.min(there.len());
        there.drain(..many).collect()
    }

    /// Waits at most `patience` for a ring in that lane.
    pub(super) async fn wait(&self, lane: Lane, most: usize, patience: Duration) -> Vec<i64> {
        let heard = async {
            loop {
                // A permit of `notify_one` is kept, so a ring between `take` and here is not missed.
                self.of(lane).rung.notified().await;
                let ids = self.take(lane, most);
                if !ids.is_empty() {
                    return ids;
                }
            }
        };
        tokio::time::timeout(patience, heard)
            .await
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rings_are_heard_in_their_order_and_no_more_than_wanted() {
        let bell = Local::default();
        bell.push(Lane::Bulk, &[1, 2, 3]);
        bell.push(Lane::Interactive, &[10, 11]);
        assert_eq!(bell.take(Lane::Interactive, 3), [10, 11]);
        assert_eq!(bell.take(Lane::Interactive, 3), [0; 0]);
        assert_eq!(bell.take(Lane::Bulk, 2), [1, 2]);
        assert_eq!(bell.take(Lane::Bulk, 2), [3]);
    }

    #[tokio::test]
    async fn who_waits_for_one_lane_hears_it_while_another_waits_for_the_other() {
        let bell = Local::default();
        let patience = Duration::from_secs(60);
        let (interactive, bulk) = tokio::join!(bell.wait(Lane::Interactive, 5, patience), async {
            bell.push(Lane::Bulk, &[1]);
            let bulk = bell.wait(Lane::Bulk, 5, patience).await;
            bell.push(Lane::Interactive, &[10]);
            bulk
        });
        assert_eq!((interactive, bulk), (vec![10], vec![1]));
    }

    #[test]
    fn no_list_grows_past_its_cap() {
        let bell = Local::default();
        bell.push(Lane::Bulk, &vec![7; CAP + 5]);
        assert_eq!(bell.room(Lane::Bulk), 0);
        assert_eq!(bell.room(Lane::Interactive), CAP);
    }
}
