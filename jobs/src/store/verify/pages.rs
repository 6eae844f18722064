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

pub(super) struct Months {
    books: Books,
    page: VecDeque<OneMonth>,
    last: Option<(i64, String)>,
    ended: bool,
}

impl Months {
    pub(super) fn new(books: Books) -> Self {
        Self {
            books,
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) {
        self.page.pop_front();
    }

    pub(super) async fn peek(
        &mut self,
        tx: &DatabaseTransaction,
    ) -> Result<Option<OneMonth>, DbErr> {
        if self.page.is_empty() && !self.ended {
            self.turn(tx).await?;
        }
        Ok(self.page.front().cloned())
    }

    async fn turn(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        use usage_month::Column as C;
        let mut query = usage_month::Entity::find()
            .order_by_asc(C::AccountId)
            .order_by_asc(C::Month)
            .limit(PAGE);
        if let Some((account, month)) = &self.last {
            let after = Condition::all()
                .add(C::AccountId.eq(*account))
                .add(C::Month.gt(month));
            // The first part says nothing new, and lets every database begin in the index where we are.
            query = query
                .filter(C::AccountId.gte(*account))
                .filter(Condition::any().add(C::AccountId.gt(*account)).add(after));
        }
        if let Some(month) = self.books.month {
            query = query.filter(C::Month.eq(month.to_string()));
        }
        if let Some(server) = self.books.server_id {
            query = query.filter(C::ServerId.eq(server));
        }
        let rows = query.all(tx).await?;
        self.ended = (rows.len() as u64) < PAGE;
        self.last = rows.last().map(|row| (row.account_id, row.month.clone()));
        let mut ids: Vec<i64> = rows.iter().map(|row| row.account_id).collect();
        ids.dedup();
        let accounts = account::Entity::find()
            .filter(account::Column::Id.is_in(padded(&ids)))
            .all(tx)
            .await?;
        let accounts: BTreeMap<i64, account::Model> =
            accounts.into_iter().map(|row| (row.id, row)).collect();
        self.page.extend(rows.into_iter().map(|row| OneMonth {
            account: accounts.get(&row.account_id).cloned(),
            row,
        }));
        Ok(())
    }
}

pub(super) struct Ledger {
    books: Books,
    page: VecDeque<Booking>,
    last: Option<(i64, String, i64)>,
    ended: bool,
}

impl Ledger {
    pub(super) fn new(books: Books) -> Self {
        Self {
            books,
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }

    pub(super) fn next(&mut self) {
        self.page.pop_front();
    }

    pub(super) async fn peek(
        &mut self,
        tx: &DatabaseTransaction,
    ) -> Result<Option<Booking>, DbErr> {
        if self.page.is_empty() && !self.ended {
            self.turn(tx).await?;
        }
        Ok(self.page.front().cloned())
    }

    async fn turn(&mut self, tx: &DatabaseTransaction) -> Result<(), DbErr> {
        use usage_ledger::Column as C;
        let mut query = usage_ledger::Entity::find()
            .order_by_asc(C::AccountId)
            .order_by_asc(C::Month)
            .order_by_asc(C::Id)
            .limit(PAGE);
        if let Some((account, month, id)) = &self.last {
            let same = Condition::all()
                .add(C::AccountId.eq(*account))
                .add(C::Month.eq(month))
                .add(C::Id.gt(*id));
            let later = Condition::all()
                .add(C::AccountId.eq(*account))
                .add(C::Month.gt(month));
            query = query.filter(C::AccountId.gte(*account)).filter(
                Condition::any()
                    .add(C::AccountId.gt(*account))
                    .add(later)
                    .add(same),
            );
        }
        if let Some(month) = self.books.month {
            query = query.filter(C::Month.eq(month.to_string()));
        }
        if let Some(server) = self.books.server_id {
            let mut of_server = Query::select();
            of_server
                .column(account::Column::Id)
                .from(account::Entity)
                .and_where(Expr::col(account::Column::ServerId).eq(server));
            query = query.filter(C::AccountId.in_subquery(of_server));
        }
        let rows = query.all(tx).await?;
        self.ended = (rows.len() as u64) < PAGE;
        self.last = rows
            .last()
            .map(|row| (row.account_id, row.month.clone(), row.id));
        let ids: Vec<i64> = rows.iter().filter_map(|row| row.reading_id).collect();
        let readings = readings(tx, &ids).await?;
        self.page.extend(rows.into_iter().map(|row| Booking {
            reading: row.reading_id.and_then(|id| readings.get(&id).cloned()),
            row,
        }));
        Ok(())
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
