//! An account's line against a model of it, by random sequences of what platforms, workers and operators do.

use std::cell::Cell;
use std::time::Duration;

use jobs::JobSpec;
use jobs::store::{Cancelled, Claimed, Finish, JobFilter, Outcome, Replayed, Target};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tests::servers::{Kind, TestDatabase};
use tests::world::{World, done, ended, held, job};

/// What somebody does. Jobs are named by a number that is taken modulo how many there are.
#[derive(Debug, Clone)]
enum Act {
    Submit(Change),
    ClaimAll,
    Finish(End),
    Cancel(usize),
    Replay(usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Change {
    Suspend,
    Unsuspend,
    Unlock,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Done,
    Failed,
    Held,
    HeldInDoubt,
    Again,
    InDoubt,
}

/// A job as the rules of order (design: "Rules of order") see it.
#[derive(Debug, Clone, PartialEq)]
struct Job {
    change: Change,
    state: &'static str,
    begun: bool,
    in_line: bool,
    doubt: bool,
}

/// The line, by the rules alone.
#[derive(Debug, Default)]
struct Line {
    jobs: Vec<Job>,
    head: Option<usize>,
}

impl Line {
    fn promote(&mut self) {
        if self.head.is_none() {
            self.head = self.jobs.iter().position(|job| job.in_line);
        }
    }

    fn leave(&mut self, index: usize, state: &'static str) {
        self.jobs[index].state = state;
        self.jobs[index].in_line = false;
        if self.head == Some(index) {
            self.head = None;
        }
    }

    fn submit(&mut self, change: Change) {
        for index in 0..self.jobs.len() {
            let job = &self.jobs[index];
            let opposite = matches!(
                (change, job.change),
                (Change::Suspend, Change::Unsuspend) | (Change::Unsuspend, Change::Suspend)
            );
            if opposite && job.in_line && job.state == "queued" && !job.begun {
                self.leave(index, "cancelled");
            }
        }
        self.jobs.push(Job {
            change,
            state: "queued",
            begun: false,
            in_line: true,
            doubt: false,
        });
        self.promote();
    }

    /// The one that may be claimed, if one may.
    fn claim(&mut self) -> Option<usize> {
        let head = self.head?;
        let job = &mut self.jobs[head];
        if !["queued", "retrying"].contains(&job.state) {
            return None;
        }
        (job.state, job.begun) = ("running", true);
        Some(head)
    }

    fn finish(&mut self, index: usize, end: End) {
        self.jobs[index].doubt = matches!(end, End::HeldInDoubt | End::InDoubt);
        match end {
            End::Done => self.leave(index, "succeeded"),
            End::Failed => self.leave(index, "failed"),
            End::Held => self.leave(index, "held"),
            End::HeldInDoubt => self.jobs[index].state = "held",
            End::Again | End::InDoubt => self.jobs[index].state = "retrying",
        }
        self.promote();
    }

    fn cancel(&mut self, index: usize) -> bool {
        let job = &self.jobs[index];
        let may = match job.state {
            "queued" | "held" => true,
            "retrying" => !job.doubt,
            _ => false,
        };
        if may {
            self.leave(index, "cancelled");
            self.promote();
        }
        may
    }

    fn replay(&mut self, index: usize) -> bool {
        let overtaken = self.jobs[index + 1..]
            .iter()
            .any(|job| job.begun && !["failed", "cancelled"].contains(&job.state));
        if overtaken || !["held", "failed", "cancelled"].contains(&self.jobs[index].state) {
            return false;
        }
        if let Some(head) = self.head {
            let younger =
                head > index && self.jobs[head].state == "queued" && !self.jobs[head].begun;
            if younger || head == index {
                self.head = None;
            }
        }
        let job = &mut self.jobs[index];
        (job.state, job.in_line) = ("queued", true);
        self.promote();
        true
    }
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let change = prop::sample::select(vec![Change::Suspend, Change::Unsuspend, Change::Unlock]);
    let end = prop::sample::select(vec![
        End::Done,
        End::Failed,
        End::Held,
        End::HeldInDoubt,
        End::Again,
        End::InDoubt,
    ]);
    let act = prop_oneof![
        3 => change.prop_map(Act::Submit),
        3 => Just(Act::ClaimAll),
        3 => end.prop_map(Act::Finish),
        1 => (0..9_usize).prop_map(Act::Cancel),
        1 => (0..9_usize).prop_map(Act::Replay),
    ];
    prop::collection::vec(act, 4..14)
}

fn spec(change: Change) -> JobSpec {
    match change {
        Change::Suspend => JobSpec::Suspend,
        Change::Unsuspend => JobSpec::Unsuspend,
        Change::Unlock => JobSpec::Unlock,
    }
}

fn finish(won: &Claimed, end: End) -> Finish {
    let outcome = match end {
        End::Done => done(),
        End::Failed => Outcome::Failed,
        End::Held | End::HeldInDoubt => held(),
        End::Again => Outcome::Retry {
            after: Duration::ZERO,
        },
        End::InDoubt => Outcome::LookAgain {
            after: Duration::ZERO,
        },
    };
    Finish {
        in_doubt: matches!(end, End::HeldInDoubt | End::InDoubt),
        ..ended(won, outcome)
    }
}

/// The ledger and the model side by side.
struct Both<'w> {
    world: &'w World,
    server: i64,
    account: i64,
    ids: Vec<i64>,
    line: Line,
    running: Option<(usize, Claimed)>,
}

impl Both<'_> {
    async fn act(&mut self, act: &Act) -> Result<(), TestCaseError> {
        match act {
            Act::Submit(change) => {
                let new = job(
                    spec(*change),
                    Some(self.server),
                    Target::Known(self.account),
                );
                self.ids.push(self.world.submit(new).await.job.id);
                self.line.submit(*change);
            }
            Act::ClaimAll => {
                let won = self.world.claim(&self.ids).await;
                let rows: Vec<i64> = won.iter().map(|won| won.job.id).collect();
                let wanted = self.line.claim();
                prop_assert_eq!(
                    rows,
                    wanted
                        .map(|index| self.ids[index])
                        .into_iter()
                        .collect::<Vec<_>>()
                );
                if let Some(index) = wanted {
                    self.running = won.into_iter().next().map(|won| (index, won));
                }
            }
            Act::Finish(end) => {
                if let Some((index, won)) = self.running.take() {
                    self.world.finish(&[finish(&won, *end)]).await;
                    self.line.finish(index, *end);
                }
            }
            Act::Cancel(number) if !self.ids.is_empty() => {
                let index = number % self.ids.len();
                let cancel = self.world.store.cancel(self.ids[index], "op", None).await;
                let (cancelled, _) = cancel.expect("answered");
                prop_assert_eq!(cancelled == Cancelled::Done, self.line.cancel(index));
            }
            Act::Replay(number) if !self.ids.is_empty() => {
                let index = number % self.ids.len();
                let replay = self
                    .world
                    .store
                    .replay(self.ids[index], "op", "why", false)
                    .await;
                let (replayed, _) = replay.expect("answered");
                prop_assert_eq!(replayed == Replayed::Reopened, self.line.replay(index));
            }
            Act::Cancel(_) | Act::Replay(_) => {}
        }
        self.compare().await
    }

