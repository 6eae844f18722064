//! Taking jobs in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{account, job, server};
use hosting::{PanelRules, Reference, Username};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter,
    sea_query::Expr,
};

use super::accounts::{self, NewRow};
use super::error::Trouble;
use super::gate::closed;
use super::secrets::{NewSecret, put_secrets};
use super::{Ring, Store, StoreError, line, padded, transact};
use crate::faults::{Bug, Point};
use crate::{AccountState, CreateAccount, JobKind, JobSpec, JobState, Lane, PAYLOAD_VERSION};

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
        for (index, account_id) in intake.joins_line(now) {
            let joiner = line::Joiner {
                kind: jobs[index].spec.kind(),
                public_id: &jobs[index].public_id,
                actor: &jobs[index].actor,
                row: None,
            };
            line::supersede(tx, account_id, joiner, now).await?;
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

/// A group on its way in: for each job what is decided so far.
struct Intake<'a> {
    jobs: &'a [NewJob],
    account: Vec<Option<i64>>,
    refused: Vec<Option<Refusal>>,
    known: Vec<bool>,
    /// Index of an earlier job of the group with the same key.
    twin: Vec<Option<usize>>,
    /// Accounts made by this group.
    made: BTreeSet<i64>,
}

impl<'a> Intake<'a> {
    fn new(jobs: &'a [NewJob]) -> Self {
        let mut first: HashMap<(i64, &str), usize> = HashMap::new();
        let twin = jobs
            .iter()
            .enumerate()
            .map(|(index, job)| {
                let earlier = *first
                    .entry((job.platform_id, job.idem_key.as_str()))
                    .or_insert(index);
                (earlier != index).then_some(earlier)
            })
            .collect();
        Self {
            jobs,
            account: vec![None; jobs.len()],
            refused: vec![None; jobs.len()],
            known: vec![false; jobs.len()],
            twin,
            made: BTreeSet::new(),
        }
    }

