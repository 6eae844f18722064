//! Random lives of one account against a small model of the line: newer jobs take older ones back by rule,
//! or wait behind them; nothing is ever reordered.

use std::time::Duration;

use jobs::store::{Outcome, Refusal, Replayed};
use jobs::{JobKind, JobSpec, JobState};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, done, ended, held};

#[derive(Debug, Clone)]
enum Step {
    Submit(JobSpec),
    /// Claims what may be claimed, if anything.
    Claim,
    /// Ends what runs, if anything.
    End(End),
    Cancel(usize),
    Replay(usize),
}

#[derive(Debug, Clone, Copy)]
enum End {
    Done,
    Failed,
    Held,
    Retry,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let specs = [
        JobSpec::Suspend,
        JobSpec::Unsuspend,
        JobSpec::Unlock,
        JobSpec::Terminate,
    ];
    // Terminations seldom, or nothing else is left to be seen.
    let spec = (0..12_usize).prop_map(move |n| specs[if n == 11 { 3 } else { n % 3 }].clone());
    let end = prop_oneof![
        3 => Just(End::Done),
        1 => Just(End::Failed),
        1 => Just(End::Held),
        1 => Just(End::Retry),
    ];
    let step = prop_oneof![
        4 => spec.prop_map(Step::Submit),
        3 => Just(Step::Claim),
        3 => end.prop_map(Step::End),
        1 => (0..12_usize).prop_map(Step::Cancel),
        2 => (0..12_usize).prop_map(Step::Replay),
    ];
    prop::collection::vec(step, 1..30)
}

/// A job as the model has it.
#[derive(Debug, Clone)]
struct Known {
    id: i64,
    kind: JobKind,
    state: JobState,
    attempts: i32,
}

/// The account's jobs in the order of intake.
#[derive(Debug, Default)]
struct Model {
    jobs: Vec<Known>,
    gone: bool,
}

impl Model {
    fn running(&self) -> Option<usize> {
        self.jobs
            .iter()
            .position(|job| job.state == JobState::Running)
    }

    /// The oldest that is not done, unless one runs.
    fn ready(&self) -> Option<usize> {
        let open = [JobState::Queued, JobState::Retrying];
        let first = self.jobs.iter().position(|job| open.contains(&job.state));
        first.filter(|_| self.running().is_none())
    }

    /// What a new job of that kind takes back: what was never claimed and is undone by it.
    fn supersede(&mut self, by: JobKind) {
        for job in &mut self.jobs {
            let undone = match by {
                JobKind::Terminate => job.kind != JobKind::Terminate,
                JobKind::Suspend => job.kind == JobKind::Unsuspend,
                JobKind::Unsuspend => job.kind == JobKind::Suspend,
                _ => false,
            };
            if undone && job.state == JobState::Queued && job.attempts == 0 {
                job.state = JobState::Cancelled;
            }
        }
    }

    /// Whether a newer job has begun and has not come to nothing.
    fn overtaken(&self, index: usize) -> bool {
        let nothing = [JobState::Failed, JobState::Cancelled];
        self.jobs[index + 1..]
            .iter()
            .any(|job| job.attempts > 0 && !nothing.contains(&job.state))
    }
}

