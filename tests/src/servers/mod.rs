//! Databases and Redis as private processes, and a fresh database for every test.
//!
//! `hostler-test-servers COMMAND...` starts one PostgreSQL and one MariaDB for a whole test run and
//! tells the command where they are; without it each test process starts its own when it needs them.
//! Standard ports and servers that are running anyway are never touched.

#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a test without its database must fail at once; the addresses come from the test run"
)]

mod mariadb;
mod postgres;
mod process;
mod redis;

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use jobs::store::{Store, StoreOptions};
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, Database};
use tempfile::TempDir;

pub use mariadb::MariaDb;
pub use postgres::Postgres;
pub use redis::Redis;

/// Where the test run's PostgreSQL is ([`Postgres::address`]).
pub const POSTGRES: &str = "HOSTLER_TEST_POSTGRES";
/// Where the test run's MariaDB is ([`MariaDb::address`]).
pub const MARIADB: &str = "HOSTLER_TEST_MARIADB";

/// Whether commits must survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// They need not: no waiting for the disk.
    Fast,
    /// They must, as in production.
    Full,
}

/// The databases that Hostler runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file of its own.
    Sqlite,
    /// A database of a private PostgreSQL.
    Postgres,
    /// A database of a private MariaDB.
    MariaDb,
}

impl Kind {
    /// All three.
    pub const ALL: [Kind; 3] = [Kind::Sqlite, Kind::Postgres, Kind::MariaDb];
}

/// A database of one test's own.
#[derive(Debug)]
pub struct TestDatabase {
    /// Its address, as `DATABASE_URL` wants it.
    pub url: String,
    /// Which it is.
    pub kind: Kind,
    name: String,
    folder: Option<TempDir>,
}

impl TestDatabase {
    /// A new database with the schema in it.
    pub async fn migrated(kind: Kind) -> Self {
        let database = Self::empty(kind).await;
        database.migrate().await;
        database
    }

    async fn migrate(&self) {
        let connection = Database::connect(&self.url)
            .await
            .expect("a database just made can be reached");
        Migrator::up(&connection, None)
            .await
            .expect("the schema can be made");
        connection
            .close()
            .await
            .expect("a connection can be closed");
    }

    /// The empty database at that address, with the schema in it; its server is the test's own.
    pub async fn at(url: String, kind: Kind) -> Self {
        let database = Self {
            url,
            kind,
            name: String::new(),
            folder: None,
        };
        database.migrate().await;
        database
    }

    /// The port of its server, for a proxy in front of it.
    ///
    /// # Panics
    /// For SQLite, which has none.
    #[must_use]
    pub fn port(&self) -> u16 {
        match self.kind {
            Kind::Sqlite => panic!("SQLite has no port"),
            Kind::Postgres => postgres().port(),
            Kind::MariaDb => mariadb().port(),
        }
    }

    /// Its address over TCP, through the proxy on that port.
    ///
    /// # Panics
    /// For SQLite.
    #[must_use]
    pub fn through(&self, port: u16) -> String {
        match self.kind {
            Kind::Sqlite => panic!("SQLite has no port"),
            Kind::Postgres => postgres().tcp_url(&self.name, port),
            Kind::MariaDb => mariadb().tcp_url(&self.name, port),
        }
    }

    /// A new SQLite file with the schema in it, in a folder that stays.
    pub async fn sqlite_in(folder: &std::path::Path) -> Self {
        let file = folder.join("hostler.sqlite");
        let database = Self {
            url: format!("sqlite:{}?mode=rwc", file.display()),
            kind: Kind::Sqlite,
            name: String::new(),
            folder: None,
        };
        database.migrate().await;
        database
    }

    /// A new database with nothing in it.
    pub async fn empty(kind: Kind) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let (url, folder) = match kind {
            Kind::Sqlite => {
                let folder = tempfile::tempdir().expect("a temporary folder can be made");
                let file = folder.path().join("hostler.sqlite");
                (format!("sqlite:{}?mode=rwc", file.display()), Some(folder))
            }
            Kind::Postgres => (postgres().url(&name), None),
            Kind::MariaDb => (mariadb().url(&name), None),
        };
        let database = Self {
            url,
            kind,
            name,
            folder,
        };
        let create = match kind {
            Kind::Sqlite => return database,
            Kind::Postgres => format!("CREATE DATABASE {}", database.name),
            // Not the collation that we want: the schema must not depend on the server's.
            Kind::MariaDb => format!(
                "CREATE DATABASE {} CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
                database.name
            ),
        };
        database.administer(&create).await;
        database
    }

    /// The ledger in it.
    pub async fn store(&self) -> Store {
        Store::connect(&StoreOptions::new(self.url.clone()))
            .await
            .expect("the test's database can be reached")
    }

    /// Removes it. A test that panics leaves that to the end of its server.
    pub async fn remove(mut self) {
        match self.kind {
            Kind::Sqlite => drop(self.folder.take()),
            Kind::Postgres => {
                let drop = format!("DROP DATABASE {} WITH (FORCE)", self.name);
                self.administer(&drop).await;
            }
            Kind::MariaDb => {
                let drop = format!("DROP DATABASE {}", self.name);
                self.administer(&drop).await;
            }
        }
    }

    async fn administer(&self, sql: &str) {
        let url = match self.kind {
            Kind::Sqlite => return,
            Kind::Postgres => postgres().url("postgres"),
            Kind::MariaDb => mariadb().url("mysql"),
        };
        let connection = Database::connect(url)
            .await
            .expect("the database server can be reached");
        connection
            .execute_unprepared(sql)
            .await
            .expect("databases can be made and dropped");
        connection
            .close()
            .await
            .expect("a connection can be closed");
    }
}

/// The PostgreSQL of this test run, or else of this process.
pub fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| {
        let shared = std::env::var(POSTGRES).ok();
        shared
            .and_then(|address| Postgres::at(&address))
            .unwrap_or_else(|| Postgres::start(Durability::Fast).expect("PostgreSQL starts"))
    })
}

/// The MariaDB of this test run, or else of this process.
pub fn mariadb() -> &'static MariaDb {
    static SERVER: OnceLock<MariaDb> = OnceLock::new();
    SERVER.get_or_init(|| {
        let shared = std::env::var(MARIADB).ok();
        shared
            .and_then(|address| MariaDb::at(&address))
            .unwrap_or_else(|| MariaDb::start(Durability::Fast).expect("MariaDB starts"))
    })
}

/// Makes of each scenario three tests, `<scenario>::sqlite`, `::postgres` and `::mariadb`, each with a
/// migrated database of its own.
#[macro_export]
macro_rules! on_every_database {
    ($($(#[$meta:meta])* async fn $name:ident($db:ident: &TestDatabase) $body:block)*) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "a scenario may need nothing from around it")]
            use super::*;

            async fn scenario($db: &$crate::servers::TestDatabase) $body

            async fn on(kind: $crate::servers::Kind) {
                let database = $crate::servers::TestDatabase::migrated(kind).await;
                scenario(&database).await;
                database.remove().await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                on($crate::servers::Kind::Sqlite).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                on($crate::servers::Kind::Postgres).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn mariadb() {
                on($crate::servers::Kind::MariaDb).await;
            }
        }
    )*};
}
