//! Rows of sealed secrets. What is in them only the holder of the right key can read; see [`crate::seal`].

use entity::{job, secret};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait,
    QueryFilter, QueryOrder, QuerySelect,
};

use super::{Store, StoreError};
use crate::JobState;
use crate::faults::Point;

/// What a secret is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// A server's token, key or password.
    PanelSecret,
    /// An account's password, submitted or generated.
    Password,
    /// A link that logs somebody in.
    LoginLink,
    /// A key that signs a webhook endpoint's messages.
    WebhookKey,
    /// The other place for one: a new key is put where the last one is not, and both sign for a while.
    OtherWebhookKey,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Purpose; 5] = [
        Purpose::PanelSecret,
        Purpose::Password,
        Purpose::LoginLink,
        Purpose::WebhookKey,
        Purpose::OtherWebhookKey,
    ];

    /// As the column holds it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::PanelSecret => "panel_secret",
            Purpose::Password => "password",
            Purpose::LoginLink => "login_link",
            Purpose::WebhookKey => "webhook_key",
            Purpose::OtherWebhookKey => "other_webhook_key",
        }
    }
}

/// Who can open a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Audience {
    /// The workers.
    Worker,
    /// The API processes.
    Api,
}

impl Audience {
    /// As the column holds it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Audience::Worker => "worker",
            Audience::Api => "api",
        }
    }
}

/// A sealed secret on its way to its row.
#[derive(Debug, Clone)]
pub struct NewSecret {
    /// Whose it is: `server:<id>`, `job:<public id>`, `webhook:<id>`.
    pub owner: String,
    /// What it is.
    pub purpose: Purpose,
    /// Who can open it.
    pub audience: Audience,
    /// The key that it is sealed to.
    pub key_id: String,
    /// The ciphertext, base64.
    pub sealed: String,
    /// The token that may read it, where only one may.
    pub token_id: Option<i64>,
}

/// A secret sealed to another key.
#[derive(Debug, Clone)]
pub struct Resealed {
    /// Its row as it was read.
    pub old: secret::Model,
    /// The other key.
    pub key_id: String,
    /// The other ciphertext, base64.
    pub sealed: String,
}

/// Writes them, over what stood there.
pub(crate) async fn put_secrets(
    tx: &impl ConnectionTrait,
    secrets: &[&NewSecret],
    now: i64,
) -> Result<(), DbErr> {
    for new in secrets {
        let found = row(tx, &new.owner, new.purpose, new.audience).await?;
        let mut model = secret::ActiveModel {
            owner: Set(new.owner.clone()),
            purpose: Set(new.purpose.name().to_owned()),
            audience: Set(new.audience.name().to_owned()),
            key_id: Set(new.key_id.clone()),
            sealed: Set(Some(new.sealed.clone())),
            token_id: Set(new.token_id),
            created_at: Set(now),
            expires_at: Set(None),
            read_at: Set(None),
            wiped_at: Set(None),
            ..Default::default()
        };
        match found {
            Some(old) => {
                model.id = sea_orm::ActiveValue::Unchanged(old.id);
                model.update(tx).await?;
            }
            None => {
                model.insert(tx).await?;
            }
        }
    }
    Ok(())
}

/// A generated password can be fetched this long after success.
const FETCHABLE_MS: i64 = 24 * 3_600_000;

/// Wipes the workers' copies of these owners, and lets the API's end a day from now.
pub(crate) async fn spend(
    tx: &impl ConnectionTrait,
    owners: &[String],
    now: i64,
) -> Result<(), DbErr> {
    if owners.is_empty() {
        return Ok(());
    }
    secret::Entity::update_many()
        .col_expr(secret::Column::Sealed, Expr::value(None::<String>))
        .col_expr(secret::Column::WipedAt, Expr::value(now))
        .filter(secret::Column::Owner.is_in(owners))
        .filter(secret::Column::Audience.eq(Audience::Worker.name()))
        .exec(tx)
        .await?;
    secret::Entity::update_many()
        .col_expr(secret::Column::ExpiresAt, Expr::value(now + FETCHABLE_MS))
        .filter(secret::Column::Owner.is_in(owners))
        .filter(secret::Column::Audience.eq(Audience::Api.name()))
        .filter(secret::Column::ExpiresAt.is_null())
        .exec(tx)
        .await?;
    Ok(())
}

