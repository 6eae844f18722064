//! `hostler traffic show`: a month's traffic as a table.

use clap::Args;
use hosting::Month;
use serde_json::Value;

use super::rows::{usage, value};
use crate::App;
use crate::command::account::find_account;
use crate::error::Failure;
use crate::output::{bytes, cell};
use crate::start::{Patience, ledger};
use crate::time::{now_ms, relative};

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The month [default: the running month, UTC]
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Only of this server
    #[arg(long)]
    server: Option<String>,
    /// Only of this account: its id, or its username
    #[arg(long)]
    account: Option<String>,
}

impl Show {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let now = now_ms();
        let month = match self.month {
            Some(month) => month,
            None => Month::of(&chrono::DateTime::from_timestamp_millis(now).unwrap_or_default()),
        };
        let mut rows = usage(&store, month, self.server.as_deref()).await?;
        if let Some(text) = &self.account {
            let meant = find_account(&store, text, self.server.as_deref()).await?;
            rows.retain(|row| row.account.id == meant.id);
        }
        let values: Vec<Value> = rows.iter().map(value).collect();
        app.out.json(&values);
        let none = format!("No traffic is known for {month}.");
        let lines = rows
            .iter()
            .map(|row| {
                let usage = row.usage.as_ref();
                vec![
                    cell(Some(&row.server)),
                    cell(Some(&row.account.username)),
                    cell(row.account.domain.as_ref()),
                    cell(usage.map(|usage| bytes(usage.total_bytes))),
                    cell(row.traffic_limit.map(|limit| limit.to_string())),
                    cell(row.overage_bytes().map(bytes)),
                    cell(row.disk_bytes.map(bytes)),
                    cell(usage.map(|usage| relative(usage.as_of, now))),
                    cell(usage.and_then(|usage| usage.flag.as_ref())),
                ]
            })
            .collect();
        app.out.table(
            &[
                "server", "username", "domain", "booked", "limit MB", "over", "disk", "as of",
                "flag",
            ],
            lines,
            &none,
        );
        Ok(())
    }
}
