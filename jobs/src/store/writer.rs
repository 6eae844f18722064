//! The one task that writes intents and outcomes of a process, in groups.
//!
//! It takes whatever is ready while the last group was being written (no timer), so a busy process
//! writes large groups and an idle one writes at once. Handlers see none of this: each waits for its
//! own answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::error::Trouble;
use super::finish::Intent;
use super::{Finish, Report, Store, StoreError};
use crate::faults::Point;

/// The claim is no longer valid (rescued, or finished by somebody else): nothing was written, and the
/// caller must not touch the panel for this job any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the claim on this job is no longer valid")]
pub struct Lost;

/// What became of a write.
pub type Written = Result<(), Lost>;

const LARGEST_GROUP: usize = 256;

enum Write {
    Intent(Intent, oneshot::Sender<Written>),
    Finish(Box<Finish>, oneshot::Sender<Written>),
}

/// Handle to the writer task; cheap to clone. The task ends when the last handle is gone.
#[derive(Clone)]
pub struct Writer {
    queue: mpsc::Sender<Write>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Writer")
    }
}

impl Writer {
    /// Starts the task. `after_commit` gets the report of each group (to ring, to wake waiters).
    pub fn start<F>(store: Store, after_commit: F) -> Self
    where
        F: Fn(Report) + Send + Sync + 'static,
    {
        let (queue, inbox) = mpsc::channel(4 * LARGEST_GROUP);
        tokio::spawn(run(store, inbox, Arc::new(after_commit)));
        Self { queue }
    }

    /// Commits that a changing request is about to leave; send it only after `Ok`.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn intend(&self, intent: Intent) -> Written {
        let (answer, answered) = oneshot::channel();
        if self
            .queue
            .send(Write::Intent(intent, answer))
            .await
            .is_err()
        {
            return Err(Lost);
        }
        answered.await.unwrap_or(Err(Lost))
    }

    /// Commits the end of an attempt.
    ///
    /// # Errors
    /// [`Lost`].
    pub async fn finish(&self, finish: Finish) -> Written {
        let (answer, answered) = oneshot::channel();
        if self
            .queue
            .send(Write::Finish(Box::new(finish), answer))
            .await
            .is_err()
        {
            return Err(Lost);
        }
        answered.await.unwrap_or(Err(Lost))
    }
}

type AfterCommit = Arc<dyn Fn(Report) + Send + Sync>;

async fn run(store: Store, mut inbox: mpsc::Receiver<Write>, after_commit: AfterCommit) {
    let mut group = Vec::with_capacity(LARGEST_GROUP);
    while inbox.recv_many(&mut group, LARGEST_GROUP).await > 0 {
        write(&store, std::mem::take(&mut group), &after_commit).await;
    }
}

/// Writes a group; when a row spoils it, each half for itself, down to the one row that is to blame.
async fn write(store: &Store, group: Vec<Write>, after_commit: &AfterCommit) {
    let mut parts = vec![group];
    while let Some(part) = parts.pop() {
        match write_patiently(store, &part).await {
            Ok(report) => answer(part, report, after_commit),
            Err(error) if part.len() == 1 => give_up(part, &error),
            Err(_) => {
                let mut first = part;
                let second = first.split_off(first.len() / 2);
                parts.push(second);
                parts.push(first);
            }
        }
    }
}

/// For so long a write is tried again; then the leases decide.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tries on while the database is away, full, or busy beyond the patience of a transaction: the leases go
/// on, and an outcome that is known must not be lost for a restart of the database.
async fn write_patiently(store: &Store, part: &[Write]) -> Result<Report, StoreError> {
    let intents: Vec<Intent> = part.iter().filter_map(Write::intent).collect();
    let finishes: Vec<Finish> = part.iter().filter_map(Write::finish).collect();
    let begun = Instant::now();
    let mut wait = Duration::from_millis(100);
    let mut told = false;
    let mut unknown = false;
    loop {
        let error = match store.write_group(&intents, &finishes).await {
            Ok(report) if unknown => return store.less_written_before(report, &finishes).await,
            Ok(report) => return Ok(report),
            Err(error) => error,
        };
        let passes = error.is_outage() || error.trouble() == Trouble::Passing;
        if !passes || begun.elapsed() > PATIENCE {
            return Err(error);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(rows = part.len(), %error, "Outcomes wait in memory: the database does not take them");
        }
        unknown |= error.may_be_committed();
        super::pause(wait).await;
        wait = (wait * 2).min(Duration::from_secs(5));
    }
}

fn answer(part: Vec<Write>, report: Report, after_commit: &AfterCommit) {
    Point::Finished.reach_each(part.iter().filter_map(Write::finishes));
    for write in part {
        let (job_id, answer) = match write {
            Write::Intent(intent, answer) => (intent.job_id, answer),
            Write::Finish(finish, answer) => (finish.job_id, answer),
        };
        let written = if report.stale.contains(&job_id) {
            Err(Lost)
        } else {
            Ok(())
        };
        // The one who asked may have been cancelled meanwhile; what was written stays written.
        let _ = answer.send(written);
    }
    after_commit(report);
}

fn give_up(part: Vec<Write>, error: &StoreError) {
    for write in part {
        let (job_id, answer) = match write {
            Write::Intent(intent, answer) => (intent.job_id, answer),
            Write::Finish(finish, answer) => (finish.job_id, answer),
        };
        tracing::error!(job.row = job_id, %error, "A job's write was refused; its lease will end and it will be looked at again");
        let _ = answer.send(Err(Lost));
    }
}

impl Write {
    fn intent(&self) -> Option<Intent> {
        match self {
            Write::Intent(intent, _) => Some(intent.clone()),
            Write::Finish(..) => None,
        }
    }

    /// The row of the job that ends.
    fn finishes(&self) -> Option<i64> {
        match self {
            Write::Finish(finish, _) => Some(finish.job_id),
            Write::Intent(..) => None,
        }
    }

    fn finish(&self) -> Option<Finish> {
        match self {
            Write::Finish(finish, _) => Some((**finish).clone()),
            Write::Intent(..) => None,
        }
    }
}
