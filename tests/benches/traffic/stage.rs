//! A database with servers, their accounts and months; and nights of the real worker on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use entity::account;
use hosting::Month;
use jobs::queue::{Doorbell, Health, WorkerOptions};
use jobs::seal::{IntakeKey, Keyring, PrivateKey};
use jobs::store::{NewJob, Store, Target};
use jobs::{AccountState, JobSpec, OPERATOR, new_public_id};
use panels::DRIVERS;
use scheduler::registry::{NewServer, add_server};
use sea_orm::ActiveValue::Set;
use sea_orm::{ConnectionTrait, EntityTrait, FromQueryResult, Statement};
use secrecy::SecretString;
use tests::servers::{Kind, TestDatabase};
use worker::webhook::HttpsSender;

use crate::panel::Panel;

/// The month of all figures.
pub(crate) fn month() -> Month {
    "2026-11".parse().unwrap()
}

/// A server of the panel's.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) id: i64,
    pub(crate) user: String,
    pub(crate) accounts: usize,
}

pub(crate) struct Stage {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) store: Store,
    pub(crate) panel: Panel,
    pub(crate) generation: u64,
    keyring: Arc<Keyring>,
    // Its files live as long as this.
    _database: TestDatabase,
}

impl Stage {
    pub(crate) async fn new(database: TestDatabase) -> Self {
        let (worker, api) = (PrivateKey::generate(), PrivateKey::generate());
        let keyring = Keyring {
            worker: worker.public().clone(),
            api: api.public().clone(),
            worker_private: vec![worker],
            api_private: vec![api],
            intake: IntakeKey::generate(),
        };
        Self {
            kind: database.kind,
            url: database.url.clone(),
            store: database.store().await,
            panel: Panel::start(),
            generation: 0,
            keyring: Arc::new(keyring),
            _database: database,
        }
    }

    /// A server with so many accounts, none of them read yet.
    pub(crate) async fn add(&self, number: usize, accounts: usize) -> Server {
        let driver = DRIVERS.iter().find(|one| one.name == "cpanel").unwrap();
        let user = format!("w{number}x{accounts}");
        let name = format!("bench{number}").parse().unwrap();
        let secret = SecretString::from("BENCHTOKEN");
        let mut new = NewServer::new(name, (driver.rules)(), &self.panel.url, secret);
        new.user = Some(user.clone());
        new.ca_pem = Some(self.panel.pem.clone());
        new.allow_networks = vec!["127.0.0.0/8".parse().unwrap()];
        let id = add_server(&self.store, &self.keyring, new)
            .await
            .unwrap()
            .id;
        let all: Vec<usize> = (0..accounts).collect();
        for part in all.chunks(500) {
            let rows = part
                .iter()
                .map(|n| account_row(id, &format!("w{number}a{n}")));
            account::Entity::insert_many(rows)
                .exec_without_returning(self.store.writer_connection())
                .await
                .unwrap();
        }
        Server { id, user, accounts }
    }

    /// The next generation's figures are what the panel tells now, so long after it was asked.
    pub(crate) fn next_generation(&mut self, delay: Duration) -> u64 {
        self.generation += 1;
        self.panel.tell(self.generation, delay);
        self.generation
    }

