//! What Froxlor would refuse or, worse, alter.
//!
//! It interprets C escapes in every text that it is sent, trims it and cuts what looks like a script, in
//! passwords too, and answers success. So only what passes unchanged is let through.

use hosting::{
    AccountDraft, Email, LimitName, LimitRule, NameRule, PanelField, PanelRules, PasswordRule,
};

use crate::{NewAccount, PanelError};

/// The kinds that Froxlor can do.
const KINDS: [&str; 14] = [
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
    "unlock",
    "move",
];

/// Names that Froxlor or a usual system keeps to itself.
const RESERVED: [&str; 38] = [
    "root", "admin", "froxroot", "froxlor", "daemon", "bin", "sys", "sync", "games", "man", "lp",
    "mail", "news", "uucp", "proxy", "backup", "list", "irc", "gnats", "nobody", "mysql",
    "mariadb", "postfix", "dovecot", "vmail", "proftpd", "ftp", "sshd", "bind", "named",
    "powerdns", "redis", "apache", "nginx", "lighttpd", "postgres", "ntp", "puppet",
];

/// Letters of any script, digits, blanks and a little punctuation; begins and ends with more than a
/// blank. No `\ < > & " ( ) = % : ;`, with which Froxlor's filters begin.
const WORDS: &str = r"[\p{L}\p{N}](?:(?:[\p{L}\p{N} .,'/+_-]|& ){0,98}[\p{L}\p{N}.])?";
const WORDS_ABOUT: &str =
    "1 to 100 letters, digits, blanks and . , ' / + _ -, and & with a blank after it";

/// The fields of a create that go into the customer's record: ours, Froxlor's, pattern, meaning.
pub(super) const RECORD_FIELDS: [(&str, &str, &str, &str); 8] = [
    (
        "company",
        "company",
        WORDS,
        "the customer's company; the domain where no name is given",
    ),
    (
        "name",
        "name",
        WORDS,
        "the customer's surname; needs `firstname` too",
    ),
    (
        "firstname",
        "firstname",
        WORDS,
        "the customer's first name; needs `name` too",
    ),
    ("street", "street", WORDS, "the customer's street"),
    (
        "zipcode",
        "zipcode",
        "[0-9A-Z](?:[0-9 A-Z-]{0,14}[0-9A-Z])?",
        "the customer's postal code",
    ),
    ("city", "city", WORDS, "the customer's town"),
    (
        "phone",
        "phone",
        "[0-9+](?:[0-9 /+-]{0,30}[0-9])?",
        "the customer's telephone number",
    ),
    (
        "language",
        "def_language",
        "[a-z]{2}(?:_[A-Za-z]{2,4})?|[A-Z][a-z]+",
        "the language that the panel speaks to the customer, as Froxlor names it: en, de",
    ),
];

/// The switches of a create that go into the domain's record.
pub(super) const DOMAIN_SWITCHES: [(&str, &str); 3] = [
    (
        "letsencrypt",
        "get the domain a certificate from Let's Encrypt",
    ),
    ("ssl_redirect", "redirect the domain's visitors to https"),
    ("isbinddomain", "make a DNS zone for the domain"),
];

/// The rules as they hold on every server.
pub(super) fn rules() -> PanelRules {
    PanelRules {
        panel: "froxlor".to_owned(),
        kinds: KINDS.map(str::to_owned).to_vec(),
        username: NameRule {
            pattern: "[a-z][a-z0-9]{1,31}".to_owned(),
            words: "a lower-case letter, then 1 to 31 lower-case letters and digits".to_owned(),
            max_length: 32,
            reserved: RESERVED.map(str::to_owned).to_vec(),
            refused: vec![(
                "web[0-9].*".to_owned(),
                "must not be `web` and a number, which Froxlor gives out itself".to_owned(),
            )],
        },
        password: PasswordRule {
            min_length: 8,
            max_length: 72,
            alphabet: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!?#$+@_-"
                .to_owned(),
        },
        required: vec!["domain".to_owned(), "email".to_owned()],
        panel_fields: panel_fields(),
        limits: limits(),
        dedicated_ip: false,
        // Two at one time give both customers the same Unix user id.
        creates_at_once: 1,
    }
}

fn panel_fields() -> Vec<PanelField> {
    let field = |name: &str, about: String, pattern: &str, kind: &str, required: bool| PanelField {
        name: name.to_owned(),
        about,
        pattern: pattern.to_owned(),
        kinds: vec![kind.to_owned()],
        required,
    };
    let records = RECORD_FIELDS.iter().map(|(name, _, pattern, about)| {
        let about = match *pattern {
            WORDS => format!("{about}: {WORDS_ABOUT}"),
            _ => (*about).to_owned(),
        };
        field(name, about, pattern, "create", false)
    });
    let switches = DOMAIN_SWITCHES.iter().map(|(name, about)| {
        let about = format!("whether to {about}: 1 or 0");
        field(name, about, "0|1|true|false", "create", false)
    });
    let target = field(
        "target",
        "the id of the admin who gets the customer, a number".to_owned(),
        "[1-9][0-9]{0,8}",
        "move",
        true,
    );
    records.chain(switches).chain([target]).collect()
}

