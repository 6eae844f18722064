//! `hostler migrate`: the schema.

use clap::{Args, Subcommand};

use crate::App;
use crate::error::Failure;
use crate::start::{Patience, Schema, down, open, schema, up};

/// Bring the database's schema up or down.
#[derive(Debug, Args)]
pub struct Migrate {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Action {
    /// Apply what is missing (the default)
    Up,
    /// Take the newest change back; the data in it is lost
    Down {
        /// How many changes
        #[arg(long, default_value_t = 1)]
        steps: u32,
    },
    /// Say what is applied and what is missing
    Status,
}

impl Migrate {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = open(&app.config.settings, Patience::None).await?;
        let before = schema(store.reader()).await?;
        let after = match self.action.unwrap_or(Action::Up) {
            Action::Status => {
                app.out.json(&before);
                app.out.line(format!("{before}"));
                return match before {
                    Schema::Current => Ok(()),
                    _ => Err(Failure::Shown),
                };
            }
            Action::Up => {
                if let Schema::Newer { .. } = before {
                    return Err(Failure::usage("database", before.to_string()));
                }
                up(store.writer_connection()).await?;
                schema(store.reader()).await?
            }
            Action::Down { steps } => {
                down(store.writer_connection(), steps).await?;
                schema(store.reader()).await?
            }
        };
        app.out.json(&after);
        let changed = if before == after { "" } else { "Done: " };
        app.out.line(format!("{changed}{after}"));
        Ok(())
    }
}
