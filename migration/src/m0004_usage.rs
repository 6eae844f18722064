//! Makes the tables of traffic: readings, the ledger, and the months.

use sea_orm_migration::prelude::*;

use crate::schema::{Index, create, drop, integer, key, small, text};

/// Makes them; `down` drops them.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(
            manager,
            "usage_reading",
            vec![
                key("id"),
                integer("server_id").not_null().take(),
                integer("account_id"),
                text("username", 64).not_null().take(),
                text("month", 7).not_null().take(),
                integer("traffic_bytes"),
                integer("traffic_limit_mb"),
                integer("disk_bytes"),
                integer("disk_limit_mb"),
                integer("read_at").not_null().take(),
                integer("job_id").not_null().take(),
                integer("fence").not_null().take(),
                text("flag", 32),
            ],
            &[],
        )
        .await?;
        Index::plain(
            "usage_reading_account",
            "usage_reading",
            &["account_id", "month", "id"],
        )
        .create(manager)
        .await?;
        Index::plain("usage_reading_job", "usage_reading", &["job_id"])
            .create(manager)
            .await?;
        Index::plain("usage_reading_age", "usage_reading", &["read_at"])
            .create(manager)
            .await?;
        create(
            manager,
            "usage_ledger",
            vec![
                key("id"),
                integer("account_id").not_null().take(),
                text("month", 7).not_null().take(),
                text("entry", 16).not_null().take(),
                integer("delta_bytes").not_null().take(),
                integer("total_bytes").not_null().take(),
                integer("reading_id"),
                integer("job_id"),
                text("actor", 160).not_null().take(),
                text("note", 500),
                integer("booked_at").not_null().take(),
            ],
            &[],
        )
        .await?;
        Index::plain(
            "usage_ledger_account",
            "usage_ledger",
            &["account_id", "month", "id"],
        )
        .create(manager)
        .await?;
        create(
            manager,
            "usage_month",
            vec![
                integer("account_id").not_null().take(),
                text("month", 7).not_null().take(),
                integer("server_id").not_null().take(),
                integer("total_bytes").not_null().take(),
                integer("last_raw").not_null().take(),
                small("epoch").not_null().take(),
                small("resets").not_null().take(),
                text("flag", 32),
                integer("flagged_raw"),
                integer("late_bytes").not_null().take(),
                integer("closed_at"),
                integer("traffic_limit_mb"),
                integer("as_of").not_null().take(),
            ],
            &["account_id", "month"],
        )
        .await?;
        Index::plain("usage_month_server", "usage_month", &["month", "server_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "usage_month").await?;
        drop(manager, "usage_ledger").await?;
        drop(manager, "usage_reading").await?;
        Ok(())
    }
}
