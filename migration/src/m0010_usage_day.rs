//! Makes the table of traffic by day.

use sea_orm_migration::prelude::*;

use crate::schema::{create, drop, integer, small, text};

/// Makes it; `down` drops it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "usage_day",
            vec![
                integer("account_id").not_null().take(),
                text("date", 10).not_null().take(),
                integer("bytes").not_null().take(),
                text("source", 8).not_null().take(),
                small("span_days").not_null().take(),
                integer("as_of").not_null().take(),
            ],
            &["account_id", "date"],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "usage_day").await
    }
}
