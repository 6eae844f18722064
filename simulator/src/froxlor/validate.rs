//! The checks of names, passwords, addresses and resources.

use super::Froxlor;
use super::failure::{Complaint, Failure};
use super::rows::Row;

/// Names that no customer may have, besides those on the system.
const RESERVED: [&str; 5] = ["root", "admin", "froxroot", "froxlor", "froxlordb"];
/// Accounts of the operating system.
const ON_SYSTEM: [&str; 14] = [
    "root", "daemon", "bin", "sys", "sync", "games", "man", "lp", "mail", "news", "backup",
    "nobody", "www-data", "mysql",
];
/// MariaDB's 64 characters of a user name without room for `sql` and a number.
const LONGEST_LOGIN: usize = 61;
/// What generated login names begin with.
pub(super) const PREFIX: &str = "web";

impl Froxlor {
    /// Checks a login name that the caller chose, in the panel's order.
    pub(super) fn check_login(&self, login: &str) -> Result<(), Failure> {
        let lower = login.to_ascii_lowercase();
        let starts = login.starts_with(|c: char| c.is_ascii_alphabetic());
        let plain = login
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        if !starts || !plain || login.len() < 2 {
            return Err(Complaint::Format("loginname").into());
        }
        let taken = self.by_login(login).is_some()
            || self
                .admins
                .values()
                .any(|admin| admin.text("loginname").eq_ignore_ascii_case(login));
        if ON_SYSTEM.contains(&lower.as_str())
            || (self.settings.unix_customers && self.by_login(login).is_some())
        {
            return Err(Complaint::LoginOnSystem(login.to_owned()).into());
        }
        if RESERVED.contains(&lower.as_str()) {
            return Err(Complaint::LoginReserved(login.to_owned()).into());
        }
        if lower
            .strip_prefix(PREFIX)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            return Err(Complaint::LoginPrefix(PREFIX.to_owned()).into());
        }
        if login.len() > LONGEST_LOGIN {
            return Err(Complaint::LoginLength(LONGEST_LOGIN).into());
        }
        if login.contains(['-', '_']) {
            return Err(Complaint::LoginCharacters(login.to_owned()).into());
        }
        if taken {
            return Err(Complaint::LoginExists(login.to_owned()).into());
        }
        Ok(())
    }

    /// The address as it is stored: an international domain in its ASCII form. Must not be an admin's.
    pub(super) fn check_email(&self, email: &str) -> Result<String, Failure> {
        let wrong = || Failure::from(Complaint::EmailWrong(email.to_owned()));
        let (local, domain) = email.rsplit_once('@').ok_or_else(wrong)?;
        let ascii = idna::domain_to_ascii(domain).map_err(|_| wrong())?;
        let fits = !local.is_empty()
            && !local.contains(char::is_whitespace)
            && ascii.contains('.')
            && ascii.split('.').all(|label| !label.is_empty());
        if !fits {
            return Err(wrong());
        }
        let stored = format!("{local}@{ascii}");
        if self
            .admins
            .values()
            .any(|admin| admin.text("email").eq_ignore_ascii_case(&stored))
        {
            return Err(Complaint::EmailInUse(stored).into());
        }
        Ok(stored)
    }

    pub(super) fn check_password(&self, password: &str) -> Result<(), Failure> {
        let policy = self.settings.passwords;
        if (password.chars().count() as u64) < policy.min_length {
            return Err(Complaint::PasswordShort(policy.min_length).into());
        }
        let has = |test: fn(char) -> bool| password.chars().any(test);
        let simple = (policy.both_cases
            && !(has(|c| c.is_lowercase()) && has(|c| c.is_uppercase())))
            || (policy.digit && !has(|c| c.is_ascii_digit()))
            || (policy.special && !has(|c| c.is_ascii_punctuation()));
        if simple {
            Err(Complaint::PasswordSimple.into())
        } else {
            Ok(())
        }
    }

    /// Whether an admin can give what a customer's row asks for, beside his other customers. Traffic is not checked.
    pub(super) fn check_resources(
        &self,
        admin: i64,
        wanted: &Row,
        customer: Option<i64>,
    ) -> Result<(), Failure> {
        const CHECKED: [&str; 7] = [
            "diskspace",
            "mysqls",
            "emails",
            "email_accounts",
            "email_forwarders",
            "ftps",
            "subdomains",
        ];
        let Some(admin_row) = self.admins.get(&admin) else {
            return Ok(());
        };
        for column in CHECKED {
            let most = admin_row.int(column);
            if most < 0 {
                continue;
            }
            let given: i64 = self
                .customers
                .values()
                .filter(|other| other.row.int("adminid") == admin && Some(other.id()) != customer)
                .map(|other| other.row.int(column).max(0))
                .sum();
            let wanted = wanted.int(column);
            if wanted < 0 || given + wanted > most {
                return Err(Complaint::TooMuch.into());
            }
        }
        Ok(())
    }
}

/// Checks the free fields of a person's record.
pub(super) fn check_fields(row: &Row) -> Result<(), Failure> {
    let only = |column: &str, extra: &str| {
        row.text(column)
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || extra.contains(c))
    };
    let digits = |column: &str, extra: &str| {
        row.text(column)
            .chars()
            .all(|c| c.is_ascii_digit() || extra.contains(c))
    };
    if !only("zipcode", " -") {
        return Err(Complaint::Format("zipcode").into());
    }
    if !digits("phone", "- +()/") {
        return Err(Complaint::Format("phone").into());
    }
    if !digits("fax", "- +()/") {
        return Err(Complaint::Format("fax").into());
    }
    if !only("customernumber", " -") {
        return Err(Complaint::Format("customer number").into());
    }
    if row.on("phpenabled") && row.text("allowed_phpconfigs").is_empty() {
        return Err(Complaint::NoPhpConfig.into());
    }
    Ok(())
}
