//! Finds accounts by their domain: the nightly run asks who has a domain on two servers.

use sea_orm_migration::prelude::*;

use crate::schema;

/// Makes the index; `down` drops it.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        schema::Index::plain("account_domain", "account", &["domain"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let mut index = Index::drop();
        manager
            .drop_index(index.name("account_domain").table("account").to_owned())
            .await
    }
}
