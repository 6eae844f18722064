//! Looking at accounts.

use regex::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

use super::Whm;
use super::access::Caller;
use super::account::Account;
use super::envelope::{Params, Reply};
use crate::panel::Context;

pub(super) fn account_summary(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let found = match (params.filled("user"), params.filled("domain")) {
        (Some(user), _) => whm.accounts.get(&user.to_ascii_lowercase()),
        // Only main domains are found.
        (None, Some(domain)) => whm
            .accounts
            .values()
            .find(|account| account.domain.eq_ignore_ascii_case(domain)),
        (None, None) => return Reply::failed("You must specify a user or a domain."),
    };
    match found.filter(|account| caller.sees(account)) {
        Some(account) => Reply::ok(
            "OK",
            json!({"acct": [account.summary(|ms| context.clock.local(ms))]}),
        ),
        None => Reply::failed("Account does not exist"),
    }
}

pub(super) fn list_accounts(
    whm: &mut Whm,
    caller: &Caller,
    params: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let filter = match Filter::of(params) {
        Ok(filter) => filter,
        Err(reason) => return Reply::failed(reason),
    };
    let want: Option<Vec<&str>> = params
        .filled("want")
        .map(|names| names.split(',').collect());
    let accounts: Vec<Value> = whm
        .accounts
        .values()
        .filter(|account| caller.sees(account) && filter.takes(account))
        .map(|account| {
            narrow(
                account.summary(|ms| context.clock.local(ms)),
                want.as_deref(),
            )
        })
        .collect();
    Reply::ok("OK", json!({"acct": accounts}))
}

pub(super) fn list_suspended(
    whm: &mut Whm,
    caller: &Caller,
    _: &Params,
    context: &mut Context<'_>,
) -> Reply {
    let accounts: Vec<Value> = whm
        .accounts
        .values()
        .filter(|account| caller.sees(account) && account.suspended)
        .map(|account| {
            let time = account.suspend_time.unwrap_or_default();
            json!({
                "user": account.user, "owner": account.owner, "reason": account.suspend_reason,
                "time": context.clock.local(time * 1000).format("%a %b %e %H:%M:%S %Y").to_string(),
                "unixtime": time, "is_locked": u8::from(account.locked),
            })
        })
        .collect();
    Reply::ok("OK", json!({"account": accounts}))
}

fn narrow(record: Value, want: Option<&[&str]>) -> Value {
    match (record, want) {
        (Value::Object(map), Some(want)) => map
            .into_iter()
            .filter(|(name, _)| want.contains(&name.as_str()))
            .collect::<Map<_, _>>()
            .into(),
        (record, _) => record,
    }
}

/// `searchtype` and `search`. Both are needed: with only one of them every account is given, without a word.
pub(super) enum Filter {
    All,
    Matching { field: String, pattern: Regex },
}

impl Filter {
    pub(super) fn of(params: &Params) -> Result<Self, String> {
        let (Some(field), Some(search)) = (params.filled("searchtype"), params.filled("search"))
        else {
            return Ok(Filter::All);
        };
        let exact = params.get("searchmethod") == Some("exact");
        let pattern = if exact {
            format!("^{}$", regex::escape(search))
        } else {
            search.to_owned()
        };
        let pattern = RegexBuilder::new(&pattern)
            .case_insensitive(true)
            .size_limit(1 << 20)
            .build()
            .map_err(|_| format!("“{search}” is not a valid regular expression."))?;
        Ok(Filter::Matching {
            field: field.to_owned(),
            pattern,
        })
    }

    pub(super) fn takes(&self, account: &Account) -> bool {
        let Filter::Matching { field, pattern } = self else {
            return true;
        };
        match field.as_str() {
            "domain" => account
                .domains()
                .iter()
                .any(|domain| pattern.is_match(domain)),
            "owner" => pattern.is_match(&account.owner),
            "user" => pattern.is_match(&account.user),
            "ip" => pattern.is_match(&account.ip),
            "package" => pattern.is_match(&account.plan),
            // An unknown search type is no filter.
            _ => true,
        }
    }
}
