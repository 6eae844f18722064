//! What an account may use in a month, and what it has used beyond it. Pure.

use hosting::{Bytes, Limit, LimitName, Limits};

/// The limit of a month's traffic in MB; `None` = not known, which is neither "no limit" nor zero.
///
/// The account's own limit, which was ordered here, is asked first: it is what is billed by. Without one it
/// is what the panel says of this account, then what its package says.
#[must_use]
pub fn traffic_limit(own: &Limits, told: Option<Limit>, package: Option<&Limits>) -> Option<Limit> {
    limit(LimitName::TrafficMb, own, told, package)
}

/// The limit of disk use in MB, by the same rule.
#[must_use]
pub fn disk_limit(own: &Limits, told: Option<Limit>, package: Option<&Limits>) -> Option<Limit> {
    limit(LimitName::DiskMb, own, told, package)
}

fn limit(
    name: LimitName,
    own: &Limits,
    told: Option<Limit>,
    package: Option<&Limits>,
) -> Option<Limit> {
    own.get(name)
        .or(told)
        .or_else(|| package.and_then(|limits| limits.get(name)))
}

/// Bytes beyond the limit; `None` when traffic or limit is not known.
pub(super) fn overage(used: Option<i64>, limit: Option<Limit>) -> Option<i64> {
    match (used?, limit?) {
        (_, Limit::Unlimited) => Some(0),
        (used, Limit::AtMost(mb)) => Some(used.saturating_sub(bytes_of(mb)).max(0)),
    }
}

/// Whether so many percent of the limit are used. Of a limit that is zero everything is used once anything
/// is; of none, never.
#[must_use]
pub fn reached(used: i64, limit: Limit, percent: u32) -> bool {
    match limit {
        Limit::Unlimited => false,
        Limit::AtMost(mb) => {
            let wanted = i128::from(bytes_of(mb)) * i128::from(percent);
            used > 0 && i128::from(used) * 100 >= wanted
        }
    }
}

/// MB as bytes; what no column can hold is the most that one can.
pub(crate) fn bytes_of(mb: u64) -> i64 {
    Bytes::from_mb(mb).map_or(i64::MAX, Bytes::as_i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Limits {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_accounts_own_limit_wins_then_the_panels_then_the_packages() {
        let (own, none) = (limits(r#"{"traffic_mb": 10}"#), limits("{}"));
        let told = Some(Limit::AtMost(20));
        let package = limits(r#"{"traffic_mb": 30, "disk_mb": 7}"#);
        let at_most = |mb| Some(Limit::AtMost(mb));
        assert_eq!(traffic_limit(&own, told, Some(&package)), at_most(10));
        assert_eq!(traffic_limit(&none, told, Some(&package)), at_most(20));
        assert_eq!(traffic_limit(&none, None, Some(&package)), at_most(30));
        assert_eq!(traffic_limit(&none, None, None), None);
        assert_eq!(disk_limit(&own, None, Some(&package)), at_most(7));
        let unlimited = limits(r#"{"traffic_mb": "unlimited"}"#);
        let limit = traffic_limit(&unlimited, told, Some(&package));
        assert_eq!(limit, Some(Limit::Unlimited), "ordered as unlimited");
    }

    #[test]
    fn unlimited_is_never_exceeded_and_unknown_is_not_told() {
        let two = Some(Limit::AtMost(2));
        assert_eq!(overage(Some(3 << 20), two), Some(1 << 20));
        assert_eq!(overage(Some(2 << 20), two), Some(0));
        assert_eq!(
            overage(Some((2 << 20) + 1), two),
            Some(1),
            "no byte is rounded away"
        );
        assert_eq!(
            overage(Some(5), Some(Limit::AtMost(0))),
            Some(5),
            "zero means zero"
        );
        assert_eq!(overage(Some(i64::MAX), Some(Limit::Unlimited)), Some(0));
        assert_eq!(overage(Some(5), Some(Limit::AtMost(u64::MAX))), Some(0));
        assert_eq!(overage(None, two), None);
        assert_eq!(overage(Some(5), None), None);
    }

    #[test]
    fn a_threshold_is_reached_at_its_byte() {
        let ten = Limit::AtMost(10);
        assert!(!reached((8 << 20) - 1, ten, 80) && reached(8 << 20, ten, 80));
        assert!(!reached((10 << 20) - 1, ten, 100) && reached(10 << 20, ten, 100));
        assert!(!reached(i64::MAX, Limit::Unlimited, 80));
        assert!(reached(i64::MAX, Limit::AtMost(u64::MAX), 100));
        assert!(!reached(0, Limit::AtMost(0), 80) && reached(1, Limit::AtMost(0), 100));
    }
}
