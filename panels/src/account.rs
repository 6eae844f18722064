//! Accounts as panels know them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hosting::{DomainName, Email, Limits, PackageName, Username};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

/// How we name an account to a panel: its login name, and what else we know that helps.
#[derive(Debug, Clone)]
pub struct AccountKey {
    /// The login name.
    pub username: Username,
    /// The main domain, where known.
    pub domain: Option<DomainName>,
    /// The panel's own id of it, where one was recorded.
    pub panel_id: Option<String>,
}

/// An account that shall be made.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The login name; always given, so that a lost answer can be looked up.
    pub username: Username,
    /// The main domain.
    pub domain: DomainName,
    /// The owner's mail address.
    pub email: Option<Email>,
    /// The password; always ours, because what a panel generates is lost with its answer.
    pub password: SecretString,
    /// The package, by the name that the panel lists.
    pub package: Option<PackageName>,
    /// What the account shall be allowed beyond its package. Drivers whose create takes limits beside a
    /// package may use them; the worker compares and sets afterwards what is missing.
    pub limits: Limits,
    /// Our marker, `H<deployment>-<account id>`, for panels that have a field to keep it in.
    pub marker: String,
    /// What only this panel wants, checked against [`hosting::PanelRules::panel_fields`].
    pub panel: BTreeMap<String, serde_json::Value>,
}

/// What a panel answered to a create.
#[derive(Debug, Default, Clone)]
pub struct Created {
    /// The login name that the panel says it gave, where it says so.
    pub username: Option<Username>,
    /// The address that the account got.
    pub address: Option<IpAddr>,
    /// Name servers to delegate to.
    pub name_servers: Vec<String>,
    /// What the panel warned about, redacted; for the operator.
    pub warnings: Vec<String>,
    /// What was ordered, where making an account is an order.
    pub order: Option<crate::Order>,
}

/// An account as read from a panel.
#[derive(Debug, Clone)]
pub struct PanelAccount {
    /// The login name as the panel writes it.
    pub username: Username,
    /// The main domain, where the panel has that notion or we could find it.
    pub domain: Option<DomainName>,
    /// Who owns it on the panel (reseller, admin).
    pub owner: Option<String>,
    /// The owner's mail address.
    pub email: Option<String>,
    /// The package, where the panel remembers it.
    pub package: Option<PackageName>,
    /// Active or suspended.
    pub standing: Standing,
    /// The limits that the panel tells, in our units; one that it does not tell is not set.
    pub limits: Limits,
    /// Its main address.
    pub address: Option<IpAddr>,
    /// What proves which account this is.
    pub evidence: Evidence,
    /// What a create that broke off has left undone, in words for the operator; empty = complete.
    pub unfinished: Vec<String>,
}

/// Whether an account may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It may.
    Active,
    /// It may not.
    Suspended {
        /// The reason that the panel keeps, if it keeps one.
        reason: Option<String>,
        /// Whether only root may lift it.
        locked: bool,
        /// Whether this suspension carries our own marker; `None` where the panel cannot tell.
        ours: Option<bool>,
    },
}

impl Standing {
    /// Whether suspended, by whomever.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        matches!(self, Self::Suspended { .. })
    }
}

/// What proves which incarnation of an account this is.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Our marker, where the panel keeps one. `Some("")` = the panel keeps one and it is empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The panel's own id of the account (Froxlor: customerid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub panel_id: Option<String>,
    /// The Unix user id (WHM: uid, Froxlor: guid).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    /// When the panel says it was made, in milliseconds UTC by the panel's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<i64>,
    /// The panel's clock when this was read (its Date header), in milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<i64>,
}

/// A link that logs somebody in. It is a secret.
#[derive(Debug, Clone)]
pub struct LoginLink {
    /// The whole address.
    pub url: SecretString,
    /// When it ends, in milliseconds UTC, where the panel says so.
    pub expires_at: Option<i64>,
}

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// What the world sees behind NAT, if different.
    pub public: Option<IpAddr>,
    /// Whether it may be given to an account of its own now.
    pub free: bool,
    /// Whether it is the server's shared address.
    pub shared: bool,
}
