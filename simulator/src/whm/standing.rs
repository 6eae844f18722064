//! Suspending and unsuspending.

use serde_json::json;

use super::access::Caller;
use super::envelope::{Params, Reply};
use super::{Whm, difference};
use crate::panel::Context;

pub(super) fn suspend(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let now = context.now_seconds();
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed("_suspendacct called for a user that does not exist. ()");
    };
    let before = account.facts();
    let again = account.suspended;
    // A second suspend succeeds and writes its reason over the first one.
    account.suspended = true;
    params
        .filled("reason")
        .unwrap_or("Unknown")
        .clone_into(&mut account.suspend_reason);
    account.suspend_time = Some(now);
    account.locked = params.on("disallowun");
    let mut change = difference(&before, &account.facts());
    change["again"] = again.into();
    let incarnation = account.incarnation.clone();
    context.applied(&user, &incarnation, change);
    let log = if again {
        format!("<pre>{user} previously suspended (password was locked)\n</pre>")
    } else {
        format!(
            "<pre>Changing Shell to /bin/false... Done\nLocking Password... Done\nSuspending {user}... Done\n</pre>"
        )
    };
    Reply::ok("OK", json!({})).raw(log)
}

pub(super) fn unsuspend(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed(format!(
            "_unsuspendacct called for a user that does not exist. ({user})"
        ));
    };
    if account.locked && !caller.is_root() {
        return Reply::failed(format!(
            "The account “{user}” is locked. Only root can unsuspend it."
        ));
    }
    let before = account.facts();
    account.suspended = false;
    account.locked = false;
    account.suspend_reason.clear();
    account.suspend_time = None;
    let change = difference(&before, &account.facts());
    let incarnation = account.incarnation.clone();
    context.applied(&user, &incarnation, change);
    Reply::ok("OK", json!({})).raw(format!(
        "<pre>Unlocking password...\nUnsuspending {user}... Done\n</pre>"
    ))
}
