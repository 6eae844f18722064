//! What an outcome says of its server: it answers, it wants patience, its credentials are refused.

use std::collections::{BTreeMap, BTreeSet};

use entity::{job, server};
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::super::line::row_lock;
use super::super::{Ring, Store, gate, operate, padded};
use super::{Finish, Held, ServerEffect};
use crate::JobState;
use crate::pace::millis;

impl Store {
    pub(super) async fn apply_effects(
        &self,
        tx: &impl ConnectionTrait,
        ended: &[(&Held, &Finish)],
        gates: &mut BTreeMap<i64, server::Model>,
        now: i64,
    ) -> Result<Vec<Ring>, DbErr> {
        let mut rings = Vec::new();
        for (row, finish) in ended {
            if let Some(gate) = row.server_id.and_then(|id| gates.get_mut(&id)) {
                let before = Standing::of(gate);
                self.apply_effect(tx, gate, &finish.server, now).await?;
                if let Some(event) = before.turned_into(Standing::of(gate)) {
                    rings.extend(self.tell_of_server(tx, gate, event, now).await?);
                }
            }
        }
        Ok(rings)
    }

    /// Writes it, and to `gate` what a later effect of the same group builds on.
    async fn apply_effect(
        &self,
        tx: &impl ConnectionTrait,
        gate: &mut server::Model,
        effect: &ServerEffect,
        now: i64,
    ) -> Result<(), DbErr> {
        use server::Column as C;
        let update = server::Entity::update_many().filter(C::Id.eq(gate.id));
        let update = match effect {
            ServerEffect::None => return Ok(()),
            ServerEffect::Unreachable => {
                return gate::count_failure(tx, gate, now, self.pace()).await;
            }
            ServerEffect::Reached if gate.breaker_failures == 0 => return Ok(()),
            ServerEffect::Reached => update
                .col_expr(C::BreakerFailures, Expr::value(0))
                .col_expr(C::BreakerProbeAt, Expr::value(None::<i64>)),
            ServerEffect::CoolDown { after } => {
                let until = now + millis((*after).min(crate::retry::LONGEST_THROTTLE));
                gate.cool_until = Ord::max(gate.cool_until, Some(until));
                update.col_expr(C::CoolUntil, Expr::value(gate.cool_until))
            }
            ServerEffect::AuthRefused { detail } => {
                let since = *gate.auth_hold_since.get_or_insert(now);
                update
                    .col_expr(C::AuthHoldSince, Expr::value(since))
                    .col_expr(C::AuthHoldDetail, Expr::value(detail.as_str()))
            }
            ServerEffect::Checked {
                version,
                rules,
                notes,
                max_creates,
            } => update
                .col_expr(C::AuthHoldSince, Expr::value(None::<i64>))
                .col_expr(C::AuthHoldDetail, Expr::value(None::<String>))
                .col_expr(C::BreakerFailures, Expr::value(0))
                .col_expr(C::BreakerProbeAt, Expr::value(None::<i64>))
                .col_expr(
                    C::Version,
                    Expr::value(
                        version
                            .as_ref()
                            .map(|v| v.chars().take(64).collect::<String>()),
                    ),
                )
                .col_expr(C::Rules, Expr::value(rules.to_string()))
                .col_expr(C::CheckNotes, Expr::value(notes.to_string()))
                .col_expr(C::MaxCreates, Expr::value(*max_creates))
                .col_expr(C::CheckedAt, Expr::value(now)),
            ServerEffect::Configured { config, host_name } => {
                let update = update
                    .col_expr(C::Config, Expr::value(config.to_string()))
                    .col_expr(C::ConfigAt, Expr::value(now));
                match host_name {
                    Some(name) => update.col_expr(C::HostName, Expr::value(name.as_str())),
                    None => update,
                }
            }
        };
        if matches!(effect, ServerEffect::Reached | ServerEffect::Checked { .. }) {
            gate.breaker_failures = 0;
        }
        if matches!(effect, ServerEffect::Checked { .. }) {
            gate.auth_hold_since = None;
        }
        update.exec(tx).await?;
        Ok(())
    }
}

/// Whether a server can be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Well,
    Unreachable,
    Refusing,
}

impl Standing {
    fn of(gate: &server::Model) -> Self {
        if gate.auth_hold_since.is_some() {
            Self::Refusing
        } else if gate::breaker_open(gate) {
            Self::Unreachable
        } else {
            Self::Well
        }
    }

    /// The event that tells of the turn.
    fn turned_into(self, after: Self) -> Option<&'static str> {
        match after {
            _ if self == after => None,
            Self::Well => Some("server.recovered"),
            Self::Unreachable => Some("server.unreachable"),
            Self::Refusing => Some("server.auth_failed"),
        }
    }
}

pub(super) async fn lock_servers(
    tx: &impl ConnectionTrait,
    ids: &BTreeSet<i64>,
) -> Result<BTreeMap<i64, server::Model>, DbErr> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let ids: Vec<i64> = ids.iter().copied().collect();
    let rows = server::Entity::find()
        .filter(server::Column::Id.is_in(padded(&ids)))
        .order_by_asc(server::Column::Id)
        .lock(row_lock(tx.get_database_backend()))
        .all(tx)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

/// Servers that a check of this group found in order.
pub(super) fn checked(ended: &[(&Held, &Finish)]) -> BTreeSet<i64> {
    let checks = ended
        .iter()
        .filter(|(_, finish)| matches!(finish.server, ServerEffect::Checked { .. }));
    checks.filter_map(|(row, _)| row.server_id).collect()
}

/// Those of these servers that could not be reached lately.
pub(super) async fn with_failures(
    tx: &impl ConnectionTrait,
    servers: &BTreeSet<i64>,
) -> Result<Vec<i64>, DbErr> {
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    server::Entity::find()
        .select_only()
        .column(server::Column::Id)
        .filter(server::Column::Id.is_in(servers.iter().copied()))
        .filter(server::Column::BreakerFailures.gt(0))
        .into_tuple()
        .all(tx)
        .await
}

pub(super) async fn held_for_credentials(
    tx: &impl ConnectionTrait,
    servers: &BTreeSet<i64>,
) -> Result<Vec<job::Model>, DbErr> {
    job::Entity::find()
        .filter(job::Column::ServerId.is_in(servers.iter().copied()))
        .filter(job::Column::State.eq(JobState::Held.name()))
        .filter(job::Column::HoldCode.eq("panel_auth"))
        .order_by_asc(job::Column::Id)
        .limit(1000)
        .all(tx)
        .await
}

/// After a good check, what was held only because credentials were refused goes on, unless a newer change
/// of its account was made meanwhile: that one holds, and a person decides. Jobs whose account
/// this transaction has not locked (they were held just now) wait for the next check.
pub(super) async fn take_up_held(
    tx: &impl ConnectionTrait,
    server_id: i64,
    locked: &BTreeSet<i64>,
    now: i64,
) -> Result<Vec<Ring>, DbErr> {
    let mut rings = Vec::new();
    for row in held_for_credentials(tx, &BTreeSet::from([server_id])).await? {
        if row.account_id.is_some_and(|id| !locked.contains(&id)) {
            continue;
        }
        if operate::was_overtaken(tx, &row).await? {
            continue;
        }
        let why = "the credentials are in order again";
        rings.extend(operate::reopen(tx, &row, "server check", why, now).await?);
    }
    Ok(rings)
}

pub(super) fn freed(ended: &[(&Held, &Finish)]) -> Vec<i64> {
    let servers: BTreeSet<i64> = ended.iter().filter_map(|(row, _)| row.server_id).collect();
    servers.into_iter().collect()
}
