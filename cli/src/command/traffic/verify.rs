//! `hostler traffic verify`: whether the books are right.

use clap::Args;
use hosting::Month;
use jobs::store::Books;
use scheduler::registry;
use serde_json::json;

use crate::App;
use crate::error::Failure;
use crate::start::{Patience, ledger};

/// Violations that are kept to be told; all are counted.
const TOLD: usize = 1_000;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Only this month
    #[arg(long, value_name = "YYYY-MM")]
    month: Option<Month>,
    /// Only this server
    #[arg(long)]
    server: Option<String>,
}

impl Verify {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let server_id = match &self.server {
            Some(name) => Some(registry::server_named(&store, name).await?.id),
            None => None,
        };
        let books = Books {
            month: self.month,
            server_id,
        };
        let mut wrong = Vec::new();
        let verified = store
            .verify_books(books, |violation| {
                if wrong.len() < TOLD {
                    wrong.push(violation);
                }
            })
            .await?;
        let values: Vec<_> = wrong
            .iter()
            .map(|one| {
                json!({
                    "rule": one.rule, "account_row": one.account_id, "month": one.month, "what": one.what,
                })
            })
            .collect();
        for one in &wrong {
            app.out.line(format!(
                "{} account row {} in {}: {}",
                one.rule, one.account_id, one.month, one.what
            ));
        }
        app.out.line(format!(
            "{} months and {} lines of the ledger: {} violations",
            verified.months, verified.bookings, verified.violations
        ));
        app.out.json(&json!({
            "months": verified.months,
            "bookings": verified.bookings,
            "violations": verified.violations,
            "found": values,
        }));
        if verified.violations == 0 {
            Ok(())
        } else {
            Err(Failure::Shown)
        }
    }
}
