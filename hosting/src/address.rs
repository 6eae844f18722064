//! Mail addresses.

use serde::{Deserialize, Serialize};

use crate::{DomainName, Invalid, text_type};

/// A mail address: `local@domain`, at most 254 characters; the domain in ASCII form.
///
/// Accepts the characters that panels take, not all that RFC 5322 would allow (no quoted local part).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email(String);
text_type!(Email);

impl Email {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = || {
            Invalid::new(
                "email",
                "is not a mail address; it should look like owner@example.com",
            )
        };
        let (local, domain) = text.rsplit_once('@').ok_or_else(wrong)?;
        let local_fits = (1..=64).contains(&local.len())
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && local
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~.-".contains(c));
        if !local_fits {
            return Err(wrong());
        }
        let domain: DomainName = domain.parse().map_err(|_| wrong())?;
        let whole = format!("{local}@{domain}");
        if whole.len() > 254 {
            Err(wrong())
        } else {
            Ok(Self(whole))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_local_part_and_domain() {
        assert_eq!(
            "owner+x@Example.COM".parse::<Email>().unwrap().as_str(),
            "owner+x@example.com"
        );
        for bad in [
            "",
            "owner",
            "@example.com",
            "a@b",
            "a b@example.com",
            "a..b@example.com",
            "a@exam ple.com",
        ] {
            assert!(bad.parse::<Email>().is_err(), "{bad}");
        }
    }
}
