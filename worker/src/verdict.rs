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

/// Whether a part of what the job is to do stands on the panel, by its own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A part is done, and the rest is not.
    Begun,
    /// The panel is as it was.
    Untouched,
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

/// The design's table ("One attempt"), and one rule beyond it: a job never ends as failed while a change
/// of it is in doubt, or when a part of it is done, because that would say that nothing was changed.
#[must_use]
pub fn judge(error: &PanelError, tries: Tries, doubt: Doubt, work: Work) -> Verdict {
    let nothing_changed = (doubt, work) == (Doubt::None, Work::Untouched);
    match (error, tries, nothing_changed) {
        (PanelError::Throttled { after, .. }, Tries::Left | Tries::None, true | false) => {
            Verdict::Later { after: *after }
        }
        (PanelError::Transient(_), Tries::Left, true | false) => Verdict::Retry,
        (PanelError::InDoubt(_), Tries::Left, true | false) => Verdict::LookAgain,
        (PanelError::Transient(_), Tries::None, true)
        | (PanelError::Rejected { .. }, Tries::Left | Tries::None, true) => Verdict::Fail,
        (PanelError::Transient(_), Tries::None, false)
        | (PanelError::InDoubt(_), Tries::None, true | false)
        | (PanelError::Rejected { .. }, Tries::Left | Tries::None, false)
        | (PanelError::Auth(_), Tries::Left | Tries::None, true | false) => Verdict::Hold,
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
            .map(|error| judge(error, tries, doubt, Work::Untouched))
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
    fn nothing_fails_once_a_part_of_it_is_done() {
        for (tries, doubt) in [
            (Tries::Left, Doubt::None),
            (Tries::None, Doubt::None),
            (Tries::Left, Doubt::Open),
            (Tries::None, Doubt::Open),
        ] {
            for error in errors() {
                let verdict = judge(&error, tries, doubt, Work::Begun);
                let with_doubt = judge(&error, tries, Doubt::Open, Work::Untouched);
                assert_eq!(verdict, with_doubt, "{error:?} {tries:?} {doubt:?}");
                assert_ne!(verdict, Verdict::Fail);
            }
        }
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
