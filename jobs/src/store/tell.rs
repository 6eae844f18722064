//! Telling platforms what became of their jobs and servers, by webhooks that are jobs themselves.
//!
//! The delivery is made in the transaction that writes what it tells: after a crash there are both or neither.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, SecondsFormat};
use entity::{account, job, secret, server, webhook_endpoint as endpoint};
use hosting::Month;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};

use super::secrets::Audience;
use super::submit::{NewJob, Target, row};
use super::{Ring, Store, padded};
use crate::{JobSpec, JobState, new_public_id};

/// A longer result is left out of the message, and can be read with the job.
const LONGEST_RESULT: usize = 12_000;

impl Store {
    /// Makes a delivery for each of these jobs whose request has named a webhook and whose state, as this
    /// transaction sees it, is one to tell of. Returns what to ring after the commit.
    pub(crate) async fn tell(
        &self,
        tx: &impl ConnectionTrait,
        jobs: &[i64],
        now: i64,
    ) -> Result<Vec<Ring>, DbErr> {
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let told = job::Entity::find()
            .filter(job::Column::Id.is_in(padded(jobs)))
            .filter(job::Column::Webhook.is_not_null())
            .filter(job::Column::State.is_in([
                JobState::Succeeded.name(),
                JobState::Failed.name(),
                JobState::Held.name(),
                JobState::Cancelled.name(),
            ]))
            .all(tx)
            .await?;
        if told.is_empty() {
            return Ok(Vec::new());
        }
        let around = Around::of(tx, &told).await?;
        let deliveries: Vec<NewJob> = told.iter().filter_map(|job| around.delivery(job)).collect();
        self.put_deliveries(tx, &deliveries, now).await
    }

    /// Makes a delivery for each address of a platform that has live accounts on the server.
    pub(crate) async fn tell_of_server(
        &self,
        tx: &impl ConnectionTrait,
        server: &server::Model,
        event: &str,
        now: i64,
    ) -> Result<Vec<Ring>, DbErr> {
        let addresses = addresses(tx, |platform| {
            has_accounts(tx, platform, server.id, account::Column::LiveKey)
        })
        .await?;
        let data = json!({ "server": server.name, "at": rfc3339(now) });
        let about = format!("server-{}", server.id);
        let deliveries: Vec<NewJob> = addresses
            .into_iter()
            .map(|to| delivery(to.platform_id, to.id, event, data.clone(), &about))
            .collect();
        self.put_deliveries(tx, &deliveries, now).await
    }

    /// Makes a delivery for each address of a platform that has or had accounts on the server.
    pub(super) async fn tell_of_closed_month(
        &self,
        tx: &impl ConnectionTrait,
        server: &server::Model,
        month: Month,
        actor: &str,
        now: i64,
    ) -> Result<Vec<Ring>, DbErr> {
        let addresses = addresses(tx, |platform| {
            has_accounts(tx, platform, server.id, account::Column::Id)
        })
        .await?;
        let data = json!({ "server": server.name, "month": month });
        let about = format!("month-{}-{month}", server.id);
        let event = "usage.month_closed";
        let deliveries: Vec<NewJob> = addresses
            .into_iter()
            .map(|to| NewJob {
                actor: actor.to_owned(),
                ..delivery(to.platform_id, to.id, event, data.clone(), &about)
            })
            .collect();
        self.put_deliveries(tx, &deliveries, now).await
    }

    async fn put_deliveries(
        &self,
        tx: &impl ConnectionTrait,
        deliveries: &[NewJob],
        now: i64,
    ) -> Result<Vec<Ring>, DbErr> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let rows = deliveries
            .iter()
            .map(|delivery| row(delivery, None, now, self.pace()));
        job::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
        let made = deliveries.iter().map(|delivery| &delivery.public_id);
        let made = job::Entity::find()
            .filter(job::Column::PublicId.is_in(made))
            .all(tx)
            .await?;
        Ok(made.iter().map(Ring::of).collect())
    }
}

/// The addresses that are not switched off, of platforms that are concerned.
async fn addresses<F>(
    tx: &impl ConnectionTrait,
    mut concerned: impl FnMut(i64) -> F,
) -> Result<Vec<endpoint::Model>, DbErr>
where
    F: Future<Output = Result<bool, DbErr>>,
{
    let mut all = endpoint::Entity::find()
        .filter(endpoint::Column::DisabledAt.is_null())
        .all(tx)
        .await?;
    let mut known = BTreeMap::new();
    for platform in all.iter().map(|endpoint| endpoint.platform_id) {
        if let Entry::Vacant(entry) = known.entry(platform) {
            entry.insert(concerned(platform).await?);
        }
    }
    all.retain(|endpoint| known.get(&endpoint.platform_id) == Some(&true));
    Ok(all)
}

