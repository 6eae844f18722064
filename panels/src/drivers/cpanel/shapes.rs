//! WHM's rows as our values: lenient about how a field is written, strict about whose row it is.

use std::net::IpAddr;

use hosting::{Bytes, DomainName, PackageName, Username};
use serde_json::Value;

use super::units;
use crate::http::lenient;
use crate::{AccountUsage, Address, Evidence, PanelAccount, ServerPackage, Standing};

/// How our suspensions begin; whatever begins otherwise was set by somebody else.
pub(super) const MARKER: &str = "hostler:";

/// The text of a field, without blanks around it; `None` for what WHM writes when it knows nothing.
pub(super) fn text(row: &Value, field: &str) -> Option<String> {
    let text = lenient::text(row.get(field)?)?;
    let text = text.trim();
    let nothing = text.is_empty() || text == "*unknown*";
    (!nothing).then(|| text.to_owned())
}

fn flag(row: &Value, field: &str) -> bool {
    row.get(field).and_then(lenient::flag).unwrap_or(false)
}

fn parsed<T: std::str::FromStr>(row: &Value, field: &str) -> Option<T> {
    text(row, field)?.parse().ok()
}

/// A row of `accountsummary` or `listaccts`. `read_at` is the panel's clock.
///
/// `None` without a login name, or when it does not say whether the account is suspended.
pub(super) fn account(row: &Value, read_at: Option<i64>) -> Option<PanelAccount> {
    Some(PanelAccount {
        username: parsed(row, "user")?,
        domain: parsed(row, "domain"),
        owner: text(row, "owner"),
        email: text(row, "email"),
        package: parsed(row, "plan"),
        standing: standing(row)?,
        limits: units::account_limits(row),
        address: parsed(row, "ip"),
        evidence: Evidence {
            marker: None,
            panel_id: None,
            uid: text(row, "uid"),
            started_at: row
                .get("unix_startdate")
                .and_then(lenient::signed)
                .and_then(|seconds| seconds.checked_mul(1000)),
            read_at,
        },
        unfinished: Vec::new(),
    })
}

fn standing(row: &Value) -> Option<Standing> {
    if !lenient::flag(row.get("suspended")?)? {
        return Some(Standing::Active);
    }
    let reason = text(row, "suspendreason").filter(|reason| reason != "not suspended");
    Some(Standing::Suspended {
        ours: Some(reason.as_deref().is_some_and(|r| r.starts_with(MARKER))),
        locked: flag(row, "is_locked"),
        reason,
    })
}

/// A row of `listpkgs`, or the object of `getpkginfo`.
pub(super) fn package(row: &Value) -> Option<ServerPackage> {
    let name: PackageName = parsed(row, "name")?;
    Some(ServerPackage {
        name,
        id: None,
        limits: units::package_limits(row),
    })
}

/// A row of `listips`.
pub(super) fn address(row: &Value) -> Option<Address> {
    let address: IpAddr = parsed(row, "ip")?;
    let shared = flag(row, "mainaddr");
    Some(Address {
        address,
        public: parsed(row, "public_ip").filter(|public| *public != address),
        free: flag(row, "active") && !shared && !flag(row, "used"),
        shared,
    })
}

/// A row of `showbw`: `totalbytes` holds everything, also of domains that were removed in the month.
///
/// # Errors
/// The name as sent and what is wrong with the row; nothing may be concluded from it.
pub(super) fn usage(row: &Value) -> Result<AccountUsage, (String, String)> {
    let name = text(row, "user").unwrap_or_else(|| "(no name)".to_owned());
    let username: Username = name
        .parse()
        .map_err(|_| (name.clone(), "the login name cannot be read".to_owned()))?;
    let bytes = row
        .get("totalbytes")
        .and_then(lenient::whole)
        .and_then(Bytes::new)
        .ok_or_else(|| (name, "`totalbytes` is not a count of bytes".to_owned()))?;
    Ok(AccountUsage {
        username,
        domain: parsed(row, "maindomain"),
        owner: text(row, "owner"),
        deleted: flag(row, "deleted"),
        traffic: Some(bytes),
        traffic_limit: row.get("limit").and_then(units::traffic_limit),
        disk: None,
        disk_limit: None,
    })
}

/// A row of `get_disk_usage`.
pub(super) fn disk(row: &Value) -> Option<AccountUsage> {
    Some(AccountUsage {
        username: parsed(row, "user")?,
        domain: None,
        owner: None,
        deleted: false,
        traffic: None,
        traffic_limit: None,
        disk: row
            .get("blocks_used")
            .and_then(lenient::whole)
            .and_then(Bytes::from_kib),
        disk_limit: row.get("blocks_limit").and_then(units::disk_limit),
    })
}

