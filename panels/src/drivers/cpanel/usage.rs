//! `usage`: showbw for the month and get_disk_usage, merged.

use std::collections::HashMap;

use hosting::{Month, Username};
use serde_json::Value;

use super::envelope::Done;
use super::listings::TrafficList;
use super::look::optional;
use super::units;
use super::wire::{Wire, lower};
use crate::{AccountUsage, PanelError, UsageReport};

/// All accounts.
pub(super) async fn of_all(wire: &Wire, month: Month) -> Result<UsageReport, PanelError> {
    let mut report = traffic(wire.showbw(month).await?.done()?, month)?;
    // Disk use is an addition: a server too old for it, or a token without the right, still counts.
    match optional(wire.get_disk_usage().await?) {
        Some(done) => merge_disk(&mut report, done.data.accounts),
        None => {
            let why = "the panel did not give disk use";
            report.refused.push(("get_disk_usage".into(), why.into()));
        }
    }
    Ok(report)
}

/// One account, with the disk use that its summary tells.
pub(super) async fn of_one(
    wire: &Wire,
    user: &Username,
    month: Month,
) -> Result<UsageReport, PanelError> {
    let done = wire.showbw_of(user, Some(month)).await?.done()?;
    let mut report = traffic(done.reading(TrafficList::odd), month)?;
    report.accounts.retain(|row| row.username.same_as(user));
    if let Some(done) = optional(wire.accountsummary(user).await?) {
        let row = done.data.pointer("/acct/0").unwrap_or(&Value::Null);
        let disk = row.get("diskused").and_then(units::disk_used);
        let limit = units::account_limits(row).get(hosting::LimitName::DiskMb);
        for account in report.accounts.iter_mut().filter(|row| !row.deleted) {
            (account.disk, account.disk_limit) = (disk, limit);
        }
    }
    Ok(report)
}

/// The rows of `showbw`. The same name may stand there twice, deleted and made anew in one month.
fn traffic(done: Done<TrafficList>, month: Month) -> Result<UsageReport, PanelError> {
    let Done { data, reply, .. } = done;
    let other = data
        .month
        .is_some_and(|told| told != i64::from(month.month()))
        || data
            .year
            .is_some_and(|told| told != i64::from(month.year()));
    if other {
        let what = format!("the panel reported another month than {month}");
        return Err(reply.unknown(what));
    }
    let Some(rows) = data.acct else {
        return Err(reply.unknown("the answer holds no list of accounts"));
    };
    let (mut accounts, mut refused) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match row {
            Ok(account) => accounts.push(account),
            Err((name, why)) => refused.push((reply.redact_reason(&name), why)),
        }
    }
    Ok(UsageReport {
        month,
        accounts,
        refused,
    })
}

/// Puts disk use on the living row of its account, or on a row of its own.
fn merge_disk(report: &mut UsageReport, disks: Vec<AccountUsage>) {
    let living: HashMap<String, usize> = report
        .accounts
        .iter()
        .enumerate()
        .filter(|(_, row)| !row.deleted)
        .map(|(place, row)| (lower(&row.username), place))
        .collect();
    for disk in disks {
        match living.get(&lower(&disk.username)) {
            Some(place) => {
                let row = &mut report.accounts[*place];
                (row.disk, row.disk_limit) = (disk.disk, disk.disk_limit);
            }
            None => report.accounts.push(disk),
        }
    }
}
