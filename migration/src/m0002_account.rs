//! Makes the tables of accounts and the addresses they hold.

use sea_orm_migration::prelude::*;

use crate::schema::{Index, create, drop, integer, key, long_text, small, text};

/// Makes them; `down` drops them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "account",
            vec![
                key("id"),
                text("public_id", 32).not_null().take(),
                integer("server_id").not_null().take(),
                integer("platform_id"),
                text("reference", 128),
                text("username", 64).not_null().take(),
                text("domain", 255),
                text("email", 255),
                text("package", 128),
                text("state", 16).not_null().take(),
                text("live_key", 160),
                text("reference_key", 192),
                long_text(manager, "limits").not_null().take(),
                ColumnDef::new("dedicated_ip").boolean().not_null().take(),
                text("address", 64),
                long_text(manager, "panel").not_null().take(),
                long_text(manager, "evidence").not_null().take(),
                long_text(manager, "remembered"),
                text("suspended_by", 16),
                text("suspend_reason", 500),
                small("missing_nights").not_null().take(),
                integer("disk_bytes"),
                integer("created_at").not_null().take(),
                integer("updated_at").not_null().take(),
                integer("terminated_at"),
            ],
            &[],
        )
        .await?;
        Index::unique("account_public_id", "account", &["public_id"])
            .create(manager)
            .await?;
        Index::unique("account_live_key", "account", &["live_key"])
            .create(manager)
            .await?;
        Index::unique("account_reference_key", "account", &["reference_key"])
            .create(manager)
            .await?;
        Index::plain("account_server", "account", &["server_id", "id"])
            .create(manager)
            .await?;
        Index::plain("account_platform", "account", &["platform_id", "id"])
            .create(manager)
            .await?;
        create(
            manager,
            "ip_address",
            vec![
                key("id"),
                integer("server_id").not_null().take(),
                text("address", 64).not_null().take(),
                integer("account_id"),
                integer("assigned_at"),
                integer("released_at"),
            ],
            &[],
        )
        .await?;
        Index::unique("ip_address_once", "ip_address", &["server_id", "address"])
            .create(manager)
            .await?;
        Index::plain("ip_address_account", "ip_address", &["account_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "ip_address").await?;
        drop(manager, "account").await?;
        Ok(())
    }
}
