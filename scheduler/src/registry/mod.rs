//! What the operator sets up and looks at: platforms, tokens, webhook addresses, servers, accounts,
//! traffic. Plain functions over the ledger, used by the API and the command line.

mod accounts;
mod export;
mod lines;
mod months;
mod overage;
mod platforms;
mod removal;
mod servers;
mod tokens;
mod usage;
mod webhooks;

use jobs::store::StoreError;

pub use accounts::{AccountFilter, Traffic};
pub use accounts::{AccountPage, account_by_id, account_traffic, accounts, live_accounts};
pub use export::{Export, ExportError, Layout};
pub use lines::{AccountMonth, ServerUsage};
pub use months::{MonthState, close_month, open_months};
pub(crate) use overage::bytes_of;
pub use overage::{disk_limit, reached, traffic_limit};
pub use platforms::{OPERATOR_PLATFORM, add_platform, platform_named, platforms};
pub use removal::{Removed, remove_server};
pub use servers::{NewServer, ServerChange, add_server, server_named, servers, update_server};
pub use tokens::{
    CreatedToken, NewToken, caller_of, create_token, is_still_valid, revoke_token, tokens,
};
pub use usage::{MonthRounds, UsageRow, month_usage};
pub use webhooks::{AddedWebhook, add_webhook, remove_webhook, rotate_webhook, webhooks};

/// Why something could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A value is not right.
    #[error("{field}: {message}")]
    Invalid {
        /// Which, as the operator writes it.
        field: &'static str,
        /// What is wrong and what would be right.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// The name is taken.
    #[error("there is already {0}")]
    Taken(String),
    /// It is in use.
    #[error("{0}")]
    InUse(String),
    /// A secret could not be sealed.
    #[error(transparent)]
    Seal(#[from] jobs::seal::SealError),
    /// The ledger did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for RegistryError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(StoreError::Db(error))
    }
}

impl RegistryError {
    fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid {
            field,
            message: message.into(),
        }
    }
}

/// A name that an operator gives: 1 to `most` printable characters without outer blanks.
fn checked_name(field: &'static str, name: &str, most: usize) -> Result<String, RegistryError> {
    let fits = (1..=most).contains(&name.chars().count())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if fits {
        Ok(name.to_owned())
    } else {
        Err(RegistryError::invalid(
            field,
            format!("must have 1 to {most} printable characters, without outer blanks"),
        ))
    }
}

/// What a failed insert means: the name was given at the same moment, or the ledger failed.
fn taken_or(error: sea_orm::DbErr, what: impl FnOnce() -> String) -> RegistryError {
    if matches!(
        error.sql_err(),
        Some(sea_orm::SqlErr::UniqueConstraintViolation(_))
    ) {
        RegistryError::Taken(what())
    } else {
        error.into()
    }
}
