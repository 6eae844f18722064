//! The doorbell of one process: two lists in memory.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::Want;
use crate::Lane;

/// Rings beyond this are left to the timer and the top-up.
const CAP: usize = 10_000;

#[derive(Debug, Default)]
struct Lists {
    interactive: VecDeque<i64>,
    bulk: VecDeque<i64>,
}

impl Lists {
    fn of(&mut self, lane: Lane) -> &mut VecDeque<i64> {
        match lane {
            Lane::Interactive => &mut self.interactive,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Local {
    lists: Mutex<Lists>,
    rung: Notify,
}

impl Local {
    pub(super) fn push(&self, lane: Lane, ids: &[i64]) {
        {
            let mut lists = self.lists();
            let list = lists.of(lane);
            let room = CAP.saturating_sub(list.len());
            list.extend(ids.iter().take(room));
        }
        self.rung.notify_one();
    }

    pub(super) fn room(&self, lane: Lane) -> usize {
        CAP.saturating_sub(self.lists().of(lane).len())
    }

    pub(super) fn take(&self, want: Want) -> Vec<i64> {
        let mut lists = self.lists();
        let first = want.interactive.min(lists.interactive.len());
        let mut ids: Vec<i64> = lists.interactive.drain(..first).collect();
        let second = want
            .bulk
            .min(want.interactive.saturating_sub(first))
            .min(lists.bulk.len());
        ids.extend(lists.bulk.drain(..second));
        ids
    }

    /// Waits at most `patience` for a ring that is wanted.
    pub(super) async fn wait(&self, want: Want, patience: Duration) -> Vec<i64> {
        let heard = async {
            loop {
                // A permit of `notify_one` is kept, so a ring between `take` and here is not missed.
                self.rung.notified().await;
                let ids = self.take(want);
                if !ids.is_empty() {
                    return ids;
                }
            }
        };
        tokio::time::timeout(patience, heard)
            .await
            .unwrap_or_default()
    }

    fn lists(&self) -> MutexGuard<'_, Lists> {
        // A list of hints cannot be left half-changed by a panic.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interactive_rings_are_heard_first_and_no_more_than_wanted() {
        let bell = Local::default();
        bell.push(Lane::Bulk, &[1, 2, 3]);
        bell.push(Lane::Interactive, &[10, 11]);
        assert_eq!(
            bell.take(Want {
                interactive: 3,
                bulk: 3
            }),
            [10, 11, 1]
        );
        assert_eq!(
            bell.take(Want {
                interactive: 3,
                bulk: 0
            }),
            [0; 0]
        );
        assert_eq!(
            bell.take(Want {
                interactive: 3,
                bulk: 1
            }),
            [2]
        );
    }

    #[test]
    fn no_list_grows_past_its_cap() {
        let bell = Local::default();
        bell.push(Lane::Bulk, &vec![7; CAP + 5]);
        assert_eq!(bell.room(Lane::Bulk), 0);
        assert_eq!(bell.room(Lane::Interactive), CAP);
    }
}
