//! Account rows, as jobs need and change them.

use std::collections::BTreeMap;

use entity::{account, ip_address};
use hosting::{DomainName, Email, Limits, PackageName, Reference, Username};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait,
    QueryFilter,
};

use super::{Store, StoreError};
use crate::{AccountState, new_public_id};

/// How a request names an account.
#[derive(Debug, Clone)]
pub enum Selector {
    /// By our public id.
    Id(String),
    /// By its platform's reference.
    Reference {
        /// The platform.
        platform_id: i64,
        /// Its reference.
        reference: Reference,
    },
    /// By server and login name.
    Name {
        /// The server's row.
        server_id: i64,
        /// The login name.
        username: Username,
    },
}

impl Store {
    /// The live account that is meant (by id also a terminated one).
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn account(&self, which: &Selector) -> Result<Option<account::Model>, StoreError> {
        let find = account::Entity::find();
        let find = match which {
            Selector::Id(id) => find.filter(account::Column::PublicId.eq(id)),
            Selector::Reference {
                platform_id,
                reference,
            } => find
                .filter(account::Column::ReferenceKey.eq(reference_key(*platform_id, reference))),
            Selector::Name {
                server_id,
                username,
            } => find.filter(account::Column::LiveKey.eq(live_key(*server_id, username.as_str()))),
        };
        Ok(find.one(&self.read).await?)
    }

    /// The account of that row.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn account_by_row(&self, id: i64) -> Result<Option<account::Model>, StoreError> {
        Ok(account::Entity::find_by_id(id).one(&self.read).await?)
    }

    /// Takes over an account that a listing found on the panel, as nobody's; `false` = it is known.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn import_account(
        &self,
        server_id: i64,
        username: &Username,
        seen: &AccountChange,
    ) -> Result<bool, StoreError> {
        let key = live_key(server_id, username.as_str());
        if account::Entity::find()
            .filter(account::Column::LiveKey.eq(&key))
            .one(&self.write)
            .await?
            .is_some()
        {
            return Ok(false);
        }
        let now = self.now().await?;
        let row = NewRow {
            server_id,
            username: Some(username),
            state: AccountState::Active,
            ..NewRow::default()
        };
        let tx = self.begin().await?;
        let id = insert(&tx, &row, now).await?;
        apply(&tx, id, seen, now).await?;
        tx.commit().await.map_err(StoreError::commit)?;
        Ok(true)
    }

    /// Reserves the first of these addresses that no account holds, for good, in this one statement
    /// sequence: the unique row is the lock between workers. `None` = all are held.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn reserve_address(
        &self,
        server_id: i64,
        account_id: i64,
        candidates: &[std::net::IpAddr],
    ) -> Result<Option<std::net::IpAddr>, StoreError> {
        let now = self.now().await?;
        let held = ip_address::Entity::find()
            .filter(ip_address::Column::ServerId.eq(server_id))
            .filter(ip_address::Column::AccountId.eq(account_id))
            .one(&self.write)
            .await?;
        if let Some(address) = held.and_then(|row| row.address.parse().ok()) {
            return Ok(Some(address));
        }
        for candidate in candidates {
            if take_address(
                &self.write,
                server_id,
                account_id,
                &candidate.to_string(),
                now,
            )
            .await?
            {
                return Ok(Some(*candidate));
            }
        }
        Ok(None)
    }
}

/// Takes one address if it is free: a row that nobody holds, or no row yet.
async fn take_address(
    db: &impl ConnectionTrait,
    server_id: i64,
    account_id: i64,
    address: &str,
    now: i64,
) -> Result<bool, StoreError> {
    let taken = ip_address::Entity::update_many()
        .col_expr(ip_address::Column::AccountId, Expr::value(account_id))
        .col_expr(ip_address::Column::AssignedAt, Expr::value(now))
        .filter(ip_address::Column::ServerId.eq(server_id))
        .filter(ip_address::Column::Address.eq(address))
        .filter(ip_address::Column::AccountId.is_null())
        .exec(db)
        .await?;
    if taken.rows_affected == 1 {
        return Ok(true);
    }
    let row = ip_address::ActiveModel {
        server_id: Set(server_id),
        address: Set(address.to_owned()),
        account_id: Set(Some(account_id)),
        assigned_at: Set(Some(now)),
        ..Default::default()
    };
    match row.insert(db).await {
        Ok(_) => Ok(true),
        Err(error) => match StoreError::Db(error) {
            duplicate if duplicate.trouble() == super::error::Trouble::Duplicate => Ok(false),
            other => Err(other),
        },
    }
}

/// What a finished attempt changes about its account; `None` = as it was.
#[derive(Debug, Default, Clone)]
pub struct AccountChange {
    /// The state. `Terminated` also frees its name, its reference and its addresses.
    pub state: Option<AccountState>,
    /// The main domain, as found.
    pub domain: Option<DomainName>,
    /// The owner's mail address, as found.
    pub email: Option<String>,
    /// The package.
    pub package: Option<PackageName>,
    /// The overrides, all of them.
    pub limits: Option<Limits>,
    /// The main address.
    pub address: Option<std::net::IpAddr>,
    /// What proves which incarnation it is, as JSON.
    pub evidence: Option<serde_json::Value>,
    /// What was remembered before a suspend; `Some(None)` = forget it.
    pub remembered: Option<Option<serde_json::Value>>,
    /// Who suspended it (`us`, `others`, `overuse`) and why; `Some(None)` = nobody.
    pub suspension: Option<Option<(&'static str, String)>>,
    /// The month whose traffic it is suspended for; `Some(None)` = none.
    pub overuse: Option<Option<hosting::Month>>,
    /// Frees name and reference without the account having been terminated (a create that was never ours).
    pub forget_name: bool,
}

pub(crate) fn live_key(server_id: i64, username: &str) -> String {
    format!("{server_id}|{}", username.to_ascii_lowercase())
}

pub(crate) fn reference_key(platform_id: i64, reference: &Reference) -> String {
    format!("{platform_id}|{reference}")
}

/// A row to be made.
#[derive(Default)]
pub(crate) struct NewRow<'a> {
    pub(crate) server_id: i64,
    pub(crate) platform_id: Option<i64>,
    pub(crate) reference: Option<&'a Reference>,
    pub(crate) username: Option<&'a Username>,
    pub(crate) domain: Option<&'a DomainName>,
    pub(crate) email: Option<&'a Email>,
    pub(crate) package: Option<&'a PackageName>,
    pub(crate) limits: Limits,
    pub(crate) dedicated_ip: bool,
    pub(crate) panel: BTreeMap<String, serde_json::Value>,
    pub(crate) state: AccountState,
}

