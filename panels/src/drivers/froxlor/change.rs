//! The changes of one account, all through `Customers.update` and its neighbours.
//!
//! Updates are absolute and safe to repeat. Each rewrites and checks the whole stored record, so that one
//! may be refused for a reason that it does not touch (the admin is over-committed, PHP is on without a
//! configuration, the address is an admin's): that is a refusal, until somebody mends the record.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::envelope::{Got, Kind, Said};
use super::read::{customer, customer_that_is};
use super::rules::check_password;
use super::shapes::Customer;
use super::wire::{LINK_SECONDS, Params, Wire};
use crate::{AccountKey, LoginLink, PanelError};

/// What is kept over a suspension: whether there was a standard subdomain.
const STANDARD_SUBDOMAIN: &str = "standard_subdomain";

/// Suspends it. Froxlor keeps no reason.
pub(super) async fn suspend(wire: &Wire, key: &AccountKey) -> Result<(), PanelError> {
    let params = Params::from_iter([("deactivated".to_owned(), json!(1))]);
    let answer = wire.update_customer(key.username.as_str(), params).await?;
    confirmed(answer, key, |customer| customer.deactivated)
}

/// Lifts the suspension, and has the standard subdomain made anew where there was one.
pub(super) async fn unsuspend(
    wire: &Wire,
    key: &AccountKey,
    before: Option<&Value>,
) -> Result<(), PanelError> {
    let mut params = Params::from_iter([("deactivated".to_owned(), json!(0))]);
    if had_standard_subdomain(before) {
        params.insert("createstdsubdomain".to_owned(), json!(1));
    }
    let answer = wire.update_customer(key.username.as_str(), params).await?;
    confirmed(answer, key, |customer| !customer.deactivated)
}

/// Whether it has a standard subdomain, which a suspend will delete. Of one that is suspended already
/// that is not known any more.
pub(super) async fn remember(wire: &Wire, key: &AccountKey) -> Result<Option<Value>, PanelError> {
    let got = customer_that_is(wire, &key.username).await?;
    if got.value.deactivated {
        return Ok(None);
    }
    Ok(Some(
        json!({STANDARD_SUBDOMAIN: got.value.standard_subdomain != 0}),
    ))
}

/// Froxlor only logs it when the standard subdomain could not be made (it counts against the admin's
/// domains), so look.
pub(super) async fn missing_after_unsuspend(
    wire: &Wire,
    key: &AccountKey,
    before: Option<&Value>,
) -> Result<Vec<String>, PanelError> {
    if !had_standard_subdomain(before) {
        return Ok(Vec::new());
    }
    let got = customer_that_is(wire, &key.username).await?;
    Ok(match got.value.standard_subdomain {
        0 => vec!["the standard subdomain".to_owned()],
        _ => Vec::new(),
    })
}

fn had_standard_subdomain(before: Option<&Value>) -> bool {
    before.and_then(|before| before.get(STANDARD_SUBDOMAIN)) == Some(&json!(true))
}

/// Removes it, its files with it: without `delete_userfiles` the home directory would block the name for
/// ever. That it is gone already is as good.
pub(super) async fn terminate(wire: &Wire, key: &AccountKey) -> Result<(), PanelError> {
    match wire.delete_customer(key.username.as_str()).await? {
        Err(said) if said.kind == Kind::NoCustomer => Ok(()),
        answer => confirmed(answer, key, |_| true),
    }
}

/// Sets the panel password; FTP users and databases have their own.
pub(super) async fn change_password(
    wire: &Wire,
    key: &AccountKey,
    password: &SecretString,
) -> Result<(), PanelError> {
    check_password(password.expose_secret())?;
    let answer = wire.set_password(key.username.as_str(), password).await?;
    confirmed(answer, key, |_| true)
}

/// Clears the lock after failed logins.
pub(super) async fn unlock(wire: &Wire, key: &AccountKey) -> Result<(), PanelError> {
    let answer = wire.unlock_customer(key.username.as_str()).await?;
    confirmed(answer, key, |_| true)
}

/// Gives it to another admin, by the admin's id. Froxlor does not check the target's allowance.
pub(super) async fn move_to(wire: &Wire, key: &AccountKey, target: &str) -> Result<(), PanelError> {
    let admin = target
        .parse::<i64>()
        .ok()
        .filter(|id| *id > 0)
        .ok_or_else(|| {
            let why = "the target of a move must be the id of an admin, a number";
            PanelError::refused("field_refused", why)
        })?;
    match wire.move_customer(key.username.as_str(), admin).await? {
        Err(said) if said.kind == Kind::SameAdmin => match customer(wire, &key.username).await? {
            Some(got) if got.value.admin_id == admin => Ok(()),
            _ => Err(said.into_error()),
        },
        // Only this right is missing; all else works, so the server's other jobs go on.
        Err(said) if said.kind == Kind::NotAllowed => Err(said.rejected("not_permitted")),
        answer => confirmed(answer, key, |customer| customer.admin_id == admin),
    }
}

/// A link for the owner. A new one replaces the last.
pub(super) async fn login_url(wire: &Wire, key: &AccountKey) -> Result<LoginLink, PanelError> {
    let got = match wire.login_link(key.username.as_str()).await? {
        Ok(got) => got,
        Err(said) if said.kind == Kind::LinkForSuspended => return Err(said.rejected("suspended")),
        Err(said) => return Err(said.into_error()),
    };
    let (base, rest) = &got.value;
    if !base.starts_with("https://") || rest.contains(char::is_whitespace) {
        let what = "Froxlor's login link does not begin with https://; see its host name settings";
        return Err(got.reply.rejected("login_link_refused", what));
    }
    let life = i64::from(LINK_SECONDS) * 1000;
    Ok(LoginLink {
        url: format!("{base}{rest}").into(),
        expires_at: got.reply.panel_clock.map(|now| now.saturating_add(life)),
    })
}

/// A change is done when Froxlor answers with the customer's record and the record says so. A customer's
/// key would be answered 200 with nothing changed.
pub(super) fn confirmed(
    answer: Result<Got<Customer>, Said>,
    key: &AccountKey,
    done: impl FnOnce(&Customer) -> bool,
) -> Result<(), PanelError> {
    let got = answer.map_err(Said::into_error)?;
    let same = got.value.login.eq_ignore_ascii_case(key.username.as_str());
    if same && done(&got.value) {
        Ok(())
    } else {
        Err(got
            .reply
            .unknown("the panel's answer does not show the change"))
    }
}
