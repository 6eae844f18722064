//! Packages and limits of accounts that exist. Units: `editquota` and `limitbw` take MB, `modifyacct BWLIMIT` bytes.

use serde_json::{Value, json};

use super::access::Caller;
use super::account::{Account, MIB};
use super::envelope::{Params, Reply};
use super::{Whm, difference, rules};
use crate::panel::Context;

/// Zero and `unlimited` are no limit.
fn zero_is_unlimited(text: &str) -> Result<Option<u64>, ()> {
    match text {
        "" | "0" | "unlimited" => Ok(None),
        number => number.parse().map(Some).map_err(|_| ()),
    }
}

fn note(context: &mut Context<'_>, account: &Account, before: &Value) {
    let change = difference(before, &account.facts());
    context.applied(&account.user, &account.incarnation, change);
}

pub(super) fn change_package(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let package = params
        .get("pkg")
        .and_then(|name| whm.packages.get(name))
        .cloned();
    let free = whm.free_ips().first().cloned();
    let main_ip = whm.main_ip.clone();
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed(format!("Sorry the user {user} does not exist"));
    };
    let Some(package) = package else {
        return Reply::failed("Specified package does not exist.");
    };
    let before = account.facts();
    account.take_limits(&package);
    // A package with its own address moves the account, and back.
    if package.dedicated_ip && account.ip == main_ip {
        account.ip = free.unwrap_or_else(|| main_ip.clone());
    } else if !package.dedicated_ip {
        account.ip = main_ip;
    }
    note(context, account, &before);
    Reply::ok(format!("Account Upgrade/Downgrade Complete for {user}"), json!({}))
        .raw(format!("<pre>Updating quota... Done\nBandwidth limit changed\nChanging plan of {user}... Done\n</pre>"))
}

pub(super) fn edit_quota(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let enabled = whm.settings.quotas_enabled;
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed("Invalid user. Cannot set quota.");
    };
    let quota = params.get("quota").map(zero_is_unlimited);
    match quota {
        Some(Ok(limit)) if limit.unwrap_or(0) <= 999_999_999 => {
            if enabled {
                let before = account.facts();
                account.quota_mb = limit;
                note(context, account, &before);
            }
            Reply::ok("Set quota for user.", json!({}))
        }
        _ => Reply::failed("Failed to set quota for user."),
    }
}

pub(super) fn limit_bandwidth(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    // Without the parameter the limit goes away.
    let Ok(limit) = zero_is_unlimited(params.get("bwlimit").unwrap_or("unlimited")) else {
        return Reply::failed("Invalid bandwidth limit.");
    };
    let limit = limit.map(|mb| mb.saturating_mul(MIB));
    let account = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account));
    let domains = account
        .as_ref()
        .map_or_else(Vec::new, |account| account.domains());
    // A user that does not exist is a success all the same.
    if let Some(account) = account {
        let before = account.facts();
        account.bandwidth = limit;
        note(context, account, &before);
    }
    let human = limit.map_or("unlimited".to_owned(), |bytes| {
        format!("{} MB", bytes / MIB)
    });
    let row = json!({
        "user": user, "bwlimit": limit.map_or(json!("unlimited"), |bytes| json!(bytes)),
        "bwlimitenable": u8::from(limit.is_some()), "domains": domains, "human_bwlimit": human,
        "human_bwused": "0 MB", "unlimited": u8::from(limit.is_none()),
    });
    Reply::ok(
        format!("Bandwidth Limit for {user} set to {human}"),
        json!({"bwlimits": [row]}),
    )
}

pub(super) fn modify(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let new_domain = params.filled("domain").or_else(|| params.filled("DNS"));
    let taken = new_domain
        .and_then(|domain| whm.owner_of(domain))
        .filter(|owner| *owner != user);
    let new_name = params.filled("newuser").map(str::to_ascii_lowercase);
    let name_taken = new_name.as_ref().is_some_and(|name| {
        *name != user
            && (whm.accounts.contains_key(name) || rules::refuse_name(name, true).is_some())
    });
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed(format!("Unable to fetch the cPanel user file for {user}"));
    };
    if taken.is_some() || name_taken {
        return Reply::failed("The new name or domain is already in use on this system.");
    }
    let before = account.facts();
    let old = account.clone();
    if apply_fields(account, params).is_err() {
        *account = old;
        return Reply::failed("Invalid value for a limit.");
    }
    note(context, account, &before);
    if let Some(name) = new_name.filter(|name| *name != user)
        && let Some(mut account) = whm.accounts.remove(&user)
    {
        account.user.clone_from(&name);
        whm.accounts.insert(name, account);
    }
    let reply = Reply::ok("Account Modified", json!({}));
    // A part of the request can be refused with nothing but a warning.
    if params.get("BACKUP").is_some() && !caller.is_root() {
        return reply.warning("You cannot change backup settings.");
    }
    reply
}

/// Names are case-sensitive: `maxpop` or `quota` in lower case change nothing, and nobody says so.
fn apply_fields(account: &mut Account, params: &Params) -> Result<(), ()> {
    if let Some(text) = params.get("QUOTA") {
        account.quota_mb = zero_is_unlimited(text)?;
    }
    if let Some(text) = params.get("DISK_BLOCK_LIMIT") {
        account.quota_mb = zero_is_unlimited(text)?.map(|kib| kib / 1024);
    }
    if let Some(text) = params.get("BWLIMIT") {
        account.bandwidth = zero_is_unlimited(text)?;
    }
    for (name, field) in [
        ("MAXPOP", &mut account.maxpop),
        ("MAXSQL", &mut account.maxsql),
        ("MAXFTP", &mut account.maxftp),
        ("MAXSUB", &mut account.maxsub),
        ("MAXPARK", &mut account.maxpark),
        ("MAXADDON", &mut account.maxaddon),
        ("MAXLST", &mut account.maxlst),
    ] {
        match params.get(name) {
            None => {}
            Some("unlimited") => *field = None,
            // Here zero is none.
            Some(text) => *field = Some(text.parse().map_err(|_| ())?),
        }
    }
    if let Some(text) = params.get("HASSHELL") {
        account.shell = matches!(text, "1" | "y");
    }
    for (name, field) in [
        ("contactemail", &mut account.email),
        ("owner", &mut account.owner),
    ] {
        if let Some(text) = params.get(name) {
            text.clone_into(field);
        }
    }
    if let Some(domain) = params.filled("domain").or_else(|| params.filled("DNS")) {
        account.domain = domain.to_ascii_lowercase();
    }
    Ok(())
}
