//! Writing intents and outcomes, in groups.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use entity::{account, attempt, job, server};
use sea_orm::sea_query::{CaseStatement, Expr, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter,
    QueryOrder, QuerySelect,
};
use serde_json::Value;

use super::accounts::{AccountChange, apply};
use super::line::{lock_accounts, promote, row_lock};
use super::{Ring, Store, StoreError, gate, padded, transact};
use crate::faults::{Bug, Point};
use crate::pace::millis;
use crate::{AccountState, JobKind, JobState, Lane};

/// How the attempt of a worker that is gone is closed.
pub(crate) const LOST: &str = "lost";

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done, or found as wanted.
    Succeeded {
        /// Whether nothing had to be changed.
        already_so: bool,
        /// The result that outsiders see: a JSON object without secrets.
        result: Option<Value>,
    },
    /// Again after this; a try is used.
    Retry {
        /// From now.
        after: Duration,
    },
    /// Again after this; no try is used: it waits for the outside, or was throttled.
    Later {
        /// From now.
        after: Duration,
    },
    /// It is not known whether a change took effect: look again after this.
    LookAgain {
        /// From now.
        after: Duration,
    },
    /// A person must look.
    Held {
        /// The stable reason.
        code: String,
    },
    /// Final.
    Failed,
    /// It was never begun: as before the claim.
    Returned,
    /// The attempt took its worker's task down (a panic); counted like a worker's death.
    Died,
}

/// An error as a job keeps it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobError {
    /// transient, throttled, auth, rejected, in_doubt, internal, deadline, ...
    pub class: String,
    /// Stable code.
    pub code: String,
    /// The customer's text.
    pub message: String,
    /// The operator's detail, redacted.
    pub detail: Option<Value>,
}

/// What a finished attempt says of its server.
#[derive(Debug, Clone, PartialEq)]
pub enum ServerEffect {
    /// Nothing.
    None,
    /// It answered (closes an open breaker).
    Reached,
    /// It could not be reached.
    Unreachable,
    /// It asked for patience.
    CoolDown {
        /// From now; capped at an hour.
        after: Duration,
    },
    /// It refuses our credentials.
    AuthRefused {
        /// What it said, redacted.
        detail: String,
    },
    /// A check found it in order: opens an auth hold, and takes up what was held for it.
    Checked {
        /// The panel's version.
        version: Option<String>,
        /// The rules as this server has them, JSON.
        rules: Value,
        /// What the check noted, JSON list.
        notes: Value,
        /// Most creates at one time, by the rules.
        max_creates: i32,
    },
    /// Its configuration was read, JSON.
    Configured {
        /// `panels::ServerConfig`.
        config: Value,
        /// The server's own host name.
        host_name: Option<String>,
    },
}

/// The end of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The job's row.
    pub job_id: i64,
    /// The claim's fence.
    pub fence: i64,
    /// How it ended.
    pub outcome: Outcome,
    /// What went wrong, if something did.
    pub error: Option<JobError>,
    /// What it changes about its account.
    pub account: Option<AccountChange>,
    /// What it says of its server.
    pub server: ServerEffect,
    /// Whether a change is still in doubt after this attempt.
    pub in_doubt: bool,
    /// Whether the job's secrets have served: the worker's copies are wiped with the outcome, the API's
    /// end a day later.
    pub secrets_spent: bool,
}

/// A changing request that is about to leave, or a step that is done.
#[derive(Debug, Clone)]
pub struct Intent {
    /// The job's row.
    pub job_id: i64,
    /// The claim's fence.
    pub fence: i64,
    /// The committed steps so far, JSON object; `None` = as they are.
    pub progress: Option<Value>,
    /// Whether a changing request leaves after this is committed.
    pub sends: bool,
}

