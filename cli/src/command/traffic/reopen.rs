//! `hostler traffic reopen`: a closed month is booked on again.

use clap::Args;
use hosting::Month;
use jobs::store::By;
use scheduler::registry;
use serde_json::json;

use crate::App;
use crate::command::operator;
use crate::error::Failure;
use crate::start::{Patience, ledger};

#[derive(Debug, Args)]
pub(super) struct Reopen {
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    /// Of this server
    #[arg(long)]
    server: String,
    /// Why, for whoever reads the bill
    #[arg(long)]
    reason: String,
}

impl Reopen {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        if self.reason.trim().is_empty() {
            return Err(Failure::Usage("reason: must say why".to_owned()));
        }
        let store = ledger(&app.config.settings, Patience::None).await?;
        let server = registry::server_named(&store, &self.server).await?;
        let actor = operator();
        let by = By {
            actor: &actor,
            reason: &self.reason,
        };
        let accounts = store.reopen_month(server.id, self.month, by).await?;
        app.out.line(format!(
            "{} {}: {accounts} accounts re-opened",
            server.name, self.month
        ));
        app.out
            .json(&json!([{ "server": server.name, "reopened": accounts }]));
        Ok(())
    }
}
