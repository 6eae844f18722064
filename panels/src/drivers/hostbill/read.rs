//! Looking at services.
//!
//! A service of ours is labelled `MARKER NAME`: our marker, and the account's name here. One that bears no such
//! label is called `s` and its number.

use chrono::{LocalResult, NaiveTime, TimeZone};
use futures::{StreamExt, TryStreamExt, stream};
use hosting::{DomainName, Limits, Username};

use super::HostBill;
use super::shapes::{Row, Service, Status};
use super::{machines, upgrade};
use crate::{AccountKey, Evidence, PanelAccount, PanelError, Standing};

/// Records that are read at one time.
const AT_ONCE: usize = 4;

/// The label of an account of ours.
pub(super) fn label(marker: &str, username: &Username) -> String {
    format!("{marker} {username}")
}

/// Marker and name of a label that is one of ours.
fn ours(label: &str) -> Option<(&str, Username)> {
    let (marker, name) = label.split_once(' ')?;
    let (deployment, account) = marker.strip_prefix('H')?.rsplit_once('-')?;
    let numbered = !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit());
    (numbered && !deployment.is_empty()).then_some(())?;
    Some((marker, name.parse().ok()?))
}

/// The number of a service that is called by it.
fn number(name: &Username) -> Option<&str> {
    let digits = name.as_str().strip_prefix('s')?;
    super::settings::is_id(digits).then_some(digits)
}

/// The account's service and its record. Without a domain it is looked for among all of them.
pub(super) async fn service_of(
    bill: &HostBill,
    key: &AccountKey,
) -> Result<Option<(Service, Option<i64>)>, PanelError> {
    let listed = bill.wire().services().await?;
    let domain = key.domain.as_ref().map(DomainName::as_str);
    // What is known by its id is nothing else, whatever its domain and label say by now.
    let id = key.panel_id.as_deref().or_else(|| number(&key.username));
    let fits = |row: &&Row| match id {
        Some(id) => row.id == id,
        None => domain.is_none_or(|domain| row.domain.as_deref() == Some(domain)),
    };
    let live: Vec<Row> = listed
        .rows
        .into_iter()
        .filter(|row| row.status.is_live())
        .collect();
    let rows: Vec<Row> = live.iter().filter(fits).cloned().collect();
    let records = records(bill, rows).await?;
    let by_name =
        |one: &&Service| ours(&one.label).is_some_and(|(_, name)| name.same_as(&key.username));
    let found = match records.iter().find(by_name) {
        Some(found) => Some(found),
        None if id.is_some() || domain.is_some() => only(&records)?,
        None => None,
    };
    Ok(found.cloned().map(|found| (found, listed.read_at)))
}

/// The one, or the one without a label among several.
fn only(records: &[Service]) -> Result<Option<&Service>, PanelError> {
    if let [] | [_] = records {
        return Ok(records.first());
    }
    let mut bare = records.iter().filter(|one| one.label.is_empty());
    match (bare.next(), bare.next()) {
        (Some(one), None) => Ok(Some(one)),
        _ => {
            let why =
                "the supplier has several services of that domain, and none is labelled as ours";
            Err(PanelError::refused("ambiguous", why))
        }
    }
}

/// The service; that there is none is a refusal.
pub(super) async fn service_that_is(
    bill: &HostBill,
    key: &AccountKey,
) -> Result<Service, PanelError> {
    let found = service_of(bill, key).await?;
    found.map(|(service, _)| service).ok_or_else(|| {
        PanelError::refused(
            "no_such_account",
            "the supplier has no service of that name",
        )
    })
}

/// Refuses what the service does not offer: modules differ.
pub(super) async fn offered(
    bill: &HostBill,
    service: &str,
    method: &str,
    path: &str,
) -> Result<(), PanelError> {
    let routes = bill.wire().routes(service).await?;
    if routes.iter().any(|route| route.is(method, path)) {
        return Ok(());
    }
    let why = format!("the service does not offer {method} {path}");
    Err(PanelError::refused("not_offered", why))
}

pub(super) async fn find(
    bill: &HostBill,
    key: &AccountKey,
) -> Result<Option<PanelAccount>, PanelError> {
    let Some((service, read_at)) = service_of(bill, key).await? else {
        return Ok(None);
    };
    let limits = match service.status {
        Status::Active if !bill.options.resources.is_empty() => {
            upgrade::limits_now(bill, &service.id).await?
        }
        _ => Limits::new(),
    };
    let standing = standing(bill, &service).await?;
    let mut account = account(bill, &service, standing);
    if ours(&service.label).is_none() {
        account.username = key.username.clone();
    }
    account.limits = limits;
    account.evidence.read_at = read_at;
    Ok(Some(account))
}

