//! The schema on all three databases: up, down, up; every table takes and gives back what its entity
//! says; the rules that indexes hold.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use entity::{
    account, api_token, attempt, billing_platform, installation, ip_address, job, job_event,
    schedule, secret, server, usage_day, usage_ledger, usage_month, usage_reading,
    webhook_endpoint,
};
use migration::{Migrator, MigratorTrait};
use sea_orm::prelude::ColumnType;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait,
    Database, DatabaseConnection, EntityName, EntityTrait, IdenStatic, IntoActiveModel, Iterable,
    QueryFilter, SqlErr, Statement, TryIntoModel, Value,
};
use tests::on_every_database;
use tests::servers::{Kind, TestDatabase};

const TABLES: [&str; 16] = [
    "account",
    "api_token",
    "attempt",
    "billing_platform",
    "installation",
    "ip_address",
    "job",
    "job_event",
    "schedule",
    "secret",
    "server",
    "usage_day",
    "usage_ledger",
    "usage_month",
    "usage_reading",
    "webhook_endpoint",
];

const INDEXES: [&str; 29] = [
    "account_domain",
    "account_live_key",
    "account_platform",
    "account_public_id",
    "account_reference_key",
    "account_server",
    "api_token_public_id",
    "billing_platform_name",
    "ip_address_account",
    "ip_address_once",
    "job_account",
    "job_created",
    "job_event_job",
    "job_head",
    "job_idem",
    "job_joins",
    "job_lease",
    "job_open",
    "job_public_id",
    "job_ready",
    "job_run",
    "secret_owner",
    "server_live_name",
    "usage_ledger_account",
    "usage_month_server",
    "usage_reading_account",
    "usage_reading_age",
    "usage_reading_job",
    "webhook_endpoint_name",
];

async fn connect(database: &TestDatabase) -> DatabaseConnection {
    Database::connect(&database.url)
        .await
        .expect("the database can be reached")
}

async fn names(connection: &DatabaseConnection, sql: &str) -> BTreeSet<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.expect("answered");
    let names = rows
        .iter()
        .map(|row| row.try_get("", "name").expect("a name"));
    names.collect()
}

async fn tables(connection: &DatabaseConnection, kind: Kind) -> BTreeSet<String> {
    let sql = match kind {
        Kind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        }
        Kind::Postgres => "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'",
        Kind::MariaDb => {
            "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
    };
    let mut found = names(connection, sql).await;
    found.remove("seaql_migrations");
    found
}

/// Indexes with a name of ours (the databases name those of primary keys themselves).
async fn indexes(connection: &DatabaseConnection, kind: Kind) -> BTreeSet<String> {
    let sql = match kind {
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
        Kind::Postgres => {
            "SELECT indexname AS name FROM pg_indexes WHERE schemaname = 'public' AND indexname NOT LIKE '%pkey'"
        }
        Kind::MariaDb => {
            "SELECT DISTINCT index_name AS name FROM information_schema.statistics \
             WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY'"
        }
    };
    names(connection, sql).await
}

async fn write(connection: &DatabaseConnection, sql: &str) -> Result<(), sea_orm::DbErr> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    connection.execute_raw(statement).await.map(|_| ())
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(String::from).into()
}

