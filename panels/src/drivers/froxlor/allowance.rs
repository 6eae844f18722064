//! What a customer may use, in Froxlor's fields, and the units of each.
//!
//! The asymmetry is the trap: disk space is sent in MB and traffic in GB, both are stored and answered in
//! KiB, and a hosting plan keeps them in MB and GB. Unlimited is -1 in a plan, and any negative number in
//! an answer (-1024 for disk space, -1048576 for traffic). Zero is zero. Nothing read is ever sent back.

use std::collections::BTreeMap;

use hosting::{Limit, LimitName, Limits};
use serde_json::{Map, Value, json};

use super::shapes::ids;
use crate::PanelError;
use crate::http::lenient::{flag, signed};

/// How one field is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sent (and kept in a plan) in units of so many KiB, answered in KiB.
    Amount(u64),
    /// The same number both ways.
    Count,
    /// On or off.
    Flag,
    /// A list of PHP configurations.
    Ids,
}

/// A field: its name as a parameter and in a plan, its name in a customer's record, how it is written.
struct Resource {
    param: &'static str,
    column: &'static str,
    kind: Kind,
}

const fn resource(param: &'static str, column: &'static str, kind: Kind) -> Resource {
    Resource {
        param,
        column,
        kind,
    }
}

/// All that a hosting plan says. `allowed_mysqlserver` is not part of a plan.
const RESOURCES: [Resource; 16] = [
    resource("diskspace", "diskspace", Kind::Amount(1 << 10)),
    resource("traffic", "traffic", Kind::Amount(1 << 20)),
    resource("subdomains", "subdomains", Kind::Count),
    resource("emails", "emails", Kind::Count),
    resource("email_accounts", "email_accounts", Kind::Count),
    resource("email_forwarders", "email_forwarders", Kind::Count),
    resource("email_quota", "email_quota", Kind::Count),
    resource("ftps", "ftps", Kind::Count),
    resource("mysqls", "mysqls", Kind::Count),
    resource("email_imap", "imap", Kind::Flag),
    resource("email_pop3", "pop3", Kind::Flag),
    resource("phpenabled", "phpenabled", Kind::Flag),
    resource("allowed_phpconfigs", "allowed_phpconfigs", Kind::Ids),
    resource("perlenabled", "perlenabled", Kind::Flag),
    resource("dnsenabled", "dnsenabled", Kind::Flag),
    resource("logviewenabled", "logviewenabled", Kind::Flag),
];

/// Our limits: the field, and how many of its base units (KiB, or one) one of ours is.
/// A customer's domains cannot be limited: only an admin adds them.
const LIMITS: [(LimitName, &str, u64); 6] = [
    (LimitName::DiskMb, "diskspace", 1 << 10),
    (LimitName::TrafficMb, "traffic", 1 << 10),
    (LimitName::EmailAccounts, "email_accounts", 1),
    (LimitName::Databases, "mysqls", 1),
    (LimitName::Subdomains, "subdomains", 1),
    (LimitName::FtpAccounts, "ftps", 1),
];

/// What one field grants. Limits are in base units: KiB for amounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grant {
    Limit(Limit),
    Flag(bool),
    Ids(std::collections::BTreeSet<i64>),
}

/// What is granted, by parameter name. A field that was not told is not there.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Allowance(BTreeMap<&'static str, Grant>);

impl Allowance {
    /// From a customer's record.
    pub(super) fn of_customer(record: &Value) -> Self {
        Self::read(record, |resource| resource.column, |_| 1)
    }

    /// From a plan's decoded `value`.
    pub(super) fn of_plan(value: &Value) -> Self {
        Self::read(
            value,
            |resource| resource.param,
            |resource| match resource.kind {
                Kind::Amount(unit) => unit,
                _ => 1,
            },
        )
    }

    fn read(from: &Value, name: fn(&Resource) -> &'static str, unit: fn(&Resource) -> u64) -> Self {
        let grant = |resource: &Resource| {
            let value = from.get(name(resource))?;
            let grant = match resource.kind {
                Kind::Flag => Grant::Flag(flag(value)?),
                Kind::Ids => Grant::Ids(ids(value)?),
                Kind::Amount(_) | Kind::Count => {
                    Grant::Limit(limit(signed(value)?, unit(resource))?)
                }
            };
            Some((resource.param, grant))
        };
        Self(RESOURCES.iter().filter_map(grant).collect())
    }

