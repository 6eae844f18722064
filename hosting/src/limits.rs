//! What an account may use.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Invalid;

/// One limit: a number, or no limit at all. Zero means zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// At most this much, in the unit of the limit's name.
    AtMost(u64),
    /// No limit.
    Unlimited,
}

impl Limit {
    /// As a column of whole numbers holds it: itself, or -1 for none.
    #[must_use]
    pub fn as_column(self) -> i64 {
        match self {
            Limit::AtMost(most) => i64::try_from(most).unwrap_or(i64::MAX),
            Limit::Unlimited => -1,
        }
    }

    /// From such a column.
    #[must_use]
    pub fn from_column(column: i64) -> Self {
        u64::try_from(column).map_or(Limit::Unlimited, Limit::AtMost)
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::AtMost(most) => write!(f, "{most}"),
            Limit::Unlimited => f.write_str("unlimited"),
        }
    }
}

impl std::str::FromStr for Limit {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text == "unlimited" {
            return Ok(Limit::Unlimited);
        }
        let wrong = || Invalid::new("limit", "must be a whole number or `unlimited`");
        if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(wrong());
        }
        text.parse()
            .ok()
            .filter(|&n| n <= i64::MAX as u64)
            .map(Limit::AtMost)
            .ok_or_else(wrong)
    }
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Limit::AtMost(most) => serializer.serialize_u64(*most),
            Limit::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Raw {
            Number(u64),
            Text(String),
        }
        let wrong = || serde::de::Error::custom("a limit must be a whole number or \"unlimited\"");
        match Raw::deserialize(deserializer).map_err(|_| wrong())? {
            Raw::Number(most) if most <= i64::MAX as u64 => Ok(Limit::AtMost(most)),
            Raw::Number(_) => Err(wrong()),
            Raw::Text(text) => text.parse().map_err(|_| wrong()),
        }
    }
}

/// What can be limited. The unit is in the name: MB are 2^20 bytes, the others are counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitName {
    /// Disk space in MB.
    DiskMb,
    /// Traffic of a calendar month in MB.
    TrafficMb,
    /// Mailboxes.
    EmailAccounts,
    /// Databases.
    Databases,
    /// Web domains besides the main one (add-on domains).
    Domains,
    /// Subdomains.
    Subdomains,
    /// FTP accounts.
    FtpAccounts,
}

impl LimitName {
    /// All of them, in the order in which they are shown.
    pub const ALL: [LimitName; 7] = [
        LimitName::DiskMb,
        LimitName::TrafficMb,
        LimitName::EmailAccounts,
        LimitName::Databases,
        LimitName::Domains,
        LimitName::Subdomains,
        LimitName::FtpAccounts,
    ];

    /// The name that outsiders write.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            LimitName::DiskMb => "disk_mb",
            LimitName::TrafficMb => "traffic_mb",
            LimitName::EmailAccounts => "email_accounts",
            LimitName::Databases => "databases",
            LimitName::Domains => "domains",
            LimitName::Subdomains => "subdomains",
            LimitName::FtpAccounts => "ftp_accounts",
        }
    }
}

impl std::fmt::Display for LimitName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for LimitName {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        LimitName::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| {
                let known: Vec<_> = LimitName::ALL.iter().map(|name| name.as_str()).collect();
                Invalid::new(
                    "limit",
                    format!("`{text}` is not known; known are {}", known.join(", ")),
                )
            })
    }
}

/// Limits by name; a name that is not there is not set (the package decides).
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Limits(BTreeMap<LimitName, Limit>);

impl Limits {
    /// No limit set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit of that name, if set.
    #[must_use]
    pub fn get(&self, name: LimitName) -> Option<Limit> {
        self.0.get(&name).copied()
    }

    /// Sets one.
    pub fn set(&mut self, name: LimitName, limit: Limit) {
        self.0.insert(name, limit);
    }

    /// The same with one more set.
    #[must_use]
    pub fn with(mut self, name: LimitName, limit: Limit) -> Self {
        self.set(name, limit);
        self
    }

    /// Those that are set, in the order of [`LimitName::ALL`].
    pub fn iter(&self) -> impl Iterator<Item = (LimitName, Limit)> + '_ {
        self.0.iter().map(|(name, limit)| (*name, *limit))
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These limits, with `over` winning where both set one.
    #[must_use]
    pub fn overridden_by(&self, over: &Limits) -> Limits {
        let mut all = self.clone();
        for (name, limit) in over.iter() {
            all.set(name, limit);
        }
        all
    }

    /// Those of `wanted` that `self` does not already have.
    #[must_use]
    pub fn missing_of(&self, wanted: &Limits) -> Limits {
        Limits(
            wanted
                .iter()
                .filter(|(name, limit)| self.get(*name) != Some(*limit))
                .collect(),
        )
    }
}

impl FromIterator<(LimitName, Limit)> for Limits {
    fn from_iter<I: IntoIterator<Item = (LimitName, Limit)>>(limits: I) -> Self {
        Self(limits.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_comes_back_from_its_column() {
        for (limit, column) in [
            (Limit::AtMost(0), 0),
            (Limit::AtMost(i64::MAX as u64), i64::MAX),
            (Limit::Unlimited, -1),
        ] {
            assert_eq!(limit.as_column(), column);
            assert_eq!(Limit::from_column(column), limit);
        }
    }

    #[test]
    fn zero_is_zero_and_unlimited_is_a_word() {
        let limits: Limits =
            serde_json::from_str(r#"{"disk_mb": 0, "databases": "unlimited"}"#).unwrap();
        assert_eq!(limits.get(LimitName::DiskMb), Some(Limit::AtMost(0)));
        assert_eq!(limits.get(LimitName::Databases), Some(Limit::Unlimited));
        assert_eq!(
            serde_json::to_string(&limits).unwrap(),
            r#"{"disk_mb":0,"databases":"unlimited"}"#
        );
    }

    #[test]
    fn unknown_names_and_odd_numbers_are_refused() {
        for bad in [
            r#"{"disc_mb": 1}"#,
            r#"{"disk_mb": -1}"#,
            r#"{"disk_mb": 1.5}"#,
            r#"{"disk_mb": null}"#,
            r#"{"disk_mb": "many"}"#,
        ] {
            assert!(serde_json::from_str::<Limits>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn overrides_win_and_only_differences_are_missing() {
        let package = Limits::new()
            .with(LimitName::DiskMb, Limit::AtMost(1000))
            .with(LimitName::Databases, Limit::AtMost(3));
        let own = Limits::new().with(LimitName::DiskMb, Limit::AtMost(2000));
        assert_eq!(
            package.overridden_by(&own).get(LimitName::DiskMb),
            Some(Limit::AtMost(2000))
        );
        assert_eq!(package.missing_of(&own), own);
        assert!(package.missing_of(&package).is_empty());
    }
}
