//! Removing accounts, and small questions about them.

use serde_json::json;

use super::Whm;
use super::access::Caller;
use super::envelope::{Params, Reply};
use crate::panel::Context;

impl Whm {
    /// Who owns a domain, main or additional.
    pub(super) fn owner_of(&self, domain: &str) -> Option<String> {
        self.accounts
            .values()
            .find(|account| account.owns(domain))
            .map(|account| account.user.clone())
    }
}

pub(super) fn remove(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    // Newer versions call it `username`, older ones `user`.
    let user = params
        .filled("username")
        .or_else(|| params.filled("user"))
        .unwrap_or_default()
        .to_ascii_lowercase();
    let seen = whm
        .accounts
        .get(&user)
        .is_some_and(|account| caller.sees(account));
    let Some(account) = seen.then(|| whm.accounts.remove(&user)).flatten() else {
        return Reply::failed(format!("System user {user} does not exist!"));
    };
    if params.on("keepdns") {
        whm.zones.insert(account.domain.clone());
    }
    let mut facts = account.facts();
    facts["removed"] = true.into();
    context.applied(&user, &account.incarnation, facts);
    let log = format!(
        "<pre>Running pre removal script... Done\nCollecting Domain Name and IP... Done\nRemoving User & Group... Done\n\
         Removing Bandwidth Files... Done\nAdding IP back to the IP address pool... Done\n\
         {user} account removed\n</pre>"
    );
    if whm.settings.keep_deleted_traffic {
        whm.gone.push(account);
    } else {
        whm.traffic.forget(&account.incarnation);
    }
    Reply::ok(format!("{user} account removed"), json!({})).raw(log)
}

pub(super) fn domain_owner(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    _: &mut Context<'_>,
) -> Reply {
    match params.filled("domain") {
        Some(domain) => Reply::ok("OK", json!({"user": whm.owner_of(domain)})),
        None => Reply::failed("Provide the “domain” parameter."),
    }
}

pub(super) fn users_count(whm: &mut Whm, _: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    Reply::ok("OK", json!({"users": whm.accounts.len()}))
}

pub(super) fn maximum_users(whm: &mut Whm, _: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    Reply::ok("OK", json!({"users": whm.settings.maximum_users}))
}

pub(super) fn kill_dns(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let domain = params
        .get("domain")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if !whm.zones.remove(&domain) {
        return Reply::failed(format!("Unable to find the DNS zone for “{domain}”."));
    }
    context.applied("", "", json!({"zone_removed": domain}));
    Reply::ok("Zones Removed", json!({}))
}
