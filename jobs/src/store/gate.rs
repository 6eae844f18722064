//! A server's gate: who may pass, how many, and why not.
//!
//! The gate is the server's row: a claim locks it and counts the running jobs in a later statement, so
//! there is no counter that could drift. This file decides; it writes only what operators and finished
//! attempts change about a gate.

use entity::server;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, ConnectionTrait, DbErr, EntityTrait, QueryFilter};

use super::{Store, StoreError};
use crate::{JobKind, Lane};

/// After so many failures to reach a server in a row its breaker opens.
pub(crate) const BREAKER_OPENS_AT: i32 = 5;
/// An open breaker lets one job through in this time, as a probe.
pub(crate) const PROBE_EVERY_MS: i64 = 60_000;

/// Why a gate is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedBy {
    /// The operator paused the server.
    Paused,
    /// A maintenance window.
    Maintenance,
    /// Its credentials are refused; a good `server check` opens it.
    AuthHold,
    /// It could not be reached several times in a row.
    Breaker,
    /// It asked for patience.
    CoolDown,
}

/// A closed gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closed {
    /// Why.
    pub by: ClosedBy,
    /// Until when, where that is known (milliseconds UTC).
    pub until: Option<i64>,
}

/// Why and until when the gate is closed for jobs of that kind; `None` = it is open.
/// A connection check passes: it is how an operator finds out that the fault is mended.
pub(crate) fn closed(server: &server::Model, kind: JobKind, now: i64) -> Option<Closed> {
    if kind == JobKind::CheckConnection {
        return None;
    }
    let close = |by, until| Some(Closed { by, until });
    if server.paused && server.paused_until.is_none_or(|until| until > now) {
        return close(ClosedBy::Paused, server.paused_until);
    }
    if let (Some(from), Some(until)) = (server.maintenance_from, server.maintenance_until)
        && (from..until).contains(&now)
    {
        return close(ClosedBy::Maintenance, Some(until));
    }
    if server.auth_hold_since.is_some() {
        return close(ClosedBy::AuthHold, None);
    }
    if let Some(until) = server.cool_until.filter(|&until| until > now) {
        return close(ClosedBy::CoolDown, Some(until));
    }
    if breaker_open(server)
        && let Some(probe) = server.breaker_probe_at.filter(|&probe| probe > now)
    {
        return close(ClosedBy::Breaker, Some(probe));
    }
    None
}

pub(crate) fn breaker_open(server: &server::Model) -> bool {
    server.breaker_failures >= BREAKER_OPENS_AT
}

/// How much may pass a gate now.
#[derive(Debug)]
pub(crate) struct Room {
    left: i32,
    left_for_bulk: i32,
    left_for_creates: i32,
}

impl Room {
    /// `running` = (kind, count) of what holds a lease on this server.
    pub(crate) fn of(server: &server::Model, running: &[(String, i64)]) -> Self {
        let count = |wanted: Option<&str>| -> i32 {
            let sum: i64 = running
                .iter()
                .filter(|(kind, _)| wanted.is_none_or(|wanted| kind == wanted))
                .map(|(_, count)| *count)
                .sum();
            i32::try_from(sum).unwrap_or(i32::MAX)
        };
        // An open breaker that lets a probe through lets exactly one through.
        let most = if breaker_open(server) {
            1
        } else {
            Ord::max(server.max_jobs, 1)
        };
        let left = most - count(None);
        // One place is kept for what somebody waits for.
        let kept = i32::from(most > 1);
        Self {
            left,
            left_for_bulk: left - kept,
            left_for_creates: Ord::max(server.max_creates, 1) - count(Some(JobKind::Create.name())),
        }
    }

    /// Takes a place for such a job, if there is one.
    pub(crate) fn take(&mut self, kind: JobKind, lane: Lane) -> bool {
        let fits = self.left > 0
            && (lane == Lane::Interactive || self.left_for_bulk > 0)
            && (kind != JobKind::Create || self.left_for_creates > 0);
        if fits {
            self.left -= 1;
            self.left_for_bulk -= 1;
            self.left_for_creates -= i32::from(kind == JobKind::Create);
        }
        fits
    }

    /// Places left for creates, which are among those of the interactive lane.
    pub(crate) fn places_for_creates(&self) -> u64 {
        u64::try_from(self.left_for_creates.min(self.left)).unwrap_or(0)
    }

