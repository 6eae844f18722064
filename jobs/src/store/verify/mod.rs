//! Whether the books of traffic are right, told by what stands in them alone.
//!
//! One snapshot is read from end to end, months and ledger side by side in pages, so that the memory does not
//! grow with the books, and a night that runs meanwhile is seen wholly or not at all.

mod account;
mod month;
mod pages;

use hosting::Month;
use sea_orm::{AccessMode, DatabaseTransaction, DbBackend, IsolationLevel, TransactionTrait};

use super::{Store, StoreError};
use month::Bookings;
use pages::{Ledger, Months, Paged};

/// Which books.
#[derive(Debug, Clone, Copy, Default)]
pub struct Books {
    /// Only of this month.
    pub month: Option<Month>,
    /// Only of this server's accounts.
    pub server_id: Option<i64>,
}

/// Something that must not stand in the books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which rule: `sum`, `running_sum`, `negative_delta`, `no_month`, `no_account`, `other_server`,
    /// `before_it_was_made`, `after_it_was_terminated`, `foreign_reading`, `reading_twice`, `corrected_sum`,
    /// `changed_after_closing`, `late_in_open_month`.
    pub rule: &'static str,
    /// The account's row.
    pub account_id: i64,
    /// The month.
    pub month: String,
    /// What is wrong.
    pub what: String,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verified {
    /// Months of accounts.
    pub months: u64,
    /// Lines of the ledger.
    pub bookings: u64,
    /// What was found wrong.
    pub violations: u64,
}

impl Store {
    /// Reads the books and tells `found` of everything that is wrong with them. Writes nothing.
    ///
    /// # Errors
    /// The database's.
    pub async fn verify_books(
        &self,
        books: Books,
        mut found: impl FnMut(Violation) + Send,
    ) -> Result<Verified, StoreError> {
        let tx = self.snapshot().await?;
        let mut verified = Verified::default();
        let mut tell = |violation| {
            verified.violations += 1;
            found(violation);
        };
        let mut months = Paged::new(Months(books));
        let mut ledger = Paged::new(Ledger(books));
        let mut bookings = Bookings::default();
        loop {
            let month = months.peek(&tx).await?;
            let booking = ledger.peek(&tx).await?;
            let ledger_first = match (&month, &booking) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some(month), Some(booking)) => booking.key() <= month.key(),
            };
            if let (true, Some(booking)) = (ledger_first, booking) {
                let alone = month.is_none_or(|month| month.key() != booking.key());
                bookings.take(&booking, alone, &mut tell);
                verified.bookings += 1;
                ledger.next();
            } else if let Some(month) = month {
                bookings.close(&month, &mut tell);
                account::check(&tx, &month, &mut tell).await?;
                verified.months += 1;
                months.next();
            }
        }
        tx.rollback().await?;
        Ok(verified)
    }

    async fn snapshot(&self) -> Result<DatabaseTransaction, StoreError> {
        // On SQLite every transaction is one.
        let begun = if self.backend() == DbBackend::Sqlite {
            self.reader().begin().await?
        } else {
            let (isolation, access) = (IsolationLevel::RepeatableRead, AccessMode::ReadOnly);
            let begun = self
                .reader()
                .begin_with_config(Some(isolation), Some(access));
            begun.await?
        };
        Ok(begun)
    }
}
