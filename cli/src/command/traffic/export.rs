//! `hostler traffic export`: a month's traffic and overage, for other programs.

use clap::{Args, ValueEnum};
use hosting::Month;
use scheduler::registry::{self, Layout, MonthRounds};

use super::rows::filter;
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
    /// As what: ndjson is a JSON object for each line
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Json,
    Ndjson,
    Parquet,
}

impl From<Format> for Layout {
    fn from(format: Format) -> Self {
        match format {
            Format::Csv => Layout::Csv,
            Format::Json => Layout::JsonList,
            Format::Ndjson => Layout::NdJson,
            Format::Parquet => Layout::Parquet,
        }
    }
}

impl Export {
    /// Written while it is read: what it takes of memory does not grow with the accounts.
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let filter = filter(&store, self.server.as_deref()).await?;
        let mut rounds = MonthRounds::begin(&store, self.month, &filter).await?;
        let cut_off = |error: &dyn std::fmt::Display| {
            Failure::work(format!("the export is cut off here: {error}"))
        };
        let export = registry::Export::new(self.format.into(), self.month);
        let mut export = export.map_err(|error| cut_off(&error))?;
        let head = export.begin().map_err(|error| cut_off(&error))?;
        app.out.bytes(&head).map_err(|error| cut_off(&error))?;
        while let Some(rows) = rounds.next().await.map_err(|error| cut_off(&error))? {
            let piece = export.rows(&rows).map_err(|error| cut_off(&error))?;
            app.out.bytes(&piece).map_err(|error| cut_off(&error))?;
        }
        let end = export.end().map_err(|error| cut_off(&error))?;
        app.out.bytes(&end).map_err(|error| cut_off(&error))
    }
}
