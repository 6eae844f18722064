//! An ideal observer of the panel's readings: what must be booked, to the byte.
//!
//! Written from the rules alone and sharing nothing with the worker, so that the two can only agree by both
//! being right. [`draw`] makes up the nights that both of them see, and knows the true bytes.

pub mod draw;
mod months;

use std::collections::BTreeMap;

use months::{Book, Figure};
pub use months::{Expected, Flag};

/// More than this cannot have flowed in a month (100 Gbit/s for 31 days).
pub const LINE: i128 = 33_500_000_000_000_000;

/// How the panel counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// Its figure is the month's.
    MonthTotal,
    /// Its figure runs on over the months.
    Running {
        /// After a reset everything that it shows is new.
        from_zero: bool,
    },
}

/// A month: the year's and its own number.
pub type Month = (i32, u32);

/// A row of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The login name.
    pub login: String,
    /// The main domain.
    pub domain: String,
    /// The figure; `None` = the panel did not tell.
    pub figure: Option<u64>,
    /// Whether the panel says that it is of an account that is no more.
    pub deleted: bool,
}

/// What happens between the panel, Hostler and its operators. Accounts are numbered as they come.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields' names say it")]
pub enum Event {
    /// We come to know an account.
    Known { login: String, domain: String },
    /// A report is asked for and booked.
    Read { month: Month, rows: Vec<Row> },
    /// The panel first names no account at all.
    Empty { month: Month, rows: Vec<Row> },
    /// Two runs at one time get the same report.
    AtOnce { month: Month, rows: Vec<Row> },
    /// `late` was asked for first, and comes when `soon` is booked.
    Overtaken {
        month: Month,
        late: Vec<Row>,
        soon: Vec<Row>,
    },
    /// The month is closed.
    Close(Month),
    /// An operator opens it again.
    Reopen(Month),
    /// An operator corrects a month.
    Correct {
        account: usize,
        month: Month,
        bytes: i64,
    },
    /// An operator takes the panel's last figure for true.
    Accept { account: usize, month: Month },
    /// We learn of a new login name.
    Renamed { account: usize, login: String },
    /// The account is terminated.
    Terminated(usize),
}

#[derive(Debug)]
struct Account {
    login: String,
    domain: String,
    lives: bool,
}

/// Sees the same as Hostler, and makes no mistake.
#[derive(Debug)]
pub struct Observer {
    counter: Counter,
    accounts: Vec<Account>,
    books: BTreeMap<(usize, Month), Book>,
}

impl Observer {
    /// Of a server that counts so.
    #[must_use]
    pub fn new(counter: Counter) -> Self {
        Self {
            counter,
            accounts: Vec::new(),
            books: BTreeMap::new(),
        }
    }

    /// Takes note of it. `false` = an operator's wish that must be refused.
    pub fn see(&mut self, event: &Event) -> bool {
        match event {
            Event::Known { login, domain } => self.accounts.push(Account {
                login: login.clone(),
                domain: domain.clone(),
                lives: true,
            }),
            Event::Read { month, rows } | Event::Empty { month, rows } => {
                self.read(*month, rows, &[]);
            }
            Event::AtOnce { month, rows } => {
                let first = self.read(*month, rows, &[]);
                self.read(*month, rows, &first);
            }
            Event::Overtaken { month, late, soon } => {
                let first = self.read(*month, soon, &[]);
                self.read(*month, late, &first);
            }
            Event::Close(month) => self.of_month(*month, |book| book.closed = true),
            Event::Reopen(month) => self.of_month(*month, Book::reopen),
            Event::Correct {
                account,
                month,
                bytes,
            } => return self.wish(*account, *month, |book| book.correct(*bytes)),
            Event::Accept { account, month } => {
                return self.wish(*account, *month, Book::accept);
            }
            Event::Renamed { account, login } => self.accounts[*account].login.clone_from(login),
            Event::Terminated(account) => self.accounts[*account].lives = false,
        }
        true
    }

    fn of_month(&mut self, month: Month, change: impl Fn(&mut Book)) {
        let books = self.books.iter_mut();
        books
            .filter(|((_, of), _)| *of == month)
            .for_each(|(_, book)| change(book));
    }

    fn wish(&mut self, account: usize, month: Month, wish: impl Fn(&mut Book) -> bool) -> bool {
        self.books.get_mut(&(account, month)).is_some_and(wish)
    }

    /// A report; for the accounts in `newer` a newer one is booked already. Returns for whom this one said
    /// anything.
    fn read(&mut self, month: Month, rows: &[Row], newer: &[usize]) -> Vec<usize> {
        let mut told = Vec::new();
        for account in 0..self.accounts.len() {
            if let Some(raw) = self.figure_of(account, rows)
                && self.count(account, month, raw, newer.contains(&account))
            {
                told.push(account);
            }
        }
        told
    }

    /// What the report says of an account, if it does not contradict itself.
    fn figure_of(&self, account: usize, rows: &[Row]) -> Option<u64> {
        let mut mine: Vec<&Row> = rows
            .iter()
            .filter(|row| self.is_of(account, row, rows))
            .collect();
        mine.dedup();
        match mine.as_slice() {
            [one] => one.figure,
            _ => None,
        }
    }

    /// A row of what exists is the living account's. One of what was deleted is that of the terminated account
    /// with its domain too; if there is none, then of the living one, which was deleted behind our back: but
    /// not when the report says that it exists.
    fn is_of(&self, account: usize, row: &Row, rows: &[Row]) -> bool {
        let account = &self.accounts[account];
        if account.login != row.login {
            return false;
        }
        if !row.deleted {
            return account.lives;
        }
        let of_domain = |one: &&Account| one.login == row.login && one.domain == row.domain;
        let terminated = self.accounts.iter().filter(of_domain);
        let terminated = terminated.filter(|one| !one.lives).count();
        let exists = || {
            let mut all = rows.iter();
            all.any(|other| other.login == row.login && !other.deleted)
        };
        of_domain(&account)
            && match account.lives {
                true => terminated == 0 && !exists(),
                false => terminated == 1,
            }
    }

    fn count(&mut self, account: usize, month: Month, raw: u64, is_stale: bool) -> bool {
        let raw = i128::from(raw);
        if self.counter == Counter::MonthTotal {
            let book = self.books.entry((account, month)).or_default();
            book.month_total(raw, is_stale);
            return true;
        }
        // It runs on: what it shows now says nothing about a month that a later one has followed.
        let mine = || {
            self.books
                .range((account, (i32::MIN, 0))..=(account, (i32::MAX, 99)))
        };
        if mine().any(|((_, of), _)| *of > month) {
            return false;
        }
        let before = mine().next_back().map(|(_, book)| book.figure);
        let begun = match before {
            // The very first figure: if it cannot be true, nothing is known yet.
            None if raw > LINE => return false,
            None => Figure {
                last: raw,
                resets: 0,
            },
            Some(figure) => figure,
        };
        let from_zero = self.counter == Counter::Running { from_zero: true };
        let book = self.books.entry((account, month));
        let book = book.or_insert_with(|| Book::from(begun));
        book.running(raw, from_zero, is_stale);
        true
    }

    /// What must stand in the books of every account's month.
    pub fn expected(&self) -> impl Iterator<Item = ((usize, Month), Expected)> {
        self.books.iter().map(|(key, book)| (*key, book.expected()))
    }
}
