//! What platforms are told after a night: that a server's month was read, and whose use has reached a
//! threshold.
//!
//! It is asked for here and not where it is booked: jobs come from the scheduler, and what decides is in SQL
//! either way, the night's jobs by their keys, each message by its own. So it may be done twice, by two
//! schedulers or after a crash, and every message is there once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{NaiveDate, NaiveTime, TimeZone};
use chrono_tz::Tz;
use entity::{job, server, webhook_endpoint};
use hosting::{Limit, Month};
use jobs::store::{NewJob, StoreError, Target};
use jobs::{JobSpec, JobState, OPERATOR, new_public_id};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QuerySelect};
use serde_json::{Value, json};

use super::{ACTOR, Cron, DAY_MS, stats_key, zone_of};
use crate::nights;
use crate::registry::{AccountFilter, MonthRounds, RegistryError, UsageRow, bytes_of, reached};
use crate::times::rfc3339;

/// Before so much of a month is over, nothing is said about its end.
const PROJECTED_AFTER_MS: i64 = 3 * DAY_MS;

/// One month that a night reads on one server, whose job has been made and whose end is not told yet.
struct Reading<'a> {
    server: &'a server::Model,
    /// The date of the night.
    date: NaiveDate,
    /// When the night began: how it stands in the clocks.
    at: i64,
    month: Month,
    /// The job's.
    key: String,
    /// The name of the clock that says which night was told last.
    clock: String,
}

impl Cron {
    /// Tells of the nights whose jobs have ended since; how many messages are new.
    pub(super) async fn tell_of_nights(&self, now: i64) -> Result<usize, RegistryError> {
        let asked = self.clocks("stats:").await?;
        let told = self.clocks("told:").await?;
        let servers = self.enabled_servers().await?;
        let readings: Vec<Reading<'_>> = servers
            .iter()
            .filter_map(|server| Some((server, *asked.get(&format!("stats:{}", server.id))?)))
            .flat_map(|(server, at)| readings(server, at))
            .filter(|reading| told.get(&reading.clock) != Some(&reading.at))
            .collect();
        let states = self.states_of(&readings).await?;
        let mut messages = 0;
        for reading in &readings {
            let state = states.get(&reading.key).and_then(|name| name.parse().ok());
            match state {
                Some(JobState::Succeeded) => messages += self.tell_of(reading, now).await?,
                Some(JobState::Cancelled) | None => {}
                // It is still to come, by itself or when somebody replays it.
                Some(
                    JobState::Queued
                    | JobState::Running
                    | JobState::Retrying
                    | JobState::Held
                    | JobState::Failed,
                ) => continue,
            }
            self.set_clock(&reading.clock, reading.at, now).await?;
        }
        Ok(messages)
    }

