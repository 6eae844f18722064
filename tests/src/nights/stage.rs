//! The real thing: a worker, its books on SQLite, and a panel that says what it is told to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use entity::{account, usage_month};
use hosting::{Bytes, Month};
use jobs::store::{Books, By, Correction, NewJob, Store, StoreOptions, Target, Verified};
use jobs::{AccountState, JobSpec, JobState};
use migration::{Migrator, MigratorTrait};
use panels::AccountUsage;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::sync::Notify;

use crate::observer::draw::FIRST;
use crate::observer::{self, Counter, Event, Expected, Flag, Observer, Row};
use crate::stage::fake::Fault;
use crate::stage::{self, App, traffic};

const BY: By<'static> = By {
    actor: "operator:test",
    reason: "the customer was right",
};

pub(super) struct Stage {
    app: App,
    /// By their number.
    accounts: Vec<i64>,
    _folder: tempfile::TempDir,
}

/// Where nothing is written to a disk, if there is such a place: a sequence is hundreds of commits.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a folder")
}

async fn open(path: &std::path::Path) -> Store {
    let url = format!("sqlite:{}?mode=rwc", path.display());
    let store = Store::connect(&StoreOptions::new(url)).await;
    store.expect("the file opens")
}

/// The file of an installation that has its schema and nothing else.
pub(super) async fn template() -> Vec<u8> {
    let folder = folder();
    let path = folder.path().join("template.db");
    let store = open(&path).await;
    Migrator::up(store.writer_connection(), None)
        .await
        .expect("a schema");
    let whole = sea_orm::Statement::from_string(
        sea_orm::DbBackend::Sqlite,
        "PRAGMA wal_checkpoint(TRUNCATE)",
    );
    sea_orm::ConnectionTrait::query_all_raw(store.writer_connection(), whole)
        .await
        .expect("one file");
    std::fs::read(&path).expect("the file")
}

fn month((year, month): observer::Month) -> Month {
    Month::new(year, month).expect("a month")
}

fn usage(row: &Row) -> AccountUsage {
    AccountUsage {
        domain: Some(row.domain.parse().expect("a domain")),
        traffic: row
            .figure
            .map(|figure| Bytes::new(figure).expect("it fits")),
        deleted: row.deleted,
        ..traffic::row(&row.login, 0)
    }
}

impl Stage {
    pub(super) async fn open(template: &[u8], counter: Counter) -> Self {
        let folder = folder();
        let path = folder.path().join("hostler.db");
        std::fs::write(&path, template).expect("written");
        let store = open(&path).await;
        let (year, number, day) = FIRST;
        let first = chrono::NaiveDate::from_ymd_opt(year, number, day)
            .and_then(|date| date.and_hms_opt(3, 0, 0))
            .expect("a date")
            .and_utc()
            .timestamp_millis();
        let now = store.now().await.expect("a clock");
        let ahead = u64::try_from(first - now).expect("the nights lie in the future");
        store.advance_clock(Duration::from_millis(ahead));
        let app = App::on(store, &stage::rules()).await;
        {
            let mut state = app.fake.state();
            state.running_counter = counter != Counter::MonthTotal;
            state.restarts_unknown = counter == Counter::Running { from_zero: false };
        }
        Self {
            app,
            accounts: Vec::new(),
            _folder: folder,
        }
    }

    pub(super) fn next_night(&self) {
        self.app.store.advance_clock(Duration::from_secs(86_400));
    }

    /// Does it. `false` = an operator's wish was refused.
    pub(super) async fn play(&mut self, event: &Event) -> bool {
        self.app.store.advance_clock(Duration::from_secs(1));
        match event {
            Event::Known { login, domain } => self.import(login, domain).await,
            Event::Read { month, rows } => {
                let id = self.start(*month, rows).await;
                self.app.run().await;
                self.succeeded(&id).await;
            }
            Event::Empty { month, rows } => {
                let id = self.start(*month, &[]).await;
                self.app.run().await;
                assert_eq!(self.app.state(&id).await, JobState::Retrying);
                self.says(*month, rows);
                self.app.store.advance_clock(Duration::from_secs(7_200));
                self.app.run().await;
                self.succeeded(&id).await;
            }
            Event::AtOnce { month, rows } => self.at_once(*month, rows).await,
            Event::Overtaken { month, late, soon } => self.overtaken(*month, late, soon).await,
            Event::Close(month) => self.close(*month).await,
            Event::Reopen(of) => {
                let reopened = self
                    .app
                    .store
                    .reopen_month(self.app.server_id, month(*of), BY);
                reopened.await.expect("re-opened");
            }
            Event::Correct {
                account,
                month: of,
                bytes,
            } => {
                let id = self.accounts[*account];
                let asked = self.app.store.correct_month(id, month(*of), *bytes, BY);
                return matches!(asked.await.expect("answered"), Correction::Booked { .. });
            }
            Event::Accept { account, month: of } => {
                let id = self.accounts[*account];
                let asked = self.app.store.accept_month(id, month(*of), BY);
                return matches!(asked.await.expect("answered"), Correction::Booked { .. });
            }
            Event::Renamed { account, login } => {
                let set = [(account::Column::Username, Expr::value(login.as_str()))];
                self.set(*account, set).await;
            }
            Event::Terminated(account) => {
                let now = self.app.store.now().await.expect("a clock");
                let set = [
                    (
                        account::Column::State,
                        Expr::value(AccountState::Terminated.name()),
                    ),
                    (account::Column::TerminatedAt, Expr::value(now)),
                    (
                        account::Column::LiveKey,
                        Expr::value(Option::<String>::None),
                    ),
                ];
                self.set(*account, set).await;
            }
        }
        true
    }