/// A domain as WHM writes it in its own lists.
pub(super) fn name_server(value: &Value) -> Option<String> {
    let name: DomainName = lenient::text(value)?.trim().parse().ok()?;
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hosting::{Limit, LimitName};
    use serde_json::json;

    #[test]
    fn a_row_says_who_and_whether_suspended_or_it_is_none() {
        let row = json!({"user": "acme1", "suspended": "0", "email": "*unknown*", "uid": 1012,
            "unix_startdate": "1795000000", "disklimit": "500M", "maxpop": "*unknown*",
            "maxaddons": "0", "plan": "gold", "ip": "192.0.2.7"});
        let account = account(&row, Some(5)).unwrap();
        assert_eq!(account.standing, Standing::Active);
        assert_eq!(account.email, None);
        assert_eq!(account.evidence.uid.as_deref(), Some("1012"));
        assert_eq!(account.evidence.started_at, Some(1_795_000_000_000));
        assert_eq!(account.evidence.read_at, Some(5));
        assert_eq!(
            account.limits.get(LimitName::DiskMb),
            Some(Limit::AtMost(500))
        );
        assert_eq!(account.limits.get(LimitName::EmailAccounts), None);
        assert_eq!(
            account.limits.get(LimitName::Domains),
            Some(Limit::AtMost(0))
        );
        for broken in [
            json!({"suspended": 0}),
            json!({"user": "acme1"}),
            json!({"user": "a b", "suspended": 0}),
            json!(null),
        ] {
            assert!(super::account(&broken, None).is_none(), "{broken}");
        }
    }

    #[test]
    fn a_suspension_is_ours_by_its_marker_alone() {
        let standing = |reason: Value, locked: u8| {
            super::standing(&json!({"suspended": 1, "suspendreason": reason, "is_locked": locked}))
                .unwrap()
        };
        let ours = standing(json!("hostler: unpaid"), 0);
        assert!(matches!(
            ours,
            Standing::Suspended {
                ours: Some(true),
                locked: false,
                ..
            }
        ));
        let abuse = standing(json!("spam"), 1);
        assert!(matches!(
            abuse,
            Standing::Suspended {
                ours: Some(false),
                locked: true,
                ..
            }
        ));
        let silent = standing(json!(null), 0);
        assert!(matches!(
            silent,
            Standing::Suspended {
                ours: Some(false),
                reason: None,
                ..
            }
        ));
    }

    #[test]
    fn only_an_active_unused_own_address_is_free() {
        let row = |used: u8, active: u8, main: u8| {
            address(&json!({"ip": "192.0.2.8", "public_ip": "192.0.2.8", "used": used, "active": active, "mainaddr": main})).unwrap()
        };
        assert!(row(0, 1, 0).free && row(0, 1, 0).public.is_none());
        assert!(!row(1, 1, 0).free && !row(0, 0, 0).free && !row(0, 1, 1).free);
        assert!(row(1, 1, 1).shared);
    }

    #[test]
    fn a_usage_row_that_cannot_be_counted_is_refused_by_name() {
        let good =
            usage(&json!({"user": "acme1", "totalbytes": "123", "limit": 0, "deleted": "1"}))
                .unwrap();
        assert_eq!(good.traffic, Bytes::new(123));
        assert_eq!(good.traffic_limit, Some(Limit::Unlimited));
        assert!(good.deleted);
        for total in [
            json!(-1),
            json!(1.5),
            json!("many"),
            json!(null),
            json!(1e19),
        ] {
            let (name, _) = usage(&json!({"user": "acme1", "totalbytes": total})).unwrap_err();
            assert_eq!(name, "acme1");
        }
        assert!(usage(&json!({"totalbytes": 1})).is_err());
    }

    /// Any JSON value a few levels deep, with the field names that the shapes look for.
    fn any_row() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[0-9]{1,22}M?".prop_map(Value::from),
            "\\PC{0,20}".prop_map(Value::from),
        ];
        let name = "user|suspended|suspendreason|unix_startdate|disklimit|diskused|maxpop|ip|plan|\
                    totalbytes|limit|deleted|blocks_used|blocks_limit|QUOTA|BWLIMIT|name|used";
        leaf.prop_recursive(2, 24, 12, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..12)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest::proptest! {
        #[test]
        fn no_row_makes_the_shapes_panic(row in any_row()) {
            let _ = (account(&row, None), package(&row), address(&row), disk(&row));
            if let Ok(usage) = usage(&row) {
                proptest::prop_assert!(usage.traffic.is_some());
            }
        }
    }
}