/// A service that the supplier suspended only the supplier lifts; one whose machines are all stopped counts as
/// suspended where that is the policy.
async fn standing(bill: &HostBill, service: &Service) -> Result<Standing, PanelError> {
    match service.status {
        Status::Suspended => Ok(Standing::Suspended {
            reason: Some("suspended by the supplier".to_owned()),
            locked: true,
            ours: Some(false),
        }),
        Status::Active if bill.options.power && machines::all_off(bill, &service.id).await? => {
            Ok(Standing::Suspended {
                reason: None,
                locked: false,
                ours: None,
            })
        }
        _ => Ok(Standing::Active),
    }
}

fn account(bill: &HostBill, service: &Service, standing: Standing) -> PanelAccount {
    let known = ours(&service.label);
    // Of the day of its making the last moment: by its record it may be that.
    let zone = bill.options.zone;
    let end = NaiveTime::from_hms_opt(23, 59, 59).unwrap_or_default();
    let started = service
        .created
        .map(|day| zone.from_local_datetime(&day.and_time(end)));
    let started_at = match started {
        Some(LocalResult::Single(at) | LocalResult::Ambiguous(_, at)) => {
            Some(at.timestamp_millis())
        }
        Some(LocalResult::None) | None => None,
    };
    let marker = match &known {
        Some((marker, _)) => Some((*marker).to_owned()),
        None if service.label.is_empty() => None,
        None => Some(service.label.clone()),
    };
    PanelAccount {
        username: known.map_or_else(|| by_number(&service.id), |(_, name)| name),
        domain: service
            .domain
            .as_deref()
            .and_then(|domain| domain.parse().ok()),
        owner: Some(bill.options.user.clone()),
        email: None,
        package: service.name.as_deref().and_then(|name| name.parse().ok()),
        standing,
        limits: Limits::new(),
        address: None,
        evidence: Evidence {
            marker,
            panel_id: Some(service.id.clone()),
            uid: None,
            started_at,
            read_at: None,
        },
        unfinished: Vec::new(),
    }
}

/// An id is digits, so that this is a name.
fn by_number(id: &str) -> Username {
    #[expect(
        clippy::expect_used,
        reason = "ids are read as digits, at most 20 of them"
    )]
    format!("s{id}").parse().expect("`s` and digits is a name")
}

/// What a service is called here.
pub(super) fn name_of(service: &Service) -> Username {
    ours(&service.label).map_or_else(|| by_number(&service.id), |(_, name)| name)
}

pub(super) async fn domain_owner(
    bill: &HostBill,
    domain: &DomainName,
) -> Result<Option<Username>, PanelError> {
    let listed = bill.wire().services().await?;
    let of_domain =
        |row: &Row| row.status.is_live() && row.domain.as_deref() == Some(domain.as_str());
    let rows: Vec<Row> = listed.rows.into_iter().filter(of_domain).take(1).collect();
    let records = records(bill, rows).await?;
    Ok(records.first().map(name_of))
}

/// Every service that was made; one that is pending is no account yet.
pub(super) async fn list(bill: &HostBill) -> Result<Vec<PanelAccount>, PanelError> {
    let made = made(bill).await?;
    Ok(made
        .iter()
        .map(|service| {
            let standing = match service.status {
                Status::Suspended => Standing::Suspended {
                    reason: Some("suspended by the supplier".to_owned()),
                    locked: true,
                    ours: Some(false),
                },
                _ => Standing::Active,
            };
            account(bill, service, standing)
        })
        .collect())
}

/// The records of all services that were made.
pub(super) async fn made(bill: &HostBill) -> Result<Vec<Service>, PanelError> {
    let listed = bill.wire().all_services().await?;
    let made = |row: &Row| matches!(row.status, Status::Active | Status::Suspended);
    records(bill, listed.rows.into_iter().filter(made).collect()).await
}

async fn records(bill: &HostBill, rows: Vec<Row>) -> Result<Vec<Service>, PanelError> {
    stream::iter(rows)
        .map(|row| async move { bill.wire().service(&row.id).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_of_ours_is_known_and_no_other() {
        let name: Username = "acme".parse().unwrap();
        let text = label("H3f-7", &name);
        assert_eq!(ours(&text), Some(("H3f-7", name)));
        for other in [
            "",
            "acme",
            "H3f-7",
            "my server",
            "H-7 acme",
            "H3f-x acme",
            "Hx acme",
        ] {
            assert_eq!(ours(other), None, "{other}");
        }
        assert_eq!(number(&"s301".parse().unwrap()), Some("301"));
        assert_eq!(number(&"silver".parse().unwrap()), None);
    }
}
