//! Reading jobs.

use std::collections::BTreeMap;

use entity::{attempt, job, job_event, server};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::claim::running;
use super::gate::{ClosedBy, Room, closed};
use super::{Store, StoreError, padded};
use crate::{JobKind, JobState, Lane, PAYLOAD_VERSION};

/// Which jobs to list; everything that is set must hold.
#[derive(Debug, Default, Clone)]
pub struct JobFilter {
    /// Only jobs of this platform.
    pub platform_id: Option<i64>,
    /// Only in these states.
    pub states: Vec<JobState>,
    /// Only of this kind.
    pub kind: Option<JobKind>,
    /// Only of these servers.
    pub servers: Option<Vec<i64>>,
    /// Only of this account.
    pub account_id: Option<i64>,
    /// Only accepted at or after this (milliseconds UTC).
    pub since: Option<i64>,
    /// Only with this idempotency key.
    pub idem_key: Option<String>,
    /// Only with this error code or hold code.
    pub error_code: Option<String>,
    /// Only older than this row: the cursor.
    pub before: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

/// What a job waits for, computed when asked.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Waiting {
    /// `earlier_job`, `server_paused`, `breaker_open`, `server_busy`, `maintenance`, `auth_hold`, `not_due`, `newer_worker`.
    pub reason: &'static str,
    /// The earlier job's public id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_id: Option<String>,
    /// Until when, where that is known (milliseconds UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
}

impl Waiting {
    fn on(reason: &'static str, until: Option<i64>) -> Option<Self> {
        Some(Self {
            reason,
            job_id: None,
            until,
        })
    }
}