    /// Places left for jobs of that lane.
    pub(crate) fn places(&self, lane: Lane) -> u64 {
        let left = if lane == Lane::Interactive {
            self.left
        } else {
            self.left_for_bulk
        };
        u64::try_from(left).unwrap_or(0)
    }
}

/// An operator's pause.
#[derive(Debug, Clone, Default)]
pub struct Pause {
    /// When it begins; `None` = now (later ones are maintenance windows).
    pub from: Option<i64>,
    /// When it ends by itself.
    pub until: Option<i64>,
    /// Why, for people.
    pub reason: Option<String>,
}

impl Store {
    /// Lets no more jobs start on that server; running ones go on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::Refused`] for a window without an end.
    pub async fn pause_server(&self, server_id: i64, pause: &Pause) -> Result<(), StoreError> {
        let update = server::Entity::update_many().filter(server::Column::Id.eq(server_id));
        let update = match (pause.from, pause.until) {
            (Some(_), None) => {
                return Err(StoreError::Refused(
                    "a maintenance window needs an end: give --until".into(),
                ));
            }
            (Some(from), Some(until)) if until <= from => {
                return Err(StoreError::Refused(
                    "a maintenance window ends after it begins".into(),
                ));
            }
            (Some(from), Some(until)) => update
                .col_expr(server::Column::MaintenanceFrom, Expr::value(from))
                .col_expr(server::Column::MaintenanceUntil, Expr::value(until)),
            (None, until) => update
                .col_expr(server::Column::Paused, Expr::value(true))
                .col_expr(server::Column::PausedUntil, Expr::value(until))
                .col_expr(
                    server::Column::PauseReason,
                    Expr::value(pause.reason.clone()),
                ),
        };
        found(update.exec(&self.write).await?.rows_affected, server_id)
    }

    /// Opens a paused gate again, whatever closed it but refused credentials.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn resume_server(&self, server_id: i64) -> Result<(), StoreError> {
        let update = server::Entity::update_many()
            .col_expr(server::Column::Paused, Expr::value(false))
            .col_expr(server::Column::PausedUntil, Expr::value(None::<i64>))
            .col_expr(server::Column::PauseReason, Expr::value(None::<String>))
            .col_expr(server::Column::MaintenanceFrom, Expr::value(None::<i64>))
            .col_expr(server::Column::MaintenanceUntil, Expr::value(None::<i64>))
            .col_expr(server::Column::CoolUntil, Expr::value(None::<i64>))
            .col_expr(server::Column::BreakerFailures, Expr::value(0))
            .col_expr(server::Column::BreakerProbeAt, Expr::value(None::<i64>))
            .filter(server::Column::Id.eq(server_id));
        found(update.exec(&self.write).await?.rows_affected, server_id)
    }

    /// Lets terminations pass the guard until `until`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    pub async fn release_guard(&self, server_id: i64, until: i64) -> Result<(), StoreError> {
        let update = server::Entity::update_many()
            .col_expr(server::Column::GuardReleasedUntil, Expr::value(until))
            .filter(server::Column::Id.eq(server_id));
        found(update.exec(&self.write).await?.rows_affected, server_id)
    }
}

fn found(rows: u64, server_id: i64) -> Result<(), StoreError> {
    if rows == 1 {
        Ok(())
    } else {
        Err(StoreError::NotFound(format!("server with id {server_id}")))
    }
}

