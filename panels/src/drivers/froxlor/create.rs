//! Making an account: `Customers.add`, then `Domains.add` for its domain.
//!
//! Add is no transaction. It answers 400, 404, 406 or 500 for customers that it has made, and a client that
//! hangs up does not stop it. The login name is the only thing that keeps it from making a second one, so it
//! is always ours, and after every refusal one look tells whether anything was made.

use hosting::Email;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::allowance::{Allowance, Grant};
use super::envelope::{Got, Kind, Said};
use super::packages::{allowance_of, choose_php_config, raise_addresses};
use super::read::{customer, customer_that_is};
use super::rules::{DOMAIN_SWITCHES, RECORD_FIELDS, check_new};
use super::shapes::{Customer, Domain};
use super::wire::{Params, Wire};
use crate::http::lenient::{flag, text};
use crate::{Created, NewAccount, PanelError};

/// Makes the customer.
///
/// # Errors
/// `Rejected` only after one look that nothing was made; `InDoubt` when the look finds the customer with
/// our marker, or finds out nothing.
pub(super) async fn create(wire: &Wire, account: &NewAccount) -> Result<Created, PanelError> {
    let email = check_new(account, account.password.expose_secret())?;
    let allowance = allowance(wire, account).await?;
    let mut params = allowance.params()?;
    params.extend(record(account, &email));
    match wire.add_customer(params.clone(), &account.password).await? {
        Ok(got) => created(wire, account, &params, &got).await,
        Err(said) => Err(refused_or_made(wire, account, said).await),
    }
}

/// The package's fields, or mail and PHP where there is no package; the account's own limits win.
async fn allowance(wire: &Wire, account: &NewAccount) -> Result<Allowance, PanelError> {
    let base = match &account.package {
        Some(package) => allowance_of(wire, package).await?,
        None => {
            let mut base = Allowance::default();
            for switch in ["email_imap", "email_pop3", "phpenabled"] {
                base.set(switch, Grant::Flag(true));
            }
            choose_php_config(wire, &mut base).await?;
            base
        }
    };
    let addresses = base.limit("emails");
    let mut own = Allowance::of_limits(&account.limits)?;
    raise_addresses(&mut own, addresses);
    Ok(base.overridden_by(own))
}

/// The customer's record apart from what it may use.
fn record(account: &NewAccount, email: &Email) -> Params {
    let mut params = Params::new();
    for (ours, theirs, ..) in RECORD_FIELDS {
        if let Some(value) = account.panel.get(ours).and_then(text) {
            params.insert(theirs.to_owned(), json!(value));
        }
    }
    let named = params.contains_key("name") && params.contains_key("firstname");
    if !named && !params.contains_key("company") {
        // Froxlor wants a company, or both names.
        params.insert("company".to_owned(), json!(account.domain));
    }
    params.extend([
        ("new_loginname".to_owned(), json!(account.username)),
        ("email".to_owned(), json!(email)),
        ("customernumber".to_owned(), json!(account.marker)),
        // A mail that cannot be sent is answered with an error although the customer is made.
        ("sendpassword".to_owned(), json!(0)),
        ("createstdsubdomain".to_owned(), json!(1)),
    ]);
    params
}

/// Checks what was made: nothing of this undoes it, so what is wrong is a warning.
async fn created(
    wire: &Wire,
    account: &NewAccount,
    sent: &Params,
    got: &Got<Customer>,
) -> Result<Created, PanelError> {
    let customer = &got.value;
    if !customer
        .login
        .eq_ignore_ascii_case(account.username.as_str())
    {
        return Err(got
            .reply
            .unknown("the panel's answer is about another customer"));
    }
    let mut warnings = altered(sent, customer);
    if customer.standard_subdomain == 0 {
        // Froxlor only logs that.
        warnings.push("the standard subdomain could not be made".to_owned());
    }
    match wire.sharers_of(customer.guid).await {
        Ok(Ok(sharers)) if sharers.value == 1 => {}
        Ok(Ok(sharers)) => warnings.push(format!(
            "{} customers share the Unix user id {}, and so their files",
            sharers.value, customer.guid
        )),
        Ok(Err(_)) | Err(_) => warnings.push(format!(
            "whether the Unix user id {} is shared could not be checked",
            customer.guid
        )),
    }
    Ok(Created {
        username: customer.login.parse().ok(),
        warnings,
        ..Created::default()
    })
}

