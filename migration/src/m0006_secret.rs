//! Makes the tables of sealed secrets.

use sea_orm_migration::prelude::*;

use crate::schema::{Index, create, drop, integer, key, long_text, text};

/// Makes them; `down` drops them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "secret",
            vec![
                key("id"),
                text("owner", 128).not_null().take(),
                text("purpose", 32).not_null().take(),
                text("audience", 16).not_null().take(),
                text("key_id", 64).not_null().take(),
                long_text(manager, "sealed"),
                integer("token_id"),
                integer("created_at").not_null().take(),
                integer("expires_at"),
                integer("read_at"),
                integer("wiped_at"),
            ],
            &[],
        )
        .await?;
        Index::unique("secret_owner", "secret", &["owner", "purpose", "audience"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "secret").await?;
        Ok(())
    }
}