impl Store {
    /// The job of that public id.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job(&self, public_id: &str) -> Result<Option<job::Model>, StoreError> {
        Ok(job::Entity::find()
            .filter(job::Column::PublicId.eq(public_id))
            .one(&self.read)
            .await?)
    }

    /// The job of that row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn job_by_row(&self, id: i64) -> Result<Option<job::Model>, StoreError> {
        Ok(job::Entity::find_by_id(id).one(&self.read).await?)
    }

    /// Jobs, newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn jobs(&self, filter: &JobFilter) -> Result<Vec<job::Model>, StoreError> {
        use job::Column as C;
        let mut find = job::Entity::find();
        if let Some(id) = filter.platform_id {
            find = find.filter(C::PlatformId.eq(id));
        }
        if !filter.states.is_empty() {
            find = find.filter(C::State.is_in(filter.states.iter().map(|state| state.name())));
        }
        if let Some(kind) = filter.kind {
            find = find.filter(C::Kind.eq(kind.name()));
        }
        if let Some(servers) = &filter.servers {
            find = find.filter(C::ServerId.is_in(servers.iter().copied()));
        }
        if let Some(id) = filter.account_id {
            find = find.filter(C::AccountId.eq(id));
        }
        if let Some(since) = filter.since {
            find = find.filter(C::CreatedAt.gte(since));
        }
        if let Some(key) = &filter.idem_key {
            find = find.filter(C::IdemKey.eq(key));
        }
        if let Some(code) = &filter.error_code {
            find = find.filter(
                Condition::any()
                    .add(C::ErrorCode.eq(code))
                    .add(C::HoldCode.eq(code)),
            );
        }
        if let Some(before) = filter.before {
            find = find.filter(C::Id.lt(before));
        }
        Ok(find
            .order_by_desc(C::Id)
            .limit(filter.limit)
            .all(&self.read)
            .await?)
    }

    /// Of these rows, those that have come to rest: what waiters ask once a second for all their jobs.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn settled(&self, ids: &[i64]) -> Result<Vec<i64>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let states = JobState::ALL
            .into_iter()
            .filter(|state| state.is_settled())
            .map(JobState::name);
        Ok(job::Entity::find()
            .select_only()
            .column(job::Column::Id)
            .filter(job::Column::Id.is_in(padded(ids)))
            .filter(job::Column::State.is_in(states))
            .into_tuple()
            .all(&self.read)
            .await?)
    }

    /// A job's attempts, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn attempts(&self, job_id: i64) -> Result<Vec<attempt::Model>, StoreError> {
        Ok(attempt::Entity::find()
            .filter(attempt::Column::JobId.eq(job_id))
            .order_by_asc(attempt::Column::Fence)
            .all(&self.read)
            .await?)
    }

    /// What people and duties did to a job, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn events(&self, job_id: i64) -> Result<Vec<job_event::Model>, StoreError> {
        Ok(job_event::Entity::find()
            .filter(job_event::Column::JobId.eq(job_id))
            .order_by_asc(job_event::Column::Id)
            .all(&self.read)
            .await?)
    }

    /// What these jobs wait for, by row; those that wait for nothing are not in it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn waiting_for(
        &self,
        jobs: &[job::Model],
    ) -> Result<BTreeMap<i64, Waiting>, StoreError> {
        let open: Vec<&job::Model> = jobs
            .iter()
            .filter(|job| {
                [JobState::Queued.name(), JobState::Retrying.name()].contains(&job.state.as_str())
            })
            .collect();
        if open.is_empty() {
            return Ok(BTreeMap::new());
        }
        let now = self.clock(&self.read).await?;
        let servers = self.servers_of(&open).await?;
        let counts = running(&self.read, &servers.keys().copied().collect::<Vec<_>>()).await?;
        let heads = self.heads_of(&open).await?;
        let mut waiting = BTreeMap::new();
        for job in open {
            let server = job.server_id.and_then(|id| servers.get(&id));
            let busy = server.map(|server| {
                Room::of(
                    server,
                    counts.get(&server.id).map_or(&[][..], Vec::as_slice),
                )
            });
            if let Some(reason) = self.reason(job, server, busy, &heads, now).await? {
                waiting.insert(job.id, reason);
            }
        }
        Ok(waiting)
    }

    async fn reason(
        &self,
        job: &job::Model,
        server: Option<&server::Model>,
        room: Option<Room>,
        heads: &BTreeMap<i64, (i64, String)>,
        now: i64,
    ) -> Result<Option<Waiting>, StoreError> {
        if job.payload_version > PAYLOAD_VERSION {
            return Ok(Waiting::on("newer_worker", None));
        }
        if let Some(earlier) = self.earlier_job(job, heads).await? {
            return Ok(Some(Waiting {
                reason: "earlier_job",
                job_id: earlier,
                until: None,
            }));
        }
        if job.due_at > now {
            return Ok(Waiting::on("not_due", Some(job.due_at)));
        }
        let kind = job.kind.parse::<JobKind>().ok();
        let (Some(server), Some(kind)) = (server, kind) else {
            return Ok(None);
        };
        if let Some(shut) = closed(server, kind, now) {
            let reason = match shut.by {
                ClosedBy::Paused => "server_paused",
                ClosedBy::Maintenance => "maintenance",
                ClosedBy::AuthHold => "auth_hold",
                ClosedBy::Breaker => "breaker_open",
                ClosedBy::CoolDown => "server_busy",
            };
            return Ok(Waiting::on(reason, shut.until));
        }
        let fits = room.is_none_or(|mut room| room.take(kind, Lane::from_number(job.lane)));
        Ok(if fits {
            None
        } else {
            Waiting::on("server_busy", None)
        })
    }

    /// `Some(id)` when the job stands behind another, or behind its account's failed create.
    async fn earlier_job(
        &self,
        job: &job::Model,
        heads: &BTreeMap<i64, (i64, String)>,
    ) -> Result<Option<Option<String>>, StoreError> {
        let Some(account_id) = job.open_of else {
            return Ok(None);
        };
        if job.ready_lane.is_some() {
            return Ok(None);
        }
        if let Some((head, public_id)) = heads.get(&account_id)
            && *head != job.id
        {
            return Ok(Some(Some(public_id.clone())));
        }
        let create = job::Entity::find()
            .filter(job::Column::AccountId.eq(account_id))
            .filter(job::Column::Kind.eq(JobKind::Create.name()))
            .order_by_desc(job::Column::Id)
            .one(&self.read)
            .await?;
        Ok(Some(create.map(|create| create.public_id)))
    }

    async fn servers_of(
        &self,
        jobs: &[&job::Model],
    ) -> Result<BTreeMap<i64, server::Model>, StoreError> {
        let ids: std::collections::BTreeSet<i64> =
            jobs.iter().filter_map(|job| job.server_id).collect();
        let rows = server::Entity::find()
            .filter(server::Column::Id.is_in(ids))
            .all(&self.read)
            .await?;
        Ok(rows.into_iter().map(|row| (row.id, row)).collect())
    }

    async fn heads_of(
        &self,
        jobs: &[&job::Model],
    ) -> Result<BTreeMap<i64, (i64, String)>, StoreError> {
        let ids: Vec<i64> = jobs.iter().filter_map(|job| job.open_of).collect();
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows: Vec<(Option<i64>, i64, String)> = job::Entity::find()
            .select_only()
            .columns([job::Column::HeadOf, job::Column::Id, job::Column::PublicId])
            .filter(job::Column::HeadOf.is_in(padded(&ids)))
            .into_tuple()
            .all(&self.read)
            .await?;
        Ok(rows
            .into_iter()
            .filter_map(|(head, id, public)| head.map(|of| (of, (id, public))))
            .collect())
    }
}