/// Texts that Froxlor changed on the way, though what it is known to change was refused before.
fn altered(sent: &Params, customer: &Customer) -> Vec<String> {
    [
        ("customernumber", &customer.number),
        ("company", &customer.company),
        ("name", &customer.name),
        ("firstname", &customer.firstname),
        ("email", &customer.email),
    ]
    .into_iter()
    .filter(|(field, kept)| {
        let wanted = sent.get(*field).and_then(Value::as_str);
        wanted.is_some_and(|wanted| !wanted.eq_ignore_ascii_case(kept))
    })
    .map(|(field, _)| format!("the panel changed the field `{field}`"))
    .collect()
}

/// What an error to an add means, by one look in the same attempt.
async fn refused_or_made(wire: &Wire, account: &NewAccount, said: Said) -> PanelError {
    match customer(wire, &account.username).await {
        Ok(None) => match said.kind {
            Kind::NotAllowed | Kind::UnknownCommand => said.into_error(),
            Kind::NoMoreResources => said.rejected("no_more_resources"),
            _ => said.rejected("panel_refused"),
        },
        Ok(Some(got)) if got.value.number == account.marker => {
            let what = format!("refused, and yet the customer is there: {}", said.message);
            PanelError::InDoubt(said.reply.detail(what))
        }
        Ok(Some(_)) => said.rejected("account_exists"),
        Err(error) => {
            let what = format!("{}; and the look at it failed: {error}", said.message);
            PanelError::InDoubt(said.reply.detail(what))
        }
    }
}

/// Makes the customer's domain where it is not there. `true` = it was made.
pub(super) async fn complete(wire: &Wire, account: &NewAccount) -> Result<bool, PanelError> {
    let owner = customer_that_is(wire, &account.username).await?.value;
    if has_domain(wire, account, &owner).await? {
        return Ok(false);
    }
    let answer = wire
        .add_domain(&account.domain, domain(account, &owner))
        .await?;
    match answer {
        Ok(got) if is(&got.value, account, &owner) => Ok(true),
        Ok(got) => Err(got
            .reply
            .unknown("the panel's answer is about another domain")),
        // As an add of a customer, this one may have got some way: look before saying that it did not.
        Err(said) => match has_domain(wire, account, &owner).await {
            Ok(true) => Ok(true),
            Ok(false) => Err(said.into_error()),
            Err(taken @ PanelError::Rejected { .. }) => Err(taken),
            Err(error) => {
                let what = format!("{}; and the look at it failed: {error}", said.message);
                Err(PanelError::InDoubt(said.reply.detail(what)))
            }
        },
    }
}

/// Whether the customer has the domain; that somebody else has it is a refusal. A domain that the key
/// does not see looks free here, and Froxlor refuses the add.
async fn has_domain(
    wire: &Wire,
    account: &NewAccount,
    owner: &Customer,
) -> Result<bool, PanelError> {
    match wire.domain(&account.domain).await? {
        Ok(got) if is(&got.value, account, owner) => Ok(true),
        Ok(got) => Err(got
            .reply
            .rejected("domain_taken", "the domain belongs to another account")),
        Err(said) if said.kind == Kind::NoDomain => Ok(false),
        Err(said) => Err(said.into_error()),
    }
}

fn is(domain: &Domain, account: &NewAccount, owner: &Customer) -> bool {
    domain.customer == owner.id && domain.name.parse().as_ref() == Ok(&account.domain)
}

/// The domain's parameters: the customer's admin, mail and PHP as the customer has them.
fn domain(account: &NewAccount, owner: &Customer) -> Params {
    let mut params = Params::from_iter([
        ("customerid".to_owned(), json!(owner.id)),
        ("adminid".to_owned(), json!(owner.admin_id)),
        ("isemaildomain".to_owned(), json!(1)),
    ]);
    if owner.allowance.get("phpenabled") == Some(&Grant::Flag(true)) {
        params.insert("phpenabled".to_owned(), json!(1));
        if let Some(Grant::Ids(ids)) = owner.allowance.get("allowed_phpconfigs")
            && let Some(first) = ids.first()
        {
            params.insert("phpsettingid".to_owned(), json!(first));
        }
    }
    for (switch, _) in DOMAIN_SWITCHES {
        if let Some(on) = account.panel.get(switch).and_then(flag) {
            params.insert(switch.to_owned(), json!(u8::from(on)));
        }
    }
    if params.get("letsencrypt") == Some(&json!(1)) {
        // A certificate cannot be had for the wildcard alias that is the default; `www` it is.
        params.insert("selectserveralias".to_owned(), json!(1));
    }
    params
}