/// Counts the next failure to reach a server, under its lock; opens the breaker at the fifth.
pub(crate) async fn count_failure(
    tx: &impl ConnectionTrait,
    server: &mut server::Model,
    now: i64,
    pace: crate::Pace,
) -> Result<(), DbErr> {
    server.breaker_failures = server.breaker_failures.saturating_add(1);
    let failures = server.breaker_failures;
    let every = crate::pace::millis(pace.of(std::time::Duration::from_millis(
        PROBE_EVERY_MS.unsigned_abs(),
    )));
    let probe = (failures >= BREAKER_OPENS_AT).then_some(now + every);
    server::Entity::update_many()
        .col_expr(server::Column::BreakerFailures, Expr::value(failures))
        .col_expr(server::Column::BreakerProbeAt, Expr::value(probe))
        .filter(server::Column::Id.eq(server.id))
        .exec(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A server with an open gate and room for four.
    pub(crate) fn open_server() -> server::Model {
        server::Model {
            id: 1,
            name: "web1".into(),
            panel: "cpanel".into(),
            url: String::new(),
            user: None,
            pins: "[]".into(),
            ca_pem: None,
            allow_networks: "[]".into(),
            time_zone: "UTC".into(),
            options: None,
            stats_at: 0,
            enabled: true,
            rules: "{}".into(),
            config: None,
            config_at: None,
            host_name: None,
            max_jobs: 4,
            max_creates: 2,
            max_terminates: 20,
            guard_released_until: None,
            paused: false,
            paused_until: None,
            pause_reason: None,
            maintenance_from: None,
            maintenance_until: None,
            cool_until: None,
            breaker_failures: 0,
            breaker_probe_at: None,
            auth_hold_since: None,
            auth_hold_detail: None,
            version: None,
            checked_at: None,
            check_notes: None,
            created_at: 0,
            removed_at: None,
            live_name: Some("web1".into()),
        }
    }

    #[test]
    fn a_gate_says_why_it_is_closed() {
        let open = open_server();
        assert_eq!(closed(&open, JobKind::Create, 100), None);
        let cases = [
            (
                server::Model {
                    paused: true,
                    ..open.clone()
                },
                ClosedBy::Paused,
                None,
            ),
            (
                server::Model {
                    paused: true,
                    paused_until: Some(200),
                    ..open.clone()
                },
                ClosedBy::Paused,
                Some(200),
            ),
            (
                server::Model {
                    maintenance_from: Some(50),
                    maintenance_until: Some(150),
                    ..open.clone()
                },
                ClosedBy::Maintenance,
                Some(150),
            ),
            (
                server::Model {
                    auth_hold_since: Some(1),
                    ..open.clone()
                },
                ClosedBy::AuthHold,
                None,
            ),
            (
                server::Model {
                    cool_until: Some(101),
                    ..open.clone()
                },
                ClosedBy::CoolDown,
                Some(101),
            ),
            (
                server::Model {
                    breaker_failures: 5,
                    breaker_probe_at: Some(160),
                    ..open.clone()
                },
                ClosedBy::Breaker,
                Some(160),
            ),
        ];
        for (server, by, until) in cases {
            assert_eq!(
                closed(&server, JobKind::Create, 100),
                Some(Closed { by, until })
            );
            assert_eq!(
                closed(&server, JobKind::CheckConnection, 100),
                None,
                "a check passes {by:?}"
            );
        }
        let over = server::Model {
            paused: true,
            paused_until: Some(100),
            ..open
        };
        assert_eq!(
            closed(&over, JobKind::Create, 100),
            None,
            "a pause ends by itself"
        );
    }

    #[test]
    fn a_place_is_kept_for_what_somebody_waits_for() {
        let mut room = Room::of(&open_server(), &[]);
        assert!((0..3).all(|_| room.take(JobKind::GetStats, Lane::Bulk)));
        assert!(!room.take(JobKind::GetStats, Lane::Bulk));
        assert!(room.take(JobKind::Suspend, Lane::Interactive));
        assert!(!room.take(JobKind::Suspend, Lane::Interactive));
    }

    #[test]
    fn a_server_with_one_place_serves_bulk_too() {
        let mut room = Room::of(
            &server::Model {
                max_jobs: 1,
                ..open_server()
            },
            &[],
        );
        assert!(room.take(JobKind::GetStats, Lane::Bulk));
    }

    #[test]
    fn creates_have_a_limit_of_their_own() {
        let mut room = Room::of(&open_server(), &[("create".into(), 1)]);
        assert!(room.take(JobKind::Create, Lane::Interactive));
        assert!(!room.take(JobKind::Create, Lane::Interactive));
        assert!(room.take(JobKind::Suspend, Lane::Interactive));
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through() {
        let server = server::Model {
            breaker_failures: 7,
            breaker_probe_at: Some(100),
            ..open_server()
        };
        assert_eq!(closed(&server, JobKind::Create, 100), None);
        let mut room = Room::of(&server, &[]);
        assert!(room.take(JobKind::Create, Lane::Interactive));
        assert!(!room.take(JobKind::Suspend, Lane::Interactive));
        assert!(
            !Room::of(&server, &[("suspend".into(), 1)]).take(JobKind::Create, Lane::Interactive)
        );
    }
}
