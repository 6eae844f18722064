//! What Froxlor does later: home directories every five minutes, statistics once a day.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;

use super::{Froxlor, traffic};

/// The tasks of the five-minute job.
#[derive(Clone, Debug, Default)]
pub(super) struct Tasks {
    /// Home directories that are there.
    pub(super) directories: BTreeSet<String>,
    /// When each waiting directory will be made, in ms.
    create: BTreeMap<String, i64>,
    /// When each directory will be removed, in ms.
    remove: BTreeMap<String, i64>,
}

const FIVE_MINUTES_MS: i64 = 300_000;

impl Tasks {
    pub(super) fn create_home(&mut self, login: &str, now_ms: i64) {
        self.create
            .insert(login.to_owned(), now_ms + FIVE_MINUTES_MS);
    }

    pub(super) fn remove_home(&mut self, login: &str, now_ms: i64) {
        self.remove
            .insert(login.to_owned(), now_ms + FIVE_MINUTES_MS);
    }
}

impl Froxlor {
    /// Does what is due. Removals come first: a directory that was ordered for a customer who is gone again is made
    /// all the same, and then blocks his name.
    pub(super) fn run_cron(&mut self, now_ms: i64) {
        let due = |tasks: &mut BTreeMap<String, i64>| {
            let ready: Vec<String> = tasks
                .iter()
                .filter(|(_, at)| **at <= now_ms)
                .map(|(login, _)| login.clone())
                .collect();
            tasks.retain(|_, at| *at > now_ms);
            ready
        };
        for login in due(&mut self.tasks.remove) {
            self.tasks.directories.remove(&login);
        }
        for login in due(&mut self.tasks.create) {
            self.tasks.directories.insert(login);
        }
    }

    pub(crate) fn grow(&mut self, seed: u64, today: NaiveDate) {
        for customer in self.customers.values() {
            let share = if customer.row.on("deactivated") {
                0.01
            } else {
                1.0
            };
            self.traffic
                .grow(seed, &customer.incarnation(), today, share);
        }
    }

    /// The daily job: `traffic_used` becomes the sum of the running month, in KiB.
    pub fn run_statistics(&mut self, today: NaiveDate) {
        let month = today.format("%Y-%m").to_string();
        for customer in self.customers.values_mut() {
            let bytes = traffic::month_total(&self.traffic, &customer.incarnation(), &month);
            customer.row.set("traffic_used", bytes / 1024);
        }
    }
}
