//! An account may be suspended for its traffic, beside a suspension for whatever its platform has against it.

use sea_orm_migration::prelude::*;

/// Adds the column; `down` drops it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("overuse_month").string_len(7).to_owned();
        let table = Table::alter()
            .table("account")
            .add_column(column)
            .to_owned();
        manager.alter_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::alter()
            .table("account")
            .drop_column("overuse_month")
            .to_owned();
        manager.alter_table(table).await
    }
}
