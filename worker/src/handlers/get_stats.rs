//! Reading the traffic of one month of one server, and booking what is new.

use async_trait::async_trait;
use hosting::Month;
use jobs::OPERATOR;
use jobs::faults::Point;
use panels::{Detail, PanelError};

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};
use crate::ledger::{self, Run, Taken, Written};

pub(super) struct GetStats {
    pub(super) month: Month,
}

#[async_trait]
impl Handler for GetStats {
    type Todo = Taken;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Taken>, Halt> {
        let taken = Taken::from(attempt, attempt.panel()?.usage(self.month)).await?;
        let reported = taken.report.month;
        if reported != self.month {
            let what = format!("asked for {}, the panel reported {reported}", self.month);
            return Err(PanelError::Transient(Box::new(Detail::of(what))).into());
        }
        Ok(Observed::ToDo(taken))
    }

    async fn act(&self, attempt: &Attempt<'_>, taken: Taken) -> Result<Done, Halt> {
        let report = &taken.report;
        let counter = attempt.panel()?.counter();
        let run = Run::of_all(attempt, counter, self.month).await?;
        // An empty answer of a server with accounts is a fault, not a quiet month.
        if report.accounts.is_empty() && run.live() > 0 {
            let what = "the panel reported no account at all, though it has some";
            return Err(PanelError::Transient(Box::new(Detail::of(what))).into());
        }
        let written = ledger::write(attempt, &run, &taken).await?;
        let missing = run.missing_ids(&written);
        if is_nightly(attempt) && !attempt.progress().missing_counted {
            // Committed first: a crash in between then misses a night, and never counts one twice.
            attempt
                .step(|progress| progress.missing_counted = true)
                .await?;
            Point::NightMarked.reach(&attempt.claimed.job);
            ledger::count_missing(attempt, &missing).await?;
        }
        let partial = is_partial(run.live(), missing.len());
        if partial {
            warn_partial(attempt, &run, &written, missing.len());
        }
        Ok(Done::changed().with(serde_json::json!({
            "month": self.month,
            "accounts": written.accounts,
            "booked_bytes": written.booked,
            "unmatched": written.unmatched,
            "unmatched_names": written.unmatched_names,
            "missing": missing.len(),
            "missing_names": run.names_of(&missing),
            "flagged": written.flagged,
            "partial": partial,
            "refused": report.refused.iter().take(20).collect::<Vec<_>>(),
        })))
    }
}

/// More than a twentieth of the known accounts are not in the answer.
fn is_partial(live: usize, missing: usize) -> bool {
    missing * 20 > live
}

fn warn_partial(attempt: &Attempt<'_>, run: &Run, written: &Written, missing: usize) {
    let server = attempt.claimed.server.as_ref().map(|server| &server.name);
    let name = server.map_or("?", String::as_str);
    tracing::warn!(
        server = name, month = %run.month, live = run.live(), seen = written.seen.len(), missing,
        "Server {name} reported {missing} of its {} accounts not at all for {}; their traffic is unknown, not zero",
        run.live(), run.month
    );
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
        assert!(!is_partial(100, 5) && is_partial(100, 6));
        assert!(!is_partial(0, 0) && is_partial(1, 1));
    }
}