    /// The states of their jobs, by key.
    async fn states_of(
        &self,
        readings: &[Reading<'_>],
    ) -> Result<HashMap<String, String>, StoreError> {
        let keys: Vec<&str> = readings.iter().map(|one| one.key.as_str()).collect();
        let mut states = HashMap::new();
        for part in keys.chunks(500) {
            let rows: Vec<(String, String)> = job::Entity::find()
                .select_only()
                .columns([job::Column::IdemKey, job::Column::State])
                .filter(job::Column::PlatformId.eq(OPERATOR))
                .filter(job::Column::IdemKey.is_in(part.iter().copied()))
                .into_tuple()
                .all(self.store.reader())
                .await?;
            states.extend(rows);
        }
        Ok(states)
    }

    async fn tell_of(&self, reading: &Reading<'_>, now: i64) -> Result<usize, RegistryError> {
        let (server, month, date) = (reading.server, reading.month, reading.date);
        let runs = nights::date_of(zone_of(server), now).map(nights::month_of) == Some(month);
        let filter = AccountFilter {
            servers: Some(vec![server.id]),
            ..AccountFilter::default()
        };
        let mut rounds = MonthRounds::begin(&self.store, month, &filter).await?;
        let mut accounts: BTreeMap<i64, usize> = BTreeMap::new();
        let mut new = 0;
        while let Some(rows) = rounds.next().await? {
            for row in &rows {
                if let Some(platform) = row.account.platform_id {
                    *accounts.entry(platform).or_default() += usize::from(row.usage.is_some());
                }
            }
            let crossings = rows.iter().flat_map(|row| self.crossings(row, server));
            new += self.tell(crossings.collect()).await?;
            if runs {
                self.police(&rows).await?;
            }
        }
        let recorded = accounts.into_iter().map(|(platform_id, accounts)| Message {
            platform_id,
            key: format!("usage.recorded:{}:{month}:{date}", server.id),
            event: "usage.recorded",
            data: json!({
                "server": server.name, "month": month, "night": date, "accounts": accounts,
            }),
        });
        Ok(new + self.tell(recorded.collect()).await?)
    }

    /// The thresholds that an account's use has reached in an open month.
    fn crossings(&self, row: &UsageRow, server: &server::Model) -> Vec<Message> {
        let usage = row.usage.as_ref().filter(|usage| usage.closed_at.is_none());
        let (Some(usage), Some(limit), Some(platform_id)) =
            (usage, row.traffic_limit, row.account.platform_id)
        else {
            return Vec::new();
        };
        let Limit::AtMost(limit_mb) = limit else {
            return Vec::new();
        };
        let used = usage.total_bytes;
        let thresholds = self.retention.thresholds.iter().copied();
        thresholds
            .filter(|percent| reached(used, limit, *percent))
            .map(|percent| Message {
                platform_id,
                key: format!("usage.threshold:{}:{}:{percent}", row.account.id, row.month),
                event: "usage.threshold",
                data: json!({
                    "account": row.account.public_id,
                    "reference": row.account.reference,
                    "server": row.server,
                    "username": row.account.username,
                    "month": row.month,
                    "percent": percent,
                    "used_bytes": used,
                    "limit_mb": limit_mb,
                    "limit_bytes": bytes_of(limit_mb),
                    "projected_bytes": projection(used, row.month, zone_of(server), usage.as_of),
                    "as_of": rfc3339(usage.as_of),
                }),
            })
            .collect()
    }

    /// Makes the messages that are not there yet, one for each address of their platforms.
    async fn tell(&self, messages: Vec<Message>) -> Result<usize, RegistryError> {
        let platforms: BTreeSet<i64> = messages.iter().map(|one| one.platform_id).collect();
        if platforms.is_empty() {
            return Ok(0);
        }
        let endpoints = webhook_endpoint::Entity::find()
            .filter(webhook_endpoint::Column::PlatformId.is_in(platforms))
            .filter(webhook_endpoint::Column::DisabledAt.is_null())
            .all(self.store.reader())
            .await?;
        let jobs: Vec<NewJob> = messages
            .iter()
            .flat_map(|message| {
                let addressed = endpoints.iter();
                addressed
                    .filter(|endpoint| endpoint.platform_id == message.platform_id)
                    .map(|endpoint| self.delivery(message, endpoint.id))
            })
            .collect();
        Ok(self.submit_missing(&jobs).await?)
    }

    fn delivery(&self, message: &Message, endpoint_id: i64) -> NewJob {
        let key = format!("{}:{endpoint_id}", message.key);
        NewJob {
            public_id: new_public_id(),
            platform_id: message.platform_id,
            body_hash: self.keyring.intake.hash(key.as_bytes()),
            idem_key: key,
            spec: JobSpec::DeliverWebhook {
                endpoint_id,
                event: message.event.to_owned(),
                data: message.data.clone(),
            },
            server_id: None,
            target: Target::Nobody,
            due_at: None,
            actor: ACTOR.to_owned(),
            reason: None,
            webhook: None,
            trace: None,
            secrets: Vec::new(),
            replay_of: None,
        }
    }
}

/// What a platform is told, once under its key.
struct Message {
    platform_id: i64,
    key: String,
    event: &'static str,
    data: Value,
}

/// The months that the server's night at that time may have read.
fn readings(server: &server::Model, at: i64) -> Vec<Reading<'_>> {
    let Some(date) = nights::date_of(zone_of(server), at) else {
        return Vec::new();
    };
    let month = nights::month_of(date);
    let reading = |(which, month): (&str, Month)| Reading {
        server,
        date,
        at,
        month,
        key: stats_key(server.id, month, date),
        clock: format!("told:{which}:{}", server.id),
    };
    [("running", month), ("previous", month.previous())]
        .map(reading)
        .into()
}

/// What the month will come to when it goes on as it has so far; `None` while it is too young.
fn projection(used: i64, month: Month, zone: Tz, as_of: i64) -> Option<i64> {
    let (begin, end) = (begin_ms(month, zone), begin_ms(month.next(), zone));
    if as_of >= end {
        return Some(used);
    }
    let elapsed = as_of - begin;
    if elapsed < PROJECTED_AFTER_MS {
        return None;
    }
    let projected = i128::from(used) * i128::from(end - begin) / i128::from(elapsed);
    Some(i64::try_from(projected).unwrap_or(i64::MAX))
}

/// The month's first moment in that zone, in milliseconds UTC.
fn begin_ms(month: Month, zone: Tz) -> i64 {
    let midnight = month.first_day().and_time(NaiveTime::MIN);
    let local = zone.from_local_datetime(&midnight).earliest();
    local.map_or_else(
        || midnight.and_utc().timestamp_millis(),
        |local| local.timestamp_millis(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_projected_by_how_much_of_it_is_over_in_its_zone() {
        let month: Month = "2026-11".parse().unwrap();
        let at = |text: &str| {
            let at = chrono::DateTime::parse_from_rfc3339(text).unwrap();
            at.timestamp_millis()
        };
        let of = |text: &str| projection(1000, month, Tz::Etc__GMTMinus3, at(text));
        assert_eq!(of("2026-11-03T23:59:59+03:00"), None, "too young");
        assert_eq!(of("2026-11-04T00:00:00+03:00"), Some(10_000));
        assert_eq!(of("2026-11-16T00:00:00+03:00"), Some(2000));
        assert_eq!(of("2026-12-01T00:00:00+03:00"), Some(1000), "over");
        let huge = projection(i64::MAX, month, Tz::UTC, at("2026-11-10T00:00:00Z"));
        assert_eq!(huge, Some(i64::MAX));
    }
}
