//! The account that a job is about, found on the panel and known to be the one that is meant.

use hosting::Limits;
use jobs::faults::Bug;
use jobs::store::AccountChange;
use jobs::{AccountState, JobKind};
use panels::{PanelAccount, Standing};
use serde_json::Value;

use crate::attempt::{Attempt, Halt};
use crate::identity::{Incarnation, incarnation};

/// The account of the job as the panel has it. One that we did not know yet is taken over.
///
/// # Errors
/// `no_such_account` when the panel has none; held as `other_incarnation` when the name belongs to
/// another account by now.
pub(super) async fn subject(attempt: &Attempt<'_>) -> Result<PanelAccount, Halt> {
    if attempt.account_state() == Some(AccountState::Terminated) {
        return Err(absent(attempt));
    }
    let Some(found) = find(attempt).await? else {
        return Err(absent(attempt));
    };
    if !was_made(attempt)
        && incarnation(&attempt.recorded(), &found.evidence) == Incarnation::Unknown
    {
        attempt.doubt_is_resolved();
        return Err(Halt::refuse(
            "account_not_made",
            "the account was not made by its create; what the panel has under that name is not known to be it",
        ));
    }
    Ok(found)
}

/// Whether the account's row says that its create has made it, or that it was taken over. Else only
/// evidence in the row proves that what stands under its name is it.
fn was_made(attempt: &Attempt<'_>) -> bool {
    !matches!(
        attempt.account_state(),
        Some(
            AccountState::Requested
                | AccountState::Provisioning
                | AccountState::Failed
                | AccountState::Conflict
        )
    )
}

/// The same, where its absence is an answer.
pub(super) async fn find(attempt: &Attempt<'_>) -> Result<Option<PanelAccount>, Halt> {
    let key = attempt.key()?;
    let Some(found) = attempt.panel()?.find(&key).await? else {
        return Ok(None);
    };
    if attempt.account_state() == Some(AccountState::Importing) {
        take_over(attempt, &found)?;
    } else if incarnation(&attempt.recorded(), &found.evidence) == Incarnation::Other {
        attempt.doubt_is_resolved();
        return Err(other_incarnation(
            "the account of that name on the panel is not the one that this job means",
        ));
    }
    Ok(Some(found))
}

pub(super) fn other_incarnation(why: &str) -> Halt {
    Halt::hold("other_incarnation", why)
}

/// There is no such account. A name that we only heard of is given free again.
fn absent(attempt: &Attempt<'_>) -> Halt {
    if attempt.account_state() == Some(AccountState::Importing) {
        attempt.note(|change| change.forget_name = true);
    }
    attempt.doubt_is_resolved();
    Halt::refuse("no_such_account", "the panel has no account of that name")
}

/// Takes over what the panel has under a name that we did not know. To be removed it must also have the
/// domain that the job named: a name alone is too little to destroy anything.
fn take_over(attempt: &Attempt<'_>, found: &PanelAccount) -> Result<(), Halt> {
    let told = attempt.key()?.domain;
    let same = (told.is_some() && told == found.domain) || Bug::AnyIncarnation.is_on();
    if attempt.claimed.kind() == JobKind::Terminate && !same {
        return Err(other_incarnation(
            "the account is not known here, and its domain on the panel is not the one that the job names",
        ));
    }
    attempt.note(|change| *change = as_found(found));
    Ok(())
}

/// What a row says of an account that is taken over.
pub(super) fn as_found(found: &PanelAccount) -> AccountChange {
    let (state, suspension) = match &found.standing {
        Standing::Active => (AccountState::Active, None),
        Standing::Suspended { reason, ours, .. } => {
            let why = reason.clone().unwrap_or_default();
            (AccountState::Suspended, Some((suspended_by(*ours), why)))
        }
    };
    AccountChange {
        state: Some(state),
        domain: found.domain.clone(),
        email: found.email.clone(),
        package: found.package.clone(),
        address: found.address,
        evidence: evidence(found),
        suspension: Some(suspension),
        ..AccountChange::default()
    }
}

/// Who suspended it; a suspension that does not carry our marker is taken for somebody else's.
pub(super) fn suspended_by(ours: Option<bool>) -> &'static str {
    if ours == Some(true) { "us" } else { "others" }
}

/// What proves which account it is, for its row. The time of reading proves nothing and would only make
/// rows differ.
pub(super) fn evidence(found: &PanelAccount) -> Option<Value> {
    let lasting = panels::Evidence {
        read_at: None,
        ..found.evidence.clone()
    };
    serde_json::to_value(lasting).ok()
}

/// Writes down the evidence of an account whose row has none yet.
pub(super) fn note_evidence(attempt: &Attempt<'_>, found: &PanelAccount) {
    if incarnation(&attempt.recorded(), &found.evidence) == Incarnation::Unknown {
        attempt.note(|change| change.evidence = evidence(found));
    }
}

/// Those of the account's own limits that the panel does not show as wanted. A limit that the panel does
/// not tell counts as missing: setting it again is harmless.
pub(super) fn missing(found: &PanelAccount, wanted: &Limits) -> Limits {
    found.limits.missing_of(wanted)
}

/// Whether the package is one that the server has, as far as its configuration was read.
pub(super) fn package_is_known(
    attempt: &Attempt<'_>,
    package: &hosting::PackageName,
) -> Result<(), Halt> {
    let Some(config) = attempt.server_config() else {
        return Ok(());
    };
    if config.packages.is_empty() || config.packages.iter().any(|known| known.name == *package) {
        return Ok(());
    }
    let known: Vec<&str> = config
        .packages
        .iter()
        .map(|known| known.name.as_str())
        .collect();
    let why = format!(
        "the server has no package `{package}`; it has {}",
        known.join(", ")
    );
    Err(Halt::refuse("package_unknown", why))
}