/// What a group's transaction did.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// To ring.
    pub rings: Vec<Ring>,
    /// Jobs that came to rest, for those who wait for them.
    pub settled: Vec<i64>,
    /// Jobs whose claim was no longer valid; nothing was written for them.
    pub stale: Vec<i64>,
    /// Servers that have a free slot now.
    pub freed: Vec<i64>,
}

#[derive(sea_orm::FromQueryResult)]
struct Held {
    id: i64,
    public_id: String,
    fence: i64,
    attempt: i32,
    tries: i32,
    kind: String,
    lane: i32,
    account_id: Option<i64>,
    server_id: Option<i64>,
    started_at: Option<i64>,
    sent_at: Option<i64>,
    doubt_since: Option<i64>,
    looks: i32,
    worker_deaths: i32,
    owner: Option<String>,
    in_line: Option<i64>,
    lease_until: Option<i64>,
}

impl Held {
    /// Whether its lease still runs.
    fn holds(&self, now: i64) -> bool {
        self.lease_until.is_some_and(|until| until > now)
    }
}

impl Store {
    /// Writes a group of intents and outcomes in one transaction. Rows whose fence is not the claim's
    /// any more are left out and reported as stale.
    ///
    /// # Errors
    /// When the database does not answer, or a row cannot be written: then nothing of the group was.
    pub async fn write_group(
        &self,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<Report, StoreError> {
        transact!(self, tx, {
            self.write_group_in(&tx, intents, finishes).await?
        })
    }

    /// After a write whose COMMIT had no answer was repeated: what the first time wrote is not stale.
    /// What it freed is found by the timers.
    pub(crate) async fn less_written_before(
        &self,
        mut report: Report,
        finishes: &[Finish],
    ) -> Result<Report, StoreError> {
        for finish in finishes {
            if !report.stale.contains(&finish.job_id) {
                continue;
            }
            // A rescue closes the attempt under the same fence, as lost.
            let ours = attempt::Entity::find_by_id((finish.job_id, finish.fence))
                .filter(attempt::Column::Outcome.ne(LOST))
                .one(&self.write)
                .await?;
            if ours.is_some() {
                report.stale.retain(|id| *id != finish.job_id);
                report.settled.push(finish.job_id);
            }
        }
        Ok(report)
    }

    async fn write_group_in(
        &self,
        tx: &impl ConnectionTrait,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<Report, DbErr> {
        let (server_ids, account_ids) = self.touched(tx, intents, finishes).await?;
        let mut gates = lock_servers(tx, &server_ids).await?;
        let mut accounts = lock_accounts(tx, &account_ids).await?;
        let ids: BTreeSet<i64> = intents
            .iter()
            .map(|i| i.job_id)
            .chain(finishes.iter().map(|f| f.job_id))
            .collect();
        let held = lock_running(tx, &ids.into_iter().collect::<Vec<_>>()).await?;
        let now = self.clock(tx).await?;
        let mut report = Report::default();
        let valid = |job_id: i64, fence: i64| {
            held.get(&job_id)
                .filter(|row| row.fence == fence || Bug::NoFence.is_on())
        };
        // An outcome is good as long as nobody else has the job. A change must not leave that late: whoever
        // takes the job back may do so while it is on its way.
        for intent in intents {
            match valid(intent.job_id, intent.fence).filter(|row| !intent.sends || row.holds(now)) {
                Some(row) => {
                    write_intent(tx, row, intent, now).await?;
                    Point::IntentWritten.reach(row.id);
                }
                None => report.stale.push(intent.job_id),
            }
        }
        begin_creates(tx, intents, &held, &mut accounts, now).await?;
        let mut ended = Vec::new();
        for finish in finishes {
            match valid(finish.job_id, finish.fence) {
                Some(row) => ended.push((row, finish)),
                None => report.stale.push(finish.job_id),
            }
        }
        self.apply_effects(tx, &ended, &mut gates, now).await?;
        apply_accounts(tx, &ended, &mut accounts, now).await?;
        self.write_outcomes(tx, &ended, now, &mut report).await?;
        Point::OutcomeWritten.reach_each(ended.iter().map(|(row, _)| row.id));
        spend_secrets(tx, &ended, now).await?;
        insert_attempts(tx, &ended, now, |finish, row| {
            self.next_due(row, finish, now)
        })
        .await?;
        let states = accounts
            .into_iter()
            .map(|(id, row)| (id, row.state))
            .collect();
        report.rings.extend(promote(tx, &states, now).await?);
        Point::LinePromoted.reach_each(ended.iter().map(|(row, _)| row.id));
        for server_id in checked(&ended) {
            let rings = take_up_held(tx, server_id, &account_ids, now).await?;
            report.rings.extend(rings);
        }
        report.freed = freed(&ended);
        Ok(report)
    }

    /// The rows that have to be locked before the jobs: servers with an effect, accounts of the jobs that
    /// end, and of the creates that begin.
    async fn touched(
        &self,
        tx: &impl ConnectionTrait,
        intents: &[Intent],
        finishes: &[Finish],
    ) -> Result<(BTreeSet<i64>, BTreeSet<i64>), DbErr> {
        let ending: BTreeSet<i64> = finishes.iter().map(|finish| finish.job_id).collect();
        let sending = intents.iter().filter(|intent| intent.sends);
        let ids: Vec<i64> = sending
            .map(|intent| intent.job_id)
            .chain(ending.iter().copied())
            .collect();
        if ids.is_empty() {
            return Ok((BTreeSet::new(), BTreeSet::new()));
        }
        let rows: Vec<(i64, Option<i64>, Option<i64>, String)> = job::Entity::find()
            .select_only()
            .columns([
                job::Column::Id,
                job::Column::ServerId,
                job::Column::AccountId,
                job::Column::Kind,
            ])
            .filter(job::Column::Id.is_in(padded(&ids)))
            .into_tuple()
            .all(tx)
            .await?;
        let of = |wanted: fn(&ServerEffect) -> bool| -> BTreeSet<i64> {
            let jobs = finishes.iter().filter(|finish| wanted(&finish.server));
            let jobs: BTreeSet<i64> = jobs.map(|finish| finish.job_id).collect();
            let rows = rows.iter().filter(|row| jobs.contains(&row.0));
            rows.filter_map(|row| row.1).collect()
        };
        let mut servers =
            of(|effect| !matches!(effect, ServerEffect::None | ServerEffect::Reached));
        // That a server answered is written only where a failure stands against it: an ordinary outcome
        // must not queue at the gate.
        servers.extend(with_failures(tx, &of(|effect| *effect == ServerEffect::Reached)).await?);
        let mut accounts: BTreeSet<i64> = rows.iter().filter_map(|row| row.2).collect();
        let good_check = |finish: &&Finish| matches!(finish.server, ServerEffect::Checked { .. });
        if finishes.iter().any(|finish| good_check(&finish)) {
            let held = held_for_credentials(tx, &servers).await?;
            accounts.extend(held.iter().filter_map(|row| row.account_id));
        }
        Ok((servers, accounts))
    }

    async fn apply_effects(
        &self,
        tx: &impl ConnectionTrait,
        ended: &[(&Held, &Finish)],
        gates: &mut BTreeMap<i64, server::Model>,
        now: i64,
    ) -> Result<(), DbErr> {
        for (row, finish) in ended {
            if let Some(gate) = row.server_id.and_then(|id| gates.get_mut(&id)) {
                self.apply_effect(tx, gate, &finish.server, now).await?;
            }
        }
        Ok(())
    }

    /// Writes it, and to `gate` what a later effect of the same group builds on.
    async fn apply_effect(
        &self,
        tx: &impl ConnectionTrait,
        gate: &mut server::Model,
        effect: &ServerEffect,
        now: i64,
    ) -> Result<(), DbErr> {
        use server::Column as C;
        let update = server::Entity::update_many().filter(C::Id.eq(gate.id));
        let update = match effect {
            ServerEffect::None => return Ok(()),
            ServerEffect::Unreachable => {
                return gate::count_failure(tx, gate, now, self.pace()).await;
            }
            ServerEffect::Reached if gate.breaker_failures == 0 => return Ok(()),
            ServerEffect::Reached => update
                .col_expr(C::BreakerFailures, Expr::value(0))
                .col_expr(C::BreakerProbeAt, Expr::value(None::<i64>)),
            ServerEffect::CoolDown { after } => {
                let until = now + millis((*after).min(crate::retry::LONGEST_THROTTLE));
                gate.cool_until = Ord::max(gate.cool_until, Some(until));
                update.col_expr(C::CoolUntil, Expr::value(gate.cool_until))
            }
            ServerEffect::AuthRefused { detail } => {
                let since = *gate.auth_hold_since.get_or_insert(now);
                update
                    .col_expr(C::AuthHoldSince, Expr::value(since))
                    .col_expr(C::AuthHoldDetail, Expr::value(detail.as_str()))
            }
            ServerEffect::Checked {
                version,
                rules,
                notes,
                max_creates,
            } => update
                .col_expr(C::AuthHoldSince, Expr::value(None::<i64>))
                .col_expr(C::AuthHoldDetail, Expr::value(None::<String>))
                .col_expr(C::BreakerFailures, Expr::value(0))
                .col_expr(C::BreakerProbeAt, Expr::value(None::<i64>))
                .col_expr(
                    C::Version,
                    Expr::value(
                        version
                            .as_ref()
                            .map(|v| v.chars().take(64).collect::<String>()),
                    ),
                )
                .col_expr(C::Rules, Expr::value(rules.to_string()))
                .col_expr(C::CheckNotes, Expr::value(notes.to_string()))
                .col_expr(C::MaxCreates, Expr::value(*max_creates))
                .col_expr(C::CheckedAt, Expr::value(now)),
            ServerEffect::Configured { config, host_name } => {
                let update = update
                    .col_expr(C::Config, Expr::value(config.to_string()))
                    .col_expr(C::ConfigAt, Expr::value(now));
                match host_name {
                    Some(name) => update.col_expr(C::HostName, Expr::value(name.as_str())),
                    None => update,
                }
            }
        };
        if matches!(effect, ServerEffect::Reached | ServerEffect::Checked { .. }) {
            gate.breaker_failures = 0;
        }
        if matches!(effect, ServerEffect::Checked { .. }) {
            gate.auth_hold_since = None;
        }
        update.exec(tx).await?;
        Ok(())
    }

    async fn write_outcomes(
        &self,
        tx: &impl ConnectionTrait,
        ended: &[(&Held, &Finish)],
        now: i64,
        report: &mut Report,
    ) -> Result<(), DbErr> {
        let mut groups: BTreeMap<Shape, Vec<(&Held, &Finish)>> = BTreeMap::new();
        for &(row, finish) in ended {
            groups
                .entry(shape(row, finish))
                .or_default()
                .push((row, finish));
        }
        // Those that leave the line go first: the next head takes the place that they give up.
        for (shape, rows) in &groups {
            let ids: Vec<i64> = rows.iter().map(|(row, _)| row.id).collect();
            let update = self.update_of(*shape, rows, now);
            let written = update
                .filter(job::Column::Id.is_in(padded(&ids)))
                .filter(job::Column::State.eq(JobState::Running.name()))
                .exec(tx)
                .await?;
            if written.rows_affected != ids.len() as u64 {
                return Err(DbErr::Custom("a locked job changed its state".into()));
            }
            if shape.state.is_settled() {
                report.settled.extend(&ids);
            }
            let due = rows.iter().filter(|(row, finish)| {
                shape.state == JobState::Retrying
                    && self
                        .next_due(row, finish, now)
                        .is_some_and(|due| due <= now)
            });
            report.rings.extend(due.map(|(row, _)| Ring {
                job_id: row.id,
                lane: Lane::from_number(row.lane),
            }));
        }
        Ok(())
    }

    fn update_of(
        &self,
        shape: Shape,
        rows: &[(&Held, &Finish)],
        now: i64,
    ) -> sea_orm::UpdateMany<job::Entity> {
        use job::Column as C;
        let mut update = job::Entity::update_many()
            .col_expr(C::State, Expr::value(shape.state.name()))
            .col_expr(C::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(C::Owner, Expr::value(None::<String>))
            .col_expr(
                C::Tries,
                case(rows, C::Tries, |row, finish| {
                    Expr::value(tries(row, finish))
                }),
            )
            .col_expr(
                C::Looks,
                case(rows, C::Looks, |row, finish| {
                    Expr::value(looks(row, finish))
                }),
            )
            .col_expr(
                C::WorkerDeaths,
                case(rows, C::WorkerDeaths, |row, finish| {
                    Expr::value(deaths(row, finish))
                }),
            )
            .col_expr(
                C::DoubtSince,
                case(rows, C::DoubtSince, |row, finish| {
                    Expr::value(doubt(row, finish, now))
                }),
            )
            .col_expr(
                C::HoldCode,
                case(rows, C::HoldCode, |row, finish| {
                    Expr::value(hold_code(row, finish))
                }),
            )
            .col_expr(
                C::Result,
                case(rows, C::Result, |_, finish| Expr::value(result(finish))),
            )
            .col_expr(
                C::ErrorClass,
                case(rows, C::ErrorClass, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.class, 16)))
                }),
            )
            .col_expr(
                C::ErrorCode,
                case(rows, C::ErrorCode, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.code, 64)))
                }),
            )
            .col_expr(
                C::ErrorMessage,
                case(rows, C::ErrorMessage, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.message, 1000)))
                }),
            );
        if shape.leaves_line {
            update = update
                .col_expr(C::HeadOf, Expr::value(None::<i64>))
                .col_expr(C::OpenOf, Expr::value(None::<i64>));
        }
        if shape.state.is_settled() {
            update = update.col_expr(C::FinishedAt, Expr::value(now));
        } else {
            update = update.col_expr(C::ReadyLane, Expr::col(C::Lane)).col_expr(
                C::DueAt,
                case(rows, C::DueAt, |row, finish| {
                    Expr::value(self.next_due(row, finish, now).unwrap_or(now))
                }),
            );
        }
        update
    }

    fn next_due(&self, row: &Held, finish: &Finish, now: i64) -> Option<i64> {
        match &finish.outcome {
            Outcome::Retry { after } | Outcome::Later { after } | Outcome::LookAgain { after } => {
                Some(now + millis(*after))
            }
            Outcome::Returned => Some(now),
            Outcome::Died if !is_poison(row, finish) => {
                Some(now + millis(self.pace().of(Duration::from_secs(5))))
            }
            Outcome::Died | Outcome::Succeeded { .. } | Outcome::Held { .. } | Outcome::Failed => {
                None
            }
        }
    }
}