fn limits() -> Vec<LimitRule> {
    let rule = |name, multiple_of, most| LimitRule {
        name,
        multiple_of,
        least: 0,
        most,
        unlimited: true,
    };
    // Counts are 32-bit columns; sizes are kept in KiB in 64-bit ones.
    let count = |name| rule(name, 1, i32::MAX.unsigned_abs().into());
    vec![
        rule(LimitName::DiskMb, 1, 1 << 40),
        rule(LimitName::TrafficMb, 1 << 10, 1 << 40),
        count(LimitName::EmailAccounts),
        count(LimitName::Databases),
        count(LimitName::Subdomains),
        count(LimitName::FtpAccounts),
    ]
}

/// Refuses what Froxlor would refuse or alter in a new account.
///
/// # Errors
/// `Rejected`, with a code that names the field.
pub(super) fn check_new(account: &NewAccount, password: &str) -> Result<Email, PanelError> {
    let rules = rules();
    rules
        .username
        .check(account.username.as_str())
        .map_err(|why| PanelError::refused("username_refused", format!("the username {why}")))?;
    check_password(password)?;
    let email = account.email.clone().ok_or_else(|| {
        PanelError::refused("email_refused", "froxlor servers need a mail address")
    })?;
    if email.as_str().contains(['%', '&', '=', '`']) {
        let why = "the mail address holds a character that Froxlor would change";
        return Err(PanelError::refused("email_refused", why));
    }
    let keepable = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '-');
    if account.marker.is_empty()
        || account.marker.len() > 100
        || !account.marker.chars().all(keepable)
    {
        let why = "the marker cannot be kept in Froxlor's customer number";
        return Err(PanelError::refused("marker_refused", why));
    }
    let draft = AccountDraft {
        kind: "create",
        given: &["domain", "email"],
        limits: Some(&account.limits),
        panel: Some(&account.panel),
        ..AccountDraft::default()
    };
    match rules.check(&draft).first() {
        None => Ok(email),
        Some(error) => {
            let why = format!("{}: {}", error.field, error.message);
            Err(PanelError::refused("field_refused", why))
        }
    }
}

/// # Errors
/// `Rejected` when Froxlor would set another password than this one.
pub(super) fn check_password(password: &str) -> Result<(), PanelError> {
    rules()
        .password
        .check(password)
        .map_err(|why| PanelError::refused("password_refused", format!("the password {why}")))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use serde_json::json;

    fn refused_fields(kind: &str, panel: serde_json::Value) -> Vec<String> {
        let panel: BTreeMap<String, serde_json::Value> = serde_json::from_value(panel).unwrap();
        let draft = AccountDraft {
            kind,
            given: &["domain", "email"],
            panel: Some(&panel),
            ..AccountDraft::default()
        };
        let errors = rules().check(&draft);
        errors.into_iter().map(|error| error.field).collect()
    }

    #[test]
    fn names_that_froxlor_refuses_or_cuts_are_refused() {
        let rule = rules().username;
        let cut = "b".repeat(51);
        for bad in [
            "web77",
            "web1a",
            "root",
            "froxlor",
            "ACME",
            "acme.two",
            "acme-two",
            "1acme",
            "a",
            "acme_two",
            cut.as_str(),
        ] {
            assert!(rule.check(bad).is_err(), "{bad}");
        }
        for good in ["acme", "webshop", "h0000012", "ab"] {
            assert_eq!(rule.check(good), Ok(()), "{good}");
        }
        assert_eq!(rules().username_for(7).unwrap().as_str(), "h0000007");
    }

    #[test]
    fn passwords_that_froxlor_would_change_are_refused() {
        for bad in [
            "pa\\ss1W-x",
            "Ab<script>1",
            "Aa1&amp;bbb",
            "eval(1)Aa1",
            "on=Click1",
            "a:B1a:B1",
            " Abcdefg1",
            "Ab%3Cx%3E1",
            "short1A",
        ] {
            let error = check_password(bad).unwrap_err();
            assert_eq!(error.code(), "password_refused");
            assert!(!error.to_string().contains(bad));
        }
        assert!(check_password("Pl4in-Secret").is_ok());
    }

    #[test]
    fn a_generated_password_satisfies_the_usual_policy() {
        let mut state = 1_usize;
        let password = hosting::generate_password(&rules().password, |n| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % n
        });
        assert!(check_password(&password).is_ok());
        assert!(password.chars().any(|c| c.is_ascii_lowercase()));
        assert!(password.chars().any(|c| c.is_ascii_uppercase()));
    }

    #[test]
    fn text_that_froxlor_would_change_is_refused() {
        for good in [
            "Acme Example Ltd",
            "O'Neil & Söhne",
            "Müller",
            "7",
            "Example Inc.",
        ] {
            assert!(
                refused_fields("create", json!({"company": good})).is_empty(),
                "{good}"
            );
        }
        for bad in [
            "", " x", "x ", "a\\b", "Ex<ample", "x&lt;", "eval(1)", "a\nb", "\"x\"", "x=1",
        ] {
            assert_eq!(
                refused_fields("create", json!({"company": bad})),
                ["account.panel.company"],
                "{bad}"
            );
        }
        assert!(refused_fields("create", json!({"zipcode": "12345", "phone": "+49 30 1234-5", "language": "de", "letsencrypt": true})).is_empty());
        assert_eq!(refused_fields("move", json!({})), ["account.panel.target"]);
        assert!(refused_fields("move", json!({"target": 5})).is_empty());
    }
}
