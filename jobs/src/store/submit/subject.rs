//! Which account a job is about: one that is here, or a row that is made for it.

use entity::account;
use hosting::{Reference, Username};
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::super::accounts::{self, NewRow};
use super::intake::Intake;
use super::{NewJob, Refusal, Target};
use crate::{AccountState, CreateAccount, JobSpec};

impl Intake<'_> {
    pub(super) async fn resolve_new(
        &mut self,
        tx: &impl ConnectionTrait,
        job: &NewJob,
        now: i64,
    ) -> Result<Result<i64, Refusal>, DbErr> {
        let (
            JobSpec::Create(create),
            Target::New {
                reference,
                username,
                rules,
            },
            Some(server_id),
        ) = (&job.spec, &job.target, job.server_id)
        else {
            return Err(DbErr::Custom(
                "only a create on a server makes an account".into(),
            ));
        };
        if let Some(reference) = reference
            && let Some(row) = by_reference(tx, job.platform_id, reference).await?
        {
            if has_failed(&row) && row.server_id == server_id {
                return Ok(free_name(tx, &row, username.as_ref())
                    .await?
                    .map(|()| row.id));
            }
            return Ok(same_account(&row, server_id, username.as_ref(), create).map(|()| row.id));
        }
        if let Some(name) = username
            && let Some(row) = by_name(tx, server_id, name).await?
        {
            return Ok(own_name(&row, job.platform_id, reference.as_ref(), create).map(|()| row.id));
        }
        let row = NewRow {
            server_id,
            platform_id: Some(job.platform_id),
            reference: reference.as_ref(),
            username: username.as_ref(),
            domain: Some(&create.domain),
            email: create.email.as_ref(),
            package: create.package.as_ref(),
            limits: create.limits.clone(),
            dedicated_ip: create.dedicated_ip,
            panel: create.panel.clone(),
            state: AccountState::Requested,
        };
        let id = accounts::insert(tx, &row, now).await?;
        self.made.insert(id);
        if username.is_none() {
            match rules.username_for(id) {
                Ok(name) => accounts::name(tx, id, server_id, &name).await?,
                Err(why) => {
                    account::Entity::delete_by_id(id).exec(tx).await?;
                    return Ok(Err(Refusal::NoName(why)));
                }
            }
        }
        Ok(Ok(id))
    }

    pub(super) async fn resolve_unknown(
        &mut self,
        tx: &impl ConnectionTrait,
        job: &NewJob,
        now: i64,
    ) -> Result<Result<i64, Refusal>, DbErr> {
        let (
            Target::Unknown {
                reference,
                username,
                domain,
            },
            Some(server_id),
        ) = (&job.target, job.server_id)
        else {
            return Err(DbErr::Custom("an unknown account needs a server".into()));
        };
        if let Some(row) = by_name(tx, server_id, username).await? {
            return Ok(may_touch(&row, job.platform_id).map(|()| row.id));
        }
        let row = NewRow {
            server_id,
            platform_id: (job.platform_id != crate::OPERATOR).then_some(job.platform_id),
            reference: reference.as_ref(),
            username: Some(username),
            domain: domain.as_ref(),
            state: AccountState::Importing,
            ..NewRow::default()
        };
        let id = accounts::insert(tx, &row, now).await?;
        self.made.insert(id);
        Ok(Ok(id))
    }
}

async fn by_reference(
    tx: &impl ConnectionTrait,
    platform_id: i64,
    reference: &Reference,
) -> Result<Option<account::Model>, DbErr> {
    let key = accounts::reference_key(platform_id, reference);
    account::Entity::find()
        .filter(account::Column::ReferenceKey.eq(key))
        .one(tx)
        .await
}

async fn by_name(
    tx: &impl ConnectionTrait,
    server_id: i64,
    username: &Username,
) -> Result<Option<account::Model>, DbErr> {
    let key = accounts::live_key(server_id, username.as_str());
    account::Entity::find()
        .filter(account::Column::LiveKey.eq(key))
        .one(tx)
        .await
}

/// Nothing of it is on the panel, so that another go at it may have another domain and another name.
pub(super) fn has_failed(row: &account::Model) -> bool {
    row.state == AccountState::Failed.name()
}

/// Whether an account that is not made yet may have that name.
async fn free_name(
    tx: &impl ConnectionTrait,
    row: &account::Model,
    username: Option<&Username>,
) -> Result<Result<(), Refusal>, DbErr> {
    let Some(name) = username else {
        return Ok(Ok(()));
    };
    let holder = by_name(tx, row.server_id, name).await?;
    Ok(match holder {
        Some(holder) if holder.id != row.id => Err(Refusal::AccountTaken(format!(
            "account.username `{name}` is taken on this server by another account"
        ))),
        _ => Ok(()),
    })
}

/// A create for a live reference: the same account, or a conflict.
pub(super) fn same_account(
    row: &account::Model,
    server_id: i64,
    username: Option<&Username>,
    create: &CreateAccount,
) -> Result<(), Refusal> {
    let same = row.domain.as_deref() == Some(create.domain.as_str())
        && row.server_id == server_id
        && username.is_none_or(|name| name.as_str().eq_ignore_ascii_case(&row.username));
    if same {
        Ok(())
    } else {
        let reference = row.reference.clone().unwrap_or_default();
        let domain = row.domain.clone().unwrap_or_default();
        Err(Refusal::AccountTaken(format!(
            "account.reference `{reference}` belongs to a live account with the domain {domain}; terminate that first or use another reference"
        )))
    }
}

/// A platform's job never reaches another platform's account, whatever the name.
fn may_touch(row: &account::Model, platform_id: i64) -> Result<(), Refusal> {
    let foreign = row.platform_id.is_some_and(|owner| owner != platform_id);
    if foreign && platform_id != crate::OPERATOR {
        return Err(Refusal::AccountTaken(format!(
            "account.username `{}` is taken on this server by another account",
            row.username
        )));
    }
    Ok(())
}

/// A create for a name that is live here: ours again, or a conflict.
fn own_name(
    row: &account::Model,
    platform_id: i64,
    reference: Option<&Reference>,
    create: &CreateAccount,
) -> Result<(), Refusal> {
    let same = row.platform_id == Some(platform_id)
        && row.reference.as_deref() == reference.map(Reference::as_str)
        && row.domain.as_deref() == Some(create.domain.as_str());
    if same {
        Ok(())
    } else {
        Err(Refusal::AccountTaken(format!(
            "account.username `{}` is taken on this server by another account",
            row.username
        )))
    }
}
