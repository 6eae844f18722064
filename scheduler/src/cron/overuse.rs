//! The policy that suspends accounts whose traffic is used up. It is off unless an operator turns it on.
//!
//! Such a suspension is a job of a kind of its own: it stands beside whatever a platform suspends for, and a
//! payment does not lift it, as the month's turn does not lift what is unpaid.

use std::collections::HashMap;

use chrono_tz::Tz;
use entity::{account, server};
use hosting::{Limit, Month};
use jobs::store::{NewJob, Target};
use jobs::{AccountState, JobSpec, OPERATOR, new_public_id};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{ACTOR, Cron, zone_of};
use crate::nights;
use crate::registry::{RegistryError, UsageRow, bytes_of, reached};

/// What is done about an account.
enum Step {
    Suspend { month: Month, why: String },
    Lift,
}

impl Cron {
    /// After a night of the month that runs: who has used up what the policy allows is suspended, once for each
    /// month and limit; whose limit was raised since goes free. An operator who lifts one has the last word.
    pub(super) async fn police(&self, rows: &[UsageRow]) -> Result<usize, RegistryError> {
        let Some(percent) = self.retention.suspend_at else {
            return Ok(0);
        };
        let (mut suspend, mut lift) = (Vec::new(), Vec::new());
        for row in rows {
            let (Some(usage), Some(limit)) = (&row.usage, row.traffic_limit) else {
                continue;
            };
            let account = &row.account;
            let is_over = reached(usage.total_bytes, limit, percent);
            let held = account.overuse_month.as_deref() == Some(row.month.to_string().as_str());
            let key = format!("{}:{}:{limit}", account.id, row.month);
            if is_over && account.state == AccountState::Active.name() {
                let month = row.month;
                let why = why(usage.total_bytes, limit, month);
                suspend.push(self.job(
                    account,
                    format!("overuse:{key}"),
                    Step::Suspend { month, why },
                ));
            } else if !is_over && held {
                lift.push(self.job(account, format!("overuse_lifted:{key}"), Step::Lift));
            }
        }
        Ok(self.submit_missing(&suspend).await? + self.submit_missing(&lift).await?)
    }

    /// Lifts what was for a month that is over where the panel is; all of it when the policy is off.
    pub(super) async fn lift_overuse(&self, now: i64) -> Result<usize, RegistryError> {
        let is_off = self.retention.suspend_at.is_none();
        let held = account::Entity::find()
            .filter(account::Column::OveruseMonth.is_not_null())
            .filter(account::Column::TerminatedAt.is_null())
            .all(self.store.reader())
            .await?;
        if held.is_empty() {
            return Ok(0);
        }
        let servers = server::Entity::find().all(self.store.reader()).await?;
        let zones: HashMap<i64, Tz> = servers
            .iter()
            .map(|server| (server.id, zone_of(server)))
            .collect();
        let zone =
            |account: &account::Model| zones.get(&account.server_id).copied().unwrap_or(Tz::UTC);
        let lift: Vec<NewJob> = held
            .iter()
            .filter(|account| is_off || is_over(account, zone(account), now))
            .map(|account| {
                let month = account.overuse_month.as_deref().unwrap_or_default();
                let ended = if is_off { "off" } else { "over" };
                self.job(
                    account,
                    format!("overuse_lifted:{}:{month}:{ended}", account.id),
                    Step::Lift,
                )
            })
            .collect();
        Ok(self.submit_missing(&lift).await?)
    }

    fn job(&self, account: &account::Model, key: String, step: Step) -> NewJob {
        let (spec, reason) = match step {
            Step::Suspend { month, why } => (JobSpec::SuspendOveruse { month }, Some(why)),
            Step::Lift => (JobSpec::LiftOveruse, None),
        };
        NewJob {
            public_id: new_public_id(),
            platform_id: account.platform_id.unwrap_or(OPERATOR),
            body_hash: self.keyring.intake.hash(key.as_bytes()),
            idem_key: key,
            spec,
            server_id: Some(account.server_id),
            target: Target::Known(account.id),
            due_at: None,
            actor: ACTOR.to_owned(),
            reason,
            webhook: None,
            trace: None,
            secrets: Vec::new(),
            replay_of: None,
        }
    }
}

/// Whether the month that the account is suspended for is over on the panel's calendar.
fn is_over(account: &account::Model, zone: Tz, now: i64) -> bool {
    let month = account
        .overuse_month
        .as_deref()
        .and_then(|month| month.parse::<Month>().ok());
    let runs = nights::date_of(zone, now).map(nights::month_of);
    matches!((month, runs), (Some(month), Some(runs)) if month < runs)
}

/// For the customer, who may be shown it by the panel.
fn why(used: i64, limit: Limit, month: Month) -> String {
    let mb = |bytes: i64| bytes / bytes_of(1);
    format!(
        "the traffic of {month} is used up: {} MB of {limit} MB",
        mb(used)
    )
}