    /// The jobs that still go in.
    fn going_in(&self) -> impl Iterator<Item = (usize, &'a NewJob)> + '_ {
        self.jobs.iter().enumerate().filter(|(index, _)| {
            self.refused[*index].is_none() && !self.known[*index] && self.twin[*index].is_none()
        })
    }

    async fn answer_known_keys(&mut self, tx: &impl ConnectionTrait) -> Result<(), DbErr> {
        let found = rows_by_key(tx, self.jobs).await?;
        for (index, job) in self.jobs.iter().enumerate() {
            if let Some(row) = found.get(&(job.platform_id, job.idem_key.clone())) {
                self.known[index] = true;
                if row.body_hash != job.body_hash {
                    self.refused[index] = Some(Refusal::KeyTaken(row.public_id.clone()));
                }
            }
        }
        Ok(())
    }

    /// Finds or makes the account of every job. A key that is already here must not make one, so this
    /// comes after the first look at the keys; the unique keys of the account rows decide races.
    async fn resolve_accounts(&mut self, tx: &impl ConnectionTrait, now: i64) -> Result<(), DbErr> {
        let pending: Vec<usize> = self.going_in().map(|(index, _)| index).collect();
        for index in pending {
            let job = &self.jobs[index];
            let resolved = match &job.target {
                Target::Nobody => Ok(None),
                Target::Known(id) => Ok(Some(*id)),
                Target::New { .. } => self.resolve_new(tx, job, now).await?.map(Some),
                Target::Unknown { .. } => self.resolve_unknown(tx, job, now).await?.map(Some),
            };
            match resolved {
                Ok(account) => self.account[index] = account,
                Err(refusal) => self.refused[index] = Some(refusal),
            }
        }
        Ok(())
    }

    async fn resolve_new(
        &mut self,
        tx: &impl ConnectionTrait,
        job: &NewJob,
        now: i64,
    ) -> Result<Result<i64, Refusal>, DbErr> {
        let (
            JobSpec::Create(create),
            Target::New {
                reference,
                username,
                rules,
            },
            Some(server_id),
        ) = (&job.spec, &job.target, job.server_id)
        else {
            return Err(DbErr::Custom(
                "only a create on a server makes an account".into(),
            ));
        };
        if let Some(reference) = reference
            && let Some(row) = by_reference(tx, job.platform_id, reference).await?
        {
            return Ok(same_account(&row, server_id, username.as_ref(), create).map(|()| row.id));
        }
        if let Some(name) = username
            && let Some(row) = by_name(tx, server_id, name).await?
        {
            return Ok(own_name(&row, job.platform_id, reference.as_ref(), create).map(|()| row.id));
        }
        let row = NewRow {
            server_id,
            platform_id: Some(job.platform_id),
            reference: reference.as_ref(),
            username: username.as_ref(),
            domain: Some(&create.domain),
            email: create.email.as_ref(),
            package: create.package.as_ref(),
            limits: create.limits.clone(),
            dedicated_ip: create.dedicated_ip,
            panel: create.panel.clone(),
            state: AccountState::Requested,
        };
        let id = accounts::insert(tx, &row, now).await?;
        self.made.insert(id);
        if username.is_none() {
            match rules.username_for(id) {
                Ok(name) => accounts::name(tx, id, server_id, &name).await?,
                Err(why) => {
                    account::Entity::delete_by_id(id).exec(tx).await?;
                    return Ok(Err(Refusal::NoName(why)));
                }
            }
        }
        Ok(Ok(id))
    }

    async fn resolve_unknown(
        &mut self,
        tx: &impl ConnectionTrait,
        job: &NewJob,
        now: i64,
    ) -> Result<Result<i64, Refusal>, DbErr> {
        let (
            Target::Unknown {
                reference,
                username,
                domain,
            },
            Some(server_id),
        ) = (&job.target, job.server_id)
        else {
            return Err(DbErr::Custom("an unknown account needs a server".into()));
        };
        if let Some(row) = by_name(tx, server_id, username).await? {
            return Ok(may_touch(&row, job.platform_id).map(|()| row.id));
        }
        let row = NewRow {
            server_id,
            platform_id: (job.platform_id != crate::OPERATOR).then_some(job.platform_id),
            reference: reference.as_ref(),
            username: Some(username),
            domain: domain.as_ref(),
            state: AccountState::Importing,
            ..NewRow::default()
        };
        let id = accounts::insert(tx, &row, now).await?;
        self.made.insert(id);
        Ok(Ok(id))
    }

    fn account_ids(&self) -> BTreeSet<i64> {
        self.going_in()
            .filter_map(|(index, _)| self.account[index])
            .collect()
    }

    fn refuse_gone(&mut self, accounts: &BTreeMap<i64, account::Model>) {
        let gone: Vec<usize> = self
            .going_in()
            .filter(|(index, job)| {
                job.spec.kind() != JobKind::Terminate
                    && self.account[*index].is_some_and(|id| {
                        accounts
                            .get(&id)
                            .is_none_or(|row| row.state == AccountState::Terminated.name())
                    })
            })
            .map(|(index, _)| index)
            .collect();
        for index in gone {
            self.refused[index] = Some(Refusal::AccountGone);
        }
    }

    /// The changing jobs that stand in their account's line at once, as they were given. Those for later
    /// disturb nobody yet.
    fn joins_line(&self, now: i64) -> Vec<(usize, i64)> {
        self.going_in()
            .filter(|(_, job)| job.spec.kind().changes())
            .filter(|(_, job)| job.due_at.is_none_or(|due| due <= now))
            .filter_map(|(index, _)| self.account[index].map(|id| (index, id)))
            .filter(|(_, id)| !self.made.contains(id))
            .collect()
    }

    async fn insert(
        &mut self,
        tx: &impl ConnectionTrait,
        now: i64,
        pace: crate::Pace,
    ) -> Result<(), DbErr> {
        let rows: Vec<job::ActiveModel> = self
            .going_in()
            .map(|(index, job)| row(job, self.account[index], now, pace))
            .collect();
        if rows.is_empty() {
            return Ok(());
        }
        for chunk in rows.chunks(500) {
            job::Entity::insert_many(chunk.to_vec())
                .exec_without_returning(tx)
                .await?;
        }
        let secrets: Vec<&NewSecret> = self.going_in().flat_map(|(_, job)| &job.secrets).collect();
        put_secrets(tx, &secrets, now).await?;
        self.reopen_failed(tx).await
    }

    /// A new create for an account whose last create failed is a new go at it, with the new data.
    async fn reopen_failed(&self, tx: &impl ConnectionTrait) -> Result<(), DbErr> {
        for (index, job) in self.going_in() {
            let (Some(id), JobSpec::Create(create)) = (self.account[index], &job.spec) else {
                continue;
            };
            if self.made.contains(&id) {
                continue;
            }
            account::Entity::update_many()
                .col_expr(
                    account::Column::State,
                    Expr::value(AccountState::Requested.name()),
                )
                .col_expr(
                    account::Column::Package,
                    Expr::value(create.package.as_ref().map(ToString::to_string)),
                )
                .col_expr(
                    account::Column::Limits,
                    Expr::value(accounts::json(&create.limits)),
                )
                .col_expr(
                    account::Column::Panel,
                    Expr::value(accounts::json(&create.panel)),
                )
                .filter(account::Column::Id.eq(id))
                .filter(account::Column::State.eq(AccountState::Failed.name()))
                .exec(tx)
                .await?;
        }
        Ok(())
    }

    async fn account_states(
        &self,
        tx: &impl ConnectionTrait,
        locked: &BTreeMap<i64, account::Model>,
    ) -> Result<BTreeMap<i64, String>, DbErr> {
        let ids: Vec<i64> = locked.keys().copied().collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        use sea_orm::QuerySelect;
        let rows: Vec<(i64, String)> = account::Entity::find()
            .select_only()
            .columns([account::Column::Id, account::Column::State])
            .filter(account::Column::Id.is_in(padded(&ids)))
            .into_tuple()
            .all(tx)
            .await?;
        Ok(rows.into_iter().collect())
    }

    async fn answers(
        self,
        tx: &impl ConnectionTrait,
    ) -> Result<Vec<Result<Submitted, Refusal>>, DbErr> {
        let found = rows_by_key(tx, self.jobs).await?;
        let mut answers = Vec::with_capacity(self.jobs.len());
        for (index, job) in self.jobs.iter().enumerate() {
            // What the first of its key was refused for is this one's refusal too, unless that was another
            // body's: the ledger decides that.
            let refusal = match self.twin[index].map(|first| &self.refused[first]) {
                Some(Some(first)) if !matches!(first, Refusal::KeyTaken(_)) => Some(first.clone()),
                _ => self.refused[index].clone(),
            };
            let answer = match (refusal, found.get(&(job.platform_id, job.idem_key.clone()))) {
                (Some(refusal), _) => Err(refusal),
                (None, Some(row)) if row.body_hash == job.body_hash => Ok(Submitted {
                    job: row.clone(),
                    new: row.public_id == job.public_id,
                }),
                (None, Some(row)) => Err(Refusal::KeyTaken(row.public_id.clone())),
                (None, None) => return Err(DbErr::RecordNotInserted),
            };
            answers.push(answer);
        }
        Ok(answers)
    }
}

async fn rows_by_key(
    tx: &impl ConnectionTrait,
    jobs: &[NewJob],
) -> Result<HashMap<(i64, String), job::Model>, DbErr> {
    let mut platforms: BTreeMap<i64, Vec<&str>> = BTreeMap::new();
    for job in jobs {
        platforms
            .entry(job.platform_id)
            .or_default()
            .push(&job.idem_key);
    }
    let mut found = HashMap::new();
    for (platform_id, keys) in platforms {
        for chunk in keys.chunks(512) {
            let rows = job::Entity::find()
                .filter(job::Column::IdemKey.is_in(padded(chunk)))
                .filter(job::Column::PlatformId.eq(platform_id))
                .all(tx)
                .await?;
            found.extend(
                rows.into_iter()
                    .map(|row| ((platform_id, row.idem_key.clone()), row)),
            );
        }
    }
    Ok(found)
}

async fn by_reference(
    tx: &impl ConnectionTrait,
    platform_id: i64,
    reference: &Reference,
) -> Result<Option<account::Model>, DbErr> {
    let key = accounts::reference_key(platform_id, reference);
    account::Entity::find()
        .filter(account::Column::ReferenceKey.eq(key))
        .one(tx)
        .await
}

async fn by_name(
    tx: &impl ConnectionTrait,
    server_id: i64,
    username: &Username,
) -> Result<Option<account::Model>, DbErr> {
    let key = accounts::live_key(server_id, username.as_str());
    account::Entity::find()
        .filter(account::Column::LiveKey.eq(key))
        .one(tx)
        .await
}

/// A create for a live reference: the same account, or a conflict.
fn same_account(
    row: &account::Model,
    server_id: i64,
    username: Option<&Username>,
    create: &CreateAccount,
) -> Result<(), Refusal> {
    let same = row.domain.as_deref() == Some(create.domain.as_str())
        && row.server_id == server_id
        && username.is_none_or(|name| name.as_str().eq_ignore_ascii_case(&row.username));
    if same {
        Ok(())
    } else {
        let reference = row.reference.clone().unwrap_or_default();
        let domain = row.domain.clone().unwrap_or_default();
        Err(Refusal::AccountTaken(format!(
            "account.reference `{reference}` belongs to a live account with the domain {domain}; terminate that first or use another reference"
        )))
    }
}

/// A platform's job never reaches another platform's account, whatever the name.
fn may_touch(row: &account::Model, platform_id: i64) -> Result<(), Refusal> {
    let foreign = row.platform_id.is_some_and(|owner| owner != platform_id);
    if foreign && platform_id != crate::OPERATOR {
        return Err(Refusal::AccountTaken(format!(
            "account.username `{}` is taken on this server by another account",
            row.username
        )));
    }
    Ok(())
}

/// A create for a name that is live here: ours again, or a conflict.
fn own_name(
    row: &account::Model,
    platform_id: i64,
    reference: Option<&Reference>,
    create: &CreateAccount,
) -> Result<(), Refusal> {
    let same = row.platform_id == Some(platform_id)
        && row.reference.as_deref() == reference.map(Reference::as_str)
        && row.domain.as_deref() == Some(create.domain.as_str());
    if same {
        Ok(())
    } else {
        Err(Refusal::AccountTaken(format!(
            "account.username `{}` is taken on this server by another account",
            row.username
        )))
    }
}

fn row(job: &NewJob, account_id: Option<i64>, now: i64, pace: crate::Pace) -> job::ActiveModel {
    let kind = job.spec.kind();
    let policy = kind.policy();
    let due_at = Ord::max(job.due_at.unwrap_or(now), now);
    let in_line = account_id.filter(|_| kind.changes());
    // A job for later joins the line when it becomes due; until then it holds up nobody.
    let later = in_line.is_some() && due_at > now;
    let lane = policy.lane.number();
    let age = crate::pace::millis(pace.of(policy.max_age));
    job::ActiveModel {
        public_id: Set(job.public_id.clone()),
        platform_id: Set(job.platform_id),
        idem_key: Set(job.idem_key.clone()),
        body_hash: Set(job.body_hash.clone()),
        kind: Set(kind.name().to_owned()),
        lane: Set(lane),
        server_id: Set(job.server_id),
        account_id: Set(account_id),
        payload: Set(accounts::json(&job.spec)),
        payload_version: Set(PAYLOAD_VERSION),
        state: Set(JobState::Queued.name().to_owned()),
        due_at: Set(due_at),
        joins_at: Set(later.then_some(due_at)),
        attempt: Set(0),
        tries: Set(0),
        max_tries: Set(policy.max_tries),
        expires_at: Set(Some(due_at.saturating_add(age))),
        worker_deaths: Set(0),
        fence: Set(0),
        owner: Set(None),
        lease_until: Set(None),
        ready_lane: Set((in_line.is_none() || Bug::NoLine.is_on()).then_some(lane)),
        head_of: Set(None),
        open_of: Set(in_line.filter(|_| !later)),
        phase: Set(None),
        sent_at: Set(None),
        doubt_since: Set(None),
        looks: Set(0),
        progress: Set(None),
        hold_code: Set(None),
        result: Set(None),
        error_class: Set(None),
        error_code: Set(None),
        error_message: Set(None),
        actor: Set(job.actor.chars().take(160).collect()),
        reason: Set(job.reason.clone()),
        webhook: Set(job.webhook.clone()),
        replay_of: Set(job.replay_of),
        trace: Set(job.trace.clone()),
        created_at: Set(now),
        started_at: Set(None),
        finished_at: Set(None),
        ..Default::default()
    }
}
