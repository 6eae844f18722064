//! What WHM refuses on every server (cPanel's page on reserved and invalid user names; `createacct`).

use std::collections::BTreeMap;

use hosting::{LimitName, LimitRule, NameRule, PanelField, PanelRules, PasswordRule};

use serde_json::Value;

use super::units;
use crate::PanelError;
use crate::http::lenient;

/// Names that are the system's or stand in its alias files.
const RESERVED: &str = "root admin abuse adm all apache bin cpanel cpanellogin cphulkd daemon \
    dirsrv dnsadmin eximstats ftp games halt info info2 lp mail mailman mailnull marketing mysql \
    named news nobody nfsnobody nscd operator postgres postmaster roundcube sales security shutdown \
    spamassassin squirrelmail sshd support sync system tmp tomcat toor uucp virtfs virtual webmaster \
    wheel whm whmxfer www";

/// The kinds that WHM has a call for. It has no `unlock`: its login protection is the server's, not an
/// account's.
const KINDS: [&str; 13] = [
    "create",
    "suspend",
    "unsuspend",
    "terminate",
    "change_package",
    "change_limits",
    "change_password",
    "login_url",
    "get_stats",
    "get_server_config",
    "check_connection",
    "list_accounts",
    "move",
];

pub(super) fn rules() -> PanelRules {
    PanelRules {
        panel: "cpanel".into(),
        kinds: KINDS.map(str::to_owned).to_vec(),
        username: NameRule {
            pattern: "[a-z][a-z0-9]{0,15}".into(),
            words: "a lower-case letter, then lower-case letters and digits, 16 characters at most"
                .into(),
            max_length: 16,
            reserved: RESERVED.split_whitespace().map(str::to_owned).collect(),
            refused: vec![
                ("test.*".into(), "must not begin with `test`".into()),
                (".*assword".into(), "must not end in `assword`".into()),
            ],
        },
        password: PasswordRule {
            min_length: 8,
            max_length: 64,
            // Without quotes, backslash, & < > | ; and blank, which some of its scripts change.
            alphabet: "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789\
                       !#$%()*+,-./:=?@[]^_{}~"
                .into(),
        },
        // Without a domain WHM invents one; without a package it makes the account unlimited.
        required: vec!["domain".into(), "package".into()],
        panel_fields: panel_fields(),
        limits: LimitName::ALL.into_iter().map(limit_rule).collect(),
        dedicated_ip: true,
        creates_at_once: 2,
    }
}

fn limit_rule(name: LimitName) -> LimitRule {
    LimitRule {
        name,
        multiple_of: 1,
        least: u64::from(units::zero_is_unlimited(name)),
        most: match name {
            // In MB; 2^40 MB are 2^60 bytes, which every later sum still holds.
            LimitName::DiskMb | LimitName::TrafficMb => 1 << 40,
            _ => 999_999,
        },
        unlimited: true,
    }
}

/// Parameters of `createacct` that neither overrule the package's limits nor give rights on the server.
const CREATE_FIELDS: &[(&str, &str, &str)] = &[
    (
        "language",
        "the locale of its interface, like `en` or `de`",
        "[a-zA-Z0-9_-]{2,20}",
    ),
    (
        "hasshell",
        "whether it has shell access: 0 or 1",
        "0|1|true|false",
    ),
    ("cgi", "whether it may run CGI: 0 or 1", "0|1|true|false"),
    (
        "dkim",
        "whether mail is signed with DKIM: 0 or 1",
        "0|1|true|false",
    ),
    (
        "spf",
        "whether an SPF record is made: 0 or 1",
        "0|1|true|false",
    ),
    (
        "dmarc",
        "whether a DMARC record is made: 0 or 1",
        "0|1|true|false",
    ),
    (
        "spamassassin",
        "whether SpamAssassin is on: 0 or 1",
        "0|1|true|false",
    ),
    (
        "forcedns",
        "whether an existing DNS zone is overwritten: 0 or 1",
        "0|1|true|false",
    ),
    (
        "mxcheck",
        "how mail is routed: local, secondary, remote or auto",
        "local|secondary|remote|auto",
    ),
    ("mailbox_format", "maildir or mdbox", "maildir|mdbox"),
    (
        "featurelist",
        "the name of a feature list",
        "[^\\x00-\\x1f]{1,64}",
    ),
    ("cpmod", "the theme, like `jupiter`", "[a-zA-Z0-9_-]{1,32}"),
    (
        "max_email_per_hour",
        "mails an hour: a number or unlimited",
        "[0-9]{1,9}|unlimited",
    ),
    (
        "max_defer_fail_percentage",
        "0 to 100 or unlimited",
        "100|[0-9]{1,2}|unlimited",
    ),
    (
        "owner",
        "the reseller who shall own it; only root may say this",
        "[a-z][a-z0-9]{0,15}",
    ),
];

