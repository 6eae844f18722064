//! Reading what belongs to jobs, a few queries for all of them together.

use std::collections::BTreeMap;

use entity::{account, attempt, job, job_event, secret, server};
use jobs::JobState;
use jobs::store::{Audience, Store, StoreError};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::view::{
    AccountRef, AttemptView, ErrorView, EventView, JobView, OperatorView, WaitingView,
};
use crate::caller::Caller;
use crate::{secrets, times::rfc3339};

/// One job as the caller may see it.
///
/// # Errors
/// The ledger's.
pub async fn job_view(
    store: &Store,
    caller: &Caller,
    row: &job::Model,
) -> Result<JobView, StoreError> {
    let mut views = job_views(store, caller, std::slice::from_ref(row)).await?;
    views
        .pop()
        .ok_or_else(|| StoreError::NotFound(format!("job {}", row.public_id)))
}

/// Jobs as the caller may see them, in their order: a few queries for all of them together.
///
/// # Errors
/// The ledger's.
pub async fn job_views(
    store: &Store,
    caller: &Caller,
    rows: &[job::Model],
) -> Result<Vec<JobView>, StoreError> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let mut around = Around::read(store, caller, rows).await?;
    Ok(rows.iter().map(|row| around.view(caller, row)).collect())
}

/// What belongs to some jobs, by row.
struct Around {
    servers: BTreeMap<i64, String>,
    accounts: BTreeMap<i64, AccountRef>,
    waiting: BTreeMap<i64, WaitingView>,
    attempts: BTreeMap<i64, Vec<attempt::Model>>,
    events: BTreeMap<i64, Vec<job_event::Model>>,
    originals: BTreeMap<i64, String>,
    secrets: BTreeMap<String, secret::Model>,
    now: i64,
}

impl Around {
    async fn read(store: &Store, caller: &Caller, rows: &[job::Model]) -> Result<Self, StoreError> {
        let db = store.reader();
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let some = |pick: fn(&job::Model) -> Option<i64>| -> Vec<i64> {
            rows.iter().filter_map(pick).collect()
        };
        let servers = server::Entity::find()
            .filter(server::Column::Id.is_in(some(|row| row.server_id)))
            .all(db)
            .await?;
        let accounts = account::Entity::find()
            .filter(account::Column::Id.is_in(some(|row| row.account_id)))
            .all(db)
            .await?;
        let originals: Vec<(i64, String)> = match some(|row| row.replay_of) {
            none if none.is_empty() => Vec::new(),
            some => {
                job::Entity::find()
                    .select_only()
                    .columns([job::Column::Id, job::Column::PublicId])
                    .filter(job::Column::Id.is_in(some))
                    .into_tuple()
                    .all(db)
                    .await?
            }
        };
        let attempts = attempt::Entity::find()
            .filter(attempt::Column::JobId.is_in(ids.iter().copied()))
            .order_by_asc(attempt::Column::Fence)
            .all(db)
            .await?;
        let events = if caller.sees_all() {
            job_event::Entity::find()
                .filter(job_event::Column::JobId.is_in(ids))
                .order_by_asc(job_event::Column::Id)
                .all(db)
                .await?
        } else {
            Vec::new()
        };
        let waiting = store.waiting_for(rows).await?;
        Ok(Self {
            servers: servers.into_iter().map(|row| (row.id, row.name)).collect(),
            accounts: accounts
                .iter()
                .map(|row| (row.id, AccountRef::of(row)))
                .collect(),
            waiting: waiting
                .into_iter()
                .map(|(id, waiting)| {
                    let view = WaitingView {
                        reason: waiting.reason,
                        job_id: waiting.job_id,
                        until: waiting.until.map(rfc3339),
                    };
                    (id, view)
                })
                .collect(),
            attempts: by_job(attempts, |row| row.job_id),
            events: by_job(events, |row| row.job_id),
            originals: originals.into_iter().collect(),
            secrets: secrets_of(store, rows).await?,
            now: store.now().await?,
        })
    }

