//! What a request means, within what its caller may see.

use std::time::Duration;

use entity::job;
use jobs::store::{JobFilter, Selector};
use jobs::{JobKind, JobState};

use super::Api;
use super::jobs::ListQuery;
use crate::caller::Caller;
use crate::{Problem, registry, times};

impl Api {
    /// The job of that id, if the caller may see it; of what it may not see it learns nothing.
    pub(crate) async fn job_of(&self, caller: &Caller, id: &str) -> Result<job::Model, Problem> {
        let row = self.store.job(id).await?;
        let row = row.filter(|row| caller.sees_platform(Some(row.platform_id)));
        let Some(row) = row else {
            return Err(Problem::not_found("such job"));
        };
        if caller.servers.is_none() || self.on_allowed_server(caller, row.server_id).await? {
            Ok(row)
        } else {
            Err(Problem::not_found("such job"))
        }
    }

    async fn on_allowed_server(
        &self,
        caller: &Caller,
        server_id: Option<i64>,
    ) -> Result<bool, Problem> {
        let allowed = self.allowed_servers(caller).await?;
        Ok(server_id.is_some_and(|id| allowed.is_none_or(|servers| servers.contains(&id))))
    }

    /// The rows of the servers that the caller may touch; `None` = all.
    pub(crate) async fn allowed_servers(
        &self,
        caller: &Caller,
    ) -> Result<Option<Vec<i64>>, Problem> {
        if caller.servers.is_none() {
            return Ok(None);
        }
        let servers = registry::servers(&self.store)
            .await
            .map_err(super::registry_problem)?;
        Ok(Some(
            servers
                .into_iter()
                .filter(|row| caller.may_touch(&row.name))
                .map(|row| row.id)
                .collect(),
        ))
    }

    /// The job once it has come to rest, or as it is when the patience is over; nothing more for a caller
    /// whose token was revoked meanwhile.
    pub(crate) async fn rested(
        &self,
        caller: &Caller,
        row: job::Model,
        patience: Option<Duration>,
    ) -> Result<job::Model, Problem> {
        let Some(patience) = patience else {
            return Ok(row);
        };
        // Registered first, read afterwards: an end in between is seen by one of the two.
        let mut place = self.waiters.register(row.id);
        let Some(now) = self.store.job_by_row(row.id).await? else {
            return Ok(row);
        };
        if is_settled(&now) {
            return Ok(now);
        }
        place.rested(patience).await;
        if !registry::is_still_valid(&self.store, caller).await? {
            return Err(Problem::unauthorized());
        }
        Ok(self.store.job_by_row(row.id).await?.unwrap_or(now))
    }

    /// The filter of a query, with what the caller may see; `None` = nothing can match.
    pub(crate) async fn job_filter(
        &self,
        caller: &Caller,
        query: &ListQuery,
    ) -> Result<Option<JobFilter>, Problem> {
        let mut filter = JobFilter {
            platform_id: (!caller.sees_all()).then_some(caller.platform_id),
            servers: self.allowed_servers(caller).await?,
            idem_key: query.idempotency_key.clone(),
            error_code: query.error_code.clone(),
            ..JobFilter::default()
        };
        if let Some(states) = &query.state {
            filter.states = states
                .split(',')
                .map(|state| {
                    state
                        .trim()
                        .parse::<JobState>()
                        .map_err(|error| Problem::field("state", error.to_string()))
                })
                .collect::<Result<_, _>>()?;
        }
        if let Some(kind) = &query.kind {
            let kind = kind
                .parse::<JobKind>()
                .map_err(|error| Problem::field("kind", error.to_string()))?;
            filter.kind = Some(kind);
        }
        if let Some(since) = &query.since {
            let at = times::parse_rfc3339(since).map_err(|why| Problem::field("since", why))?;
            filter.since = Some(at);
        }
        if let Some(name) = &query.server {
            let row = self.server_of(caller, name).await?;
            filter.servers = Some(vec![row.id]);
        }
        if let Some(account) = &query.account {
            match self.account_of(caller, account).await? {
                Some(id) => filter.account_id = Some(id),
                None => return Ok(None),
            }
        }
        if let Some(cursor) = &query.cursor {
            let row = self.store.job(cursor).await?;
            let row = row.filter(|row| caller.sees_platform(Some(row.platform_id)));
            let before = row.ok_or_else(|| {
                Problem::field("cursor", "is not a next_cursor of this list; begin again")
            })?;
            filter.before = Some(before.id);
        }
        Ok(Some(filter))
    }

    /// The row of an account by its id or the caller's reference.
    async fn account_of(&self, caller: &Caller, text: &str) -> Result<Option<i64>, Problem> {
        let by_id = self.store.account(&Selector::Id(text.to_owned())).await?;
        if let Some(row) = by_id.filter(|row| caller.sees_platform(row.platform_id)) {
            return Ok(Some(row.id));
        }
        let Ok(reference) = text.parse() else {
            return Ok(None);
        };
        let selector = Selector::Reference {
            platform_id: caller.platform_id,
            reference,
        };
        Ok(self.store.account(&selector).await?.map(|row| row.id))
    }
}

fn is_settled(row: &job::Model) -> bool {
    row.state
        .parse::<JobState>()
        .is_ok_and(JobState::is_settled)
}
