//! What a panel would refuse, as data.
//!
//! A driver states its rules; they are written to the server's row when it is added or checked.
//! The API checks a request against them without knowing any driver, and the worker checks again.

use std::collections::BTreeMap;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::{Limit, LimitName, Limits, Username};

/// One panel's rules.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PanelRules {
    /// The driver's name: `cpanel`, `froxlor`, ...
    pub panel: String,
    /// The job kinds that it can do, by their names.
    pub kinds: Vec<String>,
    /// What a login name may be.
    pub username: NameRule,
    /// What a password may be.
    pub password: PasswordRule,
    /// Fields of `account` that a create needs: `domain`, `email`, `package`.
    pub required: Vec<String>,
    /// What may stand in `account.panel`; anything else is refused.
    pub panel_fields: Vec<PanelField>,
    /// The limits that it can express; others are refused.
    pub limits: Vec<LimitRule>,
    /// Whether an account can have an address of its own.
    pub dedicated_ip: bool,
    /// How many creates it may run at one time.
    pub creates_at_once: u32,
}

/// What a login name may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NameRule {
    /// A regular expression that the whole name must match.
    pub pattern: String,
    /// What the pattern says, in words for a person: "a letter, then letters and digits, 16 at most".
    pub words: String,
    /// Most characters.
    pub max_length: u16,
    /// Names that are taken by the system (compared without case).
    pub reserved: Vec<String>,
    /// Regular expressions of refused names, each with the reason for a person.
    pub refused: Vec<(String, String)>,
}

/// What a password may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PasswordRule {
    /// Fewest characters.
    pub min_length: u16,
    /// Most characters.
    pub max_length: u16,
    /// The characters that survive the panel unchanged.
    pub alphabet: String,
}

/// One field of `account.panel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PanelField {
    /// Its name.
    pub name: String,
    /// What it means and which values are right.
    pub about: String,
    /// A regular expression that the whole value must match (numbers and booleans as their text).
    pub pattern: String,
    /// The job kinds that take it.
    pub kinds: Vec<String>,
    /// Whether those kinds need it.
    pub required: bool,
}

/// How a panel expresses one limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitRule {
    /// Which limit.
    pub name: LimitName,
    /// The value must be a multiple of this (Froxlor counts traffic in whole GB: 1024).
    pub multiple_of: u64,
    /// The smallest value; 1 where the panel reads 0 as unlimited.
    pub least: u64,
    /// The largest value.
    pub most: u64,
    /// Whether `unlimited` can be said.
    pub unlimited: bool,
}

/// A field that is not right, by its path in the request (`account.limits.traffic_mb`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldError {
    /// The path, with dots.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl FieldError {
    /// A field and what is wrong with it.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }
}

/// What a job says of an account, as far as rules look at it.
#[derive(Debug, Default, Clone)]
pub struct AccountDraft<'a> {
    /// The job kind's name.
    pub kind: &'a str,
    /// Login name, if given.
    pub username: Option<&'a str>,
    /// Which of the fields that can be required are given.
    pub given: &'a [&'a str],
    /// Password, if given.
    pub password: Option<&'a str>,
    /// Limits, if given.
    pub limits: Option<&'a Limits>,
    /// Whether an own address is asked for.
    pub dedicated_ip: bool,
    /// `account.panel`.
    pub panel: Option<&'a BTreeMap<String, serde_json::Value>>,
}

impl PanelRules {
    /// Whether the panel can do jobs of this kind.
    #[must_use]
    pub fn supports(&self, kind: &str) -> bool {
        self.kinds.iter().any(|known| known == kind)
    }

    /// Everything that the panel would refuse in this job; empty = nothing.
    #[must_use]
    pub fn check(&self, draft: &AccountDraft<'_>) -> Vec<FieldError> {
        let mut errors = Vec::new();
        if !self.supports(draft.kind) {
            let message = format!(
                "{} servers cannot {}; they can {}",
                self.panel,
                draft.kind,
                self.kinds.join(", ")
            );
            return vec![FieldError::new("kind", message)];
        }
        if draft.kind == "create" {
            self.check_required(draft, &mut errors);
            if let Some(Err(why)) = draft.username.map(|name| self.username.check(name)) {
                errors.push(FieldError::new("account.username", why));
            }
        }
        if let Some(Err(why)) = draft.password.map(|password| self.password.check(password)) {
            errors.push(FieldError::new("account.password", why));
        }
        if draft.dedicated_ip && !self.dedicated_ip {
            let message = format!(
                "{} servers have no addresses to give; leave it out or say false",
                self.panel
            );
            errors.push(FieldError::new("account.dedicated_ip", message));
        }
        self.check_limits(draft, &mut errors);
        self.check_panel_fields(draft, &mut errors);
        errors
    }