    /// One night of these servers, by a worker of sixteen places that is there already; how long it took from
    /// the intake of its jobs to the end of the last.
    pub(crate) async fn night(&mut self, servers: &[Server], delay: Duration) -> Duration {
        let generation = self.next_generation(delay);
        let doorbell = Doorbell::local();
        let mut settled = doorbell.settled();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let health = Arc::new(Health::default());
        let options = worker::Options {
            loop_options: WorkerOptions {
                name: "bench".to_owned(),
                concurrency: 16,
                poll_every: Duration::from_secs(3),
                grace: Duration::from_secs(30),
            },
            store: self.store.clone(),
            doorbell: doorbell.clone(),
            keyring: Arc::clone(&self.keyring),
            webhooks: Arc::new(HttpsSender::new(Vec::new(), None).unwrap()),
            deployment: "bench".to_owned(),
            health: Arc::clone(&health),
        };
        let running = tokio::spawn(worker::start(options, async {
            let _ = stopped.await;
        }));
        let jobs: Vec<NewJob> = servers
            .iter()
            .map(|server| self.job(server, generation))
            .collect();
        while health.looks() == 0 {
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let (answers, rings) = self.store.submit(&jobs).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
        doorbell.ring(&rings).await;
        for _ in servers {
            settled.recv().await.unwrap();
        }
        let took = begun.elapsed();
        drop(stop);
        running.await.unwrap();
        took
    }

    fn job(&self, server: &Server, generation: u64) -> NewJob {
        NewJob {
            public_id: new_public_id(),
            platform_id: OPERATOR,
            idem_key: format!("bench:{}:{generation}", server.id),
            body_hash: String::new(),
            spec: JobSpec::GetStats { month: month() },
            server_id: Some(server.id),
            target: Target::Nobody,
            due_at: None,
            actor: "bench".to_owned(),
            reason: None,
            webhook: None,
            trace: None,
            secrets: Vec::new(),
            replay_of: None,
        }
    }

    /// Before a measurement: what earlier ones left is cleaned up, not in the middle of this one.
    pub(crate) async fn rest(&self) {
        let orders: &[&str] = match self.kind {
            Kind::Postgres => &["VACUUM ANALYZE", "CHECKPOINT"],
            Kind::MariaDb => &["ANALYZE TABLE account, usage_month, usage_reading"],
            Kind::Sqlite => &["PRAGMA wal_checkpoint(TRUNCATE)", "ANALYZE"],
        };
        for order in orders {
            let connection = self.store.writer_connection();
            connection.execute_unprepared(order).await.unwrap();
        }
    }

    /// The sum of the ledger is the sum of the months, and it is what the panel has told.
    pub(crate) async fn check(&self, servers: &[Server]) {
        let ids: Vec<String> = servers.iter().map(|one| one.id.to_string()).collect();
        let sql = format!(
            "SELECT CAST((SELECT SUM(m.total_bytes) FROM usage_month m WHERE m.server_id IN ({ids})) \
             AS DECIMAL(30)) AS months, CAST((SELECT SUM(l.delta_bytes) FROM usage_ledger l \
             JOIN account a ON a.id = l.account_id WHERE a.server_id IN ({ids})) AS DECIMAL(30)) AS ledger, \
             (SELECT COUNT(*) FROM job WHERE state <> 'succeeded') AS unfinished",
            ids = ids.join(", ")
        )
        .replace(
            "DECIMAL(30)",
            match self.kind {
                Kind::MariaDb => "SIGNED",
                _ => "BIGINT",
            },
        );
        let reader = self.store.reader();
        let statement = Statement::from_string(reader.get_database_backend(), sql);
        let sums = Sums::find_by_statement(statement).one(reader).await;
        let sums = sums.unwrap().unwrap();
        let accounts: usize = servers.iter().map(|one| one.accounts).sum();
        assert_eq!(sums.months, sums.ledger, "the ledger does not add up");
        assert_eq!(sums.unfinished, 0, "a job failed");
        assert!(sums.months > i64::try_from(accounts).unwrap());
    }
}

#[derive(FromQueryResult)]
struct Sums {
    months: i64,
    ledger: i64,
    unfinished: i64,
}

fn account_row(server_id: i64, name: &str) -> account::ActiveModel {
    account::ActiveModel {
        public_id: Set(new_public_id()),
        server_id: Set(server_id),
        username: Set(name.to_owned()),
        domain: Set(Some(format!("{name}.example.com"))),
        state: Set(AccountState::Active.name().to_owned()),
        live_key: Set(Some(format!("{server_id}|{name}"))),
        limits: Set("{}".to_owned()),
        dedicated_ip: Set(false),
        panel: Set("{}".to_owned()),
        evidence: Set("{}".to_owned()),
        missing_nights: Set(0),
        created_at: Set(0),
        updated_at: Set(0),
        ..Default::default()
    }
}
