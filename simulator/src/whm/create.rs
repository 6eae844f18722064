//! `createacct`: many reasons to refuse, one way to succeed.

use serde_json::{Value, json};

use super::access::Caller;
use super::account::{Account, MIB};
use super::envelope::{Params, Reply};
use super::{TakenWording, Whm, rules};
use crate::account::Secret;
use crate::chance::Chance;
use crate::panel::Context;
use crate::traffic::TrafficBook;

/// What a create is going to make.
struct Wish<'a> {
    user: String,
    domain: String,
    temporary: bool,
    plan: &'a str,
    password: String,
    ip: String,
    owner: String,
}

pub(super) fn create_account(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let wish = match wish(whm, caller, params, context) {
        Ok(wish) => wish,
        Err(reason) => return Reply::failed(reason),
    };
    if context.half {
        // A create that dies after useradd leaves the group; nothing else of it can be seen through the API.
        whm.groups.insert(wish.user.clone());
        context.applied(&wish.user, "", json!({"group": "left behind"}));
        return Reply::failed("Account Creation Failed: unable to add user");
    }
    let mut account = whm.new_account(&wish.user, &wish.domain, wish.plan, context.now_ms);
    account.owner.clone_from(&wish.owner);
    account.email = params.get("contactemail").unwrap_or_default().to_owned();
    account.ip.clone_from(&wish.ip);
    account.password = Secret::of(&wish.password);
    account.temporary = wish.temporary;
    account.disk_used_kib = 300;
    own_limits(&mut account, params);
    let data = created(whm, &account, context);
    let log = creation_log(
        &account,
        &wish.password,
        params.get("showpass") != Some("n"),
    );
    let mut facts = account.facts();
    facts["created"] = true.into();
    context.applied(&account.user, &account.incarnation, facts);
    start_statistics(&mut whm.traffic, &account, context);
    whm.zones.remove(&account.domain);
    whm.accounts.insert(account.user.clone(), account);
    Reply::ok("Account Creation Ok", data).raw(log)
}

pub(super) fn verify_new_username(
    whm: &mut Whm,
    _: &Caller,
    params: &Params,
    _: &mut Context<'_>,
) -> Reply {
    let user = params.get("user").unwrap_or_default().to_ascii_lowercase();
    match name_conflict(whm, &user) {
        Some(reason) => Reply::failed(reason),
        None => Reply::ok("OK", json!({})),
    }
}

/// Growth begins on the day of the creation.
fn start_statistics(traffic: &mut TrafficBook, account: &Account, context: &Context<'_>) {
    traffic.grow_from(&account.incarnation, context.today());
}

/// Everything is checked before anything is made.
fn wish<'a>(
    whm: &mut Whm,
    caller: &Caller,
    params: &'a Params,
    context: &Context<'_>,
) -> Result<Wish<'a>, String> {
    let user = params
        .get("username")
        .unwrap_or_default()
        .to_ascii_lowercase();
    if whm.settings.busy > 0 {
        whm.settings.busy -= 1;
        return Err("The system is busy: unable to add user, /etc/passwd is locked.".to_owned());
    }
    if let Some(reason) = name_conflict(whm, &user) {
        return Err(reason);
    }
    room_for_one_more(whm, caller, params)?;
    let temporary = params.filled("domain").is_none();
    // Recent versions invent a domain when none is given.
    let domain = match params.filled("domain") {
        Some(domain) => domain.to_ascii_lowercase(),
        None => format!("{user}.{}", whm.host_name),
    };
    domain_is_free(whm, &domain, params)?;
    let plan = params.filled("plan").unwrap_or("default");
    if !whm.packages.contains_key(plan) {
        return Err(format!(
            "Sorry, \"{plan}\" is not a valid pacakge name. at /usr/local/cpanel/Whostmgr/Accounts/Create.pm line 1298."
        ));
    }
    let given = params.filled("password").or_else(|| params.filled("pass"));
    if given.is_some_and(|password| rules::strength(password) < whm.settings.min_strength) {
        return Err(rules::too_weak(
            whm.settings.min_strength,
            whm.settings.old_wording,
        ));
    }
    let password = given.map_or_else(|| invented_password(whm, context), str::to_owned);
    let owner = params
        .filled("owner")
        .filter(|_| caller.is_root())
        .unwrap_or(&caller.user)
        .to_owned();
    let ip = address(whm, params, plan)?;
    Ok(Wish {
        user,
        domain,
        temporary,
        plan,
        password,
        ip,
        owner,
    })
}

fn invented_password(whm: &Whm, context: &Context<'_>) -> String {
    let mut chance = Chance::for_name(
        context.options.seed,
        &format!("password {}", whm.last_serial),
    );
    chance.text("abcdefghjkmnpqrstuvwxyzABCDEFGHJKMNPQRSTUVWXYZ23456789", 16)
}

fn name_conflict(whm: &Whm, user: &str) -> Option<String> {
    if let Some(reason) = rules::refuse_name(user, whm.settings.long_names) {
        return Some(reason);
    }
    if whm.accounts.contains_key(user) {
        return Some(match whm.settings.taken {
            TakenWording::System => format!("This system already has an account named “{user}”."),
            TakenWording::Account => format!("The account '{user}' already exists."),
            TakenWording::Group => "Sorry, a group for that username already exists.".to_owned(),
        });
    }
    if whm.groups.contains(user) {
        return Some("Sorry, a group for that username already exists.".to_owned());
    }
    // Database prefixes are made from the first eight characters.
    let first: String = user.chars().take(8).collect();
    let clash = user.len() > 8 || whm.accounts.keys().any(|other| other.len() > 8);
    let other = whm
        .accounts
        .keys()
        .find(|other| other.chars().take(8).eq(first.chars()));
    other.filter(|_| clash).map(|other| {
        format!("The name of another account on this server has the same initial 8 characters ({other}).")
    })
}

