//! What an account looks like from outside, the same for every panel.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// An account's limits; `None` is unlimited, zero is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimLimits {
    /// Disk space, in bytes.
    pub disk: Option<u64>,
    /// Traffic a month, in bytes.
    pub traffic: Option<u64>,
    /// Mailboxes.
    pub email_accounts: Option<u64>,
    /// Databases.
    pub databases: Option<u64>,
    /// Additional web domains (WHM); Froxlor has no such limit and shows `None`.
    pub domains: Option<u64>,
    /// Sub-domains.
    pub subdomains: Option<u64>,
    /// FTP accounts.
    pub ftp_accounts: Option<u64>,
}

/// An account as it is on the panel now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimAccount {
    /// The login name.
    pub username: String,
    /// Which account this is: a name that is used again gets another incarnation.
    pub incarnation: String,
    /// The main domain (WHM) or the first domain of the customer (Froxlor), empty when there is none.
    pub domain: String,
    /// The contact's address.
    pub email: String,
    /// The package's name (WHM); Froxlor does not remember one.
    pub package: Option<String>,
    /// The reseller or admin who owns it.
    pub owner: String,
    /// Whether it is suspended.
    pub suspended: bool,
    /// Why, where the panel keeps a reason.
    pub suspend_reason: Option<String>,
    /// Suspended so that only root may lift it (WHM).
    pub locked: bool,
    /// The web address it is served on.
    pub ip: String,
    /// Its limits.
    pub limits: SimLimits,
    /// Disk space used, in bytes.
    pub disk_used: u64,
    /// The Unix user id.
    pub uid: u64,
    /// When it was made, in ms since 1970 by the panel's clock.
    pub created_at_ms: i64,
    /// Froxlor's `customernumber`.
    pub marker: Option<String>,
    /// Froxlor: whether it has a standard sub-domain.
    pub standard_subdomain: bool,
    /// Whether a create broke off in the middle of it.
    pub half_made: bool,
    #[serde(skip)]
    pub(crate) password: Secret,
}

impl SimAccount {
    /// Whether this is the account's password.
    #[must_use]
    pub fn password_is(&self, password: &str) -> bool {
        self.password == Secret::of(password)
    }
}

/// A password that can be compared but not read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Secret([u8; 32]);

impl Secret {
    pub(crate) fn of(text: &str) -> Self {
        Secret(Sha256::digest(text.as_bytes()).into())
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// An account's traffic in one month, as the panel would report it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SimTraffic {
    /// The login name.
    pub username: String,
    /// Which account of that name.
    pub incarnation: String,
    /// `YYYY-MM`, by the panel's time zone.
    pub month: String,
    /// Bytes.
    pub bytes: u64,
    /// Whether the account is gone.
    pub deleted: bool,
}