/// Whether the platform has an account on the server in whose row `that` is known.
async fn has_accounts(
    tx: &impl ConnectionTrait,
    platform_id: i64,
    server_id: i64,
    that: account::Column,
) -> Result<bool, DbErr> {
    let one: Option<i64> = account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::ServerId.eq(server_id))
        .filter(account::Column::PlatformId.eq(platform_id))
        .filter(that.is_not_null())
        .limit(1)
        .into_tuple()
        .one(tx)
        .await?;
    Ok(one.is_some())
}

/// A delivery, under a key by its own id: no request's key can stand in the way of what it tells.
fn delivery(platform_id: i64, endpoint_id: i64, event: &str, data: Value, about: &str) -> NewJob {
    let public_id = new_public_id();
    NewJob {
        platform_id,
        idem_key: format!("webhook:{about}:{public_id}"),
        body_hash: String::new(),
        public_id,
        spec: JobSpec::DeliverWebhook {
            endpoint_id,
            event: event.to_owned(),
            data,
        },
        server_id: None,
        target: Target::Nobody,
        due_at: None,
        actor: "webhook".to_owned(),
        reason: None,
        webhook: None,
        trace: None,
        secrets: Vec::new(),
        replay_of: None,
    }
}

/// What a message says besides the job's own row.
struct Around {
    endpoints: BTreeMap<(i64, String), i64>,
    servers: BTreeMap<i64, String>,
    accounts: BTreeMap<i64, account::Model>,
    /// Owners of what the API can hand out.
    secrets: Vec<String>,
}

impl Around {
    async fn of(tx: &impl ConnectionTrait, jobs: &[job::Model]) -> Result<Self, DbErr> {
        let names = jobs.iter().filter_map(|job| job.webhook.as_deref());
        let endpoints = endpoint::Entity::find()
            .filter(endpoint::Column::Name.is_in(names))
            .filter(endpoint::Column::DisabledAt.is_null())
            .all(tx)
            .await?;
        let servers: Vec<(i64, String)> = server::Entity::find()
            .select_only()
            .columns([server::Column::Id, server::Column::Name])
            .filter(server::Column::Id.is_in(jobs.iter().filter_map(|job| job.server_id)))
            .into_tuple()
            .all(tx)
            .await?;
        let accounts = account::Entity::find()
            .filter(account::Column::Id.is_in(jobs.iter().filter_map(|job| job.account_id)))
            .all(tx)
            .await?;
        let owners = jobs.iter().map(owner);
        let secrets = secret::Entity::find()
            .select_only()
            .column(secret::Column::Owner)
            .filter(secret::Column::Owner.is_in(owners))
            .filter(secret::Column::Audience.eq(Audience::Api.name()))
            .filter(secret::Column::Sealed.is_not_null())
            .into_tuple()
            .all(tx)
            .await?;
        Ok(Self {
            endpoints: endpoints
                .into_iter()
                .map(|row| ((row.platform_id, row.name), row.id))
                .collect(),
            servers: servers.into_iter().collect(),
            accounts: accounts.into_iter().map(|row| (row.id, row)).collect(),
            secrets,
        })
    }

    /// The delivery; none when the endpoint was removed or is switched off.
    fn delivery(&self, job: &job::Model) -> Option<NewJob> {
        let name = job.webhook.clone()?;
        let endpoint_id = *self.endpoints.get(&(job.platform_id, name))?;
        let event = format!("job.{}", job.state);
        let about = job.public_id.as_str();
        let delivery = delivery(job.platform_id, endpoint_id, &event, self.data(job), about);
        Some(NewJob {
            actor: job.actor.clone(),
            trace: job.trace.clone(),
            ..delivery
        })
    }

    fn data(&self, job: &job::Model) -> Value {
        let succeeded = job.state == JobState::Succeeded.name();
        let account = job.account_id.and_then(|id| self.accounts.get(&id));
        let result = job.result.as_deref().filter(|_| succeeded);
        let short = result.filter(|text| text.len() <= LONGEST_RESULT);
        let code = job.error_code.as_ref().or(job.hold_code.as_ref());
        json!({
            "id": job.public_id,
            "kind": job.kind,
            "state": job.state,
            "server": job.server_id.and_then(|id| self.servers.get(&id)),
            "account": account.map(|account| json!({
                "id": account.public_id,
                "reference": account.reference,
                "username": account.username,
                "domain": account.domain,
            })),
            "attempt": job.attempt,
            "created_at": rfc3339(job.created_at),
            "finished_at": job.finished_at.map(rfc3339),
            "result": short.and_then(|text| serde_json::from_str::<Value>(text).ok()),
            "result_left_out": result.is_some() && short.is_none(),
            "error": code.filter(|_| !succeeded).map(|code| json!({
                "code": code,
                "class": job.error_class,
                "message": job.error_message,
            })),
            "secret_available": succeeded && self.secrets.contains(&owner(job)),
            "idempotency_key": Some(&job.idem_key).filter(|key| !key.starts_with("auto:")),
            "reason": job.reason,
        })
    }
}

fn owner(job: &job::Model) -> String {
    format!("job:{}", job.public_id)
}

fn rfc3339(at: i64) -> String {
    DateTime::from_timestamp_millis(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Millis, true)
}
