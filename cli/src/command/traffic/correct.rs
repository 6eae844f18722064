//! `hostler traffic correct|accept`: what an operator knows better than the nights.

use clap::Args;
use hosting::Month;
use jobs::store::{By, Correction};
use serde_json::json;

use crate::App;
use crate::command::account::find_account;
use crate::command::operator;
use crate::error::Failure;
use crate::output::bytes as in_words;
use crate::start::{Patience, ledger};

#[derive(Debug, Args)]
struct Whose {
    /// The account: its id, or its username
    account: String,
    /// On this server, where the username alone is not enough
    #[arg(long)]
    server: Option<String>,
    /// The month
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    /// Why, for whoever reads the bill
    #[arg(long)]
    reason: String,
}

#[derive(Debug, Args)]
pub(super) struct Correct {
    #[command(flatten)]
    whose: Whose,
    /// By how many bytes: +N or -N
    #[arg(long, value_name = "+N|-N", allow_hyphen_values = true, value_parser = signed)]
    bytes: i64,
}

#[derive(Debug, Args)]
pub(super) struct Accept {
    #[command(flatten)]
    whose: Whose,
}

/// A number that says which way it goes.
fn signed(text: &str) -> Result<i64, String> {
    let wanted = || "must be a whole number of bytes with its sign, like +1048576 or -1048576";
    if !text.starts_with(['+', '-']) {
        return Err(wanted().to_owned());
    }
    text.parse().map_err(|_| wanted().to_owned())
}

impl Correct {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        self.whose.correct(app, Some(self.bytes)).await
    }
}

impl Accept {
    pub(super) async fn run(self, app: &App) -> Result<(), Failure> {
        self.whose.correct(app, None).await
    }
}

impl Whose {
    /// By so many bytes, or to what the panel said last.
    async fn correct(self, app: &App, bytes: Option<i64>) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        let account = find_account(&store, &self.account, self.server.as_deref()).await?;
        let actor = operator();
        let by = By {
            actor: &actor,
            reason: &self.reason,
        };
        let done = match bytes {
            Some(bytes) => {
                store
                    .correct_month(account.id, self.month, bytes, by)
                    .await?
            }
            None => store.accept_month(account.id, self.month, by).await?,
        };
        let (delta, total) = match done {
            Correction::Booked {
                delta_bytes,
                total_bytes,
            } => (delta_bytes, total_bytes),
            Correction::Refused { field, message } => {
                return Err(Failure::Usage(format!("{field}: {message}")));
            }
        };
        app.out.line(format!(
            "{} {}: corrected by {delta:+} bytes, {} ({total} bytes) in total",
            account.username,
            self.month,
            in_words(total)
        ));
        app.out.json(&json!({
            "account_id": account.public_id,
            "month": self.month.to_string(),
            "delta_bytes": delta,
            "total_bytes": total,
        }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_say_which_way_they_go() {
        assert_eq!((signed("+5"), signed("-1048576")), (Ok(5), Ok(-1_048_576)));
        for wrong in ["5", "", "+", "-1.5", "+1 MB", "--1"] {
            assert!(signed(wrong).is_err(), "{wrong}");
        }
    }
}
