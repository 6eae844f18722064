//! `hostler config`: what is configured, and what can be.

use clap::{Args, Subcommand};

use crate::App;
use crate::config::reference;
use crate::error::Failure;

/// Check the configuration and print its reference.
#[derive(Debug, Args)]
pub struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Validate everything and print each value with its source, secrets hidden
    Check,
    /// Print the reference of all keys, as Markdown
    Reference,
}

impl Config {
    pub(crate) fn run(self, app: &App) -> Result<(), Failure> {
        match self.action {
            // The configuration was read and checked before any command runs.
            Action::Check => {
                app.out.json(&app.config.origins);
                let rows = app
                    .config
                    .origins
                    .iter()
                    .map(|origin| {
                        let value = if origin.value.is_empty() {
                            "-".to_owned()
                        } else {
                            origin.value.clone()
                        };
                        vec![origin.key.to_owned(), value, origin.source.clone()]
                    })
                    .collect();
                app.out.table(&["key", "value", "source"], rows, "");
            }
            Action::Reference => app.out.raw(&reference()),
        }
        Ok(())
    }
}
