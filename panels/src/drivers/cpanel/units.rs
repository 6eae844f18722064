//! WHM's units and its two meanings of zero, in one place.
//!
//! | where | disk | traffic |
//! |---|---|---|
//! | `editquota`, `limitbw`, packages | MB | MB |
//! | `accountsummary` | `"500M"` | not told |
//! | `showbw` | - | bytes |
//! | `get_disk_usage` | KiB | - |
//! | `modifyacct` (not used for these) | MB | bytes |
//!
//! 1 MB is 2^20 bytes everywhere. Zero means *unlimited* for disk, traffic, mailboxes, databases and FTP
//! accounts, and *none* for add-on domains and subdomains.

use hosting::{Bytes, Limit, LimitName, Limits};
use serde_json::Value;

use crate::PanelError;
use crate::http::{Scalar, lenient};

/// Whether WHM reads 0 as unlimited here.
pub(super) const fn zero_is_unlimited(name: LimitName) -> bool {
    !matches!(name, LimitName::Domains | LimitName::Subdomains)
}

/// A limit as WHM takes it, in the unit of its name.
///
/// # Errors
/// `Rejected` (`limit_unsupported`) for a zero that WHM would read as unlimited.
pub(super) fn write(name: LimitName, limit: Limit) -> Result<String, PanelError> {
    match limit {
        Limit::AtMost(0) if zero_is_unlimited(name) => Err(PanelError::refused(
            "limit_unsupported",
            format!("{name} cannot be 0 on this panel: it would mean unlimited; the least is 1"),
        )),
        limit => Ok(limit.to_string()),
    }
}

/// A limit as WHM writes it: a number, `"unlimited"`, `"500M"`; `None` for `"*unknown*"`, null and
/// everything else that tells nothing.
pub(super) fn read(name: LimitName, value: &Scalar<'_>) -> Option<Limit> {
    let number = match value {
        Scalar::Text(text) => {
            let text = text.trim();
            if text.eq_ignore_ascii_case("unlimited") {
                return Some(Limit::Unlimited);
            }
            let digits = text.strip_suffix(['M', 'm']).unwrap_or(text);
            Scalar::Text(digits.into()).whole()?
        }
        other => other.whole()?,
    };
    Some(at_most(name, number))
}

fn at_most(name: LimitName, number: u64) -> Limit {
    match number {
        0 if zero_is_unlimited(name) => Limit::Unlimited,
        number => Limit::AtMost(number),
    }
}

/// A traffic limit in bytes (showbw), as MB.
pub(super) fn traffic_limit(value: &Scalar<'_>) -> Option<Limit> {
    match read(LimitName::TrafficMb, value)? {
        Limit::Unlimited => Some(Limit::Unlimited),
        Limit::AtMost(bytes) => Some(Limit::AtMost(Bytes::new(bytes)?.whole_mb())),
    }
}

/// A disk limit in KiB (get_disk_usage), as MB; null is unlimited there.
pub(super) fn disk_limit(value: &Scalar<'_>) -> Option<Limit> {
    match value {
        Scalar::Null => Some(Limit::Unlimited),
        value => match read(LimitName::DiskMb, value)? {
            Limit::Unlimited => Some(Limit::Unlimited),
            Limit::AtMost(kib) => Some(Limit::AtMost(Bytes::from_kib(kib)?.whole_mb())),
        },
    }
}

/// Disk use as accountsummary writes it: `"14M"`, `"none"`.
pub(super) fn disk_used(value: &Value) -> Option<Bytes> {
    let text = lenient::text(value)?;
    let text = text.trim();
    if text.eq_ignore_ascii_case("none") {
        return Some(Bytes::ZERO);
    }
    let digits = text.strip_suffix(['M', 'm'])?;
    lenient::whole(&Value::from(digits)).and_then(Bytes::from_mb)
}

/// The limits that `accountsummary` and `listaccts` tell. Traffic is not among them.
pub(super) fn account_limits(account: &Value) -> Limits {
    read_all(
        account,
        &[
            (LimitName::DiskMb, "disklimit"),
            (LimitName::EmailAccounts, "maxpop"),
            (LimitName::Databases, "maxsql"),
            (LimitName::Domains, "maxaddons"),
            (LimitName::Subdomains, "maxsub"),
            (LimitName::FtpAccounts, "maxftp"),
        ],
    )
}

