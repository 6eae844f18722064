//! `hostler traffic show`: a month's traffic as a table.

use clap::Args;
use entity::account;
use hosting::Month;
use jobs::store::Store;
use scheduler::registry;
use serde_json::{Value, json};

use super::rows::{usage, value};
use crate::App;
use crate::command::account::find_account;
use crate::error::Failure;
use crate::output::{bytes, cell};
use crate::start::{Patience, ledger};
use crate::time::{now_ms, relative, stamp};

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
    /// Of that account, the days of the month
    #[arg(long, requires = "account")]
    days: bool,
}

impl Show {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let now = now_ms();
        let month = match self.month {
            Some(month) => month,
            None => Month::of(&chrono::DateTime::from_timestamp_millis(now).unwrap_or_default()),
        };
        if let (true, Some(text)) = (self.days, &self.account) {
            let meant = find_account(&store, text, self.server.as_deref()).await?;
            return show_days(app, &store, &meant, month).await;
        }
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

async fn show_days(
    app: &App,
    store: &Store,
    account: &account::Model,
    month: Month,
) -> Result<(), Failure> {
    let traffic = registry::account_traffic(store, account.id, month, month).await?;
    let values: Vec<Value> = traffic
        .days
        .iter()
        .map(|day| {
            json!({
                "date": day.date, "traffic_bytes": day.bytes, "source": day.source,
                "span_days": day.span_days, "as_of": stamp(day.as_of),
            })
        })
        .collect();
    app.out.json(&values);
    let none = format!("No days of {} are known for {month}.", account.username);
    let now = now_ms();
    let lines = traffic
        .days
        .iter()
        .map(|day| {
            let covered = (day.span_days > 1).then(|| format!("{} days", day.span_days));
            vec![
                day.date.clone(),
                bytes(day.bytes),
                day.source.clone(),
                cell(covered),
                relative(day.as_of, now),
            ]
        })
        .collect();
    let header = ["date", "traffic", "source", "covers", "as of"];
    app.out.table(&header, lines, &none);
    Ok(())
}
