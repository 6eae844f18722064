//! `hostler traffic export`: a month's traffic and overage, for other programs.

use clap::{Args, ValueEnum};
use hosting::Month;
use scheduler::registry;
use serde_json::Value;

use super::rows::{usage, value};
use crate::App;
use crate::error::Failure;
use crate::start::{Patience, ledger};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    /// Only of this server
    #[arg(long)]
    server: Option<String>,
    /// As what
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
}

impl Export {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let rows = usage(&store, self.month, self.server.as_deref()).await?;
        match self.format {
            Format::Csv => app.out.raw(
                &registry::month_csv(&rows).map_err(|error| Failure::work(error.to_string()))?,
            ),
            Format::Json => {
                let values: Vec<Value> = rows.iter().map(value).collect();
                app.out.document(&values);
            }
        }
        Ok(())
    }
}
