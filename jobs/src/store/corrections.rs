//! What operators do to the books of traffic. Every change is a line of the ledger with who and why.
//!
//! Accounts are locked before their months, as the nightly runs do it.

use entity::{account, usage_ledger, usage_month, usage_reading};
use hosting::Month;
use sea_orm::{
    ActiveModelTrait, ActiveValue::NotSet, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr,
    EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
};

use super::{Store, StoreError, transact};

/// Accounts in one transaction.
const CHUNK: usize = 500;

/// Who corrects, and why.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Who.
    pub actor: &'a str,
    /// Why; it must say something.
    pub reason: &'a str,
}

/// What became of a correction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// It stands in the ledger.
    Booked {
        /// By how much.
        delta_bytes: i64,
        /// The month's total now.
        total_bytes: i64,
    },
    /// It cannot be.
    Refused {
        /// Because of which argument.
        field: &'static str,
        /// What is wrong, and what would be right.
        message: String,
    },
}

impl Store {
    /// Adds bytes to an account's month, or takes them away, whether it is open or closed.
    ///
    /// # Errors
    /// The database's.
    pub async fn correct_month(
        &self,
        account_id: i64,
        month: Month,
        bytes: i64,
        by: By<'_>,
    ) -> Result<Correction, StoreError> {
        if let Some(refused) = without_reason(by) {
            return Ok(refused);
        }
        if bytes == 0 {
            return Ok(refused(
                "bytes",
                "must not be zero, like +1048576 or -1048576",
            ));
        }
        transact!(self, tx, {
            let row = locked(&tx, account_id, month).await?;
            match row {
                None => Ok::<_, StoreError>(unknown(month)),
                Some(row) => match row.total_bytes.checked_add(bytes) {
                    None | Some(..0) => Ok(refused(
                        "bytes",
                        format!(
                            "the month's total is {} bytes; it must stay between 0 and {}",
                            row.total_bytes,
                            i64::MAX
                        ),
                    )),
                    Some(total) => {
                        let now = self.clock(&tx).await?;
                        let corrected = row.corrected_bytes.saturating_add(bytes);
                        let after = usage_month::Model {
                            total_bytes: total,
                            corrected_bytes: corrected,
                            ..row
                        };
                        Ok(book(&tx, after, bytes, None, by, now).await?)
                    }
                },
            }?
        })
    }

    /// Takes what the panel says of a month for true, where it was not booked: a drop, or what came after the
    /// month was closed.
    ///
    /// # Errors
    /// The database's.
    pub async fn accept_month(
        &self,
        account_id: i64,
        month: Month,
        by: By<'_>,
    ) -> Result<Correction, StoreError> {
        if let Some(refused) = without_reason(by) {
            return Ok(refused);
        }
        transact!(self, tx, {
            match locked(&tx, account_id, month).await? {
                None => unknown(month),
                Some(row) => match accepted(&row) {
                    Err(message) => refused("month", message),
                    Ok(after) => {
                        let now = self.clock(&tx).await?;
                        let reading = last_reading(&tx, account_id, month).await?;
                        let delta = after.total_bytes - row.total_bytes;
                        book(&tx, after, delta, reading, by, now).await?
                    }
                },
            }
        })
    }

    /// Opens a server's closed month again: what came late is booked, and who re-opened it and why stands in
    /// the ledger of every account. Returns how many accounts' months were closed.
    ///
    /// # Errors
    /// [`StoreError::Refused`] without a reason; the database's.
    pub async fn reopen_month(
        &self,
        server_id: i64,
        month: Month,
        by: By<'_>,
    ) -> Result<u64, StoreError> {
        if by.reason.trim().is_empty() {
            return Err(StoreError::Refused("reason: must say why".to_owned()));
        }
        let mut count = 0_u64;
        loop {
            let ids = closed(self.reader(), server_id, month).await?;
            if ids.is_empty() {
                return Ok(count);
            }
            count += transact!(self, tx, { reopen(self, &tx, &ids, month, by).await? })?;
        }
    }
}

/// Some accounts of the server whose month is closed.
async fn closed(
    connection: &impl ConnectionTrait,
    server_id: i64,
    month: Month,
) -> Result<Vec<i64>, DbErr> {
    usage_month::Entity::find()
        .select_only()
        .column(usage_month::Column::AccountId)
        .filter(usage_month::Column::Month.eq(month.to_string()))
        .filter(usage_month::Column::ServerId.eq(server_id))
        .filter(usage_month::Column::ClosedAt.is_not_null())
        .order_by_asc(usage_month::Column::AccountId)
        .limit(CHUNK as u64)
        .into_tuple()
        .all(connection)
        .await
}