/// After so many worker deaths a job is parked.
pub(crate) const POISON_AFTER: i32 = 3;

/// Rows that one UPDATE can write. Ordered so that those that leave the line come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    stays: bool,
    state: JobState,
    leaves_line: bool,
}

fn shape(row: &Held, finish: &Finish) -> Shape {
    let state = match &finish.outcome {
        Outcome::Succeeded { .. } => JobState::Succeeded,
        Outcome::Failed => JobState::Failed,
        Outcome::Held { .. } => JobState::Held,
        Outcome::Died if is_poison(row, finish) => JobState::Held,
        Outcome::Retry { .. }
        | Outcome::Later { .. }
        | Outcome::LookAgain { .. }
        | Outcome::Returned
        | Outcome::Died => JobState::Retrying,
    };
    // A create that is held, and anything in doubt, keeps what is behind it waiting.
    let blocks = row.kind == JobKind::Create.name() || finish.in_doubt;
    let leaves_line = match state {
        JobState::Succeeded | JobState::Failed => true,
        JobState::Held => !blocks,
        _ => false,
    };
    Shape {
        stays: !leaves_line,
        state,
        leaves_line,
    }
}

fn tries(row: &Held, finish: &Finish) -> i32 {
    match finish.outcome {
        // A change that left used its try, whatever became of it; a look alone uses none.
        Outcome::LookAgain { .. } if row.sent_at.is_some() => row.tries + 1,
        Outcome::Later { .. } | Outcome::LookAgain { .. } | Outcome::Returned | Outcome::Died => {
            row.tries
        }
        _ => row.tries + 1,
    }
}

