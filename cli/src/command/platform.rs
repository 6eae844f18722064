//! `hostler platform`: who puts jobs in.

use clap::{Args, Subcommand};
use scheduler::registry;
use serde_json::json;

use crate::App;
use crate::error::Failure;
use crate::output::cell;
use crate::start::{Patience, ledger};
use crate::time::{now_ms, relative, stamp};

/// Add and list billing platforms.
#[derive(Debug, Args)]
pub struct Platform {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a billing platform
    Add {
        /// Its name
        name: String,
    },
    /// List them
    List,
}

impl Platform {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        match self.action {
            Action::Add { name } => {
                let row = registry::add_platform(&store, &name).await?;
                app.out.json(&json!({ "name": row.name }));
                app.out.line(format!("Added {}. Next, its token:\n\n  hostler token create --platform {} --name main --scope create --scope suspend --scope change --scope read", row.name, row.name));
            }
            Action::List => {
                let rows = registry::platforms(&store).await?;
                let list: Vec<_> = rows
                    .iter()
                    .map(|row| json!({ "name": row.name, "created_at": stamp(row.created_at) }))
                    .collect();
                app.out.json(&list);
                let now = now_ms();
                let rows = rows
                    .iter()
                    .map(|row| vec![cell(Some(&row.name)), relative(row.created_at, now)])
                    .collect();
                app.out.table(&["name", "added"], rows, "No platforms.");
            }
        }
        Ok(())
    }
}
