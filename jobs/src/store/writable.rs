//! Whether the ledger can be written: a full disk lets everything be read, and nothing be promised.

use std::sync::atomic::Ordering;

use entity::job_event;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{Store, StoreError, in_time};

/// What a probe writes belongs to no job, and is gone when it is committed.
const NO_JOB: i64 = 0;
/// More than fits into what is free in a table's last page.
const ROWS: usize = 40;

impl Store {
    /// Notes how a transaction ended.
    pub(crate) fn note_write<T>(&self, ended: &Result<T, StoreError>) {
        let trouble = match ended {
            Ok(_) => false,
            Err(error) if error.is_outage() => true,
            Err(_) => return,
        };
        self.cannot_write.store(trouble, Ordering::Relaxed);
    }

    /// Whether it can be written, as far as is known here: after a transaction that failed this asks.
    ///
    /// # Errors
    /// Why it cannot.
    pub async fn writable(&self) -> Result<(), StoreError> {
        if !self.cannot_write.load(Ordering::Relaxed) {
            return Ok(());
        }
        let probed = in_time(self.probe()).await;
        self.note_write(&probed);
        probed
    }

    /// Writes as much as a few jobs need, and takes it back: a change of one row in its place succeeds on a
    /// full disk.
    async fn probe(&self) -> Result<(), StoreError> {
        let now = self.now().await?;
        let rows = (0..ROWS).map(|_| job_event::ActiveModel {
            job_id: Set(NO_JOB),
            at: Set(now),
            actor: Set(String::new()),
            event: Set("probe".to_owned()),
            attempt: Set(0),
            reason: Set(Some("-".repeat(500))),
            ..Default::default()
        });
        let tx = self.begin().await?;
        job_event::Entity::insert_many(rows)
            .exec_without_returning(&tx)
            .await?;
        job_event::Entity::delete_many()
            .filter(job_event::Column::JobId.eq(NO_JOB))
            .exec(&tx)
            .await?;
        tx.commit().await.map_err(StoreError::commit)
    }
}
