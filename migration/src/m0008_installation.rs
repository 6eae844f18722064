//! Makes the table that names the installation.

use sea_orm_migration::prelude::*;

use crate::schema::{create, drop, integer, key, text};

/// Makes it; `down` drops it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "installation",
            vec![
                key("id"),
                text("name", 16).not_null().take(),
                integer("created_at").not_null().take(),
            ],
            &[],
        )
        .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "installation").await
    }
}