    async fn compare(&self) -> Result<(), TestCaseError> {
        let filter = JobFilter {
            account_id: Some(self.account),
            limit: 100,
            ..JobFilter::default()
        };
        let mut rows = self.world.store.jobs(&filter).await.expect("jobs");
        rows.reverse();
        let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
        let wanted: Vec<&str> = self.line.jobs.iter().map(|job| job.state).collect();
        prop_assert_eq!(states, wanted);
        let running = rows.iter().filter(|row| row.lease_until.is_some()).count();
        prop_assert!(running <= 1);
        Ok(())
    }
}

/// Property: whatever is submitted, claimed, finished, cancelled and replayed in whatever order, the
/// ledger's line is the model's: one at a time, in the order of intake, and blocked where it must be.
#[test]
fn an_accounts_line_is_as_the_rules_say() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (world, database) = runtime.block_on(async {
        let database = TestDatabase::migrated(Kind::Sqlite).await;
        (World::new(&database).await, database)
    });
    let numbers = Cell::new(0);
    let run = TestRunner::default().run(&acts(), |acts| {
        let number = numbers.get() + 1;
        numbers.set(number);
        runtime.block_on(async {
            let server = world.add_server(&format!("line{number}")).await;
            let account = world.account_on(server, &format!("acc{number}")).await;
            let mut both = Both {
                world: &world,
                server,
                account,
                ids: Vec::new(),
                line: Line::default(),
                running: None,
            };
            for act in &acts {
                both.act(act).await?;
            }
            Ok(())
        })
    });
    run.expect("the ledger's line is the model's");
    drop(database);
}
