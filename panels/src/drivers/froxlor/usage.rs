//! Traffic and disk use.
//!
//! Traffic comes as a row for each customer and run of the panel's nightly cron, in bytes; the month's total
//! is their sum. `traffic_used` of a customer's record is not used: on the first of a month it still shows
//! the month before. Disk use is as of the last cron.
//!
//! A row's date is the day on which the cron ran, mostly shortly after midnight: what it counts was used on
//! the day before. The dates are handed on as the panel has them, so that they are those of its own pages
//! and add up to its month.

use std::collections::{BTreeMap, HashSet};

use chrono::NaiveDate;
use hosting::{Bytes, LimitName, Month};

use super::envelope::{Got, Kind, Said};
use super::read::{all_customers, customer_that_is};
use super::shapes::{Customer, TrafficRow};
use super::wire::Wire;
use crate::{AccountKey, AccountUsage, DayUsage, PanelError, UsageReport};

/// In the place of a name, in [`UsageReport::refused`], for what concerns the whole report.
const EVERYBODY: &str = "*";

/// The month of all customers that the key sees. That there are none is an empty report with a row in
/// `refused`, since it is rather a wrong key than a server without customers.
pub(super) async fn usage(wire: &Wire, month: Month) -> Result<UsageReport, PanelError> {
    let customers = match all_customers(wire).await? {
        none if none.is_empty() => return Ok(nobody(month)),
        customers => customers,
    };
    match wire.traffic(month, None).await? {
        Ok(got) => understood(month, &customers, &got),
        Err(said) if said.kind == Kind::NoCustomersAtAll => Ok(nobody(month)),
        Err(said) => Err(said.into_error()),
    }
}

/// The month of one customer.
pub(super) async fn usage_of(
    wire: &Wire,
    key: &AccountKey,
    month: Month,
) -> Result<UsageReport, PanelError> {
    let customer = customer_that_is(wire, &key.username).await?.value;
    let rows = wire.traffic(month, Some(&customer.login)).await?;
    understood(month, &[customer], &rows.map_err(Said::into_error)?)
}

/// The report, unless there are rows and not one of them could be used: that is no answer, and whoever
/// asks again soon may get a better one.
fn understood(
    month: Month,
    customers: &[Customer],
    got: &Got<Vec<TrafficRow>>,
) -> Result<UsageReport, PanelError> {
    let report = report(month, customers, &got.value);
    let read = report.accounts.iter().any(|row| row.traffic.is_some());
    if !read && !got.value.is_empty() && !report.refused.is_empty() {
        let what = "none of the traffic rows could be understood";
        return Err(got.reply.unknown(what));
    }
    Ok(report)
}

fn nobody(month: Month) -> UsageReport {
    UsageReport {
        month,
        accounts: Vec::new(),
        refused: vec![(
            EVERYBODY.to_owned(),
            "the panel says that the API key's admin has no customers".to_owned(),
        )],
    }
}

/// What a customer's rows come to.
#[derive(Debug, Default)]
struct Sum {
    month: Bytes,
    days: BTreeMap<NaiveDate, Bytes>,
}

/// A customer's sum, or why there is none.
type Sums = BTreeMap<i64, Result<Sum, String>>;

fn report(month: Month, customers: &[Customer], rows: &[TrafficRow]) -> UsageReport {
    let mut refused = Vec::new();
    let mut sums = sums(month, rows, &mut refused);
    let mut accounts = Vec::with_capacity(customers.len());
    for customer in customers {
        // No row is no reading, not zero: the cron writes one for everybody.
        let sum = match sums.remove(&customer.id).transpose() {
            Ok(sum) => sum,
            Err(why) => {
                refused.push((customer.login.clone(), why));
                continue;
            }
        };
        match of(customer, sum) {
            Some(account) => accounts.push(account),
            None => refused.push((customer.login.clone(), "the login name is none".to_owned())),
        }
    }
    for id in sums.into_keys() {
        let why = "traffic of a customer that the panel does not list";
        refused.push((format!("#{id}"), why.to_owned()));
    }
    UsageReport {
        month,
        accounts,
        refused,
    }
}

/// Sums up by customer. Rows of other months are left out, in case that a version ignores the filter; a
/// row that comes twice counts once.
fn sums(month: Month, rows: &[TrafficRow], refused: &mut Vec<(String, String)>) -> Sums {
    let asked = (i64::from(month.year()), i64::from(month.month()));
    let mut seen = HashSet::new();
    let mut sums = Sums::new();
    for row in rows {
        let (Some(customer), Some(year), Some(in_year)) =
            (row.customerid.0, row.year.0, row.month.0)
        else {
            let why = "a traffic row without customer, year or month";
            refused.push((EVERYBODY.to_owned(), why.to_owned()));
            continue;
        };
        if (year, in_year) != asked || row.id.0.is_some_and(|id| !seen.insert(id)) {
            continue;
        }
        let date = date_of(month, row);
        if date.is_none() {
            let why = "a traffic row without a day counts for its month only";
            refused.push((format!("#{customer}"), why.to_owned()));
        }
        let sum = sums.entry(customer).or_insert_with(|| Ok(Sum::default()));
        if let Ok(so_far) = sum
            && let Err(why) = so_far.add(row, date)
        {
            *sum = Err(why.to_owned());
        }
    }
    sums
}

/// The row's day; the zone is the panel's.
fn date_of(month: Month, row: &TrafficRow) -> Option<NaiveDate> {
    let day = u32::try_from(row.day.0?).ok()?;
    NaiveDate::from_ymd_opt(month.year(), month.month(), day)
}

impl Sum {
    /// A day has several rows when the cron ran more than once.
    fn add(&mut self, row: &TrafficRow, date: Option<NaiveDate>) -> Result<(), &'static str> {
        let more = bytes(row).ok_or("a traffic row that is not four amounts of bytes")?;
        let grown = self.month.checked_add(more);
        self.month = grown.ok_or("the traffic is more than can be counted")?;
        if let Some(date) = date {
            let day = self.days.entry(date).or_default();
            // No day is more than its month, which could be counted.
            *day = day.checked_add(more).unwrap_or(*day);
        }
        Ok(())
    }
}

/// The row's four counters.
fn bytes(row: &TrafficRow) -> Option<Bytes> {
    [row.http, row.ftp_up, row.ftp_down, row.mail]
        .into_iter()
        .map(|counter| Bytes::from_i64(counter.0?))
        .try_fold(Bytes::ZERO, |sum, more| sum.checked_add(more?))
}

fn of(customer: &Customer, sum: Option<Sum>) -> Option<AccountUsage> {
    let limits = customer.allowance.limits();
    let traffic = sum.as_ref().map(|sum| sum.month);
    let days = sum.map(|sum| sum.days).unwrap_or_default();
    let days = days
        .into_iter()
        .map(|(date, traffic)| DayUsage { date, traffic });
    Some(AccountUsage {
        username: customer.login.parse().ok()?,
        domain: None,
        owner: Some(customer.admin_id.to_string()),
        deleted: false,
        traffic,
        traffic_limit: limits.get(LimitName::TrafficMb),
        disk: customer.disk_used_kib.and_then(Bytes::from_kib),
        disk_limit: limits.get(LimitName::DiskMb),
        days: Some(days.collect()),
    })
}
