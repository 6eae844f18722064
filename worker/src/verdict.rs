//! What follows from a panel's error. The only place that decides it.

use std::time::Duration;

use panels::PanelError;

/// Whether another try may follow this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tries {
    /// At least one.
    Left,
    /// This was the last.
    None,
}

/// Whether a change that was sent earlier is still of unknown outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// It is.
    Open,
    /// Nothing is in doubt.
    None,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Again after the kind's delay; a try is used.
    Retry,
    /// Again after what the panel asked for; no try is used. Too old is decided by the executor.
    Later {
        /// As asked; the executor caps it.
        after: Option<Duration>,
    },
    /// Look at the panel before anything else.
    LookAgain,
    /// A person must look.
    Hold,
    /// Final.
    Fail,
}

/// The design's table ("One attempt"), and one rule beyond it: while an earlier change is in doubt, an
/// error of the look at it never ends the job as failed, because that would say that nothing was changed.
#[must_use]
pub fn judge(error: &PanelError, tries: Tries, doubt: Doubt) -> Verdict {
    match (error, tries, doubt) {
        (
            PanelError::Throttled { after, .. },
            Tries::Left | Tries::None,
            Doubt::Open | Doubt::None,
        ) => Verdict::Later { after: *after },
        (PanelError::Transient(_), Tries::Left, Doubt::Open | Doubt::None) => Verdict::Retry,
        (PanelError::Transient(_), Tries::None, Doubt::None) => Verdict::Fail,
        (PanelError::InDoubt(_), Tries::Left, Doubt::Open | Doubt::None) => Verdict::LookAgain,
        (PanelError::Rejected { .. }, Tries::Left | Tries::None, Doubt::None) => Verdict::Fail,
        (PanelError::Transient(_) | PanelError::InDoubt(_), Tries::None, Doubt::Open)
        | (PanelError::InDoubt(_), Tries::None, Doubt::None)
        | (PanelError::Rejected { .. }, Tries::Left | Tries::None, Doubt::Open)
        | (PanelError::Auth(_), Tries::Left | Tries::None, Doubt::Open | Doubt::None) => {
            Verdict::Hold
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use panels::Detail;

    fn errors() -> Vec<PanelError> {
        let detail = || Box::new(Detail::of("x"));
        vec![
            PanelError::Transient(detail()),
            PanelError::Throttled {
                after: Some(Duration::from_secs(7)),
                detail: detail(),
            },
            PanelError::Auth(detail()),
            PanelError::refused("account_exists", "it exists"),
            PanelError::InDoubt(detail()),
        ]
    }

    fn row(tries: Tries, doubt: Doubt) -> Vec<Verdict> {
        errors()
            .iter()
            .map(|error| judge(error, tries, doubt))
            .collect()
    }

    fn later() -> Verdict {
        Verdict::Later {
            after: Some(Duration::from_secs(7)),
        }
    }

    #[test]
    fn with_tries_left_all_but_refusals_get_another_chance() {
        use Verdict::{Fail, Hold, LookAgain, Retry};
        assert_eq!(
            row(Tries::Left, Doubt::None),
            [Retry, later(), Hold, Fail, LookAgain]
        );
    }

    #[test]
    fn with_no_tries_left_what_is_in_doubt_goes_to_a_person() {
        use Verdict::{Fail, Hold};
        assert_eq!(
            row(Tries::None, Doubt::None),
            [Fail, later(), Hold, Fail, Hold]
        );
    }

    #[test]
    fn nothing_fails_while_a_change_is_in_doubt() {
        use Verdict::{Hold, LookAgain, Retry};
        assert_eq!(
            row(Tries::Left, Doubt::Open),
            [Retry, later(), Hold, Hold, LookAgain]
        );
        assert_eq!(
            row(Tries::None, Doubt::Open),
            [Hold, later(), Hold, Hold, Hold]
        );
    }
}