    fn view(&mut self, caller: &Caller, row: &job::Model) -> JobView {
        let operates = caller.sees_all();
        let attempts = self.attempts.remove(&row.id).unwrap_or_default();
        let succeeded = row.state == JobState::Succeeded.name();
        let secret = self.secrets.get(&secrets::owner(row));
        JobView {
            id: row.public_id.clone(),
            kind: row.kind.clone(),
            state: row.state.clone(),
            server: row.server_id.and_then(|id| self.servers.get(&id).cloned()),
            account: row
                .account_id
                .and_then(|id| self.accounts.get(&id).cloned()),
            attempt: row.attempt,
            max_attempts: row.max_tries,
            due_at: rfc3339(row.due_at),
            waiting_for: self.waiting.remove(&row.id),
            created_at: rfc3339(row.created_at),
            started_at: row.started_at.map(rfc3339),
            finished_at: row.finished_at.map(rfc3339),
            result: row
                .result
                .as_deref()
                .and_then(|text| serde_json::from_str(text).ok()),
            error: if succeeded { None } else { error_of(row) },
            secret_available: succeeded
                && secret.is_some_and(|secret| secrets::is_available(secret, self.now)),
            replay_of: row
                .replay_of
                .and_then(|id| self.originals.get(&id).cloned()),
            attempts: attempts
                .into_iter()
                .map(|row| attempt_view(row, operates))
                .collect(),
            idempotency_key: Some(row.idem_key.clone()).filter(|key| !key.starts_with("auto:")),
            reason: row.reason.clone(),
            operator: operates.then(|| self.operator(row)),
        }
    }

    fn operator(&mut self, row: &job::Model) -> OperatorView {
        let events = self.events.remove(&row.id).unwrap_or_default();
        OperatorView {
            actor: row.actor.clone(),
            trace: row.trace.clone(),
            hold_code: row.hold_code.clone(),
            worker: row.owner.clone(),
            in_doubt_since: row.doubt_since.map(rfc3339),
            events: events
                .into_iter()
                .map(|event| EventView {
                    at: rfc3339(event.at),
                    actor: event.actor,
                    event: event.event,
                    attempt: event.attempt,
                    reason: event.reason,
                })
                .collect(),
        }
    }
}

fn by_job<T>(rows: Vec<T>, job: fn(&T) -> i64) -> BTreeMap<i64, Vec<T>> {
    let mut all: BTreeMap<i64, Vec<T>> = BTreeMap::new();
    for row in rows {
        all.entry(job(&row)).or_default().push(row);
    }
    all
}

async fn secrets_of(
    store: &Store,
    rows: &[job::Model],
) -> Result<BTreeMap<String, secret::Model>, StoreError> {
    let owners: Vec<String> = rows
        .iter()
        .filter(|row| secrets::purpose_of(&row.kind).is_some())
        .map(secrets::owner)
        .collect();
    if owners.is_empty() {
        return Ok(BTreeMap::new());
    }
    let found = secret::Entity::find()
        .filter(secret::Column::Owner.is_in(owners))
        .filter(secret::Column::Audience.eq(Audience::Api.name()))
        .all(store.reader())
        .await?;
    Ok(found
        .into_iter()
        .map(|row| (row.owner.clone(), row))
        .collect())
}

fn error_of(row: &job::Model) -> Option<ErrorView> {
    let code = row.error_code.clone().or_else(|| row.hold_code.clone())?;
    Some(ErrorView {
        code,
        class: row.error_class.clone(),
        message: row.error_message.clone(),
    })
}

fn attempt_view(row: attempt::Model, operates: bool) -> AttemptView {
    AttemptView {
        attempt: row.attempt,
        outcome: row.outcome,
        started_at: rfc3339(row.started_at),
        sent_at: row.sent_at.map(rfc3339),
        finished_at: rfc3339(row.finished_at),
        error: row.error_code.map(|code| ErrorView {
            code,
            class: row.error_class,
            message: row.error_message,
        }),
        next_due_at: row.next_due_at.map(rfc3339),
        worker: row.owner.filter(|_| operates),
        detail: row
            .detail
            .filter(|_| operates)
            .and_then(|text| serde_json::from_str(&text).ok()),
    }
}
