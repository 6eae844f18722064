//! Makes the tables of the duties' clocks.

use sea_orm_migration::prelude::*;

use crate::schema::{create, drop, integer, text};

/// Makes them; `down` drops them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "schedule",
            vec![
                text("name", 128).not_null().take(),
                integer("next_at").not_null().take(),
                integer("last_at"),
            ],
            &["name"],
        )
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "schedule").await?;
        Ok(())
    }
}