    fn check_required(&self, draft: &AccountDraft<'_>, errors: &mut Vec<FieldError>) {
        for field in &self.required {
            if !draft.given.contains(&field.as_str()) {
                let message = format!("is required by {} servers", self.panel);
                errors.push(FieldError::new(format!("account.{field}"), message));
            }
        }
    }

    fn check_limits(&self, draft: &AccountDraft<'_>, errors: &mut Vec<FieldError>) {
        for (name, limit) in draft.limits.into_iter().flat_map(Limits::iter) {
            let verdict = match self.limits.iter().find(|rule| rule.name == name) {
                None => Err(format!("cannot be set on {} servers", self.panel)),
                Some(rule) => rule.check(limit),
            };
            if let Err(why) = verdict {
                errors.push(FieldError::new(format!("account.limits.{name}"), why));
            }
        }
    }

    fn check_panel_fields(&self, draft: &AccountDraft<'_>, errors: &mut Vec<FieldError>) {
        let empty = BTreeMap::new();
        let given = draft.panel.unwrap_or(&empty);
        let mine: Vec<_> = self
            .panel_fields
            .iter()
            .filter(|field| field.kinds.iter().any(|kind| kind == draft.kind))
            .collect();
        for (name, value) in given {
            let path = format!("account.panel.{name}");
            match mine.iter().find(|field| field.name == *name) {
                Some(field) if field.takes(value) => {}
                Some(field) => errors.push(FieldError::new(path, field.about.clone())),
                None => {
                    let known: Vec<_> = mine.iter().map(|field| field.name.as_str()).collect();
                    let known = if known.is_empty() {
                        "none".to_owned()
                    } else {
                        known.join(", ")
                    };
                    let message = format!(
                        "is not known to {} servers for {}; known: {known}",
                        self.panel, draft.kind
                    );
                    errors.push(FieldError::new(path, message));
                }
            }
        }
        for field in mine
            .iter()
            .filter(|field| field.required && !given.contains_key(&field.name))
        {
            errors.push(FieldError::new(
                format!("account.panel.{}", field.name),
                format!("is required: {}", field.about),
            ));
        }
    }

    /// A login name that this panel takes, made from our account's id alone: the same id always
    /// gives the same name, so that a repeated create can be recognised. `h` and 7 digits of base 36.
    ///
    /// # Errors
    /// When the id has no such name (beyond 36^7), with the reason.
    pub fn username_for(&self, account_id: i64) -> Result<Username, String> {
        let mut rest =
            u64::try_from(account_id).map_err(|_| "an account id is positive".to_owned())?;
        let mut digits = [b'0'; 7];
        for digit in digits.iter_mut().rev() {
            *digit =
                b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::try_from(rest % 36).unwrap_or(0)];
            rest /= 36;
        }
        if rest > 0 {
            return Err("no more names of 8 characters are left".to_owned());
        }
        let name = format!("h{}", String::from_utf8_lossy(&digits));
        self.username.check(&name)?;
        name.parse()
            .map_err(|error: crate::Invalid| error.to_string())
    }
}

impl NameRule {
    /// # Errors
    /// What is wrong with the name and what would be right.
    pub fn check(&self, name: &str) -> Result<(), String> {
        if name.chars().count() > usize::from(self.max_length) || !whole(&self.pattern, name) {
            return Err(format!("must be {}", self.words));
        }
        if self
            .reserved
            .iter()
            .any(|taken| taken.eq_ignore_ascii_case(name))
        {
            return Err(format!("`{name}` is reserved by the panel; choose another"));
        }
        match self
            .refused
            .iter()
            .find(|(pattern, _)| whole(pattern, name))
        {
            Some((_, why)) => Err(why.clone()),
            None => Ok(()),
        }
    }
}

impl PasswordRule {
    /// # Errors
    /// What is wrong, without repeating the password.
    pub fn check(&self, password: &str) -> Result<(), String> {
        let length = password.chars().count();
        if length < usize::from(self.min_length) || length > usize::from(self.max_length) {
            return Err(format!(
                "must have {} to {} characters",
                self.min_length, self.max_length
            ));
        }
        if password.chars().all(|c| self.alphabet.contains(c)) {
            Ok(())
        } else {
            Err(format!(
                "holds a character that this panel would change; it takes {}",
                self.alphabet
            ))
        }
    }
}

