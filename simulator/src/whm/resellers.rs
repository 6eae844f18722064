//! Resellers: accounts that own accounts.

use serde_json::json;

use super::Whm;
use super::access::Caller;
use super::envelope::{Params, Reply};
use crate::panel::Context;

/// The parameter that names the reseller differs by function.
fn named(params: &Params) -> String {
    let name = params.filled("user").or_else(|| params.filled("reseller"));
    name.unwrap_or_default().to_ascii_lowercase()
}

const NOT_ONE: &str = "Specified user is not a reseller.";

pub(super) fn set_up(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = named(params);
    let Some(account) = whm.accounts.get_mut(&user) else {
        return Reply::failed(format!("The user “{user}” does not exist."));
    };
    if params.on("makeowner") {
        account.owner.clone_from(&user);
    }
    context.applied(&user, &account.incarnation, json!({"reseller": true}));
    whm.resellers.insert(user);
    Reply::ok("OK", json!({}))
}

pub(super) fn counts(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    _: &mut Context<'_>,
) -> Reply {
    let user = params
        .filled("user")
        .map_or_else(|| caller.user.clone(), str::to_ascii_lowercase);
    let owned = || {
        whm.accounts
            .values()
            .filter(|account| account.owner == user)
    };
    let suspended = owned().filter(|account| account.suspended).count();
    let limit = whm
        .settings
        .reseller_limit
        .map_or(json!(""), |limit| json!(limit));
    Reply::ok(
        "OK",
        json!({"reseller": {"user": user, "active": owned().count() - suspended, "suspended": suspended, "limit": limit}}),
    )
}

pub(super) fn suspend(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    set_standing(whm, params, context, true)
}

pub(super) fn unsuspend(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    set_standing(whm, params, context, false)
}

/// The reseller's own account and all that he owns.
fn set_standing(
    whm: &mut Whm,
    params: &Params,
    context: &mut Context<'_>,
    suspended: bool,
) -> Reply {
    let user = named(params);
    if !whm.resellers.contains(&user) {
        return Reply::failed(NOT_ONE);
    }
    let now = context.now_seconds();
    let reason = params.filled("reason").unwrap_or("Unknown").to_owned();
    for account in whm
        .accounts
        .values_mut()
        .filter(|account| account.owner == user || account.user == user)
    {
        let before = account.suspended;
        account.suspended = suspended;
        account.suspend_time = suspended.then_some(now);
        account.suspend_reason = if suspended {
            reason.clone()
        } else {
            String::new()
        };
        let (name, incarnation) = (account.user.clone(), account.incarnation.clone());
        context.applied(
            &name,
            &incarnation,
            json!({"suspended": [before, suspended]}),
        );
    }
    Reply::ok("OK", json!({}))
}

/// Removes every account of a reseller. Older versions want a sentence for it.
pub(super) fn terminate(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = named(params);
    if !whm.accounts.contains_key(&user) && !whm.resellers.contains(&user) {
        return Reply::failed(format!("Reseller {user} Does not exist"));
    }
    if !whm.resellers.contains(&user) {
        return Reply::failed(NOT_ONE);
    }
    let sentence = format!(
        "I understand this will irrevocably remove all the accounts owned by the reseller {user}"
    );
    if params.get("verify") != Some(sentence.as_str()) {
        return Reply::failed("The verification sentence is missing or wrong.");
    }
    let whole = params.on("terminatereseller");
    let gone: Vec<String> = whm
        .accounts
        .values()
        .filter(|account| {
            (account.owner == user && account.user != user) || (whole && account.user == user)
        })
        .map(|account| account.user.clone())
        .collect();
    for name in gone {
        if let Some(account) = whm.accounts.remove(&name) {
            context.applied(
                &name,
                &account.incarnation,
                json!({"removed": true, "domain": account.domain}),
            );
            whm.gone.push(account);
        }
    }
    if whole {
        whm.resellers.remove(&user);
    }
    Reply::ok("OK", json!({}))
}
