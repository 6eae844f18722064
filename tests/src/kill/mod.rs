//! Random kills: `kill -9` of workers and API processes at random moments while jobs flow.
//!
//! One seed decides what is asked, who is killed and after how much progress; when exactly, the machine
//! decides. Afterwards the checker reads the run folder.

#![expect(
    clippy::expect_used,
    reason = "a run that cannot go on must fail at once"
)]

mod asked;
mod killer;
mod summary;

use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use simulator::{Latency, Options, PanelKind};

use crate::check::{self, Violation};
use crate::field::{Field, Part, Plan, Platform};
use crate::servers::Kind;

pub use summary::Summary;

/// All waiting goes so much faster: a claim of the slowest kind is valid for 25 s.
const PACE: f64 = 0.015;
/// Accounts whose jobs are asked for at one time.
const LANES: usize = 8;

/// One run.
#[derive(Debug, Clone)]
pub struct Run {
    /// How many kills.
    pub kills: usize,
    /// How many jobs are asked for.
    pub jobs: usize,
    /// What all chance is drawn from.
    pub seed: u64,
    /// The database; on SQLite everything is one `serve`.
    pub database: Kind,
    /// Whether a Redis rings.
    pub redis: bool,
    /// The binary.
    pub binary: PathBuf,
    /// The run folder.
    pub folder: PathBuf,
    /// Everything must rest so long after the last kill.
    pub settles_in: Duration,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// The figures.
    pub summary: Summary,
    /// What the checker found.
    pub violations: Vec<Violation>,
    /// Jobs that were not at rest a minute after the last kill.
    pub unsettled: Vec<String>,
}

impl Outcome {
    /// Whether every promise was kept.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.violations.is_empty() && self.unsettled.is_empty() && self.summary.kills() > 0
    }
}

/// Makes a run and lets the checker decide.
///
/// # Errors
/// When the run folder cannot be read afterwards.
pub async fn run(run: &Run) -> Result<Outcome, String> {
    let field = field(run).await;
    let mut crew = killer::Crew::start(&field, parts(run)).await;
    let lanes = asked::lanes(run.jobs, LANES, run.seed);
    field.note_secret("password", asked::PASSWORD);
    let progress = killer::Progress::default();
    let asking = async {
        let asks = lanes
            .into_iter()
            .map(|lane| ask(&field.platform, lane, &progress));
        futures::future::join_all(asks).await;
        progress.all_is_asked();
    };
    let mut chance = StdRng::seed_from_u64(run.seed ^ 0x6b69_6c6c);
    let ((), killed) = tokio::join!(
        asking,
        crew.kill(&field, run.kills, run.jobs, &progress, &mut chance)
    );
    let (settled, unsettled) = settle(&field, run.settles_in).await;
    crew.stop().await;
    field.note_panels();
    let violations = check::check(field.folder()).await?;
    let summary = Summary::of(run, killed, settled, &violations, field.sql()).await;
    field.database.remove().await;
    Ok(Outcome {
        summary,
        violations,
        unsettled,
    })
}

async fn field(run: &Run) -> Field {
    let panel = |kind| Options {
        // Some milliseconds: calls that run while their worker is killed.
        latency: Latency::Realistic { scale: 0.0005 },
        seed: run.seed,
        ..Options::new(kind)
    };
    Field::new(Plan {
        database: run.database,
        redis: run.redis,
        pace: PACE,
        panels: vec![
            ("cpanel", panel(PanelKind::Cpanel)),
            ("froxlor", panel(PanelKind::Froxlor)),
        ],
        ..Plan::new(&run.folder, run.binary.clone())
    })
    .await
}

fn parts(run: &Run) -> Vec<Part> {
    if run.database == Kind::Sqlite {
        vec![Part::Serve]
    } else {
        vec![Part::Scheduler, Part::Worker, Part::Scheduler, Part::Worker]
    }
}

async fn ask(platform: &Platform, lane: Vec<asked::Ask>, progress: &killer::Progress) {
    for ask in lane {
        progress.may_ask().await;
        let answer = platform.submit(&ask.key, &ask.body).await;
        assert!(
            matches!(answer.status, 200 | 202 | 404 | 409 | 410 | 422),
            "{} {}: {ask:?}",
            answer.status,
            answer.body
        );
        progress.answered();
    }
}

/// Waits until everything rests, and tells how long that took. What lost its worker three times and was
/// parked is then replayed by the operator, as the page for operators says, and comes to rest too.
async fn settle(field: &Field, limit: Duration) -> (Duration, Vec<String>) {
    let mut first = None;
    for round in 0..3 {
        match field.drain(limit).await {
            Ok(time) => first = first.or(Some(time)),
            Err(left) => {
                let names = left.iter().map(|job| format!("{job:?}"));
                return (first.unwrap_or(limit), names.collect());
            }
        }
        let parked = summary::parked(field.sql()).await;
        if parked.is_empty() || round == 2 {
            break;
        }
        for id in parked {
            let path = format!("/v1/jobs/{id}/replay");
            let why = json!({"reason": "its workers were killed"});
            let key = format!("replay-{round}-{id}");
            field.platform.post(&path, &key, &why).await;
        }
    }
    (first.unwrap_or(limit), Vec::new())
}

fn draw(chance: &mut StdRng, from: u64, to: u64) -> u64 {
    chance.random_range(from..=to)
}