    /// From our limits; those that Froxlor cannot express are refused, never rounded.
    pub(super) fn of_limits(limits: &Limits) -> Result<Self, PanelError> {
        let mut grants = BTreeMap::new();
        for (name, wanted) in limits.iter() {
            let refused = |why: &str| PanelError::refused("limit_refused", format!("{name} {why}"));
            let Some((_, param, unit)) = LIMITS.iter().find(|(known, ..)| *known == name) else {
                return Err(refused("cannot be set on froxlor servers"));
            };
            let base = match wanted {
                Limit::Unlimited => Limit::Unlimited,
                Limit::AtMost(most) => most
                    .checked_mul(*unit)
                    .filter(|base| *base <= i64::MAX as u64)
                    .map(Limit::AtMost)
                    .ok_or_else(|| refused("is too large"))?,
            };
            grants.insert(*param, Grant::Limit(base));
        }
        let allowance = Self(grants);
        allowance.params()?;
        Ok(allowance)
    }

    /// In our units; amounts that are not whole MB are cut.
    pub(super) fn limits(&self) -> Limits {
        let ours = |&(name, param, unit): &(LimitName, &'static str, u64)| {
            let limit = match self.limit(param)? {
                Limit::Unlimited => Limit::Unlimited,
                Limit::AtMost(base) => Limit::AtMost(base / unit),
            };
            Some((name, limit))
        };
        LIMITS.iter().filter_map(ours).collect()
    }

    /// A limit by its field, in base units.
    pub(super) fn limit(&self, param: &str) -> Option<Limit> {
        match self.0.get(param)? {
            Grant::Limit(limit) => Some(*limit),
            _ => None,
        }
    }

    pub(super) fn get(&self, param: &str) -> Option<&Grant> {
        self.0.get(param)
    }

    pub(super) fn set(&mut self, param: &'static str, grant: Grant) {
        self.0.insert(param, grant);
    }

    /// This, with `over` winning where both say something.
    pub(super) fn overridden_by(mut self, over: Allowance) -> Self {
        self.0.extend(over.0);
        self
    }

    /// Whether `customer` is granted just this, as far as both say. `but` are parameters left out.
    ///
    /// The mail quota is compared only where the customer has one: while quotas are switched off for
    /// the whole server, Froxlor stores -1 whatever is sent.
    pub(super) fn matches(&self, customer: &Allowance, but: &[&str]) -> bool {
        self.0
            .iter()
            .filter(|(param, _)| !but.contains(param))
            .all(|(param, grant)| match customer.0.get(param) {
                None => true,
                Some(Grant::Limit(Limit::Unlimited)) if *param == "email_quota" => true,
                Some(has) => has == grant,
            })
    }

    /// The parameters that grant this.
    ///
    /// # Errors
    /// `limit_refused` when an amount is not whole in the unit in which Froxlor takes it.
    pub(super) fn params(&self) -> Result<Map<String, Value>, PanelError> {
        let mut params = Map::new();
        for resource in &RESOURCES {
            let Some(grant) = self.0.get(resource.param) else {
                continue;
            };
            match (grant, resource.kind) {
                (Grant::Limit(Limit::Unlimited), _) => {
                    params.insert(format!("{}_ul", resource.param), json!(1));
                }
                (Grant::Limit(Limit::AtMost(base)), Kind::Amount(unit)) => {
                    if base % unit != 0 {
                        return Err(not_whole(resource.param));
                    }
                    params.insert(resource.param.to_owned(), json!(base / unit));
                }
                (Grant::Limit(Limit::AtMost(count)), _) => {
                    params.insert(resource.param.to_owned(), json!(count));
                }
                (Grant::Flag(on), _) => {
                    params.insert(resource.param.to_owned(), json!(u8::from(*on)));
                }
                (Grant::Ids(ids), _) => {
                    params.insert(resource.param.to_owned(), json!(ids));
                }
            }
        }
        Ok(params)
    }

