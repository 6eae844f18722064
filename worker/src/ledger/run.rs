//! One run: which month of which accounts.

use std::collections::BTreeSet;
use std::future::Future;

use chrono::{NaiveTime, TimeDelta};
use entity::account;
use hosting::Month;
use jobs::AccountState;
use panels::{Counter, PanelError, UsageReport};
use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use super::{LISTED, Written};
use crate::attempt::{Attempt, Halt};
use crate::matching::Known;

/// Accounts that are looked for on other servers in one statement.
const BITE: usize = 500;

/// A report, and between which moments the panel gave it.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) report: UsageReport,
    /// Before the panel was asked.
    pub(crate) asked_at: i64,
    /// After it had answered.
    pub(crate) answered_at: i64,
}

impl Taken {
    /// What the panel answers to that.
    pub(crate) async fn from(
        attempt: &Attempt<'_>,
        asked: impl Future<Output = Result<UsageReport, PanelError>>,
    ) -> Result<Self, PanelError> {
        let asked_at = attempt.now();
        let report = asked.await?;
        Ok(Self {
            report,
            asked_at,
            answered_at: attempt.now(),
        })
    }
}

/// What is read, and for whom.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) server_id: i64,
    pub(crate) month: Month,
    pub(crate) counter: Counter,
    pub(crate) known: Vec<Known>,
    /// Those of them whose domain lives on another server too.
    pub(crate) elsewhere: BTreeSet<i64>,
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
            elsewhere: elsewhere(attempt, server_id, &known).await?,
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
            elsewhere: BTreeSet::new(),
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

    /// The first few of these accounts' names.
    pub(crate) fn names_of(&self, ids: &[i64]) -> Vec<&str> {
        let named = self
            .known
            .iter()
            .filter(|account| ids.contains(&account.id));
        named
            .take(LISTED)
            .map(|account| account.username.as_str())
            .collect()
    }

    /// Those of them that the report lacks. What is missing is unknown, not zero.
    pub(crate) fn missing_ids(&self, written: &Written) -> Vec<i64> {
        self.expected()
            .filter(|account| !written.seen.contains(&account.id))
            .map(|account| account.id)
            .collect()
    }
}

/// Those whose domain an account of another server has too: while a customer is moved, both count.
async fn elsewhere(
    attempt: &Attempt<'_>,
    server_id: i64,
    known: &[Known],
) -> Result<BTreeSet<i64>, Halt> {
    use account::Column as C;
    let living = known.iter().filter(|one| one.terminated_at.is_none());
    let named: Vec<(&str, i64)> = living
        .filter_map(|one| Some((one.domain.as_deref()?, one.id)))
        .collect();
    let mut found = BTreeSet::new();
    for part in named.chunks(BITE) {
        let domains: Vec<Option<String>> = account::Entity::find()
            .select_only()
            .column(C::Domain)
            .filter(C::Domain.is_in(part.iter().map(|(domain, _)| *domain)))
            .filter(C::ServerId.ne(server_id))
            .filter(C::LiveKey.is_not_null())
            .filter(C::State.is_in([AccountState::Active.name(), AccountState::Suspended.name()]))
            .into_tuple()
            .all(attempt.worker.store().reader())
            .await?;
        let domains: BTreeSet<String> = domains.into_iter().flatten().collect();
        let both = part.iter().filter(|(domain, _)| domains.contains(*domain));
        found.extend(both.map(|(_, id)| *id));
    }
    Ok(found)
}

/// Before the month has begun anywhere, in milliseconds UTC.
fn begin_ms(month: Month) -> i64 {
    let begin = month.first_day().and_time(NaiveTime::MIN).and_utc();
    (begin - TimeDelta::hours(14)).timestamp_millis()
}
