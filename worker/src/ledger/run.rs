//! One run: which month of which accounts.

use chrono::{NaiveTime, TimeDelta};
use entity::account;
use hosting::Month;
use jobs::AccountState;
use panels::Counter;
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::Written;
use crate::attempt::{Attempt, Halt};
use crate::matching::Known;

/// What is read, and for whom.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) server_id: i64,
    pub(crate) month: Month,
    pub(crate) counter: Counter,
    pub(crate) known: Vec<Known>,
    /// A last reading before a terminate.
    pub(crate) is_final: bool,
}

impl Run {
    /// All accounts of the job's server: the living, and those that were terminated in the month or later.
    pub(crate) async fn of_all(
        attempt: &Attempt<'_>,
        counter: Counter,
        month: Month,
    ) -> Result<Self, Halt> {
        use account::Column as C;
        let server_id = attempt.server()?.id;
        let known = account::Entity::find()
            .select_only()
            .columns([C::Id, C::Username, C::Domain, C::State, C::TerminatedAt])
            .filter(C::ServerId.eq(server_id))
            .filter(
                Condition::any()
                    .add(C::LiveKey.is_not_null())
                    .add(C::TerminatedAt.gte(begin_ms(month))),
            )
            .order_by_asc(C::Id)
            .into_model::<Known>()
            .all(attempt.worker.store().reader())
            .await?;
        Ok(Self {
            server_id,
            month,
            counter,
            known,
            is_final: false,
        })
    }

    /// The job's account alone, for the last time.
    pub(crate) fn of_one(
        attempt: &Attempt<'_>,
        counter: Counter,
        month: Month,
    ) -> Result<Self, Halt> {
        Ok(Self {
            server_id: attempt.server()?.id,
            month,
            counter,
            known: vec![Known::of(attempt.account()?)],
            is_final: true,
        })
    }

    /// Accounts that the panel ought to report.
    fn expected(&self) -> impl Iterator<Item = &Known> {
        self.known.iter().filter(|account| {
            let there = [AccountState::Active.name(), AccountState::Suspended.name()];
            account.terminated_at.is_none() && there.contains(&account.state.as_str())
        })
    }

    /// How many these are.
    pub(crate) fn live(&self) -> usize {
        self.expected().count()
    }

    /// Those of them that the report lacks. What is missing is unknown, not zero.
    pub(crate) fn missing_ids(&self, written: &Written) -> Vec<i64> {
        self.expected()
            .filter(|account| !written.seen.contains(&account.id))
            .map(|account| account.id)
            .collect()
    }

    /// How many these are.
    pub(crate) fn missing(&self, written: &Written) -> usize {
        self.missing_ids(written).len()
    }
}

/// Before the month has begun anywhere, in milliseconds UTC.
fn begin_ms(month: Month) -> i64 {
    let begin = month.first_day().and_time(NaiveTime::MIN).and_utc();
    (begin - TimeDelta::hours(14)).timestamp_millis()
}
