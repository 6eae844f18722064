//! The few shapes of columns, tables and indexes that the migrations are made of.
//!
//! What differs between the databases is decided here once: binary collation on MariaDB (keys, names
//! and tokens are case-sensitive), long texts, and partial indexes, which MariaDB does not have
//! (there NULL in the first column plays their part).

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{DbBackend, Statement};

/// The table's own id, drawn by the database.
pub(crate) fn key(name: &'static str) -> ColumnDef {
    ColumnDef::new(name)
        .big_integer()
        .not_null()
        .auto_increment()
        .primary_key()
        .take()
}

/// 64 bits: ids, milliseconds, bytes.
pub(crate) fn integer(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).big_integer().take()
}

/// 32 bits: counts.
pub(crate) fn small(name: &'static str) -> ColumnDef {
    ColumnDef::new(name).integer().take()
}

/// Text of at most `most` characters.
pub(crate) fn text(name: &'static str, most: u32) -> ColumnDef {
    ColumnDef::new(name).string_len(most).take()
}

/// Text of any length (MariaDB's own `text` would end at 64 KiB).
pub(crate) fn long_text(manager: &SchemaManager<'_>, name: &'static str) -> ColumnDef {
    let mut column = ColumnDef::new(name);
    match manager.get_database_backend() {
        DbBackend::MySql => column.custom("mediumtext").take(),
        _ => column.text().take(),
    }
}

/// Creates the table; `keys` names its primary key where no column is one by itself.
pub(crate) async fn create(
    manager: &SchemaManager<'_>,
    name: &'static str,
    columns: Vec<ColumnDef>,
    keys: &[&'static str],
) -> Result<(), DbErr> {
    let mut table = Table::create();
    table.table(name);
    for column in columns {
        table.col(column);
    }
    if !keys.is_empty() {
        let mut primary = sea_orm_migration::prelude::Index::create();
        for key in keys {
            primary.col(*key);
        }
        table.primary_key(&mut primary);
    }
    if manager.get_database_backend() == DbBackend::MySql {
        table
            .engine("InnoDB")
            .character_set("utf8mb4")
            .collate("utf8mb4_bin");
    }
    manager.create_table(table).await
}

/// Drops the table.
pub(crate) async fn drop(manager: &SchemaManager<'_>, name: &'static str) -> Result<(), DbErr> {
    manager
        .drop_table(Table::drop().table(name).to_owned())
        .await
}

/// An index.
pub(crate) struct Index {
    name: &'static str,
    table: &'static str,
    columns: &'static [&'static str],
    unique: bool,
    set: Option<&'static str>,
}

impl Index {
    /// An index that is only there for speed.
    pub(crate) fn plain(
        name: &'static str,
        table: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            table,
            columns,
            unique: false,
            set: None,
        }
    }

    /// An index that holds a rule; several NULLs are no breach of it on any of the databases.
    pub(crate) fn unique(
        name: &'static str,
        table: &'static str,
        columns: &'static [&'static str],
    ) -> Self {
        Self {
            unique: true,
            ..Self::plain(name, table, columns)
        }
    }

    /// Holds only rows in which this column is set, where the database can do that.
    pub(crate) fn only_where_set(self, column: &'static str) -> Self {
        Self {
            set: Some(column),
            ..self
        }
    }

    /// Creates it. Written out because the builder knows no portable partial index;
    /// every word comes from this crate's own source.
    pub(crate) async fn create(self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let backend = manager.get_database_backend();
        let unique = if self.unique { "UNIQUE " } else { "" };
        let columns = self.columns.join(", ");
        let partial = match self.set {
            Some(column) if backend != DbBackend::MySql => format!(" WHERE {column} IS NOT NULL"),
            _ => String::new(),
        };
        let Self { name, table, .. } = self;
        let sql = format!("CREATE {unique}INDEX {name} ON {table} ({columns}){partial}");
        manager
            .get_connection()
            .execute_raw(Statement::from_string(backend, sql))
            .await?;
        Ok(())
    }
}
