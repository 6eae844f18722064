//! A group of jobs on its way in.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use entity::{account, job};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect, sea_query::Expr,
};

use super::super::secrets::{NewSecret, put_secrets};
use super::super::{accounts, padded};
use super::row::row;
use super::subject::{has_failed, same_account};
use super::{NewJob, Refusal, Submitted, Target};
use crate::{AccountState, JobKind, JobSpec};

/// A group on its way in: for each job what is decided so far.
pub(super) struct Intake<'a> {
    pub(super) jobs: &'a [NewJob],
    account: Vec<Option<i64>>,
    refused: Vec<Option<Refusal>>,
    known: Vec<bool>,
    /// Index of an earlier job of the group with the same key.
    twin: Vec<Option<usize>>,
    /// Accounts made by this group.
    pub(super) made: BTreeSet<i64>,
}

impl<'a> Intake<'a> {
    pub(super) fn new(jobs: &'a [NewJob]) -> Self {
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

    pub(super) async fn answer_known_keys(
        &mut self,
        tx: &impl ConnectionTrait,
    ) -> Result<(), DbErr> {
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
    pub(super) async fn resolve_accounts(
        &mut self,
        tx: &impl ConnectionTrait,
        now: i64,
    ) -> Result<(), DbErr> {
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

    pub(super) fn account_ids(&self) -> BTreeSet<i64> {
        self.going_in()
            .filter_map(|(index, _)| self.account[index])
            .collect()
    }

    pub(super) fn refuse_gone(&mut self, accounts: &BTreeMap<i64, account::Model>) {
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

    /// Between the look and the lock another create may have begun on an account that had failed: then the
    /// account has that one's domain and name.
    pub(super) fn refuse_others(&mut self, accounts: &BTreeMap<i64, account::Model>) {
        let checked: Vec<(usize, Refusal)> = self
            .going_in()
            .filter_map(|(index, job)| {
                let row = accounts.get(&self.account[index]?)?;
                let (JobSpec::Create(create), Target::New { username, .. }, Some(server_id)) =
                    (&job.spec, &job.target, job.server_id)
                else {
                    return None;
                };
                if has_failed(row) {
                    return None;
                }
                let same = same_account(row, server_id, username.as_ref(), create);
                Some((index, same.err()?))
            })
            .collect();
        for (index, refusal) in checked {
            self.refused[index] = Some(refusal);
        }
    }

    /// The changing jobs that stand in their account's line at once, as they were given. Those for later
    /// disturb nobody yet.
    pub(super) fn joins_line(&self, now: i64) -> Vec<(usize, i64)> {
        self.going_in()
            .filter(|(_, job)| job.spec.kind().changes())
            .filter(|(_, job)| job.due_at.is_none_or(|due| due <= now))
            .filter_map(|(index, _)| self.account[index].map(|id| (index, id)))
            .filter(|(_, id)| !self.made.contains(id))
            .collect()
    }

    pub(super) async fn insert(
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
            let mut update = account::Entity::update_many()
                .col_expr(
                    account::Column::State,
                    Expr::value(AccountState::Requested.name()),
                )
                .col_expr(account::Column::Domain, Expr::value(create.domain.as_str()))
                .col_expr(
                    account::Column::Email,
                    Expr::value(create.email.as_ref().map(ToString::to_string)),
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
                );
            if let (Target::New { username, .. }, Some(server_id)) = (&job.target, job.server_id)
                && let Some(name) = username
            {
                let key = accounts::live_key(server_id, name.as_str());
                update = update
                    .col_expr(account::Column::Username, Expr::value(name.as_str()))
                    .col_expr(account::Column::LiveKey, Expr::value(key));
            }
            update
                .filter(account::Column::Id.eq(id))
                .filter(account::Column::State.eq(AccountState::Failed.name()))
                .exec(tx)
                .await?;
        }
        Ok(())
    }

    pub(super) async fn account_states(
        &self,
        tx: &impl ConnectionTrait,
        locked: &BTreeMap<i64, account::Model>,
    ) -> Result<BTreeMap<i64, String>, DbErr> {
        let ids: Vec<i64> = locked.keys().copied().collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(i64, String)> = account::Entity::find()
            .select_only()
            .columns([account::Column::Id, account::Column::State])
            .filter(account::Column::Id.is_in(padded(&ids)))
            .into_tuple()
            .all(tx)
            .await?;
        Ok(rows.into_iter().collect())
    }

    pub(super) async fn answers(
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
