//! `Froxlor.*` and `PhpSettings.*`.

use serde_json::{Value, json};

use super::Froxlor;
use super::access::Caller;
use super::failure::{Complaint, Failure};
use super::input::Params;
use crate::chance::Chance;
use crate::panel::Context;

pub(super) fn php_settings() -> Result<Value, Failure> {
    Ok(json!({"count": 1, "list": [{
        "id": 1, "description": "Default Config", "binary": "/usr/bin/php-cgi", "file_extensions": "php",
        "mod_fcgid_starter": -1, "mod_fcgid_maxrequests": -1, "fpmsettingid": 1, "fpm_slowlog": 0,
        "phpsettings": "", "domains": [], "subdomains": [], "fpmdesc": "System default",
    }]}))
}

pub(super) fn generate_password(
    froxlor: &mut Froxlor,
    params: &Params,
    context: &Context<'_>,
) -> Result<Value, Failure> {
    froxlor.last.links += 1;
    let length = usize::try_from(params.int("length").unwrap_or(10))
        .unwrap_or(10)
        .clamp(1, 128);
    let mut chance = Chance::for_name(
        context.options.seed,
        &format!("generated {}", froxlor.last.links),
    );
    Ok(chance
        .text("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", length)
        .into())
}

/// A link for one login; a new one replaces the old one.
pub(super) fn login_link(
    froxlor: &mut Froxlor,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Result<Value, Failure> {
    let selector = params.selector("customerid", "loginname")?;
    let id = froxlor.find_customer(caller, &selector)?;
    let row = froxlor.row_of(id);
    if row.on("deactivated") {
        return Failure::plain(406, "Cannot generate link for deactivated user");
    }
    let seconds = params.int("valid_time").unwrap_or(10);
    if !(10..=120).contains(&seconds) {
        return Err(Complaint::ValidTime.into());
    }
    froxlor.last.links += 1;
    let mut chance = Chance::for_name(
        context.options.seed,
        &format!("link {}", froxlor.last.links),
    );
    let (login, hash) = (
        row.text("loginname").to_owned(),
        chance.text("0123456789abcdef", 64),
    );
    context.applied(&login, &id.to_string(), json!({"login_link": seconds}));
    Ok(json!({
        "base": format!("https://{}/", froxlor.host_name),
        "uri": format!("index.php?action=ll&ln={login}&h={hash}"),
    }))
}

pub(super) fn check_update(froxlor: &Froxlor, caller: &Caller) -> Result<Value, Failure> {
    let may = matches!(caller, Caller::Admin { id, .. }
        if froxlor.admins.get(id).is_some_and(|row| row.on("change_serversettings")));
    if !may {
        return Failure::plain(403, "Not allowed to execute given command.");
    }
    Ok(json!({
        "isnewerversion": 0, "version": froxlor.settings.version, "message": "", "link": "",
        "additional_info": "You already have the latest version of Froxlor installed.",
    }))
}
