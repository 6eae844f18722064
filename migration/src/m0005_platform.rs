//! Makes the tables of billing platforms, their tokens and webhook addresses.

use sea_orm_migration::prelude::*;

use crate::schema::{Index, create, drop, integer, key, text};

/// Makes them; `down` drops them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "billing_platform",
            vec![
                key("id"),
                text("name", 128).not_null().take(),
                integer("created_at").not_null().take(),
            ],
            &[],
        )
        .await?;
        Index::unique("billing_platform_name", "billing_platform", &["name"])
            .create(manager)
            .await?;
        create(
            manager,
            "api_token",
            vec![
                key("id"),
                text("public_id", 32).not_null().take(),
                integer("platform_id").not_null().take(),
                text("name", 128).not_null().take(),
                text("hash", 64).not_null().take(),
                text("scopes", 1000).not_null().take(),
                text("servers", 4000),
                integer("created_at").not_null().take(),
                integer("expires_at"),
                integer("last_used_at"),
                integer("revoked_at"),
            ],
            &[],
        )
        .await?;
        Index::unique("api_token_public_id", "api_token", &["public_id"])
            .create(manager)
            .await?;
        create(
            manager,
            "webhook_endpoint",
            vec![
                key("id"),
                integer("platform_id").not_null().take(),
                text("name", 128).not_null().take(),
                text("url", 1024).not_null().take(),
                integer("created_at").not_null().take(),
                integer("disabled_at"),
                text("disabled_reason", 500),
            ],
            &[],
        )
        .await?;
        Index::unique(
            "webhook_endpoint_name",
            "webhook_endpoint",
            &["platform_id", "name"],
        )
        .create(manager)
        .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "webhook_endpoint").await?;
        drop(manager, "api_token").await?;
        drop(manager, "billing_platform").await?;
        Ok(())
    }
}
