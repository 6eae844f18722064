//! What accounts have used.

use chrono::NaiveDate;
use hosting::{Bytes, DomainName, Limit, Month, Username};

/// How a panel counts traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// The figure is the whole month's and is the truth: booked = the largest seen.
    MonthTotal,
    /// The figure is a counter that runs on and may be reset: a drop begins a new epoch.
    Running {
        /// Whether it starts from zero after a reset, so that the new figure itself may be booked.
        restarts_from_zero: bool,
    },
}

/// One month of one server.
#[derive(Debug, Clone)]
pub struct UsageReport {
    /// The month that the panel says it reports; equal to the one asked for.
    pub month: Month,
    /// One row an account that the panel reported. Missing means unknown, not zero.
    pub accounts: Vec<AccountUsage>,
    /// Rows that could not be understood: the name as sent, and why. Nothing is booked for them.
    pub refused: Vec<(String, String)>,
}

/// One account's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountUsage {
    /// The login name.
    pub username: Username,
    /// The main domain, where the panel tells it.
    pub domain: Option<DomainName>,
    /// Who owns it on the panel, where it tells.
    pub owner: Option<String>,
    /// Whether the account is gone, and this is what it had used in the month.
    pub deleted: bool,
    /// The figure of the month, in bytes; `None` where the panel gave only disk use.
    pub traffic: Option<Bytes>,
    /// The limit of a month's traffic, in MB.
    pub traffic_limit: Option<Limit>,
    /// Disk space used, in bytes.
    pub disk: Option<Bytes>,
    /// The disk limit, in MB.
    pub disk_limit: Option<Limit>,
    /// The panel's own figures of the month by its dates, as far as it has them; `None` = this panel keeps
    /// none. A date stands there once.
    pub days: Option<Vec<DayUsage>>,
}

/// What the panel counted on one of its dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayUsage {
    /// The panel's date.
    pub date: NaiveDate,
    /// Traffic in bytes.
    pub traffic: Bytes,
}