    /// The parameters whose values our `limits` decide, for leaving them out of a comparison.
    pub(super) fn decided_by(limits: &Limits) -> Vec<&'static str> {
        let mut params: Vec<_> = LIMITS
            .iter()
            .filter(|(name, ..)| limits.get(*name).is_some())
            .map(|(_, param, _)| *param)
            .collect();
        // A raised number of mailboxes raises that of the addresses.
        if params.contains(&"email_accounts") {
            params.push("emails");
        }
        params
    }
}

fn limit(number: i64, unit: u64) -> Option<Limit> {
    match u64::try_from(number) {
        Err(_) => Some(Limit::Unlimited),
        Ok(most) => most.checked_mul(unit).map(Limit::AtMost),
    }
}

fn not_whole(param: &str) -> PanelError {
    let why = if param == "traffic" {
        "traffic_mb must be whole GB (a multiple of 1024) on froxlor servers"
    } else {
        "disk_mb must be whole MB on froxlor servers"
    };
    PanelError::refused("limit_refused", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_differ_between_plan_parameter_and_answer() {
        let plan = Allowance::of_plan(&json!({"diskspace": 5120, "traffic": 50, "ftps": 2}));
        let customer = Allowance::of_customer(
            &json!({"diskspace": 5_242_880, "traffic": "52428800", "ftps": 2}),
        );
        assert_eq!(plan, customer);
        assert_eq!(
            Value::Object(plan.params().unwrap()),
            json!({"diskspace": 5120, "traffic": 50, "ftps": 2})
        );
        assert_eq!(
            customer.limits(),
            Limits::new()
                .with(LimitName::DiskMb, Limit::AtMost(5120))
                .with(LimitName::TrafficMb, Limit::AtMost(51200))
                .with(LimitName::FtpAccounts, Limit::AtMost(2))
        );
    }

    #[test]
    fn any_negative_number_is_unlimited_and_zero_is_zero() {
        let customer = Allowance::of_customer(
            &json!({"diskspace": -1024, "traffic": -1_048_576, "mysqls": -1, "ftps": 0}),
        );
        assert_eq!(
            Value::Object(customer.params().unwrap()),
            json!({"diskspace_ul": 1, "traffic_ul": 1, "mysqls_ul": 1, "ftps": 0})
        );
    }

    #[test]
    fn traffic_that_is_not_whole_gigabytes_is_refused() {
        let limits = Limits::new().with(LimitName::TrafficMb, Limit::AtMost(1536));
        let error = Allowance::of_limits(&limits).unwrap_err();
        assert_eq!(error.code(), "limit_refused");
        let domains = Limits::new().with(LimitName::Domains, Limit::AtMost(1));
        assert_eq!(
            Allowance::of_limits(&domains).unwrap_err().code(),
            "limit_refused"
        );
    }

    #[test]
    fn a_plan_is_compared_field_by_field() {
        let plan = json!({"diskspace": 1, "mysqls": 2, "email_imap": "1", "email_quota": 100,
            "phpenabled": "1", "allowed_phpconfigs": [1, 2]});
        let plan = Allowance::of_plan(&plan);
        let record = json!({"diskspace": 1024, "mysqls": 2, "imap": 1, "email_quota": -1,
            "phpenabled": 1, "allowed_phpconfigs": "[2,1]"});
        assert!(plan.matches(&Allowance::of_customer(&record), &[]));
        for (column, value) in [
            ("diskspace", json!(2048)),
            ("mysqls", json!(-1)),
            ("imap", json!("0")),
            ("email_quota", json!(50)),
            ("allowed_phpconfigs", json!("")),
        ] {
            let mut other = record.clone();
            other[column] = value;
            assert!(
                !plan.matches(&Allowance::of_customer(&other), &[]),
                "{column}"
            );
        }
        let overrides = Limits::new().with(LimitName::Databases, Limit::AtMost(9));
        let mut more = record;
        more["mysqls"] = json!(9);
        let but = Allowance::decided_by(&overrides);
        assert!(plan.matches(&Allowance::of_customer(&more), &but));
    }
}
