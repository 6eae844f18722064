//! Addresses.

use serde_json::{Value, json};

use super::access::Caller;
use super::envelope::{Params, Reply};
use super::{Whm, difference};
use crate::panel::Context;

impl Whm {
    /// The account that a dedicated address belongs to.
    pub(super) fn holder_of(&self, ip: &str) -> Option<&str> {
        self.accounts
            .values()
            .find(|account| account.ip == ip)
            .map(|account| account.user.as_str())
    }
}

pub(super) fn list(whm: &mut Whm, _: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    let row = |ip: &str, main: bool, index: usize| {
        let used = main || whm.holder_of(ip).is_some();
        json!({
            "ip": ip, "public_ip": ip, "used": u8::from(used), "active": 1,
            "dedicated": u8::from(!main && used), "mainaddr": u8::from(main), "removable": u8::from(!main && !used),
            "if": if main { "eth0".to_owned() } else { format!("eth0:cp{index}") },
            "netmask": "255.255.255.0", "network": ip.rsplit_once('.').map_or("", |(network, _)| network),
        })
    };
    let mut rows: Vec<Value> = vec![row(&whm.main_ip, true, 0)];
    rows.extend(
        whm.dedicated_ips
            .iter()
            .enumerate()
            .map(|(index, ip)| row(ip, false, index + 1)),
    );
    Reply::ok("OK", json!({"ip": rows}))
}

pub(super) fn set_site_ip(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let named = params.filled("user").map(str::to_ascii_lowercase);
    let by_domain = params
        .filled("domain")
        .and_then(|domain| whm.owner_of(domain));
    let Some(user) = named.or(by_domain) else {
        return Reply::failed("Cannot determine username");
    };
    let ip = params.get("ip").unwrap_or_default();
    let known = ip == whm.main_ip || whm.dedicated_ips.iter().any(|other| other == ip);
    let taken = ip != whm.main_ip && whm.holder_of(ip).is_some_and(|holder| holder != user);
    let Some(account) = whm
        .accounts
        .get_mut(&user)
        .filter(|account| caller.sees(account))
    else {
        return Reply::failed("Cannot determine username");
    };
    if !known {
        return Reply::failed(format!(
            "The IP address “{ip}” does not exist on this server."
        ));
    }
    if taken {
        return Reply::failed(format!("The IP address “{ip}” is already in use."));
    }
    let before = account.facts();
    ip.clone_into(&mut account.ip);
    let change = difference(&before, &account.facts());
    let incarnation = account.incarnation.clone();
    context.applied(&user, &incarnation, change);
    Reply::ok("OK", json!({})).raw(format!("<pre>Changing {user} to {ip}... Done\n</pre>"))
}

/// No address is delegated: every reseller may use all of them.
pub(super) fn of_reseller(whm: &mut Whm, _: &Caller, _: &Params, _: &mut Context<'_>) -> Reply {
    Reply::ok("OK", json!({"all": 1, "ip": whm.dedicated_ips}))
}
