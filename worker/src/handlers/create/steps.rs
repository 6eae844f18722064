//! The steps of a create, each committed before its changing call.

use std::net::IpAddr;

use hosting::Limits;
use jobs::faults::{Bug, Point};
use jobs::{AccountState, CreateAccount};
use panels::{Detail, NewAccount, PanelAccount, PanelError, Standing};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::{Offered, subject};
use crate::attempt::{Attempt, Halt};

/// Makes the account. The domain must be nobody's: a panel may find that out only half way.
pub(super) async fn make(attempt: &Attempt<'_>, new: &NewAccount) -> Result<(), Halt> {
    let panel = attempt.panel()?;
    domain_is_free(attempt, new).await?;
    let now = attempt.now();
    let sent = attempt
        .change(
            |progress| progress.first_sent_at = progress.first_sent_at.or(Some(now)),
            panel.create(new),
        )
        .await;
    let created = match sent {
        Err(_) if Bug::BlindRetry.is_on() => attempt.change(|_| {}, panel.create(new)).await?,
        other => other?,
    };
    if let Some(name) = created.username.filter(|name| !name.same_as(&new.username)) {
        let why = format!("the panel made the account under another name, `{name}`");
        return Err(Halt::hold("other_name", why));
    }
    attempt.remember(|progress| {
        progress.created = true;
        progress.name_servers = created.name_servers;
        progress.warnings = created.warnings;
    });
    Ok(())
}

/// Refuses a domain that another account of the server has.
pub(super) async fn domain_is_free(attempt: &Attempt<'_>, new: &NewAccount) -> Result<(), Halt> {
    let owner = attempt.panel()?.domain_owner(&new.domain).await?;
    if owner.is_some_and(|owner| !owner.same_as(&new.username)) {
        let why = format!(
            "the domain {} belongs to another account of the server",
            new.domain
        );
        return Err(Halt::refuse("domain_taken", why));
    }
    Ok(())
}

/// What the panel leaves to a call of its own. Safe to repeat, and nothing at all on most panels.
pub(super) async fn complete(attempt: &Attempt<'_>, new: &NewAccount) -> Result<(), Halt> {
    let panel = attempt.panel()?;
    if panel.completes() {
        attempt.change(|_| {}, panel.complete(new)).await?;
        Point::Completed.reach(&attempt.claimed.job);
    }
    Ok(())
}

/// The account as it was made.
pub(super) async fn read_back(attempt: &Attempt<'_>) -> Result<PanelAccount, Halt> {
    let Some(found) = attempt.panel()?.find(&attempt.key()?).await? else {
        attempt.doubt_is_open();
        let what = "the panel confirmed the account, but does not show it";
        return Err(PanelError::InDoubt(Box::new(Detail::of(what))).into());
    };
    Ok(found)
}

/// A refusal that may be the doing of an earlier request of ours.
pub(super) fn still_landing(refused: &PanelError) -> PanelError {
    let what = format!("{refused}; an earlier request of ours may still be running on the panel");
    PanelError::InDoubt(Box::new(Detail {
        what,
        ..refused.detail().clone()
    }))
}

/// Sets the stored password again, so that it is the true one.
pub(super) async fn set_password(
    attempt: &Attempt<'_>,
    password: &SecretString,
) -> Result<(), Halt> {
    let (panel, key) = (attempt.panel()?, attempt.key()?);
    attempt
        .change(|_| {}, panel.change_password(&key, password))
        .await?;
    attempt.remember(|progress| progress.created = true);
    Ok(())
}

/// Reserves an address that no other account has, in SQL, so that two workers never give the same.
/// Comes before the account is made: that there is none left is a reason not to make it.
pub(super) async fn reserve_address(attempt: &Attempt<'_>) -> Result<IpAddr, Halt> {
    let free: Vec<IpAddr> = attempt
        .panel()?
        .addresses()
        .await?
        .into_iter()
        .filter(|address| address.free && !address.shared)
        .map(|address| address.address)
        .collect();
    let (server_id, account_id) = (attempt.server()?.id, attempt.account()?.id);
    let reserved = attempt
        .worker
        .store()
        .reserve_address(server_id, account_id, &free)
        .await?;
    Point::AddressReserved.reach(&attempt.claimed.job);
    let why = "the server has no free address to give to an account";
    reserved.ok_or_else(|| Halt::refuse("no_free_address", why))
}

/// Gives it the address that is reserved for it.
pub(super) async fn give_address(
    attempt: &Attempt<'_>,
    found: PanelAccount,
) -> Result<PanelAccount, Halt> {
    let (panel, key) = (attempt.panel()?, attempt.key()?);
    let address = reserve_address(attempt).await?;
    if found.address != Some(address) {
        attempt
            .change(
                |progress| progress.address = Some(address),
                panel.assign_address(&key, address),
            )
            .await?;
        Point::AddressGiven.reach(&attempt.claimed.job);
    }
    Ok(PanelAccount {
        address: Some(address),
        ..found
    })
}

/// Sets those of its own limits that the panel does not show as wanted.
pub(super) async fn set_limits(
    attempt: &Attempt<'_>,
    found: &PanelAccount,
    wanted: &Limits,
) -> Result<(), Halt> {
    let missing = subject::missing(found, wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let (panel, key) = (attempt.panel()?, attempt.key()?);
    attempt
        .change(|_| {}, panel.set_limits(&key, &missing))
        .await
        .map(drop)
}

pub(super) fn note_made(attempt: &Attempt<'_>, found: &PanelAccount, wanted: &CreateAccount) {
    note_as_found(attempt, found);
    attempt.note(|change| {
        change.domain = Some(wanted.domain.clone());
        change.package = wanted.package.clone().or_else(|| found.package.clone());
        change.limits = Some(wanted.limits.clone());
    });
}

/// What the row says of an account of ours that is there.
pub(super) fn note_as_found(attempt: &Attempt<'_>, found: &PanelAccount) {
    let state = match found.standing {
        Standing::Active => AccountState::Active,
        Standing::Suspended { .. } => AccountState::Suspended,
    };
    attempt.note(|change| {
        change.state = Some(state);
        change.evidence = subject::evidence(found);
        change.address = found.address;
    });
}

/// What outsiders see of it.
pub(super) fn result(
    attempt: &Attempt<'_>,
    wanted: &CreateAccount,
    found: &PanelAccount,
    offered: Offered,
) -> Value {
    let server = attempt.claimed.server.as_ref();
    let config = attempt.server_config().unwrap_or_default();
    let progress = attempt.progress();
    let name_servers = if progress.name_servers.is_empty() {
        config.name_servers
    } else {
        progress.name_servers
    };
    let package = wanted.package.as_ref().or(found.package.as_ref());
    json!({
        "username": found.username,
        "domain": wanted.domain,
        "host_name": server.and_then(|server| server.host_name.clone()).or(config.host_name),
        "panel_url": server.map(|server| &server.url),
        "ip": found.address,
        "name_servers": name_servers,
        "package": package,
        "warnings": progress.warnings,
        "secret_available": offered == Offered::Password,
    })
}
