//! `showbw` and `get_disk_usage`: bytes and KiB of every account, in one call each.

use chrono::Datelike;
use serde_json::{Value, json};

use super::Whm;
use super::access::Caller;
use super::account::Account;
use super::envelope::{Params, Reply};
use super::listing::Filter;
use crate::panel::Context;

pub(super) fn show(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let today = context.today();
    let number = |name: &str, default: u32| match params.filled(name) {
        None => Some(default),
        Some(text) => text.parse().ok(),
    };
    let year = number("year", today.year().unsigned_abs());
    let (Some(month), Some(year)) = (number("month", today.month()), year) else {
        return Reply::failed("Invalid month or year.");
    };
    let filter = match Filter::of(params) {
        Ok(filter) => filter,
        Err(reason) => return Reply::failed(reason),
    };
    let key = format!("{year:04}-{month:02}");
    let living = whm.accounts.values().map(|account| (account, false));
    let gone = whm.gone.iter().map(|account| (account, true));
    let rows: Vec<Value> = living
        .chain(gone)
        .filter(|(account, _)| caller.sees(account) && filter.takes(account))
        .filter(|(account, _)| {
            params
                .filled("showres")
                .is_none_or(|owner| account.owner == owner)
        })
        .filter(|(account, _)| !whm.hidden.contains(&account.user))
        .filter_map(|(account, deleted)| row(whm, account, &key, deleted))
        .collect();
    let total: u64 = rows
        .iter()
        .filter_map(|row| row["totalbytes"].as_u64())
        .sum();
    Reply::ok(
        "OK",
        json!({
            "month": month, "year": year, "reseller": caller.user, "totalused": total, "acct": rows,
        }),
    )
}

/// An account that is gone is listed only for months in which it had traffic.
fn row(whm: &Whm, account: &Account, month: &str, deleted: bool) -> Option<Value> {
    let total = whm.traffic.month_total(&account.incarnation, month);
    if deleted && total == 0 {
        return None;
    }
    // Additional domains get a tenth each, the main domain the rest.
    let share = total / 10;
    let addons = account.addon_domains.len().min(9);
    let mut usage = vec![json!({
        "domain": account.domain, "usage": total - share * addons as u64, "deleted": u8::from(deleted),
    })];
    usage.extend(
        account
            .addon_domains
            .iter()
            .take(addons)
            .map(|domain| json!({"domain": domain, "usage": share, "deleted": u8::from(deleted)})),
    );
    Some(json!({
        "user": account.user, "maindomain": account.domain, "owner": account.owner, "reseller": 0,
        "deleted": u8::from(deleted), "limit": account.bandwidth.unwrap_or(0), "totalbytes": total,
        "bwusage": usage,
    }))
}

pub(super) fn disk_usage(whm: &mut Whm, caller: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    let rows: Vec<Value> = whm
        .accounts
        .values()
        .filter(|account| caller.sees(account) && !whm.hidden.contains(&account.user))
        .map(|account| {
            json!({
                "user": account.user, "blocks_used": account.disk_used_kib,
                "blocks_limit": account.quota_mb.map(|mb| mb * 1024),
                "inodes_used": account.disk_used_kib / 12 + 40, "inodes_limit": null,
            })
        })
        .collect();
    Reply::ok("OK", json!({"accounts": rows}))
}
