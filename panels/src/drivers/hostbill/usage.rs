//! What services have used, by their resources where they offer them. The figures are of now: the API knows no
//! months, so that another month than the present one has no traffic, which is unknown and not zero.

use chrono::DateTime;
use futures::{StreamExt, TryStreamExt, stream};
use hosting::{Bytes, Month};
use serde_json::Value;

use super::HostBill;
use super::read::{made, name_of, service_that_is};
use super::shapes::{Service, word};
use crate::{AccountKey, AccountUsage, PanelError, UsageReport};

/// Services that are asked at one time.
const AT_ONCE: usize = 4;

pub(super) async fn usage(bill: &HostBill, month: Month) -> Result<UsageReport, PanelError> {
    let services = made(bill).await?;
    report(bill, month, services).await
}

pub(super) async fn usage_of(
    bill: &HostBill,
    key: &AccountKey,
    month: Month,
) -> Result<UsageReport, PanelError> {
    let service = service_that_is(bill, key).await?;
    report(bill, month, vec![service]).await
}

async fn report(
    bill: &HostBill,
    month: Month,
    services: Vec<Service>,
) -> Result<UsageReport, PanelError> {
    let used: Vec<Used> = stream::iter(services)
        .map(|service| async move { of(bill, month, service).await })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut report = UsageReport {
        month,
        accounts: Vec::new(),
        refused: Vec::new(),
    };
    for one in used {
        report.refused.extend(one.refused);
        report.accounts.push(one.account);
    }
    Ok(report)
}

struct Used {
    account: AccountUsage,
    refused: Option<(String, String)>,
}

async fn of(bill: &HostBill, month: Month, service: Service) -> Result<Used, PanelError> {
    let mut used = Used {
        account: AccountUsage {
            username: name_of(&service),
            domain: service
                .domain
                .as_deref()
                .and_then(|domain| domain.parse().ok()),
            owner: None,
            deleted: false,
            traffic: None,
            traffic_limit: None,
            disk: None,
            disk_limit: None,
            days: None,
        },
        refused: None,
    };
    let routes = bill.wire().routes(&service.id).await?;
    if !routes
        .iter()
        .any(|route| route.is("GET", "/service/@id/resources"))
    {
        return Ok(used);
    }
    let said = bill
        .wire()
        .look(&format!("/service/{}/resources", service.id))
        .await?;
    let rows = said.rows("resources", |row| Some(row.clone()))?;
    let now = said
        .reply
        .panel_clock
        .and_then(DateTime::from_timestamp_millis);
    let present = now.map(|now| Month::of(&now.with_timezone(&bill.options.zone)));
    for row in &rows {
        let Some(name) = row.get("name").and_then(word) else {
            continue;
        };
        let Some(what) = what(&name) else { continue };
        match (what, amount(row)) {
            (_, None) => {
                let why = "its figure has no unit that is understood".to_owned();
                used.refused = Some((format!("{} {name}", service.id), why));
            }
            (What::Traffic, bytes) if present == Some(month) => used.account.traffic = bytes,
            (What::Traffic, Some(_)) => {}
            (What::Disk, bytes) => used.account.disk = bytes,
        }
    }
    Ok(used)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Traffic,
    Disk,
}

fn what(name: &str) -> Option<What> {
    let name = name.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if has(&["bandwidth", "traffic", "transfer"]) {
        Some(What::Traffic)
    } else if has(&["disk", "storage"]) {
        Some(What::Disk)
    } else {
        None
    }
}

/// `"used": "12.5 GB"`, or a whole number of what `unit` says; a number alone is no amount.
fn amount(row: &Value) -> Option<Bytes> {
    let used = word(row.get("used")?)?;
    let unit = row.get("unit").and_then(word);
    let (number, unit) = match (used.split_once(' '), unit) {
        (Some((number, unit)), None) => (number.to_owned(), unit.trim().to_owned()),
        (None, Some(unit)) => (used, unit),
        _ => return None,
    };
    let unit: u64 = match unit.as_str() {
        "B" | "bytes" => 1,
        "KB" | "KiB" => 1 << 10,
        "MB" | "MiB" => 1 << 20,
        "GB" | "GiB" => 1 << 30,
        "TB" | "TiB" => 1 << 40,
        _ => return None,
    };
    bytes(&number, unit)
}

/// A decimal number of units, to the byte below; never through a float.
fn bytes(number: &str, unit: u64) -> Option<Bytes> {
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 6 {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(part.len()).ok()?);
    let (whole, part): (u128, u128) = (whole.parse().ok()?, part.parse().ok()?);
    let total = (whole.checked_mul(scale)? + part).checked_mul(u128::from(unit))? / scale;
    Bytes::new(u64::try_from(total).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn amounts_have_units_or_are_none() {
        for (row, read) in [
            (json!({"used": "12.5 GB"}), Some(13_421_772_800)),
            (json!({"used": "1 TB"}), Some(1 << 40)),
            (json!({"used": 7, "unit": "MB"}), Some(7 << 20)),
            (json!({"used": "7", "unit": "B"}), Some(7)),
            (json!({"used": "1.5 GB", "unit": "B"}), None),
            (json!({"used": 7}), None),
            (json!({"used": "-7 GB"}), None),
            (json!({"used": "1e3 GB"}), None),
            (json!({"used": "7 apples"}), None),
            (json!({"used": "99999999999999999999 TB"}), None),
            (json!({}), None),
        ] {
            assert_eq!(amount(&row), read.and_then(Bytes::new), "{row}");
        }
    }
}