async fn take(world: &World, account: i64, model: &mut Model, step: Step) {
    match step {
        Step::Submit(spec) => {
            let kind = spec.kind();
            let refused = model.gone && kind != JobKind::Terminate;
            let (mut answers, _) = world
                .store
                .submit(&[world.change(account, spec)])
                .await
                .unwrap();
            match answers.remove(0) {
                Ok(taken) => {
                    assert!(
                        !refused,
                        "nothing but its end is taken in for one that is gone"
                    );
                    model.supersede(kind);
                    model.jobs.push(Known {
                        id: taken.job.id,
                        kind,
                        state: JobState::Queued,
                        attempts: 0,
                    });
                }
                Err(refusal) => assert!(refused && refusal == Refusal::AccountGone),
            }
        }
        Step::Claim => {
            // All are tried at once: exactly the one that is next is won.
            let ids: Vec<i64> = model.jobs.iter().map(|job| job.id).collect();
            let won = world.won(&ids).await;
            let ready = model.ready();
            let expected: Vec<i64> = ready.iter().map(|&next| model.jobs[next].id).collect();
            assert_eq!(won, expected);
            if let Some(next) = ready {
                model.jobs[next].state = JobState::Running;
                model.jobs[next].attempts += 1;
            }
        }
        Step::End(end) => {
            let Some(running) = model.running() else {
                return;
            };
            end_it(world, model, running, end).await;
        }
        Step::Cancel(pick) => {
            let Some(index) = (!model.jobs.is_empty()).then(|| pick % model.jobs.len()) else {
                return;
            };
            let job = &mut model.jobs[index];
            let (answer, _) = world.store.cancel(job.id, "operator", None).await.unwrap();
            let may = [JobState::Queued, JobState::Retrying, JobState::Held].contains(&job.state);
            assert_eq!(
                answer == jobs::store::Cancelled::Done,
                may,
                "{answer:?} {job:?}"
            );
            if may {
                job.state = JobState::Cancelled;
            }
        }
        Step::Replay(pick) => {
            let Some(index) = (!model.jobs.is_empty()).then(|| pick % model.jobs.len()) else {
                return;
            };
            let rests = [JobState::Failed, JobState::Held, JobState::Cancelled];
            let may = rests.contains(&model.jobs[index].state) && !model.overtaken(index);
            let id = model.jobs[index].id;
            let (answer, _) = world
                .store
                .replay(id, "operator", "again", false)
                .await
                .unwrap();
            assert_eq!(
                answer == Replayed::Reopened,
                may,
                "{answer:?} {:?}",
                model.jobs[index]
            );
            if may {
                model.jobs[index].state = JobState::Queued;
            }
        }
    }
}

async fn end_it(world: &World, model: &mut Model, running: usize, end: End) {
    let known = &mut model.jobs[running];
    let row = world.job(known.id).await;
    let (outcome, state) = match end {
        End::Done => (done(), JobState::Succeeded),
        End::Failed => (Outcome::Failed, JobState::Failed),
        End::Held => (held(), JobState::Held),
        End::Retry => {
            let after = Duration::ZERO;
            (Outcome::Retry { after }, JobState::Retrying)
        }
    };
    let claimed = jobs::store::Claimed {
        spec: serde_json::from_str(&row.payload).unwrap(),
        server: None,
        account: None,
        claimed_at: 0,
        job: row,
    };
    let report = world.finish(&[ended(&claimed, outcome)]).await;
    assert_eq!(report.stale, [0_i64; 0]);
    known.state = state;
    model.gone |= known.kind == JobKind::Terminate && state == JobState::Succeeded;
}

async fn live(world: &World, name: &str, steps: Vec<Step>) {
    let account = world.account(name).await;
    let mut model = Model::default();
    for step in steps {
        take(world, account, &mut model, step).await;
        for known in &model.jobs {
            assert_eq!(
                world.state(known.id).await,
                known.state,
                "{known:?} {model:?}"
            );
        }
    }
    // The account's line is left empty, so that the next life has the server's places to itself.
    while let Some(next) = model.running().or_else(|| model.ready()) {
        if model.running().is_none() {
            take(world, account, &mut model, Step::Claim).await;
        }
        end_it(world, &mut model, next, End::Done).await;
    }
}

#[test]
fn no_sequence_of_jobs_replays_and_cancels_leaves_the_rules() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let world = runtime.block_on(async {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        let world = World::new(&database).await;
        let until = world.store.now().await.unwrap() + 86_400_000;
        world
            .store
            .release_guard(world.server, until)
            .await
            .unwrap();
        (world, database)
    });
    let count = std::sync::atomic::AtomicUsize::new(0);
    let cases = Config::default().cases.min(128);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(cases)
    });
    let outcome = runner.run(&steps(), |steps| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        runtime.block_on(live(&world.0, &format!("life{number}"), steps));
        Ok(())
    });
    outcome.unwrap();
}