on_every_database! {
    async fn the_schema_goes_up_down_and_up_again(db: &TestDatabase) {
        let connection = connect(db).await;
        assert_eq!(tables(&connection, db.kind).await, set(TABLES));
        assert_eq!(indexes(&connection, db.kind).await, set(INDEXES));
        Migrator::down(&connection, None).await.expect("down");
        assert_eq!(tables(&connection, db.kind).await, BTreeSet::new());
        Migrator::up(&connection, None).await.expect("up again");
        assert_eq!(tables(&connection, db.kind).await, set(TABLES));
        assert_eq!(indexes(&connection, db.kind).await, set(INDEXES));
        Migrator::up(&connection, None).await.expect("nothing left to do");
    }

    async fn every_step_can_be_taken_back_alone(db: &TestDatabase) {
        let connection = connect(db).await;
        for _ in Migrator::migrations() {
            Migrator::down(&connection, Some(1)).await.expect("one down");
        }
        assert_eq!(tables(&connection, db.kind).await, BTreeSet::new());
        for _ in Migrator::migrations() {
            Migrator::up(&connection, Some(1)).await.expect("one up");
        }
        assert_eq!(tables(&connection, db.kind).await, set(TABLES));
    }

    async fn every_table_gives_back_what_it_was_given(db: &TestDatabase) {
        let connection = connect(db).await;
        round_trip::<server::ActiveModel>(&connection).await;
        round_trip::<account::ActiveModel>(&connection).await;
        round_trip::<ip_address::ActiveModel>(&connection).await;
        round_trip::<job::ActiveModel>(&connection).await;
        round_trip::<attempt::ActiveModel>(&connection).await;
        round_trip::<job_event::ActiveModel>(&connection).await;
        round_trip::<usage_reading::ActiveModel>(&connection).await;
        round_trip::<usage_day::ActiveModel>(&connection).await;
        round_trip::<usage_ledger::ActiveModel>(&connection).await;
        round_trip::<usage_month::ActiveModel>(&connection).await;
        round_trip::<billing_platform::ActiveModel>(&connection).await;
        round_trip::<api_token::ActiveModel>(&connection).await;
        round_trip::<webhook_endpoint::ActiveModel>(&connection).await;
        round_trip::<secret::ActiveModel>(&connection).await;
        round_trip::<schedule::ActiveModel>(&connection).await;
        round_trip::<installation::ActiveModel>(&connection).await;
    }

    async fn names_are_told_apart_by_case(db: &TestDatabase) {
        let connection = connect(db).await;
        for name in ["whmcs", "WHMCS", "whmcś"] {
            let platform = billing_platform::ActiveModel {
                name: Set(name.to_owned()),
                created_at: Set(0),
                ..Default::default()
            };
            platform.insert(&connection).await.expect("another name");
        }
        let again = billing_platform::ActiveModel {
            name: Set("whmcs".to_owned()),
            created_at: Set(0),
            ..Default::default()
        };
        let error = again.insert(&connection).await.expect_err("the same name");
        assert!(matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))));
        let found = billing_platform::Entity::find()
            .filter(billing_platform::Column::Name.eq("WHMCS"))
            .all(&connection)
            .await
            .expect("answered");
        assert_eq!(found.len(), 1);
    }

    /// What must not stand in the books of traffic is refused to whoever writes it.
    async fn the_books_of_traffic_refuse_what_is_never_right(db: &TestDatabase) {
        let connection = connect(db).await;
        let sound = "INSERT INTO usage_month (account_id, month, server_id, total_bytes, last_raw, epoch, resets, \
            late_bytes, as_of) VALUES (1, '2026-11', 1, 10, 10, 0, 0, 0, 0)";
        write(&connection, sound).await.expect("a sound month");
        for wrong in [
            "total_bytes = -1", "late_bytes = -1", "last_raw = -1", "epoch = -1",
            "resets = -1", "flag = 'strange'", "flag = 'drop'", "flagged_raw = -1",
        ] {
            let sql = format!("UPDATE usage_month SET {wrong}");
            write(&connection, &sql).await.expect_err(wrong);
        }
        for right in [
            "flag = 'drop', flagged_raw = 3", "closed_at = 7, late_bytes = 5", "corrected_bytes = -3",
        ] {
            let sql = format!("UPDATE usage_month SET {right}");
            write(&connection, &sql).await.expect(right);
        }
        for (entry, delta, total, note, fits) in [
            ("delta", 5, 5, "NULL", true), ("delta", -5, 5, "NULL", false), ("delta", 5, -5, "NULL", false),
            ("reset", 0, 5, "NULL", true), ("reset", -1, 5, "NULL", false), ("gift", 5, 5, "NULL", false),
            ("correction", -5, 0, "'told so'", true), ("correction", -5, 0, "NULL", false),
            ("reopened", 0, 5, "'a late bill'", true), ("reopened", 1, 6, "'a late bill'", false),
        ] {
            let sql = format!(
                "INSERT INTO usage_ledger (account_id, month, entry, delta_bytes, total_bytes, actor, note, booked_at) \
                 VALUES (1, '2026-11', '{entry}', {delta}, {total}, 'me', {note}, 1)"
            );
            assert_eq!(write(&connection, &sql).await.is_ok(), fits, "{sql}");
        }
        let rows = usage_ledger::Entity::find().all(&connection).await.expect("answered");
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        Migrator::down(&connection, Some(1)).await.expect("down");
        Migrator::up(&connection, Some(1)).await.expect("up, with rows");
        let kept = usage_ledger::Entity::find().all(&connection).await.expect("answered");
        assert_eq!(kept.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
        write(&connection, "UPDATE usage_month SET total_bytes = -1").await.expect_err("still refused");
    }

    async fn long_texts_fit(db: &TestDatabase) {
        let connection = connect(db).await;
        let mut row = filled::<job::ActiveModel>(1);
        row.payload = Set("ü".repeat(200_000));
        row.result = Set(Some("ü".repeat(200_000)));
        row.error_message = Set(Some("ü".repeat(1000)));
        row.idem_key = Set("k".repeat(255));
        let wanted: job::Model = row.clone().try_into_model().expect("complete");
        job::Entity::insert(row)
            .exec_without_returning(&connection)
            .await
            .expect("inserted");
        let found = job::Entity::find().one(&connection).await.expect("answered");
        assert_eq!(found, Some(wanted));
    }
}

