//! Letting go of what is old, in small bites.
//!
//! A job's contents go first (its attempts, its history, its payload); the row stays as a skeleton, so
//! that its idempotency key outlives it, and goes much later.

use entity::{attempt, job, job_event, secret, usage_reading};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use super::{Store, StoreError, padded, transact};
use crate::JobState;

/// The payload of a job whose contents are gone: no [`crate::JobSpec`].
pub const STRIPPED: &str = "{}";

impl Store {
    /// Strips at most `limit` settled jobs that were accepted before `before` (milliseconds UTC) and
    /// whose row comes after `after`. Returns the last row that was stripped; `None` = none was left.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn strip_jobs(
        &self,
        before: i64,
        after: i64,
        limit: u64,
    ) -> Result<Option<i64>, StoreError> {
        let ids: Vec<i64> = settled_before(before)
            .filter(job::Column::Id.gt(after))
            .filter(job::Column::Payload.ne(STRIPPED))
            .order_by_asc(job::Column::Id)
            .limit(limit)
            .into_tuple()
            .all(&self.read)
            .await?;
        let Some(&last) = ids.last() else {
            return Ok(None);
        };
        transact!(self, tx, {
            attempt::Entity::delete_many()
                .filter(attempt::Column::JobId.is_in(padded(&ids)))
                .exec(&tx)
                .await?;
            job_event::Entity::delete_many()
                .filter(job_event::Column::JobId.is_in(padded(&ids)))
                .exec(&tx)
                .await?;
            job::Entity::update_many()
                .col_expr(job::Column::Payload, Expr::value(STRIPPED))
                .col_expr(job::Column::Progress, Expr::value(None::<String>))
                .col_expr(job::Column::Result, Expr::value(None::<String>))
                .col_expr(job::Column::ErrorMessage, Expr::value(None::<String>))
                .filter(job::Column::Id.is_in(padded(&ids)))
                .exec(&tx)
                .await?;
            Some(last)
        })
    }

    /// Deletes at most `limit` stripped jobs that were accepted before `before`. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete_stripped_jobs(&self, before: i64, limit: u64) -> Result<u64, StoreError> {
        let ids: Vec<i64> = settled_before(before)
            .filter(job::Column::Payload.eq(STRIPPED))
            .order_by_asc(job::Column::CreatedAt)
            .limit(limit)
            .into_tuple()
            .all(&self.read)
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = job::Entity::delete_many()
            .filter(job::Column::Id.is_in(padded(&ids)))
            .exec(&self.write)
            .await?;
        Ok(gone.rows_affected)
    }

    /// Deletes at most `limit` readings that were taken before `before`. Returns how many. What was
    /// booked from them stays.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_readings(&self, before: i64, limit: u64) -> Result<u64, StoreError> {
        let ids: Vec<i64> = usage_reading::Entity::find()
            .select_only()
            .column(usage_reading::Column::Id)
            .filter(usage_reading::Column::ReadAt.lt(before))
            .order_by_asc(usage_reading::Column::ReadAt)
            .limit(limit)
            .into_tuple()
            .all(&self.read)
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = usage_reading::Entity::delete_many()
            .filter(usage_reading::Column::Id.is_in(padded(&ids)))
            .exec(&self.write)
            .await?;
        Ok(gone.rows_affected)
    }

    /// Deletes at most `limit` rows of secrets that were wiped before `before`. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn prune_secrets(&self, before: i64, limit: u64) -> Result<u64, StoreError> {
        let ids: Vec<i64> = secret::Entity::find()
            .select_only()
            .column(secret::Column::Id)
            .filter(secret::Column::WipedAt.lt(before))
            .filter(secret::Column::Sealed.is_null())
            .limit(limit)
            .into_tuple()
            .all(&self.read)
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = secret::Entity::delete_many()
            .filter(secret::Column::Id.is_in(padded(&ids)))
            .filter(secret::Column::Sealed.is_null())
            .exec(&self.write)
            .await?;
        Ok(gone.rows_affected)
    }
}

fn settled_before(before: i64) -> Select<job::Entity> {
    let settled = JobState::ALL
        .into_iter()
        .filter(|state| state.is_settled() && *state != JobState::Held)
        .map(JobState::name);
    job::Entity::find()
        .select_only()
        .column(job::Column::Id)
        .filter(job::Column::CreatedAt.lt(before))
        .filter(job::Column::State.is_in(settled))
}
