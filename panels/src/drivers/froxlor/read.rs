//! Looking at accounts.

use std::collections::HashMap;
use std::future::Future;

use futures::try_join;
use hosting::{DomainName, Username};

use super::envelope::{Got, Kind, Said};
use super::shapes::{Customer, Domain};
use super::wire::{Outcome, PAGE, Wire};
use crate::{AccountKey, Evidence, PanelAccount, PanelError, Standing};

/// The customer of that login name.
///
/// A key without the right to see all customers sees only its own admin's: to it, a name of another
/// admin's customer is absent here and yet taken for an add.
pub(super) async fn find(
    wire: &Wire,
    key: &AccountKey,
) -> Result<Option<PanelAccount>, PanelError> {
    let Some(got) = customer(wire, &key.username).await? else {
        return Ok(None);
    };
    let customer = &got.value;
    let (domains, ftp_users, sharers) = try_join!(
        known(wire.domains_of(customer.id)),
        known(wire.ftp_users(&customer.login)),
        known(wire.sharers_of(customer.guid)),
    )?;
    let mut account = account(customer, &domains, key.domain.as_ref())
        .ok_or_else(|| got.reply.unknown("the panel's login name is none"))?;
    account.evidence.read_at = got.reply.panel_clock;
    account.unfinished = unfinished(customer, &ftp_users, sharers);
    Ok(Some(account))
}

/// The customer, or `None` when Froxlor says that there is none.
pub(super) async fn customer(
    wire: &Wire,
    username: &Username,
) -> Result<Option<Got<Customer>>, PanelError> {
    match wire.customer(username.as_str()).await? {
        Ok(got) if got.value.login.eq_ignore_ascii_case(username.as_str()) => Ok(Some(got)),
        Ok(got) => Err(got
            .reply
            .unknown("the panel answered about another customer")),
        Err(said) if said.kind == Kind::NoCustomer => Ok(None),
        Err(said) => Err(said.into_error()),
    }
}

/// The customer; that there is none is a refusal.
pub(super) async fn customer_that_is(
    wire: &Wire,
    username: &Username,
) -> Result<Got<Customer>, PanelError> {
    customer(wire, username).await?.ok_or_else(|| {
        PanelError::refused("no_such_account", "the panel has no account of that name")
    })
}

/// What is read beside a customer must be there: where Froxlor has something to say instead, the
/// customer went away meanwhile, or the read failed.
async fn known<T>(read: impl Future<Output = Outcome<T>>) -> Result<T, PanelError> {
    match read.await? {
        Ok(got) => Ok(got.value),
        Err(said) if said.kind == Kind::NotAllowed => Err(said.into_error()),
        Err(Said { message, reply, .. }) => Err(PanelError::Transient(reply.detail(message))),
    }
}

/// What an add that broke off, or two at one time, leave behind.
fn unfinished(customer: &Customer, ftp_users: &[String], sharers: usize) -> Vec<String> {
    let mut left = Vec::new();
    let own = |user: &String| user.eq_ignore_ascii_case(&customer.login);
    if !ftp_users.iter().any(own) {
        left.push(format!(
            "it has no FTP user `{}`: the add broke off",
            customer.login
        ));
    }
    if sharers > 1 {
        left.push(format!(
            "it shares its Unix user id {} with {} other customer(s), and so their files",
            customer.guid,
            sharers - 1
        ));
    }
    left
}

/// Every customer that the key sees.
pub(super) async fn list(wire: &Wire) -> Result<Vec<PanelAccount>, PanelError> {
    let customers = all_customers(wire).await?;
    let mut domains: HashMap<i64, Vec<Domain>> = HashMap::new();
    for domain in all(|last| wire.domains_after(last), |domain| domain.id).await? {
        domains.entry(domain.customer).or_default().push(domain);
    }
    let none = Vec::new();
    let account = |one: &Customer| account(one, domains.get(&one.id).unwrap_or(&none), None);
    Ok(customers.iter().filter_map(account).collect())
}

/// Every customer's record that the key sees.
pub(super) async fn all_customers(wire: &Wire) -> Result<Vec<Customer>, PanelError> {
    all(|last| wire.customers_after(last), |customer| customer.id).await
}

/// All rows, page after page by id.
async fn all<T, F>(next: impl Fn(i64) -> F, id: fn(&T) -> i64) -> Result<Vec<T>, PanelError>
where
    F: Future<Output = Outcome<Vec<T>>>,
{
    let mut rows: Vec<T> = Vec::new();
    let mut last = 0;
    loop {
        let page = known(next(last)).await?;
        let size = page.len();
        // Old versions know no search and answer with everything, each time.
        let fresh: Vec<T> = page.into_iter().filter(|row| id(row) > last).collect();
        let filtered = fresh.len() == size;
        let Some(highest) = fresh.iter().map(id).max() else {
            return Ok(rows);
        };
        rows.extend(fresh);
        if size != PAGE || !filtered {
            return Ok(rows);
        }
        last = highest;
    }
}

/// Who has that domain as a main domain.
pub(super) async fn domain_owner(
    wire: &Wire,
    domain: &DomainName,
) -> Result<Option<Username>, PanelError> {
    let found = match wire.domain(domain).await? {
        Ok(got) => got.value,
        Err(said) if said.kind == Kind::NoDomain => return Ok(None),
        Err(said) => return Err(said.into_error()),
    };
    match wire.customer_by_id(found.customer).await? {
        Ok(got) => Ok(got.value.login.parse().ok()),
        Err(said) if said.kind == Kind::NoCustomer => Ok(None),
        Err(said) => Err(said.into_error()),
    }
}

/// In our words. `None` for a login name that is none of ours either.
fn account(
    customer: &Customer,
    domains: &[Domain],
    expected: Option<&DomainName>,
) -> Option<PanelAccount> {
    Some(PanelAccount {
        username: customer.login.parse().ok()?,
        domain: main_domain(customer, domains, expected),
        owner: Some(customer.admin_id.to_string()),
        email: Some(customer.email.clone()).filter(|email| !email.is_empty()),
        package: None,
        standing: standing(customer),
        limits: customer.allowance.limits(),
        address: None,
        evidence: Evidence {
            marker: Some(customer.number.clone()),
            panel_id: Some(customer.id.to_string()),
            uid: Some(customer.guid.to_string()),
            started_at: None,
            read_at: None,
        },
        unfinished: Vec::new(),
    })
}

/// Froxlor keeps no reason, so whose suspension it is cannot be told.
fn standing(customer: &Customer) -> Standing {
    if customer.deactivated {
        Standing::Suspended {
            reason: None,
            locked: false,
            ours: None,
        }
    } else {
        Standing::Active
    }
}

/// Froxlor has no main domain: it is the expected one where the customer has that, else the oldest.
/// The standard subdomain is the panel's, not the customer's.
fn main_domain(
    customer: &Customer,
    domains: &[Domain],
    expected: Option<&DomainName>,
) -> Option<DomainName> {
    let mut own: Vec<(i64, DomainName)> = domains
        .iter()
        .filter(|domain| domain.customer == customer.id && domain.id != customer.standard_subdomain)
        .filter_map(|domain| Some((domain.id, domain.name.parse().ok()?)))
        .collect();
    own.sort_unstable_by_key(|(id, _)| *id);
    own.iter()
        .find(|(_, name)| Some(name) == expected)
        .or_else(|| own.first())
        .map(|(_, name)| name.clone())
}