fn looks(row: &Held, finish: &Finish) -> i32 {
    match finish.outcome {
        // A change sent in this attempt starts its own series of looks.
        Outcome::LookAgain { .. } if row.sent_at.is_some() => 1,
        Outcome::LookAgain { .. } => row.looks + 1,
        _ if finish.in_doubt => row.looks,
        _ => 0,
    }
}

fn deaths(row: &Held, finish: &Finish) -> i32 {
    row.worker_deaths + i32::from(finish.outcome == Outcome::Died)
}

fn is_poison(row: &Held, finish: &Finish) -> bool {
    deaths(row, finish) >= POISON_AFTER && !Bug::NeverParked.is_on()
}

fn doubt(row: &Held, finish: &Finish, now: i64) -> Option<i64> {
    // A change sent in this attempt restarts the settle time: it is the one that may still be running.
    finish
        .in_doubt
        .then(|| row.sent_at.or(row.doubt_since).unwrap_or(now))
}

fn hold_code(row: &Held, finish: &Finish) -> Option<String> {
    match &finish.outcome {
        Outcome::Held { code } => Some(cut(code, 64)),
        Outcome::Died if is_poison(row, finish) => Some("poison".to_owned()),
        _ => None,
    }
}

fn result(finish: &Finish) -> Option<String> {
    match &finish.outcome {
        Outcome::Succeeded { result, .. } => result.as_ref().map(Value::to_string),
        _ => None,
    }
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// `CASE id WHEN .. THEN ..`, or the one value when all rows have the same.
fn case(
    rows: &[(&Held, &Finish)],
    _column: job::Column,
    value: impl Fn(&Held, &Finish) -> SimpleExpr,
) -> SimpleExpr {
    let values: Vec<SimpleExpr> = rows
        .iter()
        .map(|(row, finish)| value(row, finish))
        .collect();
    if let Some(first) = values.first()
        && values.iter().all(|value| value == first)
    {
        return first.clone();
    }
    let mut case = CaseStatement::new();
    for ((row, _), value) in rows.iter().zip(values) {
        case = case.case(Expr::col(job::Column::Id).eq(row.id), value);
    }
    case.into()
}

async fn lock_servers(
    tx: &impl ConnectionTrait,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, server::Model>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<i64> = ids.iter().copied().collect();
    let rows = server::Entity::find()
        .filter(server::Column::Id.is_in(padded(&ids)))
        .order_by_asc(server::Column::Id)
        .lock(row_lock(tx.get_database_backend()))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

async fn lock_running(
    tx: &impl ConnectionTrait,
    ids: &[i64],
) -> Result<BTreeMap<i64, Held>, DbErr> {
    use job::Column as C;
    let rows = job::Entity::find()
        .select_only()
        .columns([
            C::Id,
            C::PublicId,
            C::Fence,
            C::Attempt,
            C::Tries,
            C::Kind,
            C::Lane,
            C::AccountId,
            C::ServerId,
            C::StartedAt,
            C::SentAt,
            C::DoubtSince,
            C::Looks,
            C::WorkerDeaths,
            C::Owner,
            C::LeaseUntil,
        ])
        .column_as(C::OpenOf, "in_line")
        .filter(C::Id.is_in(padded(ids)))
        .filter(C::State.eq(JobState::Running.name()))
        .order_by_asc(C::Id)
        .lock(row_lock(tx.get_database_backend()))
        .into_model::<Held>()
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

async fn write_intent(
    tx: &impl ConnectionTrait,
    row: &Held,
    intent: &Intent,
    now: i64,
) -> Result<(), DbErr> {
    use job::Column as C;
    let mut update = job::Entity::update_many()
        .filter(C::Id.eq(row.id))
        .filter(C::Fence.eq(row.fence));
    if intent.sends {
        update = update
            .col_expr(C::Phase, Expr::value("sent"))
            .col_expr(C::SentAt, Expr::value(now));
    }
    if let Some(progress) = &intent.progress {
        update = update.col_expr(C::Progress, Expr::value(progress.to_string()));
    }
    if intent.sends || intent.progress.is_some() {
        update.exec(tx).await?;
    }
    Ok(())
}

/// The accounts whose create leaves for the first time are being made from now on.
async fn begin_creates(
    tx: &impl ConnectionTrait,
    intents: &[Intent],
    held: &BTreeMap<i64, Held>,
    accounts: &mut BTreeMap<i64, account::Model>,
    now: i64,
) -> Result<(), DbErr> {
    let mut begun = Vec::new();
    for intent in intents.iter().filter(|intent| intent.sends) {
        let row = held
            .get(&intent.job_id)
            .filter(|row| row.fence == intent.fence && row.holds(now))
            .filter(|row| row.kind == JobKind::Create.name());
        let account = row
            .and_then(|row| row.account_id)
            .and_then(|id| accounts.get_mut(&id))
            .filter(|account| account.state == AccountState::Requested.name());
        if let Some(account) = account {
            AccountState::Provisioning
                .name()
                .clone_into(&mut account.state);
            begun.push(account.id);
        }
    }
    if begun.is_empty() {
        return Ok(());
    }
    account::Entity::update_many()
        .col_expr(
            account::Column::State,
            Expr::value(AccountState::Provisioning.name()),
        )
        .col_expr(account::Column::UpdatedAt, Expr::value(now))
        .filter(account::Column::Id.is_in(padded(&begun)))
        .exec(tx)
        .await?;
    Ok(())
}

async fn apply_accounts(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    accounts: &mut BTreeMap<i64, account::Model>,
    now: i64,
) -> Result<(), DbErr> {
    for (row, finish) in ended {
        let Some(account) = row.account_id.and_then(|id| accounts.get_mut(&id)) else {
            continue;
        };
        if let Some(change) = &finish.account {
            apply(tx, account.id, change, now).await?;
            if let Some(state) = change.state {
                state.name().clone_into(&mut account.state);
            }
        }
        let create_failed = finish.outcome == Outcome::Failed
            && row.kind == JobKind::Create.name()
            && finish
                .account
                .as_ref()
                .is_none_or(|change| change.state.is_none());
        if create_failed && row.in_line.is_some() {
            let failed = AccountChange {
                state: Some(AccountState::Failed),
                ..AccountChange::default()
            };
            apply(tx, account.id, &failed, now).await?;
            AccountState::Failed.name().clone_into(&mut account.state);
        }
    }
    Ok(())
}

async fn insert_attempts(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    now: i64,
    next_due: impl Fn(&Finish, &Held) -> Option<i64>,
) -> Result<(), DbErr> {
    let rows: Vec<attempt::ActiveModel> = ended
        .iter()
        .map(|(row, finish)| attempt::ActiveModel {
            job_id: Set(row.id),
            fence: Set(row.fence),
            attempt: Set(row.attempt),
            owner: Set(row.owner.clone()),
            started_at: Set(row.started_at.unwrap_or(now)),
            sent_at: Set(row.sent_at),
            finished_at: Set(now),
            outcome: Set(outcome_name(finish).to_owned()),
            error_class: Set(finish.error.as_ref().map(|error| cut(&error.class, 16))),
            error_code: Set(finish.error.as_ref().map(|error| cut(&error.code, 64))),
            error_message: Set(finish.error.as_ref().map(|error| cut(&error.message, 1000))),
            detail: Set(finish
                .error
                .as_ref()
                .and_then(|error| error.detail.as_ref().map(Value::to_string))),
            next_due_at: Set(next_due(finish, row)),
        })
        .collect();
    if !rows.is_empty() {
        attempt::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn outcome_name(finish: &Finish) -> &'static str {
    match &finish.outcome {
        Outcome::Succeeded {
            already_so: true, ..
        } => "already_so",
        Outcome::Succeeded { .. } => "succeeded",
        Outcome::Retry { .. } => "retry",
        Outcome::Later { .. } => "later",
        Outcome::LookAgain { .. } => "look_again",
        Outcome::Held { .. } => "held",
        Outcome::Failed => "failed",
        Outcome::Returned => "returned",
        Outcome::Died => "died",
    }
}

async fn spend_secrets(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    now: i64,
) -> Result<(), DbErr> {
    let spent = ended.iter().filter(|(_, finish)| finish.secrets_spent);
    let owners: Vec<String> = spent
        .map(|(row, _)| format!("job:{}", row.public_id))
        .collect();
    super::secrets::spend(tx, &owners, now).await
}

/// Servers that a check of this group found in order.
fn checked(ended: &[(&Held, &Finish)]) -> BTreeSet<i64> {
    let checks = ended
        .iter()
        .filter(|(_, finish)| matches!(finish.server, ServerEffect::Checked { .. }));
    checks.filter_map(|(row, _)| row.server_id).collect()
}

/// Those of these servers that could not be reached lately.
async fn with_failures(
    tx: &impl ConnectionTrait,
    servers: &BTreeSet<i64>,
) -> Result<Vec<i64>, DbErr> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    server::Entity::find()
        .select_only()
        .column(server::Column::Id)
        .filter(server::Column::Id.is_in(servers.iter().copied()))
        .filter(server::Column::BreakerFailures.gt(0))
        .into_tuple()
        .all(tx)
        .await
}

async fn held_for_credentials(
    tx: &impl ConnectionTrait,
    servers: &BTreeSet<i64>,
) -> Result<Vec<job::Model>, DbErr> {
    job::Entity::find()
        .filter(job::Column::ServerId.is_in(servers.iter().copied()))
        .filter(job::Column::State.eq(JobState::Held.name()))
        .filter(job::Column::HoldCode.eq("panel_auth"))
        .order_by_asc(job::Column::Id)
        .limit(1000)
        .all(tx)
        .await
}

/// After a good check, what was held only because credentials were refused goes on, unless a newer change
/// of its account was made meanwhile: that one holds, and a person decides. Jobs whose account
/// this transaction has not locked (they were held just now) wait for the next check.
async fn take_up_held(
    tx: &impl ConnectionTrait,
    server_id: i64,
    locked: &BTreeSet<i64>,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    let mut rings = Vec::new();
    for row in held_for_credentials(tx, &BTreeSet::from([server_id])).await? {
        if row.account_id.is_some_and(|id| !locked.contains(&id)) {
            continue;
        }
        if super::operate::was_overtaken(tx, &row).await? {
            continue;
        }
        let why = "the credentials are in order again";
        rings.extend(super::operate::reopen(tx, &row, "server check", why, now).await?);
    }
    Ok(rings)
}

fn freed(ended: &[(&Held, &Finish)]) -> Vec<i64> {
    let servers: BTreeSet<i64> = ended.iter().filter_map(|(row, _)| row.server_id).collect();
    servers.into_iter().collect()
}
