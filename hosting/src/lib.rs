//! The words of the hosting trade as value types.
//!
//! A value of one of these types is a valid value: it can only be made by parsing,
//! so nothing behind the edge checks it again. Nothing here knows a panel, SQL or Redis;
//! what one panel would refuse is data ([`PanelRules`]), not code.

mod address;
mod bytes;
mod limits;
mod month;
mod names;
mod rules;
mod secret_text;

pub use address::Email;
pub use bytes::Bytes;
pub use limits::{Limit, LimitName, Limits};
pub use month::{Month, NotAMonth};
pub use names::{DomainName, PackageName, Reference, ServerName, Username};
pub use rules::{
    AccountDraft, FieldError, LimitRule, NameRule, PanelField, PanelRules, PasswordRule,
};
pub use secret_text::generate_password;

/// A value that was refused at the edge: what it was meant to be, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {why}")]
pub struct Invalid {
    /// The thing that was parsed, in the trade's word: `username`, `domain`, ...
    pub what: &'static str,
    /// What is wrong and what would be right; never repeats a secret.
    pub why: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, why: impl Into<String>) -> Self {
        Self {
            what,
            why: why.into(),
        }
    }
}

/// Gives a string newtype its conversions: `TryFrom<String>`, `FromStr`, `Display`, `AsRef<str>`, serde.
macro_rules! text_type {
    ($name:ident) => {
        impl TryFrom<String> for $name {
            type Error = crate::Invalid;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(&text)
            }
        }
        impl std::str::FromStr for $name {
            type Err = crate::Invalid;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }
        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        impl $name {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
pub(crate) use text_type;
