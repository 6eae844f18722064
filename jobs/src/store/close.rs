//! Closing a month, and telling of it, in one transaction.

use entity::{server, usage_month};
use hosting::Month;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Ring, Store, StoreError, transact};

/// What a close did.
#[derive(Debug, Clone, Default)]
pub struct ClosedMonth {
    /// How many accounts' months were closed now; those closed earlier are not counted.
    pub accounts: u64,
    /// What to ring: the webhooks that tell of it.
    pub rings: Vec<Ring>,
}

impl Store {
    /// Closes a month of a server at `now` (milliseconds UTC) and tells the platforms that have or had
    /// accounts on it. Where nothing was open nobody is told; a month that was opened again is told again.
    ///
    /// # Errors
    /// The database's.
    pub async fn close_month(
        &self,
        server: &server::Model,
        month: Month,
        actor: &str,
        now: i64,
    ) -> Result<ClosedMonth, StoreError> {
        transact!(self, tx, {
            let accounts = usage_month::Entity::update_many()
                .col_expr(usage_month::Column::ClosedAt, Expr::value(now))
                .filter(usage_month::Column::Month.eq(month.to_string()))
                .filter(usage_month::Column::ServerId.eq(server.id))
                .filter(usage_month::Column::ClosedAt.is_null())
                .exec(&tx)
                .await?
                .rows_affected;
            let rings = if accounts == 0 {
                Vec::new()
            } else {
                self.tell_of_closed_month(&tx, server, month, actor, now)
                    .await?
            };
            ClosedMonth { accounts, rings }
        })
    }
}