/// Inserts the row and returns its id. Without a name it has no live key until [`name`] gives one.
pub(crate) async fn insert(
    tx: &impl ConnectionTrait,
    row: &NewRow<'_>,
    now: i64,
) -> Result<i64, DbErr> {
    let model = account::ActiveModel {
        public_id: Set(new_public_id()),
        server_id: Set(row.server_id),
        platform_id: Set(row.platform_id),
        reference: Set(row.reference.map(ToString::to_string)),
        username: Set(row.username.map(ToString::to_string).unwrap_or_default()),
        domain: Set(row.domain.map(ToString::to_string)),
        email: Set(row.email.map(ToString::to_string)),
        package: Set(row.package.map(ToString::to_string)),
        state: Set(row.state.name().to_owned()),
        live_key: Set(row
            .username
            .map(|name| live_key(row.server_id, name.as_str()))),
        reference_key: Set(row
            .platform_id
            .zip(row.reference)
            .map(|(id, text)| reference_key(id, text))),
        limits: Set(json(&row.limits)),
        dedicated_ip: Set(row.dedicated_ip),
        panel: Set(json(&row.panel)),
        evidence: Set("{}".to_owned()),
        missing_nights: Set(0),
        created_at: Set(now),
        updated_at: Set(now),
        ..Default::default()
    };
    Ok(model.insert(tx).await?.id)
}

/// Gives a row that was made without a name its name.
pub(crate) async fn name(
    tx: &impl ConnectionTrait,
    account_id: i64,
    server_id: i64,
    username: &Username,
) -> Result<(), DbErr> {
    account::Entity::update_many()
        .col_expr(account::Column::Username, Expr::value(username.as_str()))
        .col_expr(
            account::Column::LiveKey,
            Expr::value(live_key(server_id, username.as_str())),
        )
        .filter(account::Column::Id.eq(account_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// Applies a change, under the account's lock.
pub(crate) async fn apply(
    tx: &impl ConnectionTrait,
    account_id: i64,
    change: &AccountChange,
    now: i64,
) -> Result<(), DbErr> {
    use account::Column as C;
    let mut update = account::Entity::update_many().col_expr(C::UpdatedAt, Expr::value(now));
    let gone = change.state == Some(AccountState::Terminated);
    if let Some(state) = change.state {
        update = update.col_expr(C::State, Expr::value(state.name()));
    }
    if let Some(domain) = &change.domain {
        update = update.col_expr(C::Domain, Expr::value(domain.as_str()));
    }
    if let Some(email) = &change.email {
        update = update.col_expr(
            C::Email,
            Expr::value(email.chars().take(255).collect::<String>()),
        );
    }
    if let Some(package) = &change.package {
        update = update.col_expr(C::Package, Expr::value(package.as_str()));
    }
    if let Some(limits) = &change.limits {
        update = update.col_expr(C::Limits, Expr::value(json(limits)));
    }
    if let Some(address) = change.address {
        update = update.col_expr(C::Address, Expr::value(address.to_string()));
    }
    if let Some(evidence) = &change.evidence {
        update = update.col_expr(C::Evidence, Expr::value(evidence.to_string()));
    }
    if let Some(remembered) = &change.remembered {
        update = update.col_expr(
            C::Remembered,
            Expr::value(remembered.as_ref().map(ToString::to_string)),
        );
    }
    if let Some(suspension) = &change.suspension {
        let (by, why) = match suspension {
            Some((by, why)) => (
                Some((*by).to_owned()),
                Some(why.chars().take(500).collect::<String>()),
            ),
            None => (None, None),
        };
        update = update
            .col_expr(C::SuspendedBy, Expr::value(by))
            .col_expr(C::SuspendReason, Expr::value(why));
    }
    if let Some(overuse) = change.overuse {
        let month = overuse.map(|month| month.to_string());
        update = update.col_expr(C::OveruseMonth, Expr::value(month));
    }
    if gone || change.forget_name {
        update = update
            .col_expr(C::LiveKey, Expr::value(None::<String>))
            .col_expr(C::ReferenceKey, Expr::value(None::<String>));
    }
    if gone {
        update = update.col_expr(C::TerminatedAt, Expr::value(now));
    }
    update.filter(C::Id.eq(account_id)).exec(tx).await?;
    if gone {
        release_addresses(tx, account_id, now).await?;
    }
    Ok(())
}

async fn release_addresses(
    tx: &impl ConnectionTrait,
    account_id: i64,
    now: i64,
) -> Result<(), DbErr> {
    ip_address::Entity::update_many()
        .col_expr(ip_address::Column::AccountId, Expr::value(None::<i64>))
        .col_expr(ip_address::Column::ReleasedAt, Expr::value(now))
        .filter(ip_address::Column::AccountId.eq(account_id))
        .exec(tx)
        .await?;
    Ok(())
}

/// JSON text of a value that has no way to fail.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}