/// Inserts two rows, one with every column filled and one with NULL wherever it may be, and reads them.
async fn round_trip<A>(connection: &DatabaseConnection)
where
    A: ActiveModelTrait + ActiveModelBehavior + Send + Clone,
    <A::Entity as EntityTrait>::Model: IntoActiveModel<A> + PartialEq + std::fmt::Debug + Clone,
    A: TryIntoModel<<A::Entity as EntityTrait>::Model>,
{
    let rows = [filled::<A>(1), sparse::<A>(2)];
    for row in &rows {
        A::Entity::insert(row.clone())
            .exec_without_returning(connection)
            .await
            .unwrap_or_else(|error| panic!("{}: {error}", std::any::type_name::<A>()));
    }
    let found = A::Entity::find().all(connection).await.expect("readable");
    let wanted = rows.map(|row| row.try_into_model().expect("complete"));
    assert_eq!(found.len(), 2);
    for row in wanted {
        assert!(found.contains(&row), "{row:?} is not in {found:?}");
    }
}

/// Every column filled, with numbers near their type's end that differ between rows.
fn filled<A: ActiveModelTrait>(number: u8) -> A {
    row(number, true)
}

/// NULL wherever it may be.
fn sparse<A: ActiveModelTrait>(number: u8) -> A {
    row(number, false)
}

fn row<A: ActiveModelTrait>(number: u8, full: bool) -> A {
    let mut row = A::default();
    for column in <A::Entity as EntityTrait>::Column::iter() {
        let def = column.def();
        let given = full || !def.is_null();
        let value = match def.get_column_type() {
            ColumnType::BigInteger => Value::BigInt(given.then(|| i64::MAX - i64::from(number))),
            ColumnType::Integer => Value::Int(given.then(|| i32::MAX - i32::from(number))),
            ColumnType::Boolean => Value::Bool(given.then_some(true)),
            ColumnType::String(_) => {
                let known = known_word::<A>(column.as_str());
                let text = known.unwrap_or_else(|| format!("ü€😀Ab{number}"));
                Value::String(given.then_some(text))
            }
            other => panic!("{other:?} is a type that this test does not know"),
        };
        row.set(column, value);
    }
    row
}

/// Columns of traffic take only words that the program knows.
fn known_word<A: ActiveModelTrait>(column: &str) -> Option<String> {
    let table = A::Entity::default();
    let word = match (table.table_name(), column) {
        ("usage_ledger", "entry") => "delta",
        ("usage_month", "flag") => "drop",
        _ => return None,
    };
    Some(word.to_owned())
}
