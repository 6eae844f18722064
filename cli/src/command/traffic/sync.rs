//! `hostler traffic sync`: reads a month from the panels now.

use std::time::Duration;

use chrono_tz::Tz;
use clap::Args;
use entity::server;
use hosting::Month;
use serde_json::json;

use super::meant;
use crate::App;
use crate::command::wait::{Door, result};
use crate::error::Failure;
use crate::output::bytes;

#[derive(Debug, Args)]
pub(super) struct Sync {
    /// Of this server
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    server: Option<String>,
    /// Of all servers
    #[arg(long)]
    all: bool,
    /// The month [default: the panel's running month]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Wait for the end, at most ten minutes
    #[arg(long)]
    wait: bool,
}

impl Sync {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let door = Door::open(app).await?;
        let now = door.store.now().await?;
        let mut accepted = Vec::new();
        for row in meant(&door.store, self.server.as_deref()).await? {
            let month = self.month.unwrap_or_else(|| month_on(&row, now));
            let body =
                json!({ "kind": "get_stats", "server": row.name, "month": month.to_string() });
            let job = door.put(body).await?.job;
            app.out
                .line(format!("{}  {} {month}", job.public_id, row.name));
            accepted.push((row.name, month, job));
        }
        let mut values = Vec::new();
        let mut bad = 0_usize;
        for (name, month, job) in accepted {
            let ended = match self.wait {
                true => door.wait(&job, Duration::from_secs(600)).await?,
                false => None,
            };
            let state = ended.as_ref().map_or("queued", |job| job.state.as_str());
            let found = ended.as_ref().map(result);
            if self.wait {
                bad += usize::from(state != "succeeded");
                let booked = found
                    .as_ref()
                    .and_then(|found| found["booked_bytes"].as_i64())
                    .map(|count| format!(", {} booked", bytes(count)))
                    .unwrap_or_default();
                app.out
                    .line(format!("{name} {month}: {}{booked}", app.out.state(state)));
            }
            values.push(json!({
                "id": job.public_id, "server": name, "month": month.to_string(), "state": state, "result": found,
            }));
        }
        app.out.json(&values);
        if bad == 0 {
            Ok(())
        } else {
            Err(Failure::Shown)
        }
    }
}

fn month_on(server: &server::Model, now: i64) -> Month {
    let zone: Tz = server.time_zone.parse().unwrap_or(Tz::UTC);
    let utc = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default();
    Month::of(&utc.with_timezone(&zone))
}