fn panel_fields() -> Vec<PanelField> {
    let field = |name: &str, about: &str, pattern: &str, kind: &str, required| PanelField {
        name: name.into(),
        about: about.into(),
        pattern: pattern.into(),
        kinds: vec![kind.into()],
        required,
    };
    let mut fields: Vec<_> = CREATE_FIELDS
        .iter()
        .map(|(name, about, pattern)| field(name, about, pattern, "create", false))
        .collect();
    let about = "the reseller (or root) who shall own the account";
    fields.push(field("target", about, "[a-z][a-z0-9]{0,15}", "move", true));
    fields
}

/// The values of `account.panel` as `createacct` takes them.
///
/// # Errors
/// `Rejected` (`panel_field`) for a field that is not ours to pass on: the rules were not asked.
pub(super) fn panel_values(
    given: &BTreeMap<String, Value>,
) -> Result<Vec<(&'static str, String)>, PanelError> {
    given
        .iter()
        .map(|(name, value)| {
            let field = CREATE_FIELDS.iter().find(|(field, _, _)| field == name);
            let text = match value {
                Value::Bool(flag) => Some(u8::from(*flag).to_string()),
                Value::String(text) if text == "true" => Some("1".to_owned()),
                Value::String(text) if text == "false" => Some("0".to_owned()),
                other => lenient::text(other),
            };
            match (field, text) {
                (Some((field, _, _)), Some(text)) => Ok((*field, text)),
                _ => Err(PanelError::refused(
                    "panel_field",
                    format!("`account.panel.{name}` cannot be passed on to this panel"),
                )),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hosting::{AccountDraft, Limit, Limits};

    #[test]
    fn names_that_whm_refuses_are_refused_here() {
        let rule = rules().username;
        for good in ["a", "acme1", "h0000010", "abcdefghijklmnop"] {
            assert_eq!(rule.check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "1acme",
            "Acme",
            "acme-1",
            "acme_1",
            "abcdefghijklmnopq",
            "test",
            "tester",
            "myassword",
            "root",
            "postmaster",
        ] {
            assert!(rule.check(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_limit_of_zero_is_refused_where_it_would_mean_unlimited() {
        let limits: Limits = LimitName::ALL
            .into_iter()
            .map(|name| (name, Limit::AtMost(0)))
            .collect();
        let draft = AccountDraft {
            kind: "change_limits",
            limits: Some(&limits),
            ..AccountDraft::default()
        };
        let refused: Vec<_> = rules()
            .check(&draft)
            .into_iter()
            .map(|error| error.field)
            .collect();
        assert_eq!(
            refused,
            [
                "disk_mb",
                "traffic_mb",
                "email_accounts",
                "databases",
                "ftp_accounts"
            ]
            .map(|name| format!("account.limits.{name}"))
        );
    }

    #[test]
    fn made_names_and_passwords_fit() {
        let rules = rules();
        assert!(rules.username_for(1).is_ok());
        let password = hosting::generate_password(&rules.password, |n| n / 2);
        assert_eq!(rules.password.check(&password), Ok(()));
        assert!(!rules.supports("unlock"));
    }

    #[test]
    fn every_field_pattern_compiles() {
        for field in rules().panel_fields {
            assert!(regex::Regex::new(&field.pattern).is_ok(), "{}", field.name);
        }
    }
}
