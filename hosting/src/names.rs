//! Names: of accounts, domains, packages, servers, and the platforms' references.

use serde::{Deserialize, Serialize};

use crate::{Invalid, text_type};

/// An account's login name on a panel: 1 to 64 characters of `A-Z a-z 0-9 . _ -`.
///
/// Case is kept; a panel's own rules ([`crate::PanelRules`]) say more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username(String);
text_type!(Username);

impl Username {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=64).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "username",
                "must be 1 to 64 letters, digits, dots, underscores or hyphens",
            ))
        }
    }

    /// Whether both name the same account on panels that fold case (all that we know do).
    #[must_use]
    pub fn same_as(&self, other: &Username) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

/// A registrable host name in its ASCII form: `münchen.example` is kept as `xn--mnchen-3ya.example`.
///
/// Lower case, no trailing dot, at least two labels, at most 253 characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);
text_type!(DomainName);

impl DomainName {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let wrong = |why: &str| Invalid::new("domain", why);
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let ascii = idna::domain_to_ascii_strict(trimmed)
            .map_err(|_| wrong("is not a host name; it should look like shop.example.com"))?;
        if ascii.len() > 253 {
            return Err(wrong("must have at most 253 characters"));
        }
        if !ascii.contains('.') {
            return Err(wrong("needs at least two labels, like example.com"));
        }
        let numeric_end = ascii
            .rsplit('.')
            .next()
            .is_some_and(|tld| tld.bytes().all(|b| b.is_ascii_digit()));
        if numeric_end {
            return Err(wrong("is an address, not a host name"));
        }
        Ok(Self(ascii))
    }
}

/// A package's (preset's, plan's) name exactly as the panel lists it: 1 to 128 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PackageName(String);
text_type!(PackageName);

impl PackageName {
    fn parse(text: &str) -> Result<Self, Invalid> {
        printable("package", text, 128).map(Self)
    }
}

/// The operator's name for a server: 1 to 63 of `a-z 0-9 . _ -`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerName(String);
text_type!(ServerName);

impl ServerName {
    fn parse(text: &str) -> Result<Self, Invalid> {
        let fits = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && text.chars().all(|c| {
                c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '_' | '-')
            });
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid::new(
                "server",
                "must be 1 to 63 lower-case letters, digits, dots, underscores or hyphens, like web1",
            ))
        }
    }
}

/// The billing platform's own id of an account (`whmcs:42`): 1 to 128 printable characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference(String);
text_type!(Reference);

impl Reference {
    fn parse(text: &str) -> Result<Self, Invalid> {
        printable("reference", text, 128).map(Self)
    }
}

/// Text without control characters or outer blanks, of 1 to `most` characters.
fn printable(what: &'static str, text: &str, most: usize) -> Result<String, Invalid> {
    let length = text.chars().count();
    if !(1..=most).contains(&length) {
        return Err(Invalid::new(
            what,
            format!("must have 1 to {most} characters"),
        ));
    }
    if text.trim() != text {
        return Err(Invalid::new(what, "must not begin or end with a blank"));
    }
    if text.chars().any(char::is_control) {
        return Err(Invalid::new(what, "must not hold control characters"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_kept_in_its_ascii_form() {
        assert_eq!(
            "MÜNCHEN.Example.".parse::<DomainName>().unwrap().as_str(),
            "xn--mnchen-3ya.example"
        );
    }

    #[test]
    fn what_is_not_a_host_name_is_refused_with_a_reason() {
        for bad in [
            "",
            "localhost",
            "a b.example",
            "-a.example",
            "192.0.2.7",
            "a..example",
            "ex_ample.com",
            "a/b.example",
        ] {
            let error = bad.parse::<DomainName>().unwrap_err();
            assert_eq!(error.what, "domain", "{bad}");
        }
    }

    #[test]
    fn names_refuse_blanks_controls_and_lengths() {
        assert!("a b".parse::<Username>().is_err());
        assert!("".parse::<Username>().is_err());
        assert!("x".repeat(65).parse::<Username>().is_err());
        assert!(" gold".parse::<PackageName>().is_err());
        assert!("go\nld".parse::<PackageName>().is_err());
        assert!("Web1".parse::<ServerName>().is_err());
        assert!("web-1.eu".parse::<ServerName>().is_ok());
        assert!("whmcs:42".parse::<Reference>().is_ok());
    }

    #[test]
    fn names_that_differ_in_case_are_the_same_account() {
        let (a, b): (Username, Username) = ("Acme".parse().unwrap(), "acme".parse().unwrap());
        assert!(a.same_as(&b) && a != b);
    }
}
