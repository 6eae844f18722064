//! Taking jobs in.

mod intake;
mod row;
mod subject;

use std::collections::BTreeSet;

use entity::{job, server};
use hosting::{PanelRules, Reference, Username};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::error::Trouble;
use super::gate::closed;
use super::secrets::NewSecret;
use super::{Ring, Store, StoreError, line, padded, transact};
use crate::faults::{Bug, Point};
use crate::{JobKind, JobSpec, Lane};
use intake::Intake;
pub(in crate::store) use row::row;

/// A job to be taken in.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Its public id, from [`crate::new_public_id`]: secrets are sealed to it beforehand.
    pub public_id: String,
    /// Whose it is; [`crate::OPERATOR`] for the operator's and our own.
    pub platform_id: i64,
    /// Unique in its platform. Give a fresh one where the client gave none.
    pub idem_key: String,
    /// Keyed hash of the request's body, hex.
    pub body_hash: String,
    /// Kind and contents.
    pub spec: JobSpec,
    /// Its server.
    pub server_id: Option<i64>,
    /// Its account.
    pub target: Target,
    /// Not before (milliseconds UTC).
    pub due_at: Option<i64>,
    /// Who asks.
    pub actor: String,
    /// Why.
    pub reason: Option<String>,
    /// The webhook endpoint's name.
    pub webhook: Option<String>,
    /// The caller's request id.
    pub trace: Option<String>,
    /// Sealed beforehand, with owner `job:<public_id>`.
    pub secrets: Vec<NewSecret>,
    /// The job whose edited copy this is.
    pub replay_of: Option<i64>,
}

/// What account a new job is about.
#[derive(Debug, Clone)]
pub enum Target {
    /// None.
    Nobody,
    /// One that we know, by its row.
    Known(i64),
    /// One that its create makes.
    New {
        /// The platform's reference.
        reference: Option<Reference>,
        /// The login name; without one the rules make one from the account's id.
        username: Option<Username>,
        /// The server's rules.
        rules: Box<PanelRules>,
    },
    /// One that we do not know yet: the first attempt takes it over from the panel.
    Unknown {
        /// The platform's reference, if it told one.
        reference: Option<Reference>,
        /// The login name.
        username: Username,
        /// The main domain, if it told one.
        domain: Option<hosting::DomainName>,
    },
}

/// A job that is in the ledger.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Its row.
    pub job: job::Model,
    /// Whether this call made it; else it was there under the same key with the same body.
    pub new: bool,
}

/// Why a job was not taken in. Nothing of it was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The key is taken by a job with another body.
    #[error("the idempotency key was used for another request (job {0})")]
    KeyTaken(String),
    /// The reference or the name belongs to an account that is not the one asked for.
    #[error("{0}")]
    AccountTaken(String),
    /// No login name could be made.
    #[error("no login name could be made: {0}")]
    NoName(String),
    /// The account is gone.
    #[error("the account is terminated")]
    AccountGone,
}

impl Store {
    /// Takes jobs in, all of the acceptable ones in one transaction, in the order given.
    /// Returns one answer a job, and what to ring now that they are committed.
    ///
    /// # Errors
    /// When the database does not answer; then none was taken in, or ([`StoreError::CommitUnknown`])
    /// the same call with the same keys finds them.
    pub async fn submit(
        &self,
        jobs: &[NewJob],
    ) -> Result<(Vec<Result<Submitted, Refusal>>, Vec<Ring>), StoreError> {
        if Bug::AnswerBeforeCommit.is_on() {
            return Ok(self.submit_in(&self.begin().await?, jobs).await?);
        }
        let mut duplicates = 0;
        loop {
            let outcome = transact!(self, tx, { self.submit_in(&tx, jobs).await? });
            match outcome {
                // Somebody inserted the same key or name at the same moment: the next pass finds it.
                Err(error) if error.trouble() == Trouble::Duplicate && duplicates < 3 => {
                    duplicates += 1;
                }
                other => return other,
            }
        }
    }

    async fn submit_in(
        &self,
        tx: &impl ConnectionTrait,
        jobs: &[NewJob],
    ) -> Result<(Vec<Result<Submitted, Refusal>>, Vec<Ring>), DbErr> {
        let now = self.clock(tx).await?;
        let mut intake = Intake::new(jobs);
        intake.answer_known_keys(tx).await?;
        intake.resolve_accounts(tx, now).await?;
        let ids: BTreeSet<i64> = intake.account_ids();
        let accounts = line::lock_accounts(tx, &ids).await?;
        intake.answer_known_keys(tx).await?;
        intake.refuse_gone(&accounts);
        intake.refuse_others(&accounts);
        let mut superseded = Vec::new();
        for (index, account_id) in intake.joins_line(now) {
            let joiner = line::Joiner {
                kind: jobs[index].spec.kind(),
                public_id: &jobs[index].public_id,
                actor: &jobs[index].actor,
                row: None,
            };
            superseded.extend(line::supersede(tx, account_id, joiner, now).await?);
        }
        intake.insert(tx, now, self.pace()).await?;
        let states = intake.account_states(tx, &accounts).await?;
        let mut rings = line::promote(tx, &states, now).await?;
        let answers = intake.answers(tx).await?;
        let made = answers.iter().flatten().filter(|answer| answer.new);
        Point::IntakeInserted.reach_each(made.map(|answer| &answer.job));
        rings.extend(
            answers
                .iter()
                .flatten()
                .filter(|answer| answer.new)
                .filter_map(|answer| {
                    let job = &answer.job;
                    let alone =
                        job.open_of.is_none() && job.ready_lane.is_some() && job.due_at <= now;
                    alone.then_some(Ring {
                        job_id: job.id,
                        lane: Lane::from_number(job.lane),
                    })
                }),
        );
        self.leave_closed_gates_alone(tx, &answers, &mut rings, now)
            .await?;
        rings.extend(self.tell(tx, &superseded, now).await?);
        Ok((answers, rings))
    }

    /// Nobody is woken for jobs that could not start: ten thousand jobs for a paused server cost no
    /// claim. They are rung when the gate opens, or found by the timers.
    async fn leave_closed_gates_alone(
        &self,
        tx: &impl ConnectionTrait,
        answers: &[Result<Submitted, Refusal>],
        rings: &mut Vec<Ring>,
        now: i64,
    ) -> Result<(), DbErr> {
        let jobs = || answers.iter().flatten().map(|answer| &answer.job);
        let servers: BTreeSet<i64> = jobs().filter_map(|job| job.server_id).collect();
        if rings.is_empty() || servers.is_empty() {
            return Ok(());
        }
        let gates: Vec<server::Model> = server::Entity::find()
            .filter(server::Column::Id.is_in(padded(&servers.into_iter().collect::<Vec<_>>())))
            .all(tx)
            .await?;
        let shut: BTreeSet<i64> = jobs()
            .filter(|job| {
                let gate = gates.iter().find(|gate| Some(gate.id) == job.server_id);
                let kind = job.kind.parse::<JobKind>();
                gate.zip(kind.ok())
                    .is_some_and(|(gate, kind)| closed(gate, kind, now).is_some())
            })
            .map(|job| job.id)
            .collect();
        rings.retain(|ring| !shut.contains(&ring.job_id));
        Ok(())
    }
}
