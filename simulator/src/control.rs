//! What tests do to a running panel and read from it: accounts, traffic, the clock.

use std::time::Duration;

use chrono::{DateTime, Days, NaiveTime, TimeZone, Utc};

use crate::account::{SimAccount, SimTraffic};
use crate::froxlor::Froxlor;
use crate::hostbill::HostBill;
use crate::panel::Panel;
use crate::simulator::Simulator;
use crate::traffic::booking_day;
use crate::whm::Whm;

impl Simulator {
    /// The accounts that exist now.
    #[must_use]
    pub fn accounts(&self) -> Vec<SimAccount> {
        self.shared.with_panel(|panel| panel.accounts())
    }

    /// The account of that name, in any case.
    #[must_use]
    pub fn account(&self, username: &str) -> Option<SimAccount> {
        self.accounts()
            .into_iter()
            .find(|account| account.username.eq_ignore_ascii_case(username))
    }

    /// What the panel reports as traffic of the account in a month (`YYYY-MM`), in bytes; 0 for an unknown account.
    #[must_use]
    pub fn traffic(&self, username: &str, month: &str) -> u64 {
        let rows = self.all_traffic().into_iter();
        rows.filter(|row| !row.deleted && row.month == month)
            .filter(|row| row.username.eq_ignore_ascii_case(username))
            .map(|row| row.bytes)
            .sum()
    }

    /// Every account's traffic, by month.
    #[must_use]
    pub fn all_traffic(&self) -> Vec<SimTraffic> {
        self.shared.with_panel(|panel| panel.all_traffic())
    }

    /// Adds traffic to a month. False when there is no such account or month.
    pub fn add_traffic(&self, username: &str, month: &str, bytes: u64) -> bool {
        let today = self.now_local().date_naive();
        booking_day(month, today).is_some_and(|day| {
            self.shared
                .with_panel(|panel| panel.add_traffic(username, day, bytes))
        })
    }

    /// Sets a month's traffic, also to less than it was. False when there is no such account or month.
    pub fn set_traffic(&self, username: &str, month: &str, bytes: u64) -> bool {
        let today = self.now_local().date_naive();
        booking_day(month, today).is_some_and(|day| {
            self.shared.with_panel(|panel| {
                panel.clear_traffic(username, month) && panel.add_traffic(username, day, bytes)
            })
        })
    }

    /// Leaves an account out of the answers on traffic and disk usage, though it exists.
    pub fn drop_from_stats(&self, username: &str) {
        self.shared
            .with_panel(|panel| panel.show_in_stats(username, false));
    }

    /// Undoes [`Simulator::drop_from_stats`].
    pub fn return_to_stats(&self, username: &str) {
        self.shared
            .with_panel(|panel| panel.show_in_stats(username, true));
    }

    /// Sets an account's used disk space, in bytes. False when there is no such account.
    pub fn set_disk_used(&self, username: &str, bytes: u64) -> bool {
        self.shared
            .with_panel(|panel| panel.set_disk_used(username, bytes))
    }

    /// Moves the panel's clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.clock.advance(by);
        self.shared.with_panel(|_| ());
    }

    /// Sets the panel's clock, also backwards.
    pub fn set_clock(&self, to: DateTime<Utc>) {
        self.shared.clock.set(to);
        self.shared.with_panel(|_| ());
    }

    /// The panel's time.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        self.now_local().to_utc()
    }

    /// The panel's running month, `YYYY-MM` by its time zone.
    #[must_use]
    pub fn month(&self) -> String {
        self.now_local().format("%Y-%m").to_string()
    }

    fn now_local(&self) -> DateTime<chrono::FixedOffset> {
        self.shared.clock.local(self.shared.clock.now_ms())
    }

    /// Moves the clock to ten minutes past the panel's next midnight, when its nightly statistics have run.
    pub fn pass_midnight(&self) {
        let clock = &self.shared.clock;
        let now = self.now_local();
        let next = (now.date_naive() + Days::new(1)).and_time(NaiveTime::MIN);
        let midnight = clock.zone().from_local_datetime(&next).single();
        let wait = midnight
            .and_then(|midnight| (midnight - now).to_std().ok())
            .unwrap_or_default();
        self.advance(wait + Duration::from_secs(600));
    }

    /// Looks at or changes what only WHM has. None on another panel.
    pub fn whm<T>(&self, act: impl FnOnce(&mut Whm) -> T) -> Option<T> {
        self.shared.with_panel(|panel| match panel {
            Panel::Whm(whm) => Some(act(whm)),
            Panel::Froxlor(_) | Panel::HostBill(_) => None,
        })
    }

    /// Looks at or changes what only Froxlor has. None on another panel.
    pub fn froxlor<T>(&self, act: impl FnOnce(&mut Froxlor) -> T) -> Option<T> {
        self.shared.with_panel(|panel| match panel {
            Panel::Froxlor(froxlor) => Some(act(froxlor)),
            Panel::Whm(_) | Panel::HostBill(_) => None,
        })
    }

    /// Looks at or changes what only HostBill has. None on another panel.
    pub fn hostbill<T>(&self, act: impl FnOnce(&mut HostBill) -> T) -> Option<T> {
        self.shared.with_panel(|panel| match panel {
            Panel::HostBill(bill) => Some(act(bill)),
            Panel::Whm(_) | Panel::Froxlor(_) => None,
        })
    }

    /// Froxlor: switches its database off or on. While it is off every call is answered with status 200 and a
    /// sentence of plain English.
    pub fn break_database(&self, broken: bool) {
        self.froxlor(|froxlor| froxlor.break_database(broken));
    }

    /// Froxlor: the next `count` calls of `Customers.add` wait for each other between looking and writing, so that
    /// they surely overlap. One that waits longer than 5 s goes on alone.
    pub fn race_next_adds(&self, count: usize) {
        self.shared.arrange_meeting(count);
    }
}