fn room_for_one_more(whm: &Whm, caller: &Caller, params: &Params) -> Result<(), String> {
    let licence = whm.settings.maximum_users;
    if licence > 0 && whm.accounts.len() as u64 >= licence {
        return Err(
            "You have reached the maximum number of users allowed by your license.".to_owned(),
        );
    }
    if caller.is_root() {
        return Ok(());
    }
    let owned = || {
        whm.accounts
            .values()
            .filter(|account| account.owner == caller.user)
    };
    if whm
        .settings
        .reseller_limit
        .is_some_and(|limit| owned().count() >= limit)
    {
        return Err("You have reached your account limit.".to_owned());
    }
    let plan = whm.packages.get(params.filled("plan").unwrap_or("default"));
    let wanted = plan.and_then(|plan| plan.quota_mb).unwrap_or(u64::MAX);
    let given: u64 = owned().filter_map(|account| account.quota_mb).sum();
    match whm.settings.reseller_disk_mb {
        Some(most) if given.saturating_add(wanted) > most => {
            Err("This account would exceed your allotted disk space.".to_owned())
        }
        _ => Ok(()),
    }
}

fn domain_is_free(whm: &Whm, domain: &str, params: &Params) -> Result<(), String> {
    if !rules::is_domain(domain) {
        return Err(format!("Sorry, “{domain}” is not a valid domain name."));
    }
    if let Some(owner) = whm.owner_of(domain) {
        return Err(format!(
            "The domain “{domain}” already exists in userdata: it is already owned by “{owner}”."
        ));
    }
    if whm.zones.contains(domain) && !params.on("forcedns") {
        return Err(format!(
            "A DNS entry for “{domain}” already exists. You must remove this DNS entry from all servers in the DNS \
             cluster to proceed."
        ));
    }
    if whm
        .settings
        .remote_domains
        .iter()
        .any(|remote| remote == domain)
    {
        return Err("Sorry, the domain is already pointed to an IP address that does not appear to use DNS servers \
                    associated with this server."
            .to_owned());
    }
    Ok(())
}

fn address(whm: &Whm, params: &Params, plan: &str) -> Result<String, String> {
    let free = whm.free_ips();
    if let Some(ip) = params.filled("customip") {
        return if free.iter().any(|other| other == ip) {
            Ok(ip.to_owned())
        } else {
            Err(format!("Sorry, the IP address {ip} is not available."))
        };
    }
    let of_plan = whm
        .packages
        .get(plan)
        .is_some_and(|package| package.dedicated_ip);
    let dedicated = params
        .get("ip")
        .map_or(of_plan, |value| value == "y" || value == "1");
    match (dedicated, free.first()) {
        (false, _) => Ok(whm.main_ip.clone()),
        (true, Some(ip)) => Ok(ip.clone()),
        (true, None) => Err("Sorry, no dedicated IPs available.".to_owned()),
    }
}

/// Limits given with the create overrule the package. Zero is unlimited for most, but none for addon and parked.
fn own_limits(account: &mut Account, params: &Params) {
    let zero_is_unlimited = |name: &str| {
        params
            .get(name)
            .map(|text| text.parse().ok().filter(|n| *n > 0))
    };
    if let Some(limit) = zero_is_unlimited("quota") {
        account.quota_mb = limit;
    }
    if let Some(limit) = zero_is_unlimited("bwlimit") {
        account.bandwidth = limit.map(|mb: u64| mb.saturating_mul(MIB));
    }
    for (name, field) in [
        ("maxpop", &mut account.maxpop),
        ("maxsql", &mut account.maxsql),
        ("maxftp", &mut account.maxftp),
        ("maxlst", &mut account.maxlst),
    ] {
        if let Some(limit) = zero_is_unlimited(name) {
            *field = limit;
        }
    }
    for (name, field) in [
        ("maxsub", &mut account.maxsub),
        ("maxpark", &mut account.maxpark),
        ("maxaddon", &mut account.maxaddon),
    ] {
        if let Some(text) = params.get(name) {
            *field = text.parse().ok();
        }
    }
}

fn created(whm: &Whm, account: &Account, _: &Context<'_>) -> Value {
    let servers = [
        format!("ns1.{}", whm.host_name),
        format!("ns2.{}", whm.host_name),
    ];
    json!({
        "ip": account.ip, "user": account.user, "package": account.plan,
        "nameserver": servers[0], "nameserver2": servers[1], "nameserver3": "", "nameserver4": "",
        "nameservera": "192.0.2.10", "nameservera2": "192.0.2.11", "nameservera3": null, "nameservera4": null,
        "nameserverentry": servers[0], "nameserverentry2": servers[1],
        "nameserverentry3": null, "nameserverentry4": null,
    })
}

/// The log of a create shows the password in clear text, unless `showpass=n`.
fn creation_log(account: &Account, password: &str, show: bool) -> String {
    let password = if show { password } else { "***HIDDEN***" };
    format!(
        "<pre>Dns Zone check is enabled.\n+===================================+\n| New Account Info                  |\n\
         +===================================+\n| Domain: {}\n| Ip: {}\n| HasCgi: y\n| UserName: {}\n\
         | PassWord: {password}\n| CpanelMod: jupiter\n| Quota: {}\n| Contact Email: {}\n| Package: {}\n\
         +===================================+\n...Done</pre>\n",
        account.domain,
        account.ip,
        account.user,
        account
            .quota_mb
            .map_or("unlimited".to_owned(), |mb| format!("{mb} Meg")),
        account.email,
        account.plan,
    )
}
