//! What follows from what a service is there and its account is here. Pure.

use std::fmt;

/// What the account here is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here<'a> {
    /// There is none that lives.
    Nothing,
    /// It may be used, and is on that package.
    Active(&'a str),
    /// A platform or an operator suspended it.
    Suspended,
    /// Somebody else did, whom no payment overrules.
    SuspendedByOthers,
    /// It is being made, or could not be: its own job tells.
    Unsettled,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish<'a> {
    Nothing,
    Create(&'a str),
    Suspend,
    Unsuspend,
    Terminate,
    ChangePackage(&'a str),
    /// A status that we do not know: nothing, and it is said.
    Unknown,
}

impl Wish<'_> {
    /// The kind of the job.
    pub(super) fn kind(self) -> Option<&'static str> {
        match self {
            Self::Nothing | Self::Unknown => None,
            Self::Create(_) => Some("create"),
            Self::Suspend => Some("suspend"),
            Self::Unsuspend => Some("unsuspend"),
            Self::Terminate => Some("terminate"),
            Self::ChangePackage(_) => Some("change_package"),
        }
    }
}

impl fmt::Display for Wish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown status"),
            other => f.write_str(other.kind().unwrap_or("nothing")),
        }
    }
}

/// One status of HostBill's against one state of ours. What is Pending is not paid; Fraud is a person's to decide,
/// so that such an account is only kept from being used.
pub(super) fn wish<'a>(status: &str, package: &'a str, here: Here<'_>) -> Wish<'a> {
    match (status, here) {
        (_, Here::Unsettled) | ("Pending", _) => Wish::Nothing,
        ("Active", Here::Nothing) => Wish::Create(package),
        ("Active", Here::Suspended) => Wish::Unsuspend,
        ("Active", Here::Active(on)) if on != package => Wish::ChangePackage(package),
        ("Active", Here::Active(_) | Here::SuspendedByOthers) => Wish::Nothing,
        ("Suspended" | "Fraud", Here::Active(_)) => Wish::Suspend,
        ("Suspended" | "Fraud", _) => Wish::Nothing,
        ("Terminated" | "Cancelled", Here::Nothing) => Wish::Nothing,
        ("Terminated" | "Cancelled", _) => Wish::Terminate,
        _ => Wish::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_meets_every_state() {
        use Wish::{ChangePackage, Create, Nothing, Suspend, Terminate, Unknown, Unsuspend};
        let states = [
            Here::Nothing,
            Here::Active("gold"),
            Here::Active("silver"),
            Here::Suspended,
            Here::SuspendedByOthers,
            Here::Unsettled,
        ];
        for (status, wishes) in [
            ("Pending", [Nothing; 6]),
            (
                "Active",
                [
                    Create("gold"),
                    Nothing,
                    ChangePackage("gold"),
                    Unsuspend,
                    Nothing,
                    Nothing,
                ],
            ),
            (
                "Suspended",
                [Nothing, Suspend, Suspend, Nothing, Nothing, Nothing],
            ),
            (
                "Fraud",
                [Nothing, Suspend, Suspend, Nothing, Nothing, Nothing],
            ),
            (
                "Terminated",
                [Nothing, Terminate, Terminate, Terminate, Terminate, Nothing],
            ),
            (
                "Cancelled",
                [Nothing, Terminate, Terminate, Terminate, Terminate, Nothing],
            ),
            (
                "Paused",
                [Unknown, Unknown, Unknown, Unknown, Unknown, Nothing],
            ),
        ] {
            assert_eq!(
                states.map(|here| wish(status, "gold", here)),
                wishes,
                "{status}"
            );
        }
    }
}