impl LimitRule {
    /// # Errors
    /// Why the panel cannot express this limit, and what it can.
    pub fn check(&self, limit: Limit) -> Result<(), String> {
        match limit {
            Limit::Unlimited if self.unlimited => Ok(()),
            Limit::Unlimited => Err("cannot be unlimited on this panel; give a number".to_owned()),
            Limit::AtMost(most) if most < self.least || most > self.most => Err(format!(
                "must be {} to {} (or unlimited) on this panel",
                self.least, self.most
            )),
            Limit::AtMost(most) if most % self.multiple_of.max(1) != 0 => Err(format!(
                "must be a multiple of {} on this panel",
                self.multiple_of
            )),
            Limit::AtMost(_) => Ok(()),
        }
    }
}

impl PanelField {
    fn takes(&self, value: &serde_json::Value) -> bool {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Number(number) => number.to_string(),
            serde_json::Value::Bool(flag) => flag.to_string(),
            _ => return false,
        };
        whole(&self.pattern, &text)
    }
}

/// Whether the whole text matches; a pattern that does not compile matches nothing.
fn whole(pattern: &str, text: &str) -> bool {
    Regex::new(&format!("^(?:{pattern})$")).is_ok_and(|regex| regex.is_match(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> PanelRules {
        PanelRules {
            panel: "example".into(),
            kinds: vec!["create".into(), "suspend".into()],
            username: NameRule {
                pattern: "[a-z][a-z0-9]*".into(),
                words: "a lower-case letter, then lower-case letters and digits, 16 at most".into(),
                max_length: 16,
                reserved: vec!["root".into()],
                refused: vec![("test.*".into(), "must not begin with `test`".into())],
            },
            password: PasswordRule {
                min_length: 8,
                max_length: 64,
                alphabet: "abcABC123!".into(),
            },
            required: vec!["domain".into()],
            panel_fields: vec![PanelField {
                name: "company".into(),
                about: "the customer's company, 1 to 60 characters".into(),
                pattern: ".{1,60}".into(),
                kinds: vec!["create".into()],
                required: false,
            }],
            limits: vec![LimitRule {
                name: LimitName::TrafficMb,
                multiple_of: 1024,
                least: 0,
                most: 1 << 40,
                unlimited: true,
            }],
            dedicated_ip: false,
            creates_at_once: 1,
        }
    }

    fn fields(draft: &AccountDraft<'_>) -> Vec<String> {
        rules()
            .check(draft)
            .into_iter()
            .map(|error| error.field)
            .collect()
    }

    #[test]
    fn every_wrong_field_is_named() {
        let limits = Limits::new()
            .with(LimitName::TrafficMb, Limit::AtMost(1000))
            .with(LimitName::DiskMb, Limit::AtMost(1));
        let panel = BTreeMap::from([
            ("companie".to_owned(), serde_json::json!("x")),
            ("company".to_owned(), serde_json::json!([])),
        ]);
        let draft = AccountDraft {
            kind: "create",
            username: Some("Root!"),
            given: &[],
            password: Some("a<b>c1234"),
            limits: Some(&limits),
            dedicated_ip: true,
            panel: Some(&panel),
        };
        assert_eq!(
            fields(&draft),
            [
                "account.domain",
                "account.username",
                "account.password",
                "account.dedicated_ip",
                "account.limits.disk_mb",
                "account.limits.traffic_mb",
                "account.panel.companie",
                "account.panel.company",
            ]
        );
    }

    #[test]
    fn a_kind_that_the_panel_lacks_is_refused() {
        assert_eq!(
            fields(&AccountDraft {
                kind: "move",
                ..AccountDraft::default()
            }),
            ["kind"]
        );
    }

    #[test]
    fn reserved_and_refused_names_say_why() {
        let rule = rules().username;
        assert!(rule.check("root").unwrap_err().contains("reserved"));
        assert!(rule.check("test1").unwrap_err().contains("test"));
        assert_eq!(rule.check("acme"), Ok(()));
    }

    #[test]
    fn a_generated_name_depends_on_the_id_alone() {
        assert_eq!(rules().username_for(36).unwrap().as_str(), "h0000010");
        assert_eq!(rules().username_for(36), rules().username_for(36));
        assert!(rules().username_for(36_i64.pow(7)).is_err());
    }

    #[test]
    fn a_password_error_never_repeats_the_password() {
        let why = rules().password.check("hunter2<script>").unwrap_err();
        assert!(!why.contains("hunter2"));
    }
}
