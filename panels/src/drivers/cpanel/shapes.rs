//! WHM's rows as our values: lenient about how a field is written, strict about whose row it is.

use std::borrow::Cow;
use std::net::IpAddr;

use hosting::{Bytes, DomainName, PackageName, Username};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::units;
use crate::http::{Scalar, lenient};
use crate::{AccountUsage, Address, Evidence, PanelAccount, ServerPackage, Standing};

/// How our suspensions begin; whatever begins otherwise was set by somebody else.
pub(super) const MARKER: &str = "hostler:";

/// The text of a field, without blanks around it; `None` for what WHM writes when it knows nothing.
pub(super) fn text(row: &Value, field: &str) -> Option<String> {
    said(row.get(field).map(Scalar::from).as_ref()).map(Cow::into_owned)
}

fn said<'a>(field: Option<&Scalar<'a>>) -> Option<Cow<'a, str>> {
    let text = match field?.text()? {
        Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
        Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
    };
    (!text.is_empty() && text != "*unknown*").then_some(text)
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

/// A row of `showbw`, read in place: a server has thousands of them, and most of each is not looked at.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Traffic<'a> {
    #[serde(borrow)]
    user: Option<Scalar<'a>>,
    #[serde(borrow)]
    maindomain: Option<Scalar<'a>>,
    #[serde(borrow)]
    owner: Option<Scalar<'a>>,
    #[serde(borrow)]
    deleted: Option<Scalar<'a>>,
    #[serde(borrow)]
    totalbytes: Option<Scalar<'a>>,
    #[serde(borrow)]
    limit: Option<Scalar<'a>>,
}

impl<'a> From<&'a Value> for Traffic<'a> {
    fn from(row: &'a Value) -> Self {
        let field = |name: &str| row.get(name).map(Scalar::from);
        Self {
            user: field("user"),
            maindomain: field("maindomain"),
            owner: field("owner"),
            deleted: field("deleted"),
            totalbytes: field("totalbytes"),
            limit: field("limit"),
        }
    }
}

impl Traffic<'_> {
    /// `totalbytes` holds everything, also of domains that were removed in the month.
    ///
    /// # Errors
    /// The name as sent and what is wrong with the row; nothing may be concluded from it.
    pub(super) fn usage(&self) -> Result<AccountUsage, (String, String)> {
        let name = said(self.user.as_ref()).unwrap_or("(no name)".into());
        let wrong = |what: &str| (name.to_string(), what.to_owned());
        let username: Username = name
            .parse()
            .map_err(|_| wrong("the login name cannot be read"))?;
        let bytes = self.totalbytes.as_ref().and_then(Scalar::whole);
        let bytes = bytes
            .and_then(Bytes::new)
            .ok_or_else(|| wrong("`totalbytes` is not a count of bytes"))?;
        Ok(AccountUsage {
            username,
            domain: said(self.maindomain.as_ref()).and_then(|text| text.parse().ok()),
            owner: said(self.owner.as_ref()).map(Cow::into_owned),
            deleted: self.deleted.as_ref().and_then(Scalar::flag) == Some(true),
            traffic: Some(bytes),
            traffic_limit: self.limit.as_ref().and_then(units::traffic_limit),
            disk: None,
            disk_limit: None,
            days: None,
        })
    }
}

/// A row of `get_disk_usage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Disk<'a> {
    #[serde(borrow)]
    user: Option<Scalar<'a>>,
    #[serde(borrow)]
    blocks_used: Option<Scalar<'a>>,
    #[serde(borrow, deserialize_with = "there")]
    blocks_limit: Option<Scalar<'a>>,
}

/// A field that is there, null or not: a null limit means something.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Scalar<'de>>, D::Error> {
    Scalar::deserialize(deserializer).map(Some)
}

impl<'a> From<&'a Value> for Disk<'a> {
    fn from(row: &'a Value) -> Self {
        let field = |name: &str| row.get(name).map(Scalar::from);
        Self {
            user: field("user"),
            blocks_used: field("blocks_used"),
            blocks_limit: field("blocks_limit"),
        }
    }
}

impl Disk<'_> {
    pub(super) fn usage(&self) -> Option<AccountUsage> {
        let used = self.blocks_used.as_ref().and_then(Scalar::whole);
        Some(AccountUsage {
            username: said(self.user.as_ref())?.parse().ok()?,
            domain: None,
            owner: None,
            deleted: false,
            traffic: None,
            traffic_limit: None,
            disk: used.and_then(Bytes::from_kib),
            disk_limit: self.blocks_limit.as_ref().and_then(units::disk_limit),
            days: None,
        })
    }
}

/// A domain as WHM writes it in its own lists.
pub(super) fn name_server(value: &Value) -> Option<String> {
    let name: DomainName = lenient::text(value)?.trim().parse().ok()?;
    Some(name.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Object;
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

    fn usage(row: &Value) -> Result<AccountUsage, (String, String)> {
        Traffic::from(row).usage()
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
            let _ = (account(&row, None), package(&row), address(&row), Disk::from(&row).usage());
            // Read in place it is the same, where it can be read so at all.
            let text = row.to_string();
            let tree: Value = serde_json::from_str(&text).unwrap();
            if let Ok(Object(placed)) = serde_json::from_str::<Object<Traffic<'_>>>(&text) {
                proptest::prop_assert_eq!(placed.usage(), Traffic::from(&tree).usage());
            }
            if let Ok(Object(placed)) = serde_json::from_str::<Object<Disk<'_>>>(&text) {
                proptest::prop_assert_eq!(placed.usage(), Disk::from(&tree).usage());
            }
            if let Ok(usage) = usage(&row) {
                proptest::prop_assert!(usage.traffic.is_some());
            }
        }
    }
}
