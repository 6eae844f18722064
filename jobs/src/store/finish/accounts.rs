//! Intents, and what intents and outcomes make of accounts.

use std::collections::BTreeMap;

use entity::{account, job};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::super::accounts::{AccountChange, apply};
use super::super::padded;
use super::{Finish, Held, Intent, Outcome};
use crate::{AccountState, JobKind};

pub(super) async fn write_intent(
    tx: &impl ConnectionTrait,
    row: &Held,
    intent: &Intent,
    now: i64,
) -> Result<(), DbErr> {
    use job::Column as C;
    let mut update = job::Entity::update_many()
        .filter(C::Id.eq(row.id))
        .filter(C::Fence.eq(row.fence));
    if intent.sends {
        update = update
            .col_expr(C::Phase, Expr::value("sent"))
            .col_expr(C::SentAt, Expr::value(now));
    }
    if let Some(progress) = &intent.progress {
        update = update.col_expr(C::Progress, Expr::value(progress.to_string()));
    }
    if intent.sends || intent.progress.is_some() {
        update.exec(tx).await?;
    }
    Ok(())
}

/// The accounts whose create leaves for the first time are being made from now on.
pub(super) async fn begin_creates(
    tx: &impl ConnectionTrait,
    intents: &[Intent],
    held: &BTreeMap<i64, Held>,
    accounts: &mut BTreeMap<i64, account::Model>,
    now: i64,
) -> Result<(), DbErr> {
    let mut begun = Vec::new();
    for intent in intents.iter().filter(|intent| intent.sends) {
        let row = held
            .get(&intent.job_id)
            .filter(|row| row.fence == intent.fence && row.holds(now))
            .filter(|row| row.kind == JobKind::Create.name());
        let account = row
            .and_then(|row| row.account_id)
            .and_then(|id| accounts.get_mut(&id))
            .filter(|account| account.state == AccountState::Requested.name());
        if let Some(account) = account {
            AccountState::Provisioning
                .name()
                .clone_into(&mut account.state);
            begun.push(account.id);
        }
    }
    if begun.is_empty() {
        return Ok(());
    }
    account::Entity::update_many()
        .col_expr(
            account::Column::State,
            Expr::value(AccountState::Provisioning.name()),
        )
        .col_expr(account::Column::UpdatedAt, Expr::value(now))
        .filter(account::Column::Id.is_in(padded(&begun)))
        .exec(tx)
        .await?;
    Ok(())
}

pub(super) async fn apply_accounts(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    accounts: &mut BTreeMap<i64, account::Model>,
    now: i64,
) -> Result<(), DbErr> {
    for (row, finish) in ended {
        let Some(account) = row.account_id.and_then(|id| accounts.get_mut(&id)) else {
            continue;
        };
        if let Some(change) = &finish.account {
            apply(tx, account.id, change, now).await?;
            if let Some(state) = change.state {
                state.name().clone_into(&mut account.state);
            }
        }
        let create_failed = finish.outcome == Outcome::Failed
            && row.kind == JobKind::Create.name()
            && finish
                .account
                .as_ref()
                .is_none_or(|change| change.state.is_none());
        if create_failed && row.in_line.is_some() {
            let failed = AccountChange {
                state: Some(AccountState::Failed),
                ..AccountChange::default()
            };
            apply(tx, account.id, &failed, now).await?;
            AccountState::Failed.name().clone_into(&mut account.state);
        }
    }
    Ok(())
}
