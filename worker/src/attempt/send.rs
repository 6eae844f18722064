//! What leaves: no change before its intent is committed, none long after it.

use std::time::{Duration, Instant};

use jobs::faults::Point;
use jobs::store::Intent;
use jobs::{JobKind, Pace};
use panels::PanelError;

use super::{Attempt, Halt};
use crate::progress::Progress;

/// A request leaves within this of its intent, or not at all. The settle time counts from the intent; and a
/// process that was stopped in between cannot know what has happened since.
const SEND_WITHIN: Duration = Duration::from_secs(30);
/// At a quick pace the commit itself still takes its time.
const LEAST_SEND_WITHIN: Duration = Duration::from_secs(2);
/// An attempt that was held up so is due again after this.
const HELD_UP: Duration = Duration::from_secs(10);

impl Attempt<'_> {
    /// Commits the steps so far and that a change leaves, then lets it leave.
    ///
    /// # Errors
    /// [`Halt::Lost`] when the claim is no longer valid, [`Halt::Later`] when the commit was only known long
    /// after it was asked for; then `call` was not begun.
    pub(crate) async fn change<T>(
        &self,
        step: impl FnOnce(&mut Progress),
        call: impl Future<Output = Result<T, PanelError>>,
    ) -> Result<T, Halt> {
        let asked = Instant::now();
        self.commit(step, true).await?;
        Point::Sent.reach(&self.claimed.job);
        self.still_in_time(asked.elapsed())?;
        {
            let mut state = self.state();
            state.in_flight = true;
            state.sent = true;
        }
        let answer = call.await;
        Point::Answered.reach(&self.claimed.job);
        // Only what is unknown stays in doubt; every other answer says what became of the change.
        if !matches!(answer, Err(PanelError::InDoubt(_))) {
            self.state().in_flight = false;
        }
        Ok(answer?)
    }

    /// Whether what was to be sent may still leave, so long after its intent was asked for.
    fn still_in_time(&self, taken: Duration) -> Result<(), Halt> {
        let pace = self.worker.store().pace();
        if may_still_leave(taken, self.elapsed(), self.claimed.kind(), pace) {
            return Ok(());
        }
        Err(Halt::Later {
            after: pace.of(HELD_UP),
            code: "held_up",
            why: "the worker was held up before the request left; nothing was sent".to_owned(),
        })
    }

    /// Commits a step without sending anything.
    pub(crate) async fn step(&self, step: impl FnOnce(&mut Progress)) -> Result<(), Halt> {
        self.commit(step, false).await
    }

    async fn commit(&self, step: impl FnOnce(&mut Progress), sends: bool) -> Result<(), Halt> {
        let progress = {
            let mut state = self.state();
            step(&mut state.progress);
            state.progress.to_value()
        };
        let intent = Intent {
            job_id: self.claimed.job.id,
            fence: self.claimed.job.fence,
            progress,
            sends,
        };
        Point::IntentBegun.reach(&self.claimed.job);
        let written = self.worker.parts.writer.intend(intent).await;
        written.map_err(|_| Halt::Lost)
    }
}

/// `taken` = from asking for the intent to knowing that it is committed; `elapsed` = since the claim.
fn may_still_leave(taken: Duration, elapsed: Duration, kind: JobKind, pace: Pace) -> bool {
    let in_time = taken <= pace.of(SEND_WITHIN).max(LEAST_SEND_WITHIN);
    in_time && elapsed <= pace.of(kind.attempt_limit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_up_after_its_intent_does_not_leave() {
        let kind = JobKind::Create;
        let (ms, limit) = (Duration::from_millis, kind.attempt_limit());
        let may = |taken, elapsed| may_still_leave(taken, elapsed, kind, Pace::default());
        assert!(may(ms(30_000), limit));
        assert!(!may(ms(30_001), ms(30_001)));
        assert!(!may(ms(1), limit + ms(1)));
        let quick = Pace::new(0.001).unwrap_or_default();
        assert!(may_still_leave(ms(300), ms(300), kind, quick));
        assert!(!may_still_leave(ms(2_001), ms(400), kind, quick));
    }
}
