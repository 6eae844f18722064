//! Reading the traffic of one month of one server, and booking what is new.

use async_trait::async_trait;
use hosting::Month;
use jobs::OPERATOR;
use jobs::faults::Point;
use panels::{Detail, PanelError, UsageReport};

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};
use crate::ledger::{self, Run};

pub(super) struct GetStats {
    pub(super) month: Month,
}

#[async_trait]
impl Handler for GetStats {
    type Todo = UsageReport;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<UsageReport>, Halt> {
        let report = attempt.panel()?.usage(self.month).await?;
        if report.month != self.month {
            let what = format!(
                "asked for {}, the panel reported {}",
                self.month, report.month
            );
            return Err(PanelError::Transient(Box::new(Detail::of(what))).into());
        }
        Ok(Observed::ToDo(report))
    }

    async fn act(&self, attempt: &Attempt<'_>, report: UsageReport) -> Result<Done, Halt> {
        let counter = attempt.panel()?.counter();
        let run = Run::of_all(attempt, counter, self.month).await?;
        // An empty answer of a server with accounts is a fault, not a quiet month.
        if report.accounts.is_empty() && run.live() > 0 {
            let what = "the panel reported no account at all, though it has some";
            return Err(PanelError::Transient(Box::new(Detail::of(what))).into());
        }
        let written = ledger::write(attempt, &run, &report).await?;
        let missing = if is_nightly(attempt) && !attempt.progress().missing_counted {
            // Committed first: a crash in between then misses a night, and never counts one twice.
            attempt
                .step(|progress| progress.missing_counted = true)
                .await?;
            Point::NightMarked.reach(&attempt.claimed.job);
            ledger::count_missing(attempt, &run, &written).await?
        } else {
            run.missing(&written)
        };
        Ok(Done::changed().with(serde_json::json!({
            "month": self.month,
            "accounts": written.accounts,
            "booked_bytes": written.booked,
            "unmatched": written.unmatched,
            "missing": missing,
            "flagged": written.flagged,
            "partial": is_partial(run.live(), written.seen.len()),
            "refused": report.refused.iter().take(20).collect::<Vec<_>>(),
        })))
    }
}

/// More than a twentieth of the known accounts are not in the answer.
fn is_partial(live: usize, seen: usize) -> bool {
    seen * 20 < live * 19
}

/// The scheduler's nightly runs bear this in their key; an operator's do not, and may come any number of
/// times a day.
fn is_nightly(attempt: &Attempt<'_>) -> bool {
    let job = &attempt.claimed.job;
    job.platform_id == OPERATOR && job.idem_key.starts_with("get_stats:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_partial_when_it_lacks_more_than_a_twentieth() {
        assert!(!is_partial(100, 95) && is_partial(100, 94));
        assert!(!is_partial(0, 0) && is_partial(1, 0));
    }
}
