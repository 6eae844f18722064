//! How far the last night has come, for whoever looks.

use std::collections::HashMap;

use chrono::NaiveDate;
use entity::{job, schedule, server};
use hosting::Month;
use jobs::store::{Store, StoreError};
use jobs::{JobState, OPERATOR};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::Serialize;
use serde_json::Value;

use super::{stats_key, zone_of};
use crate::nights;

/// A server's last night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastNight {
    /// The server's name.
    pub server: String,
    /// The date on the panel; `None` = it had none yet.
    pub night: Option<NaiveDate>,
    /// The months that are read in it, the older first.
    pub months: Vec<MonthRead>,
}

/// One month of one server in a night.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MonthRead {
    /// The month.
    pub month: Month,
    /// The job.
    pub job: String,
    /// The job's state.
    pub state: String,
    /// Rows that the panel told; `None` = it has not told them yet. The same holds for the others.
    pub accounts: Option<i64>,
    /// Bytes that were new.
    pub booked_bytes: Option<i64>,
    /// Accounts that the panel did not tell of.
    pub missing: Option<i64>,
    /// Rows with something to look at.
    pub flagged: Option<i64>,
    /// What went wrong last, in a word.
    pub error: Option<String>,
}

impl LastNight {
    /// Whether nothing of it is still to come by itself.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        !self.months.iter().any(MonthRead::is_open)
    }

    /// How many of these have begun, and how many of those have ended.
    #[must_use]
    pub fn begun_and_ended(nights: &[LastNight]) -> (usize, usize) {
        let begun = nights.iter().filter(|night| night.night.is_some());
        let ended = begun.clone().filter(|night| night.has_ended());
        (begun.count(), ended.count())
    }
}

impl MonthRead {
    /// Whether it goes on by itself.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let state = self.state.parse::<JobState>();
        state.is_ok_and(|state| !state.is_settled())
    }
}

/// The last night of each of these servers.
///
/// # Errors
/// The database's.
pub async fn last_nights(
    store: &Store,
    servers: &[server::Model],
) -> Result<Vec<LastNight>, StoreError> {
    let clocks: HashMap<String, i64> = schedule::Entity::find()
        .filter(schedule::Column::Name.starts_with("stats:"))
        .all(store.reader())
        .await?
        .into_iter()
        .filter_map(|row| Some((row.name, row.last_at?)))
        .collect();
    let date = |server: &server::Model| {
        let at = clocks.get(&format!("stats:{}", server.id))?;
        nights::date_of(zone_of(server), *at)
    };
    let wanted: Vec<String> = servers
        .iter()
        .filter_map(|server| Some((server, date(server)?)))
        .flat_map(|(server, date)| keys(server, date).map(|(_, key)| key))
        .collect();
    let mut jobs = HashMap::new();
    for part in wanted.chunks(500) {
        let rows = job::Entity::find()
            .filter(job::Column::PlatformId.eq(OPERATOR))
            .filter(job::Column::IdemKey.is_in(part))
            .all(store.reader())
            .await?;
        jobs.extend(rows.into_iter().map(|row| (row.idem_key.clone(), row)));
    }
    let night = |server: &server::Model| LastNight {
        server: server.name.clone(),
        night: date(server),
        months: date(server)
            .into_iter()
            .flat_map(|date| keys(server, date))
            .filter_map(|(month, key)| Some(month_read(month, jobs.get(&key)?)))
            .collect(),
    };
    Ok(servers.iter().map(night).collect())
}

/// The months that a night may read, the older first, and the keys of their jobs.
fn keys(server: &server::Model, date: NaiveDate) -> [(Month, String); 2] {
    let month = nights::month_of(date);
    [month.previous(), month].map(|month| (month, stats_key(server.id, month, date)))
}

fn month_read(month: Month, row: &job::Model) -> MonthRead {
    let result: Value = row
        .result
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    MonthRead {
        month,
        job: row.public_id.clone(),
        state: row.state.clone(),
        accounts: result["accounts"].as_i64(),
        booked_bytes: result["booked_bytes"].as_i64(),
        missing: result["missing"].as_i64(),
        flagged: result["flagged"].as_i64(),
        error: row.error_code.clone(),
    }
}