/// A package's limits.
pub(super) fn package_limits(package: &Value) -> Limits {
    read_all(
        package,
        &[
            (LimitName::DiskMb, "QUOTA"),
            (LimitName::TrafficMb, "BWLIMIT"),
            (LimitName::EmailAccounts, "MAXPOP"),
            (LimitName::Databases, "MAXSQL"),
            (LimitName::Domains, "MAXADDON"),
            (LimitName::Subdomains, "MAXSUB"),
            (LimitName::FtpAccounts, "MAXFTP"),
        ],
    )
}

fn read_all(row: &Value, fields: &[(LimitName, &str)]) -> Limits {
    fields
        .iter()
        .filter_map(|(name, field)| Some((*name, read(*name, &row.get(field)?.into())?)))
        .collect()
}

/// The parameter of `modifyacct` for a limit that has no call of its own. The case matters: WHM
/// silently ignores other spellings.
pub(super) const fn modifyacct_name(name: LimitName) -> Option<&'static str> {
    match name {
        LimitName::DiskMb | LimitName::TrafficMb => None,
        LimitName::EmailAccounts => Some("MAXPOP"),
        LimitName::Databases => Some("MAXSQL"),
        LimitName::Domains => Some("MAXADDON"),
        LimitName::Subdomains => Some("MAXSUB"),
        LimitName::FtpAccounts => Some("MAXFTP"),
    }
}

/// The parameter of `createacct`, for an account without a package.
pub(super) const fn createacct_name(name: LimitName) -> &'static str {
    match name {
        LimitName::DiskMb => "quota",
        LimitName::TrafficMb => "bwlimit",
        LimitName::EmailAccounts => "maxpop",
        LimitName::Databases => "maxsql",
        LimitName::Domains => "maxaddon",
        LimitName::Subdomains => "maxsub",
        LimitName::FtpAccounts => "maxftp",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_zero_that_whm_reads_as_unlimited_is_never_written() {
        for name in LimitName::ALL {
            let written = write(name, Limit::AtMost(0));
            assert_eq!(written.is_err(), zero_is_unlimited(name), "{name}");
            assert_eq!(write(name, Limit::AtMost(7)).unwrap(), "7");
            assert_eq!(write(name, Limit::Unlimited).unwrap(), "unlimited");
        }
        assert_eq!(write(LimitName::Domains, Limit::AtMost(0)).unwrap(), "0");
    }

    #[test]
    fn limits_are_read_in_every_spelling() {
        let disk = LimitName::DiskMb;
        for (value, limit) in [
            (json!("500M"), Some(Limit::AtMost(500))),
            (json!("500"), Some(Limit::AtMost(500))),
            (json!(500), Some(Limit::AtMost(500))),
            (json!("unlimited"), Some(Limit::Unlimited)),
            (json!(0), Some(Limit::Unlimited)),
            (json!("*unknown*"), None),
            (json!("none"), None),
            (json!(null), None),
            (json!("-1"), None),
        ] {
            assert_eq!(read(disk, &(&value).into()), limit, "{value}");
        }
        assert_eq!(
            read(LimitName::Domains, &Scalar::Text("0".into())),
            Some(Limit::AtMost(0))
        );
    }

    #[test]
    fn bytes_and_kib_become_mb() {
        assert_eq!(
            traffic_limit(&(&json!("104856551424")).into()),
            Some(Limit::AtMost(99_999))
        );
        assert_eq!(traffic_limit(&(&json!(0)).into()), Some(Limit::Unlimited));
        assert_eq!(
            disk_limit(&(&json!(512_000)).into()),
            Some(Limit::AtMost(500))
        );
        assert_eq!(disk_limit(&(&json!(null)).into()), Some(Limit::Unlimited));
        assert_eq!(disk_used(&json!("14M")), Bytes::from_mb(14));
        assert_eq!(disk_used(&json!("none")), Some(Bytes::ZERO));
        assert_eq!(disk_used(&json!("*unknown*")), None);
    }
}