async fn reopen(
    store: &Store,
    tx: &sea_orm::DatabaseTransaction,
    ids: &[i64],
    month: Month,
    by: By<'_>,
) -> Result<u64, DbErr> {
    let mut count = 0;
    for id in ids {
        let Some(row) = locked(tx, *id, month).await? else {
            continue;
        };
        if row.closed_at.is_none() {
            continue;
        }
        count += 1;
        let now = store.clock(tx).await?;
        let late = row.late_bytes;
        let open = usage_month::Model {
            closed_at: None,
            late_bytes: 0,
            total_bytes: row.total_bytes.saturating_add(late),
            ..row
        };
        let line =
            |entry, delta, total, reading| line(&open, entry, delta, total, reading, by, now);
        let mut lines = vec![line("reopened", 0, row.total_bytes, None)];
        if late > 0 {
            let reading = last_reading(tx, *id, month).await?;
            lines.push(line("correction", late, open.total_bytes, reading));
        }
        usage_ledger::Entity::insert_many(lines)
            .exec_without_returning(tx)
            .await?;
        put(tx, open).await?;
    }
    Ok(count)
}

/// The month afterwards. The panel's part of the total becomes what the panel said last; what was added by
/// hand stays.
fn accepted(row: &usage_month::Model) -> Result<usage_month::Model, String> {
    let panels = row.total_bytes - row.corrected_bytes;
    if row.flag.as_deref() == Some("drop") {
        let raw = row.flagged_raw.unwrap_or(row.last_raw);
        let total = raw + row.corrected_bytes;
        if total < 0 {
            return Err(format!(
                "{} bytes were taken away by hand, which is more than the panel's {raw}: correct that first",
                -row.corrected_bytes
            ));
        }
        // From now on a larger figure is newer only if it was asked for later: `epoch` says so to the nights.
        return Ok(usage_month::Model {
            total_bytes: total,
            flag: None,
            flagged_raw: None,
            late_bytes: 0,
            epoch: row.epoch.saturating_add(1),
            ..row.clone()
        });
    }
    if row.closed_at.is_some() && row.late_bytes > 0 {
        let Some(total) = row.total_bytes.checked_add(row.late_bytes) else {
            return Err("the sum is more than a number can hold".to_owned());
        };
        return Ok(usage_month::Model {
            total_bytes: total,
            late_bytes: 0,
            ..row.clone()
        });
    }
    Err(format!(
        "there is nothing to accept: {panels} bytes of the panel are booked, no drop is flagged, and nothing \
         came after the closing; to change the total, correct it by a number of bytes"
    ))
}

async fn book(
    tx: &sea_orm::DatabaseTransaction,
    after: usage_month::Model,
    delta: i64,
    reading: Option<i64>,
    by: By<'_>,
    now: i64,
) -> Result<Correction, DbErr> {
    let total = after.total_bytes;
    line(&after, "correction", delta, total, reading, by, now)
        .insert(tx)
        .await?;
    put(tx, after).await?;
    Ok(Correction::Booked {
        delta_bytes: delta,
        total_bytes: total,
    })
}

fn line(
    month: &usage_month::Model,
    entry: &str,
    delta: i64,
    total: i64,
    reading: Option<i64>,
    by: By<'_>,
    now: i64,
) -> usage_ledger::ActiveModel {
    usage_ledger::ActiveModel {
        id: NotSet,
        account_id: Set(month.account_id),
        month: Set(month.month.clone()),
        entry: Set(entry.to_owned()),
        delta_bytes: Set(delta),
        total_bytes: Set(total),
        reading_id: Set(reading),
        job_id: Set(None),
        actor: Set(by.actor.chars().take(160).collect()),
        note: Set(Some(by.reason.trim().chars().take(500).collect())),
        booked_at: Set(now),
    }
}

async fn put(tx: &sea_orm::DatabaseTransaction, row: usage_month::Model) -> Result<(), DbErr> {
    row.into_active_model().reset_all().update(tx).await?;
    Ok(())
}

/// The account's month, both locked.
async fn locked(
    tx: &sea_orm::DatabaseTransaction,
    account_id: i64,
    month: Month,
) -> Result<Option<usage_month::Model>, DbErr> {
    account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(account::Column::Id.eq(account_id))
        .lock_exclusive()
        .into_tuple::<i64>()
        .one(tx)
        .await?;
    usage_month::Entity::find_by_id((account_id, month.to_string()))
        .lock_exclusive()
        .one(tx)
        .await
}

async fn last_reading(
    tx: &sea_orm::DatabaseTransaction,
    account_id: i64,
    month: Month,
) -> Result<Option<i64>, DbErr> {
    use usage_reading::Column as C;
    usage_reading::Entity::find()
        .select_only()
        .column(C::Id)
        .filter(C::AccountId.eq(account_id))
        .filter(C::Month.eq(month.to_string()))
        .filter(C::TrafficBytes.is_not_null())
        .order_by_desc(C::Id)
        .limit(1)
        .into_tuple()
        .one(tx)
        .await
}

fn without_reason(by: By<'_>) -> Option<Correction> {
    let empty = by.reason.trim().is_empty();
    empty.then(|| refused("reason", "must say why, for whoever reads the bill"))
}

fn unknown(month: Month) -> Correction {
    refused(
        "month",
        format!(
            "nothing was ever read for {month}; read it first with `hostler traffic sync --month {month}`"
        ),
    )
}

fn refused(field: &'static str, message: impl Into<String>) -> Correction {
    Correction::Refused {
        field,
        message: message.into(),
    }
}
