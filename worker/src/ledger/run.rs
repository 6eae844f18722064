//! One run: which month of which accounts.

use std::collections::BTreeSet;
use std::future::Future;

use chrono::{NaiveTime, TimeDelta};
use entity::account;
use hosting::Month;
use jobs::AccountState;
use panels::{Counter, PanelError, UsageReport};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use super::bulk::Rows;
use super::{CHUNK, LISTED, Written};
use crate::attempt::{Attempt, Halt};
use crate::matching::Known;

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
        let first = &ids[..ids.len().min(LISTED)];
        let named = self.known.iter().filter(|one| first.contains(&one.id));
        named.map(|account| account.username.as_str()).collect()
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
    let reader = attempt.worker.store().reader();
    let there = [AccountState::Active.name(), AccountState::Suspended.name()].join("', '");
    let only = format!(
        "there.server_id <> {{}} AND there.live_key IS NOT NULL AND there.state IN ('{there}')"
    );
    let living: Vec<&Known> = known
        .iter()
        .filter(|one| one.terminated_at.is_none() && one.domain.is_some())
        .collect();
    let mut ids = BTreeSet::new();
    for part in living.chunks(CHUNK) {
        let rows = Rows::new(reader.get_database_backend())
            .ints("id", part.iter().map(|one| one.id))
            .texts("domain", part.iter().map(|one| one.domain.as_ref()))
            .found_in(
                "account AS there",
                "there.domain = t.c2",
                (&only, server_id.into()),
            );
        for row in reader.query_all_raw(rows).await? {
            ids.insert(row.try_get_by_index(0)?);
        }
    }
    Ok(ids)
}

/// Before the month has begun anywhere, in milliseconds UTC.
fn begin_ms(month: Month) -> i64 {
    let begin = month.first_day().and_time(NaiveTime::MIN).and_utc();
    (begin - TimeDelta::hours(14)).timestamp_millis()
}
