//! `hostler traffic close`: what comes later becomes a visible correction.

use clap::Args;
use hosting::Month;
use scheduler::registry;
use serde_json::json;

use super::meant;
use crate::App;
use crate::command::operator;
use crate::error::Failure;
use crate::start::{Patience, doorbell, ledger};

#[derive(Debug, Args)]
pub(super) struct Close {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    /// Only of this server
    #[arg(long)]
    server: Option<String>,
}

impl Close {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let month = self.month;
        let store = ledger(&app.config.settings, Patience::None).await?;
        let bell = doorbell(&app.config.settings).await?;
        let mut values = Vec::new();
        for row in meant(&store, self.server.as_deref()).await? {
            let now = store.now().await?;
            let closed = registry::close_month(&store, &row, month, &operator(), now).await?;
            bell.ring(&closed.rings).await;
            app.out.line(format!(
                "{} {month}: {} accounts closed",
                row.name, closed.accounts
            ));
            values.push(json!({ "server": row.name, "closed": closed.accounts }));
        }
        app.out.json(&values);
        Ok(())
    }
}
