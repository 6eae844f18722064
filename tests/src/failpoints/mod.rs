//! The matrix of failpoints: each point x each kind of job that can reach it x each driver x what becomes of
//! the change, every time by aborting the real process.
//!
//! One installation runs through many generations. Each is started with one point armed, gets its case's
//! job, and aborts; the next one takes up what it left while it runs its own case. A last one without
//! failpoints finishes everything. What the whole came to is then in the run folder.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a run whose set-up fails must fail at once; jobs for later are asked for by this machine's clock"
)]

mod case;
mod jobs_of;
mod lane;
mod night;
mod receiver;
mod report;

use std::path::PathBuf;

use crate::servers::Kind;

pub use case::{Case, Mode, all, cannot_be, every_nth, rotation};
pub use report::Report;

/// A run of cases.
#[derive(Debug, Clone)]
pub struct Run {
    /// Where each lane gets a run folder of its own.
    pub folder: PathBuf,
    /// On which database.
    pub database: Kind,
    /// Which cases.
    pub cases: Vec<Case>,
    /// Installations that share them.
    pub lanes: usize,
}

impl Run {
    /// Runs the cases, finishes what they left, and lets the checker decide over each run folder.
    ///
    /// # Panics
    /// When an installation cannot be set up.
    pub async fn go(self) -> Report {
        let lanes = self.lanes.clamp(1, self.cases.len().max(1));
        let running = (0..lanes).map(|number| {
            // By turns, so that no lane gets all the slow ones.
            let cases: Vec<Case> = every_nth(&self.cases, number, lanes);
            let folder = self.folder.join(format!("lane-{number}"));
            tokio::spawn(lane::run(folder, self.database, cases))
        });
        let mut report = Report::default();
        for lane in futures::future::join_all(running).await {
            match lane {
                Ok(part) => report.add(part),
                Err(error) => report.failures.push(format!("a lane ended: {error}")),
            }
        }
        report
    }
}
