//! What tests can set on a Froxlor server.

use serde_json::Value;

use super::access::Key;
use super::{Envelope, Froxlor, KeyOwner};

/// What a password must have. The default of a new panel: upper and lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The least length; 0 is any.
    pub min_length: u64,
    /// Upper and lower case letters.
    pub both_cases: bool,
    /// A digit.
    pub digit: bool,
    /// A special character.
    pub special: bool,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        PasswordPolicy {
            min_length: 0,
            both_cases: true,
            digit: false,
            special: false,
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) api_enabled: bool,
    pub(super) rate_limit: u64,
    pub(super) envelope: Envelope,
    pub(super) php74_types: bool,
    pub(super) database_broken: bool,
    pub(super) mail_works: bool,
    pub(super) default_language: String,
    pub(super) passwords: PasswordPolicy,
    pub(super) unix_customers: bool,
    pub(super) version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            api_enabled: true,
            rate_limit: 60,
            envelope: Envelope::Current,
            php74_types: false,
            database_broken: false,
            mail_works: true,
            default_language: "en".to_owned(),
            passwords: PasswordPolicy::default(),
            unix_customers: false,
            version: "2.3.4".to_owned(),
        }
    }
}

impl Froxlor {
    /// While broken, every call is answered with status 200 and a sentence of plain English.
    pub fn break_database(&mut self, broken: bool) {
        self.settings.database_broken = broken;
    }

    /// The API is off on a new panel; here it is on unless told otherwise.
    pub fn enable_api(&mut self, on: bool) {
        self.settings.api_enabled = on;
    }

    /// Calls in a minute; 0 answers everything with 429 and an absolute time in `Retry-After`.
    pub fn set_rate_limit(&mut self, calls: u64) {
        self.settings.rate_limit = calls;
    }

    /// The protocol of 2.x or of 0.10.
    pub fn set_envelope(&mut self, envelope: Envelope) {
        self.settings.envelope = envelope;
    }

    /// Numbers from the database become strings, as on PHP 7.4 and 8.0.
    pub fn set_php74_types(&mut self, on: bool) {
        self.settings.php74_types = on;
    }

    /// Whether mails can be sent, as they can by default.
    pub fn set_mail_works(&mut self, on: bool) {
        self.settings.mail_works = on;
    }

    /// What passwords must have.
    pub fn set_password_policy(&mut self, policy: PasswordPolicy) {
        self.settings.passwords = policy;
    }

    /// Customers are Unix users (libnss-extrausers, the usual set-up): a repeated add then says that the account
    /// exists on the system.
    pub fn set_unix_customers(&mut self, on: bool) {
        self.settings.unix_customers = on;
    }

    /// The language of an admin, which is that of the validation's texts: `en` or `de`.
    pub fn set_admin_language(&mut self, admin: i64, language: &str) {
        self.set_admin_column(admin, "def_language", language);
    }

    /// Adds an API key.
    pub fn add_key(&mut self, key: &str, secret: &str, owner: KeyOwner) {
        self.keys.push(Key::new(key, secret, owner));
    }

    /// Ends a key at a Unix time; -1 is never.
    pub fn set_key_end(&mut self, key: &str, valid_until: i64) {
        for known in self.keys.iter_mut().filter(|known| known.key == key) {
            known.valid_until = valid_until;
        }
    }

    /// Binds a key to addresses.
    pub fn set_key_addresses(&mut self, key: &str, addresses: &[&str]) {
        for known in self.keys.iter_mut().filter(|known| known.key == key) {
            known.allowed_from = addresses
                .iter()
                .map(|address| (*address).to_owned())
                .collect();
        }
    }

    /// When a key ends (-1 is never); none for an unknown key.
    #[must_use]
    pub fn key_end(&self, key: &str) -> Option<i64> {
        self.keys
            .iter()
            .find(|known| known.key == key)
            .map(|known| known.valid_until)
    }

    /// Writes a column of a customer's row, behind the API. False when there is no such customer.
    pub fn set_customer_column(
        &mut self,
        login: &str,
        column: &str,
        value: impl Into<Value>,
    ) -> bool {
        self.by_login_mut(login)
            .map(|customer| customer.row.set(column, value))
            .is_some()
    }

    /// A column of a customer's row.
    #[must_use]
    pub fn customer_column(&self, login: &str, column: &str) -> Option<Value> {
        self.by_login(login)?.row.get(column).cloned()
    }

    /// Adds an admin like the first one, behind the API; returns the id.
    pub fn add_admin(&mut self, login: &str) -> i64 {
        let mut row = self.admins.values().next().cloned().unwrap_or_default();
        self.last.admin += 1;
        row.set("adminid", self.last.admin);
        row.set("loginname", login);
        self.admins.insert(self.last.admin, row);
        self.last.admin
    }

    /// Writes a column of an admin's row, behind the API. False when there is no such admin.
    pub fn set_admin_column(&mut self, admin: i64, column: &str, value: impl Into<Value>) -> bool {
        self.admins
            .get_mut(&admin)
            .map(|row| row.set(column, value))
            .is_some()
    }

    /// The used space of a customer, in KiB: web, mail, databases.
    pub fn set_spaces(&mut self, login: &str, web: i64, mail: i64, databases: i64) -> bool {
        let Some(customer) = self.by_login_mut(login) else {
            return false;
        };
        customer.webspace_kib = web;
        customer.mailspace_kib = mail;
        customer.dbspace_kib = databases;
        customer.row.set("diskspace_used", web + mail + databases);
        true
    }

    /// Removes a customer with all that belongs to him, behind the API and without a trace in the ledger.
    pub fn remove_customer(&mut self, login: &str) -> bool {
        let Some(id) = self.by_login(login).map(super::Customer::id) else {
            return false;
        };
        self.drop_customer(id);
        true
    }

    /// Lets a home directory be there, as one that a former customer left.
    pub fn make_directory(&mut self, login: &str) {
        self.tasks.directories.insert(login.to_owned());
    }

    /// Removes a home directory by hand.
    pub fn remove_directory(&mut self, login: &str) {
        self.tasks.directories.remove(login);
    }

    /// Removes all hosting plans; the next one gets the id 1.
    pub fn remove_all_plans(&mut self) {
        self.plans.clear();
        self.last.plan = 0;
    }

    /// Lets the auto-increments of customers and Unix ids go on from here.
    pub fn set_next_ids(&mut self, customer: i64, guid: i64) {
        self.last.customer = customer - 1;
        self.last.guid = guid - 1;
    }

    /// Lets the generated login names go on from here.
    pub fn set_next_account_number(&mut self, number: i64) {
        self.last.account = number - 1;
    }

    /// Lets the ids of domains go on from here.
    pub fn set_next_domain_id(&mut self, id: i64) {
        self.last.domain = id - 1;
    }

    /// The version that `Froxlor.checkUpdate` reports.
    pub fn set_version(&mut self, version: &str) {
        version.clone_into(&mut self.settings.version);
    }
}
