//! `hostler traffic nights`: how far the last night has come.

use clap::Args;
use scheduler::cron::{LastNight, last_nights};

use super::meant;
use crate::App;
use crate::error::Failure;
use crate::output::{bytes, cell};
use crate::start::{Patience, ledger};

#[derive(Debug, Args)]
pub(super) struct Nights {
    /// Of this server
    #[arg(long)]
    server: Option<String>,
}

impl Nights {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let servers = meant(&store, self.server.as_deref()).await?;
        let nights = last_nights(&store, &servers).await?;
        app.out.json(&nights);
        let header = [
            "SERVER", "NIGHT", "MONTH", "STATE", "ACCOUNTS", "BOOKED", "MISSING", "FLAGGED",
            "ERROR",
        ];
        let rows = nights.iter().flat_map(|night| rows(app, night)).collect();
        app.out.table(&header, rows, "There are no servers.");
        let (begun, ended) = LastNight::begun_and_ended(&nights);
        app.out.line(format!(
            "{ended} of {begun} servers have ended their last night."
        ));
        Ok(())
    }
}

fn rows(app: &App, night: &LastNight) -> Vec<Vec<String>> {
    let Some(date) = night.night else {
        let mut row = vec![night.server.clone(), "none yet".to_owned()];
        row.resize(9, String::new());
        return vec![row];
    };
    let number = |number: Option<i64>| cell(number.map(|number| number.to_string()));
    let months = night.months.iter().map(|read| {
        vec![
            night.server.clone(),
            date.to_string(),
            read.month.to_string(),
            app.out.state(&read.state),
            number(read.accounts),
            cell(read.booked_bytes.map(bytes)),
            number(read.missing),
            number(read.flagged),
            cell(read.error.as_ref()),
        ]
    });
    months.collect()
}