    fn says(&self, of: observer::Month, rows: &[Row]) {
        let rows = rows.iter().map(usage).collect();
        let mut state = self.app.fake.state();
        state.reports.insert(month(of).to_string(), rows);
    }

    async fn start(&self, of: observer::Month, rows: &[Row]) -> String {
        self.says(of, rows);
        let spec = JobSpec::GetStats { month: month(of) };
        let job: NewJob = self.app.operators(spec, Target::Nobody);
        self.app.submit(job).await
    }

    async fn succeeded(&self, id: &str) {
        assert_eq!(self.app.state(id).await, JobState::Succeeded);
    }

    async fn at_once(&self, of: observer::Month, rows: &[Row]) {
        let ids = [self.start(of, rows).await, self.start(of, rows).await];
        let mut claimed = self.app.claim().await;
        let (one, other) = (claimed.remove(0), claimed.remove(0));
        let worker = &self.app.worker;
        tokio::join!(worker.handle(one), worker.handle(other));
        for id in &ids {
            self.succeeded(id).await;
        }
    }

    async fn overtaken(&self, of: observer::Month, late: &[Row], soon: &[Row]) {
        let (asked, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let fault = Fault::Late {
            asked: Arc::clone(&asked),
            go_on: Arc::clone(&go_on),
        };
        self.app.fake.next("usage", fault);
        let slow = self.start(of, late).await;
        let claimed = self.app.claim().await.remove(0);
        let meanwhile = async {
            asked.notified().await;
            self.app.store.advance_clock(Duration::from_secs(1));
            let id = self.start(of, soon).await;
            self.app.run().await;
            self.succeeded(&id).await;
            go_on.notify_one();
        };
        tokio::join!(self.app.worker.handle(claimed), meanwhile);
        self.succeeded(&slow).await;
    }

    /// As the scheduler does it.
    async fn close(&self, of: observer::Month) {
        let now = self.app.store.now().await.expect("a clock");
        usage_month::Entity::update_many()
            .col_expr(usage_month::Column::ClosedAt, Expr::value(now))
            .filter(usage_month::Column::Month.eq(month(of).to_string()))
            .filter(usage_month::Column::ClosedAt.is_null())
            .exec(self.app.store.writer_connection())
            .await
            .expect("closed");
    }

    async fn import(&mut self, login: &str, domain: &str) {
        let change = jobs::store::AccountChange {
            state: Some(AccountState::Active),
            domain: Some(domain.parse().expect("a domain")),
            ..jobs::store::AccountChange::default()
        };
        let login = login.parse().expect("a name");
        let store = &self.app.store;
        let new = store.import_account(self.app.server_id, &login, &change);
        assert!(new.await.expect("imported"));
        let newest = account::Entity::find()
            .order_by_desc(account::Column::Id)
            .one(store.reader())
            .await
            .expect("answered");
        self.accounts.push(newest.expect("an account").id);
    }

    async fn set<const N: usize>(
        &self,
        number: usize,
        values: [(account::Column, sea_orm::sea_query::SimpleExpr); N],
    ) {
        let mut update = account::Entity::update_many();
        for (column, value) in values {
            update = update.col_expr(column, value);
        }
        update
            .filter(account::Column::Id.eq(self.accounts[number]))
            .exec(self.app.store.writer_connection())
            .await
            .expect("changed");
    }

    /// The books against the observer's, to the byte.
    pub(super) async fn compare(&self, observer: &Observer) -> Result<(), String> {
        let rows = usage_month::Entity::find()
            .all(self.app.store.reader())
            .await
            .expect("answered");
        let mut found: BTreeMap<(i64, String), Expected> = rows
            .into_iter()
            .map(|row| ((row.account_id, row.month.clone()), told(&row)))
            .collect();
        for ((account, of), expected) in observer.expected() {
            let key = (self.accounts[account], month(of).to_string());
            let stored = found.remove(&key);
            if stored.as_ref() != Some(&expected) {
                let stored = stored.map_or("nothing".to_owned(), |stored| format!("{stored:?}"));
                return Err(format!(
                    "account {account} in {}:\n  stored   {stored}\n  must be  {expected:?}",
                    key.1
                ));
            }
        }
        match found.first_key_value() {
            None => Ok(()),
            Some((key, stored)) => Err(format!("{key:?} must not be there: {stored:?}")),
        }
    }

    pub(super) async fn verify(&self) -> Result<Verified, String> {
        let mut wrong = Vec::new();
        let verified = self
            .app
            .store
            .verify_books(Books::default(), |violation| wrong.push(violation))
            .await
            .expect("answered");
        match wrong.as_slice() {
            [] => Ok(verified),
            wrong => Err(format!("verify found {wrong:?}")),
        }
    }
}

fn told(row: &usage_month::Model) -> Expected {
    Expected {
        total: i128::from(row.total_bytes),
        by_hand: i128::from(row.corrected_bytes),
        late: i128::from(row.late_bytes),
        resets: row.resets,
        epoch: row.epoch,
        closed: row.closed_at.is_some(),
        flag: row.flag.as_deref().map(|flag| match flag {
            "drop" => Flag::Drop(row.flagged_raw.map_or(-1, i128::from)),
            _ => Flag::Implausible,
        }),
    }
}
