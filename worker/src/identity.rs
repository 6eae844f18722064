//! Which account is it? Names are used again, so a name proves nothing.

use hosting::DomainName;
use panels::{Evidence, PanelAccount};

/// How far the start that a panel tells may lie before our sending: it tells it in whole seconds or
/// minutes, and its clock is known only to the second of a header.
const TOLERANCE_MS: i64 = 120_000;

/// What an account that our create made would look like.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// Our marker.
    pub marker: &'a str,
    /// The main domain.
    pub domain: Option<&'a DomainName>,
    /// Who owns what we create on that server, where that is known.
    pub owner: Option<&'a str>,
    /// When our first create left, in milliseconds by our database's clock; `None` = none did.
    pub sent_at: Option<i64>,
    /// The same clock when the account was read.
    pub read_at: i64,
}

/// Whether the account that was found is the one that our create made.
///
/// A panel that keeps a marker is believed. Else domain and owner must be right, and the account must
/// have been made after we sent our create (by the panel's clock, whose skew its answer tells).
#[must_use]
pub fn is_ours(found: &PanelAccount, expected: &Expected<'_>) -> bool {
    if let Some(marker) = &found.evidence.marker {
        return marker == expected.marker;
    }
    let (Some(sent_at), Some(started_at)) = (expected.sent_at, found.evidence.started_at) else {
        return false;
    };
    let skew = found
        .evidence
        .read_at
        .map_or(0, |panel| panel - expected.read_at);
    let same_domain = expected.domain.is_some() && found.domain.as_ref() == expected.domain;
    let same_owner = match (expected.owner, &found.owner) {
        (Some(ours), Some(theirs)) => ours.eq_ignore_ascii_case(theirs),
        (None, _) => true,
        (Some(_), None) => false,
    };
    same_domain && same_owner && started_at - skew >= sent_at - TOLERANCE_MS
}

/// Whether an account is the incarnation that we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incarnation {
    /// All that can be compared is equal.
    Same,
    /// Something differs: the name was used again.
    Other,
    /// We know nothing that could be compared.
    Unknown,
}

/// Compares what was recorded of an account with what is found. The marker is left out: people edit it.
#[must_use]
pub fn incarnation(recorded: &Evidence, found: &Evidence) -> Incarnation {
    let compared = [
        differ(recorded.panel_id.as_ref(), found.panel_id.as_ref()),
        differ(recorded.uid.as_ref(), found.uid.as_ref()),
        differ(recorded.started_at.as_ref(), found.started_at.as_ref()),
    ];
    if compared.contains(&Some(true)) {
        Incarnation::Other
    } else if compared.contains(&Some(false)) {
        Incarnation::Same
    } else {
        Incarnation::Unknown
    }
}

fn differ<T: PartialEq>(recorded: Option<&T>, found: Option<&T>) -> Option<bool> {
    recorded
        .zip(found)
        .map(|(recorded, found)| recorded != found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hosting::Limits;
    use panels::Standing;

    fn found(evidence: Evidence) -> PanelAccount {
        PanelAccount {
            username: "acme".parse().unwrap(),
            domain: Some("acme.example.com".parse().unwrap()),
            owner: Some("root".into()),
            email: None,
            package: None,
            standing: Standing::Active,
            limits: Limits::new(),
            address: None,
            evidence,
            unfinished: Vec::new(),
        }
    }

    fn started(started_at: i64, read_at: i64) -> PanelAccount {
        found(Evidence {
            started_at: Some(started_at),
            read_at: Some(read_at),
            ..Evidence::default()
        })
    }

    fn ours(account: &PanelAccount, sent_at: Option<i64>) -> bool {
        let domain = "acme.example.com".parse().unwrap();
        is_ours(
            account,
            &Expected {
                marker: "Hx-7",
                domain: Some(&domain),
                owner: Some("root"),
                sent_at,
                read_at: 2_000_000,
            },
        )
    }

    #[test]
    fn a_marker_decides_alone() {
        let marked = |marker: &str| {
            found(Evidence {
                marker: Some(marker.into()),
                ..Evidence::default()
            })
        };
        assert!(ours(&marked("Hx-7"), None));
        assert!(!ours(&marked("Hx-8"), Some(0)));
        assert!(!ours(&marked(""), Some(0)));
    }

    #[test]
    fn without_a_marker_it_must_have_started_after_we_sent() {
        assert!(ours(&started(1_900_000, 2_000_000), Some(1_900_000)));
        assert!(!ours(&started(1_700_000, 2_000_000), Some(1_900_000)));
        assert!(
            !ours(&started(1_900_000, 2_000_000), None),
            "we sent nothing"
        );
        assert!(
            !ours(&found(Evidence::default()), Some(1_900_000)),
            "nothing proves it"
        );
    }

    #[test]
    fn the_panels_clock_may_be_wrong() {
        // An hour ahead: it started at 1,900,000 of ours.
        assert!(ours(&started(5_500_000, 5_600_000), Some(1_900_000)));
        // An hour ahead, and started long before we sent.
        assert!(!ours(&started(5_200_000, 5_600_000), Some(1_900_000)));
    }

    #[test]
    fn another_domain_or_owner_is_foreign() {
        let mut other = started(1_900_000, 2_000_000);
        other.domain = Some("other.example.com".parse().unwrap());
        assert!(!ours(&other, Some(1_900_000)));
        let mut other = started(1_900_000, 2_000_000);
        other.owner = Some("reseller".into());
        assert!(!ours(&other, Some(1_900_000)));
    }

    #[test]
    fn an_incarnation_is_known_by_what_the_panel_never_changes() {
        let evidence = |id: Option<&str>, started_at| Evidence {
            panel_id: id.map(Into::into),
            started_at,
            ..Evidence::default()
        };
        let known = evidence(Some("7"), Some(5));
        assert_eq!(
            incarnation(&known, &evidence(Some("7"), Some(5))),
            Incarnation::Same
        );
        assert_eq!(
            incarnation(&known, &evidence(Some("7"), None)),
            Incarnation::Same
        );
        assert_eq!(
            incarnation(&known, &evidence(Some("8"), Some(5))),
            Incarnation::Other
        );
        assert_eq!(
            incarnation(&known, &evidence(Some("7"), Some(6))),
            Incarnation::Other
        );
        assert_eq!(
            incarnation(&known, &evidence(None, None)),
            Incarnation::Unknown
        );
        let marked = Evidence {
            marker: Some("edited".into()),
            ..known.clone()
        };
        assert_eq!(incarnation(&known, &marked), Incarnation::Same);
    }
}
