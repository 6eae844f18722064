//! The two lists, by account and month, a page at a time.

use std::collections::{BTreeMap, VecDeque};

use entity::{account, usage_ledger, usage_month, usage_reading};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::Books;
use crate::store::padded;

/// Rows of a page.
const PAGE: u64 = 500;

/// A month with its account, if there is one.
#[derive(Debug, Clone)]
pub(super) struct OneMonth {
    pub(super) row: usage_month::Model,
    pub(super) account: Option<account::Model>,
}

/// A line of the ledger with the account and month of its reading, if that is kept still.
#[derive(Debug, Clone)]
pub(super) struct Booking {
    pub(super) row: usage_ledger::Model,
    pub(super) reading: Option<(Option<i64>, String)>,
}

impl OneMonth {
    pub(super) fn key(&self) -> (i64, &str) {
        (self.row.account_id, &self.row.month)
    }
}

impl Booking {
    pub(super) fn key(&self) -> (i64, &str) {
        (self.row.account_id, &self.row.month)
    }
}

/// A list in the order of its rows' keys.
pub(super) trait List {
    type Row: Clone + Send + Sync;

    /// The rows after this one, from the first when there is none; fewer than a page are the last.
    fn after(
        &self,
        tx: &DatabaseTransaction,
        last: Option<&Self::Row>,
    ) -> impl Future<Output = Result<Vec<Self::Row>, DbErr>> + Send;
}

/// A list that is read a page at a time.
pub(super) struct Paged<L: List> {
    list: L,
    page: VecDeque<L::Row>,
    last: Option<L::Row>,
    ended: bool,
}

impl<L: List> Paged<L> {
    pub(super) fn new(list: L) -> Self {
        Self {
            list,
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) {
        self.page.pop_front();
    }

    pub(super) async fn peek(&mut self, tx: &DatabaseTransaction) -> Result<Option<L::Row>, DbErr> {
        if self.page.is_empty() && !self.ended {
            let rows = self.list.after(tx, self.last.as_ref()).await?;
            self.ended = (rows.len() as u64) < PAGE;
            self.last = rows.last().cloned();
            self.page.extend(rows);
        }
        Ok(self.page.front().cloned())
    }
}

/// The months.
pub(super) struct Months(pub(super) Books);

impl List for Months {
    type Row = OneMonth;

    async fn after(
        &self,
        tx: &DatabaseTransaction,
        last: Option<&OneMonth>,
    ) -> Result<Vec<OneMonth>, DbErr> {
        use usage_month::Column as C;
        let mut query = usage_month::Entity::find()
            .order_by_asc(C::AccountId)
            .order_by_asc(C::Month)
            .limit(PAGE);
        if let Some((account, month)) = last.map(OneMonth::key) {
            let after = Condition::all()
                .add(C::AccountId.eq(account))
                .add(C::Month.gt(month));
            // The first part says nothing new, and lets every database begin in the index where we are.
            query = query
                .filter(C::AccountId.gte(account))
                .filter(Condition::any().add(C::AccountId.gt(account)).add(after));
        }
        if let Some(month) = self.0.month {
            query = query.filter(C::Month.eq(month.to_string()));
        }
        if let Some(server) = self.0.server_id {
            query = query.filter(C::ServerId.eq(server));
        }
        let rows = query.all(tx).await?;
        let mut ids: Vec<i64> = rows.iter().map(|row| row.account_id).collect();
        ids.dedup();
        let accounts = account::Entity::find()
            .filter(account::Column::Id.is_in(padded(&ids)))
            .all(tx)
            .await?;
        let accounts: BTreeMap<i64, account::Model> =
            accounts.into_iter().map(|row| (row.id, row)).collect();
        let month = |row: usage_month::Model| OneMonth {
            account: accounts.get(&row.account_id).cloned(),
            row,
        };
        Ok(rows.into_iter().map(month).collect())
    }
}

/// The ledger.
pub(super) struct Ledger(pub(super) Books);

impl List for Ledger {
    type Row = Booking;

    async fn after(
        &self,
        tx: &DatabaseTransaction,
        last: Option<&Booking>,
    ) -> Result<Vec<Booking>, DbErr> {
        use usage_ledger::Column as C;
        let mut query = usage_ledger::Entity::find()
            .order_by_asc(C::AccountId)
            .order_by_asc(C::Month)
            .order_by_asc(C::Id)
            .limit(PAGE);
        if let Some(last) = last {
            let (account, month) = last.key();
            let same = Condition::all()
                .add(C::AccountId.eq(account))
                .add(C::Month.eq(month))
                .add(C::Id.gt(last.row.id));
            let later = Condition::all()
                .add(C::AccountId.eq(account))
                .add(C::Month.gt(month));
            query = query.filter(C::AccountId.gte(account)).filter(
                Condition::any()
                    .add(C::AccountId.gt(account))
                    .add(later)
                    .add(same),
            );
        }
        if let Some(month) = self.0.month {
            query = query.filter(C::Month.eq(month.to_string()));
        }
        if let Some(server) = self.0.server_id {
            let mut of_server = Query::select();
            of_server
                .column(account::Column::Id)
                .from(account::Entity)
                .and_where(Expr::col(account::Column::ServerId).eq(server));
            query = query.filter(C::AccountId.in_subquery(of_server));
        }
        let rows = query.all(tx).await?;
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.reading_id).collect();
        let readings = readings(tx, &ids).await?;
        let booking = |row: usage_ledger::Model| Booking {
            reading: row.reading_id.and_then(|id| readings.get(&id).cloned()),
            row,
        };
        Ok(rows.into_iter().map(booking).collect())
    }
}

async fn readings(
    tx: &DatabaseTransaction,
    ids: &[i64],
) -> Result<BTreeMap<i64, (Option<i64>, String)>, DbErr> {
    use usage_reading::Column as C;
    let rows: Vec<(i64, Option<i64>, String)> = usage_reading::Entity::find()
        .select_only()
        .columns([C::Id, C::AccountId, C::Month])
        .filter(C::Id.is_in(padded(ids)))
        .into_tuple()
        .all(tx)
        .await?;
    let rows = rows.into_iter();
    Ok(rows
        .map(|(id, account, month)| (id, (account, month)))
        .collect())
}