async fn row(
    db: &impl ConnectionTrait,
    owner: &str,
    purpose: Purpose,
    audience: Audience,
) -> Result<Option<secret::Model>, DbErr> {
    secret::Entity::find()
        .filter(secret::Column::Owner.eq(owner))
        .filter(secret::Column::Purpose.eq(purpose.name()))
        .filter(secret::Column::Audience.eq(audience.name()))
        .one(db)
        .await
}

impl Store {
    /// Writes sealed secrets, all or none, over what stood there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_secrets(&self, secrets: &[NewSecret]) -> Result<(), StoreError> {
        let refs: Vec<&NewSecret> = secrets.iter().collect();
        super::transact!(self, tx, {
            let now = self.clock(&tx).await?;
            put_secrets(&tx, &refs, now).await?;
        })
    }

    /// Writes sealed secrets that an attempt made, over what stood there, while its claim is valid: a worker
    /// that was given up must not replace the password that its successor has sent. `false` = it is not,
    /// and nothing was written.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_secrets_of(
        &self,
        job_id: i64,
        fence: i64,
        secrets: &[NewSecret],
    ) -> Result<bool, StoreError> {
        let refs: Vec<&NewSecret> = secrets.iter().collect();
        super::transact!(self, tx, {
            let held: Option<i64> = job::Entity::find_by_id(job_id)
                .select_only()
                .column(job::Column::Id)
                .filter(job::Column::Fence.eq(fence))
                .filter(job::Column::State.eq(JobState::Running.name()))
                .lock(super::line::row_lock(tx.get_database_backend()))
                .into_tuple()
                .one(&tx)
                .await?;
            if held.is_some() {
                let now = self.clock(&tx).await?;
                put_secrets(&tx, &refs, now).await?;
                Point::SecretsWritten.reach(job_id);
            }
            held.is_some()
        })
    }

    /// The same as [`Store::put_secrets`] inside of a transaction of the caller, for a row and its secrets that belong together.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_secrets_in(
        &self,
        tx: &sea_orm::DatabaseTransaction,
        secrets: &[NewSecret],
    ) -> Result<(), StoreError> {
        let refs: Vec<&NewSecret> = secrets.iter().collect();
        let now = self.clock(tx).await?;
        Ok(put_secrets(tx, &refs, now).await?)
    }

    /// The secret's row, wiped or not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn secret(
        &self,
        owner: &str,
        purpose: Purpose,
        audience: Audience,
    ) -> Result<Option<secret::Model>, StoreError> {
        Ok(row(&self.write, owner, purpose, audience).await?)
    }

    /// What that audience can open of that owner now, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn live_secrets(
        &self,
        db: &impl ConnectionTrait,
        owner: &str,
        audience: Audience,
    ) -> Result<Vec<secret::Model>, StoreError> {
        let now = self.now().await?;
        let rows = secret::Entity::find()
            .filter(secret::Column::Owner.eq(owner))
            .filter(secret::Column::Audience.eq(audience.name()))
            .filter(secret::Column::Sealed.is_not_null())
            .order_by_desc(secret::Column::CreatedAt)
            .all(db)
            .await?;
        let live = |row: &secret::Model| row.expires_at.is_none_or(|end| end > now);
        Ok(rows.into_iter().filter(live).collect())
    }

    /// Wipes what that audience has of that owner (all purposes). Returns how many were there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wipe_secrets(&self, owner: &str, audience: Audience) -> Result<u64, StoreError> {
        let now = self.now().await?;
        let wiped = secret::Entity::update_many()
            .col_expr(secret::Column::Sealed, Expr::value(None::<String>))
            .col_expr(secret::Column::WipedAt, Expr::value(now))
            .filter(secret::Column::Owner.eq(owner))
            .filter(secret::Column::Audience.eq(audience.name()))
            .filter(secret::Column::Sealed.is_not_null())
            .exec(&self.write)
            .await?;
        Ok(wiped.rows_affected)
    }

    /// Lets a secret end at `at`; the sweep wipes it then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn expire_secret(
        &self,
        owner: &str,
        audience: Audience,
        at: i64,
    ) -> Result<(), StoreError> {
        secret::Entity::update_many()
            .col_expr(secret::Column::ExpiresAt, Expr::value(at))
            .filter(secret::Column::Owner.eq(owner))
            .filter(secret::Column::Audience.eq(audience.name()))
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Wipes what has ended. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wipe_expired_secrets(&self) -> Result<u64, StoreError> {
        let now = self.now().await?;
        let wiped = secret::Entity::update_many()
            .col_expr(secret::Column::Sealed, Expr::value(None::<String>))
            .col_expr(secret::Column::WipedAt, Expr::value(now))
            .filter(secret::Column::ExpiresAt.lte(now))
            .filter(secret::Column::Sealed.is_not_null())
            .exec(&self.write)
            .await?;
        Ok(wiped.rows_affected)
    }

    /// Notes the first read of a secret.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn secret_was_read(&self, id: i64) -> Result<(), StoreError> {
        let now = self.now().await?;
        secret::Entity::update_many()
            .col_expr(secret::Column::ReadAt, Expr::value(now))
            .filter(secret::Column::Id.eq(id))
            .filter(secret::Column::ReadAt.is_null())
            .exec(&self.write)
            .await?;
        Ok(())
    }

    /// Secrets of that audience that are sealed to another key than `key_id`, oldest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn secrets_of_other_keys(
        &self,
        audience: Audience,
        key_id: &str,
        limit: u64,
    ) -> Result<Vec<secret::Model>, StoreError> {
        Ok(secret::Entity::find()
            .filter(secret::Column::Audience.eq(audience.name()))
            .filter(secret::Column::KeyId.ne(key_id))
            .filter(secret::Column::Sealed.is_not_null())
            .order_by_asc(secret::Column::Id)
            .limit(limit)
            .all(&self.write)
            .await?)
    }

    /// The keys that secrets of that audience are sealed to, and how many to each.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn sealed_to(&self, audience: Audience) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(secret::Entity::find()
            .select_only()
            .column(secret::Column::KeyId)
            .column_as(secret::Column::Id.count(), "count")
            .filter(secret::Column::Audience.eq(audience.name()))
            .filter(secret::Column::Sealed.is_not_null())
            .group_by(secret::Column::KeyId)
            .into_tuple()
            .all(&self.read)
            .await?)
    }

    /// Replaces ciphertexts by those for another key, in one transaction; each unless it was wiped or
    /// replaced meanwhile. Returns how many were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reseal(&self, resealed: &[Resealed]) -> Result<u64, StoreError> {
        super::transact!(self, tx, {
            let mut count = 0;
            for Resealed {
                old,
                key_id,
                sealed,
            } in resealed
            {
                let written = secret::Entity::update_many()
                    .col_expr(secret::Column::Sealed, Expr::value(sealed.as_str()))
                    .col_expr(secret::Column::KeyId, Expr::value(key_id.as_str()))
                    .filter(secret::Column::Id.eq(old.id))
                    .filter(secret::Column::KeyId.eq(old.key_id.as_str()))
                    // Another secret may have been put there within the same millisecond.
                    .filter(secret::Column::Sealed.eq(old.sealed.as_deref()))
                    .exec(&tx)
                    .await?;
                count += written.rows_affected;
            }
            count
        })
    }
}
