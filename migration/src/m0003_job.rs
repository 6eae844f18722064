//! Makes the tables of jobs, their attempts and their events.

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
            "job",
            vec![
                key("id"),
                text("public_id", 32).not_null().take(),
                integer("platform_id").not_null().take(),
                text("idem_key", 255).not_null().take(),
                text("body_hash", 64).not_null().take(),
                text("kind", 32).not_null().take(),
                small("lane").not_null().take(),
                integer("server_id"),
                integer("account_id"),
                long_text(manager, "payload").not_null().take(),
                small("payload_version").not_null().take(),
                text("state", 16).not_null().take(),
                integer("due_at").not_null().take(),
                integer("joins_at"),
                small("attempt").not_null().take(),
                small("tries").not_null().take(),
                small("max_tries").not_null().take(),
                integer("expires_at"),
                small("worker_deaths").not_null().take(),
                integer("fence").not_null().take(),
                text("owner", 128),
                integer("lease_until"),
                small("ready_lane"),
                integer("head_of"),
                integer("open_of"),
                text("phase", 16),
                integer("sent_at"),
                integer("doubt_since"),
                small("looks").not_null().take(),
                long_text(manager, "progress"),
                text("hold_code", 64),
                long_text(manager, "result"),
                text("error_class", 16),
                text("error_code", 64),
                text("error_message", 1000),
                text("actor", 160).not_null().take(),
                text("reason", 500),
                text("webhook", 128),
                integer("replay_of"),
                text("trace", 128),
                integer("created_at").not_null().take(),
                integer("started_at"),
                integer("finished_at"),
            ],
            &[],
        )
        .await?;
        Index::unique("job_public_id", "job", &["public_id"])
            .create(manager)
            .await?;
        Index::unique("job_idem", "job", &["idem_key", "platform_id"])
            .create(manager)
            .await?;
        Index::unique("job_head", "job", &["head_of"])
            .create(manager)
            .await?;
        Index::plain(
            "job_ready",
            "job",
            &["server_id", "ready_lane", "due_at", "id"],
        )
        .only_where_set("ready_lane")
        .create(manager)
        .await?;
        Index::plain("job_open", "job", &["open_of", "id"])
            .only_where_set("open_of")
            .create(manager)
            .await?;
        Index::plain("job_run", "job", &["server_id", "lease_until"])
            .only_where_set("lease_until")
            .create(manager)
            .await?;
        Index::plain("job_lease", "job", &["lease_until"])
            .only_where_set("lease_until")
            .create(manager)
            .await?;
        Index::plain("job_joins", "job", &["joins_at"])
            .only_where_set("joins_at")
            .create(manager)
            .await?;
        Index::plain("job_account", "job", &["account_id", "id"])
            .create(manager)
            .await?;
        Index::plain("job_created", "job", &["created_at"])
            .create(manager)
            .await?;
        create(
            manager,
            "attempt",
            vec![
                integer("job_id").not_null().take(),
                integer("fence").not_null().take(),
                small("attempt").not_null().take(),
                text("owner", 128),
                integer("started_at").not_null().take(),
                integer("sent_at"),
                integer("finished_at").not_null().take(),
                text("outcome", 16).not_null().take(),
                text("error_class", 16),
                text("error_code", 64),
                text("error_message", 1000),
                long_text(manager, "detail"),
                integer("next_due_at"),
            ],
            &["job_id", "fence"],
        )
        .await?;
        create(
            manager,
            "job_event",
            vec![
                key("id"),
                integer("job_id").not_null().take(),
                integer("at").not_null().take(),
                text("actor", 160).not_null().take(),
                text("event", 32).not_null().take(),
                small("attempt").not_null().take(),
                text("reason", 500),
            ],
            &[],
        )
        .await?;
        Index::plain("job_event_job", "job_event", &["job_id", "id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop(manager, "job_event").await?;
        drop(manager, "attempt").await?;
        drop(manager, "job").await?;
        Ok(())
    }
}
