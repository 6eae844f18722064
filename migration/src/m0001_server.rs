//! Makes the tables of servers.

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
            "server",
            vec![
                key("id"),
                text("name", 128).not_null().take(),
                text("panel", 32).not_null().take(),
                text("url", 1024).not_null().take(),
                text("user", 255),
                long_text(manager, "pins").not_null().take(),
                long_text(manager, "ca_pem"),
                long_text(manager, "allow_networks").not_null().take(),
                text("time_zone", 64).not_null().take(),
                small("stats_at").not_null().take(),
                ColumnDef::new("enabled").boolean().not_null().take(),
                long_text(manager, "rules").not_null().take(),
                long_text(manager, "config"),
                integer("config_at"),
                text("host_name", 255),
                small("max_jobs").not_null().take(),
                small("max_creates").not_null().take(),
                small("max_terminates").not_null().take(),
                integer("guard_released_until"),
                ColumnDef::new("paused").boolean().not_null().take(),
                integer("paused_until"),
                text("pause_reason", 500),
                integer("maintenance_from"),
                integer("maintenance_until"),
                integer("cool_until"),
                small("breaker_failures").not_null().take(),
                integer("breaker_probe_at"),
                integer("auth_hold_since"),
                long_text(manager, "auth_hold_detail"),
                text("version", 64),
                integer("checked_at"),
                long_text(manager, "check_notes"),
                integer("created_at").not_null().take(),
                integer("removed_at"),
                text("live_name", 128),
            ],
            &[],
        )
        .await?;
        Index::unique("server_live_name", "server", &["live_name"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "server").await?;
        Ok(())
    }
}
