//! Lets a server have options that only its panel's driver knows.

use sea_orm_migration::prelude::*;

use crate::schema::long_text;

/// Adds the column; `down` drops it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        table
            .table("server")
            .add_column(long_text(manager, "options").null().take());
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut table = Table::alter();
        table.table("server").drop_column("options");
        manager.alter_table(table).await
    }
}
