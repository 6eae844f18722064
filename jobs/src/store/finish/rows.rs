//! Outcomes as rows: the job, its attempt, its secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use entity::{attempt, job};
use sea_orm::sea_query::{CaseStatement, Expr, SimpleExpr};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter,
};
use serde_json::Value;

use super::super::{Ring, Store, padded, secrets};
use super::shape::{Shape, cut, deaths, doubt, hold_code, is_poison, looks, result, shape, tries};
use super::{Finish, Held, Outcome, Report};
use crate::pace::millis;
use crate::{JobState, Lane};

impl Store {
    pub(super) async fn write_outcomes(
        &self,
        tx: &impl ConnectionTrait,
        ended: &[(&Held, &Finish)],
        now: i64,
        report: &mut Report,
    ) -> Result<(), DbErr> {
        let mut groups: BTreeMap<Shape, Vec<(&Held, &Finish)>> = BTreeMap::new();
        for &(row, finish) in ended {
            groups
                .entry(shape(row, finish))
                .or_default()
                .push((row, finish));
        }
        // Those that leave the line go first: the next head takes the place that they give up.
        for (shape, rows) in &groups {
            let ids: Vec<i64> = rows.iter().map(|(row, _)| row.id).collect();
            let update = self.update_of(*shape, rows, now);
            let written = update
                .filter(job::Column::Id.is_in(padded(&ids)))
                .filter(job::Column::State.eq(JobState::Running.name()))
                .exec(tx)
                .await?;
            if written.rows_affected != ids.len() as u64 {
                return Err(DbErr::Custom("a locked job changed its state".into()));
            }
            if shape.state.is_settled() {
                report.settled.extend(&ids);
            }
            let due = rows.iter().filter(|(row, finish)| {
                shape.state == JobState::Retrying
                    && self
                        .next_due(row, finish, now)
                        .is_some_and(|due| due <= now)
            });
            report.rings.extend(due.map(|(row, _)| Ring {
                job_id: row.id,
                lane: Lane::from_number(row.lane),
            }));
        }
        Ok(())
    }

    fn update_of(
        &self,
        shape: Shape,
        rows: &[(&Held, &Finish)],
        now: i64,
    ) -> sea_orm::UpdateMany<job::Entity> {
        use job::Column as C;
        let mut update = job::Entity::update_many()
            .col_expr(C::State, Expr::value(shape.state.name()))
            .col_expr(C::LeaseUntil, Expr::value(None::<i64>))
            .col_expr(C::Owner, Expr::value(None::<String>))
            .col_expr(
                C::Tries,
                case(rows, C::Tries, |row, finish| {
                    Expr::value(tries(row, finish))
                }),
            )
            .col_expr(
                C::Looks,
                case(rows, C::Looks, |row, finish| {
                    Expr::value(looks(row, finish))
                }),
            )
            .col_expr(
                C::WorkerDeaths,
                case(rows, C::WorkerDeaths, |row, finish| {
                    Expr::value(deaths(row, finish))
                }),
            )
            .col_expr(
                C::DoubtSince,
                case(rows, C::DoubtSince, |row, finish| {
                    Expr::value(doubt(row, finish, now))
                }),
            )
            .col_expr(
                C::HoldCode,
                case(rows, C::HoldCode, |row, finish| {
                    Expr::value(hold_code(row, finish))
                }),
            )
            .col_expr(
                C::Result,
                case(rows, C::Result, |_, finish| Expr::value(result(finish))),
            )
            .col_expr(
                C::ErrorClass,
                case(rows, C::ErrorClass, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.class, 16)))
                }),
            )
            .col_expr(
                C::ErrorCode,
                case(rows, C::ErrorCode, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.code, 64)))
                }),
            )
            .col_expr(
                C::ErrorMessage,
                case(rows, C::ErrorMessage, |_, finish| {
                    Expr::value(finish.error.as_ref().map(|e| cut(&e.message, 1000)))
                }),
            );
        if shape.leaves_line {
            update = update
                .col_expr(C::HeadOf, Expr::value(None::<i64>))
                .col_expr(C::OpenOf, Expr::value(None::<i64>));
        }
        if shape.state.is_settled() {
            update = update.col_expr(C::FinishedAt, Expr::value(now));
        } else {
            update = update.col_expr(C::ReadyLane, Expr::col(C::Lane)).col_expr(
                C::DueAt,
                case(rows, C::DueAt, |row, finish| {
                    Expr::value(self.next_due(row, finish, now).unwrap_or(now))
                }),
            );
        }
        update
    }

    pub(super) fn next_due(&self, row: &Held, finish: &Finish, now: i64) -> Option<i64> {
        match &finish.outcome {
            Outcome::Retry { after } | Outcome::Later { after } | Outcome::LookAgain { after } => {
                Some(now + millis(*after))
            }
            Outcome::Returned => Some(now),
            Outcome::Died if !is_poison(row, finish) => {
                Some(now + millis(self.pace().of(Duration::from_secs(5))))
            }
            Outcome::Died | Outcome::Succeeded { .. } | Outcome::Held { .. } | Outcome::Failed => {
                None
            }
        }
    }
}

/// `CASE id WHEN .. THEN ..`, or the one value when all rows have the same.
fn case(
    rows: &[(&Held, &Finish)],
    _column: job::Column,
    value: impl Fn(&Held, &Finish) -> SimpleExpr,
) -> SimpleExpr {
    let values: Vec<SimpleExpr> = rows
        .iter()
        .map(|(row, finish)| value(row, finish))
        .collect();
    if let Some(first) = values.first()
        && values.iter().all(|value| value == first)
    {
        return first.clone();
    }
    let mut case = CaseStatement::new();
    for ((row, _), value) in rows.iter().zip(values) {
        case = case.case(Expr::col(job::Column::Id).eq(row.id), value);
    }
    case.into()
}

pub(super) async fn insert_attempts(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    now: i64,
    next_due: impl Fn(&Finish, &Held) -> Option<i64>,
) -> Result<(), DbErr> {
    let rows: Vec<attempt::ActiveModel> = ended
        .iter()
        .map(|(row, finish)| attempt::ActiveModel {
            job_id: Set(row.id),
            fence: Set(row.fence),
            attempt: Set(row.attempt),
            owner: Set(row.owner.clone()),
            started_at: Set(row.started_at.unwrap_or(now)),
            sent_at: Set(row.sent_at),
            finished_at: Set(now),
            outcome: Set(finish.outcome.name().to_owned()),
            error_class: Set(finish.error.as_ref().map(|error| cut(&error.class, 16))),
            error_code: Set(finish.error.as_ref().map(|error| cut(&error.code, 64))),
            error_message: Set(finish.error.as_ref().map(|error| cut(&error.message, 1000))),
            detail: Set(finish
                .error
                .as_ref()
                .and_then(|error| error.detail.as_ref().map(Value::to_string))),
            next_due_at: Set(next_due(finish, row)),
        })
        .collect();
    if !rows.is_empty() {
        attempt::Entity::insert_many(rows)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

pub(super) async fn spend_secrets(
    tx: &impl ConnectionTrait,
    ended: &[(&Held, &Finish)],
    now: i64,
) -> Result<(), DbErr> {
    let spent = ended.iter().filter(|(_, finish)| finish.secrets_spent);
    let owners: Vec<String> = spent
        .map(|(row, _)| format!("job:{}", row.public_id))
        .collect();
    secrets::spend(tx, &owners, now).await
}
