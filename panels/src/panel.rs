//! The one trait: what Hostler asks of a panel.

use std::collections::BTreeMap;
use std::net::IpAddr;

use async_trait::async_trait;
use hosting::{DomainName, Limits, Month, PackageName, PanelRules, Username};
use ipnet::IpNet;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    AccountKey, Address, Counter, Created, LoginLink, Machine, MachineAction, NewAccount,
    NewMachine, Order, OrderState, OrderStep, PanelAccount, PanelError, Question, UsageReport,
};

/// One server with one panel on it.
///
/// Reads may be repeated. Each verb that changes something makes the change *once* and answers
/// [`PanelError::InDoubt`] when it does not know whether it took effect. A verb that the panel does not
/// have answers `Rejected` with the code `unsupported`; the default bodies here do.
#[async_trait]
pub trait Panel: Send + Sync + std::fmt::Debug {
    /// How this panel counts traffic.
    fn counter(&self) -> Counter;

    /// Whether address, credentials and rights are as they should be; and the rules as this server has them.
    async fn check(&self) -> Result<ServerCheck, PanelError>;

    /// Packages, addresses and name servers.
    async fn server_config(&self) -> Result<ServerConfig, PanelError>;

    /// The account of that login name, or `None` when the panel surely has none (that we may see).
    async fn find(&self, account: &AccountKey) -> Result<Option<PanelAccount>, PanelError>;

    /// Who has that domain on the server, as far as the panel tells; `None` = nobody, or cannot tell.
    async fn domain_owner(&self, domain: &DomainName) -> Result<Option<Username>, PanelError>;

    /// Every account that we may see.
    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError>;

    /// Makes the account. The caller has looked that it does not exist.
    async fn create(&self, account: &NewAccount) -> Result<Created, PanelError>;

    /// Whether changes are orders, which cost money and take effect when they are paid and approved. An order
    /// is never sent again after an unclear answer; a create is then [`Panel::prepare`] and [`Panel::place`],
    /// and what was ordered is followed by [`Panel::order_state`].
    fn orders(&self) -> bool {
        false
    }

    /// Whether what an order is to say is right, found out before anything is ordered; what
    /// [`Panel::place`] sends.
    async fn prepare(&self, _account: &NewAccount) -> Result<serde_json::Value, PanelError> {
        Err(unsupported("orders"))
    }

    /// Orders what was prepared. One request, and nothing after it: what it answered is kept first.
    async fn place(
        &self,
        _account: &NewAccount,
        _prepared: &serde_json::Value,
    ) -> Result<Order, PanelError> {
        Err(unsupported("orders"))
    }

    /// The order behind an account whose order was answered by nothing.
    fn order_behind(&self, _account: &NewAccount, _found: &PanelAccount) -> Option<Order> {
        None
    }

    /// What there is that an order since then (milliseconds UTC) may have left, in words for the operator.
    async fn traces(&self, _since: i64) -> Result<Vec<String>, PanelError> {
        Ok(Vec::new())
    }

    /// How far the order has come. A read.
    async fn order_state(&self, _order: &Order) -> Result<OrderState, PanelError> {
        Err(unsupported("orders"))
    }

    /// Takes the step that was due. Safe to repeat once the first request is surely over: it looks first.
    async fn take_step(&self, _order: &Order, _step: OrderStep) -> Result<(), PanelError> {
        Err(unsupported("orders"))
    }

    /// Whether `create` leaves something to [`Panel::complete`].
    fn completes(&self) -> bool {
        false
    }

    /// Makes what `create` leaves to a call of its own (Froxlor: the customer's domain). Safe to repeat:
    /// it looks first. `true` = something was made.
    async fn complete(&self, _account: &NewAccount) -> Result<bool, PanelError> {
        Ok(false)
    }

    /// Suspends it, keeping `reason` with our marker where the panel keeps reasons.
    async fn suspend(&self, account: &AccountKey, reason: &str) -> Result<(), PanelError>;

    /// Lifts the suspension. `before` is what `suspend` had to remember ([`Panel::remember`]).
    async fn unsuspend(
        &self,
        account: &AccountKey,
        before: Option<&serde_json::Value>,
    ) -> Result<(), PanelError>;

    /// What must be known before a suspend so that it can be undone wholly; kept on the account's row.
    async fn remember(
        &self,
        _account: &AccountKey,
    ) -> Result<Option<serde_json::Value>, PanelError> {
        Ok(None)
    }

    /// Whether an unsuspended account has all that it had before; else what is missing, in words.
    async fn missing_after_unsuspend(
        &self,
        _account: &AccountKey,
        _before: Option<&serde_json::Value>,
    ) -> Result<Vec<String>, PanelError> {
        Ok(Vec::new())
    }

    /// Removes it with its files. `Some` = that is only asked for, and this is followed until it is done.
    async fn terminate(&self, account: &AccountKey) -> Result<Option<Order>, PanelError>;

    /// Puts it on another package. Overrides are re-applied by the caller. `Some` = it is only ordered.
    async fn change_package(
        &self,
        account: &AccountKey,
        package: &PackageName,
    ) -> Result<Option<Order>, PanelError>;

    /// Whether the account is on that package, by all that the panel lets us compare.
    /// `overrides` are limits of the account's own, which may differ from the package's.
    async fn is_on_package(
        &self,
        account: &PanelAccount,
        package: &PackageName,
        overrides: &Limits,
    ) -> Result<bool, PanelError>;

    /// Sets these limits, absolute values, the others untouched. `Some` = they are only ordered.
    async fn set_limits(
        &self,
        account: &AccountKey,
        limits: &Limits,
    ) -> Result<Option<Order>, PanelError>;

    /// Sets the panel password.
    async fn change_password(
        &self,
        account: &AccountKey,
        password: &SecretString,
    ) -> Result<(), PanelError>;

    /// A link that logs the account's owner in.
    async fn login_url(&self, account: &AccountKey) -> Result<LoginLink, PanelError>;

    /// Clears a lock after failed logins (not a suspension).
    async fn unlock(&self, _account: &AccountKey) -> Result<(), PanelError> {
        Err(unsupported("unlock"))
    }

    /// Gives the account to another owner (reseller's name, admin's id).
    async fn move_to(&self, _account: &AccountKey, _target: &str) -> Result<(), PanelError> {
        Err(unsupported("move"))
    }

    /// Whether the account belongs to that owner already.
    async fn belongs_to(&self, account: &PanelAccount, target: &str) -> Result<bool, PanelError> {
        Ok(account.owner.as_deref() == Some(target))
    }

    /// The server's addresses.
    async fn addresses(&self) -> Result<Vec<Address>, PanelError> {
        Ok(Vec::new())
    }

    /// Gives the account that address.
    async fn assign_address(
        &self,
        _account: &AccountKey,
        _address: IpAddr,
    ) -> Result<(), PanelError> {
        Err(unsupported("dedicated_ip"))
    }

    /// The virtual machines of the account.
    async fn machines(&self, _account: &AccountKey) -> Result<Vec<Machine>, PanelError> {
        Err(unsupported("virtual machines"))
    }

    /// One of them; `None` = there surely is none of that id.
    async fn machine(
        &self,
        _account: &AccountKey,
        _id: &str,
    ) -> Result<Option<Machine>, PanelError> {
        Err(unsupported("virtual machines"))
    }

    /// Makes a machine.
    async fn create_machine(
        &self,
        _account: &AccountKey,
        _new: &NewMachine,
    ) -> Result<(), PanelError> {
        Err(unsupported("virtual machines"))
    }

    /// Does something with a machine; it has begun, not ended, when this returns.
    async fn drive_machine(
        &self,
        _account: &AccountKey,
        _id: &str,
        _action: &MachineAction,
    ) -> Result<(), PanelError> {
        Err(unsupported("virtual machines"))
    }

    /// Answers a question about our account with a supplier.
    async fn ask_supplier(&self, _question: Question) -> Result<serde_json::Value, PanelError> {
        Err(unsupported("supplier"))
    }

    /// Traffic of that month and disk use of all accounts, in one or few calls.
    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError>;

    /// The same for one account, for the final reading before a terminate.
    async fn usage_of(&self, account: &AccountKey, month: Month)
    -> Result<UsageReport, PanelError>;
}

fn unsupported(what: &str) -> PanelError {
    PanelError::refused("unsupported", format!("this panel has no {what}"))
}

/// What a driver needs to talk to one server.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// The operator's name for it, for error texts.
    pub name: String,
    /// The panel's address, `https` only.
    pub url: String,
    /// The API user, where the panel wants one (WHM: root or a reseller; Froxlor: the API key).
    pub user: Option<String>,
    /// Token, key secret or password.
    pub secret: SecretString,
    /// `sha256/BASE64` of public keys (SPKI) that are trusted instead of the public authorities.
    pub pins: Vec<String>,
    /// Certificates in PEM that are trusted instead of the public authorities.
    pub ca_pem: Option<String>,
    /// Private or loopback networks that the panel's address may lie in.
    pub allow_networks: Vec<IpNet>,
    /// The panel's time zone: traffic months are the panel's.
    pub time_zone: chrono_tz::Tz,
    /// What only this panel's driver knows, by name.
    pub options: BTreeMap<String, String>,
}

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServerCheck {
    /// The panel's version as it says it.
    pub version: Option<String>,
    /// The rules as this server has them (a driver's own, refined by what the server told).
    pub rules: PanelRules,
    /// Rights that are missing for kinds that we would run, in words; empty = all there.
    pub missing_rights: Vec<String>,
    /// Other things worth knowing.
    pub notes: Vec<String>,
}

/// What `get_server_config` reads.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub struct ServerConfig {
    /// The packages (presets, plans).
    pub packages: Vec<ServerPackage>,
    /// The addresses.
    pub addresses: Vec<Address>,
    /// Name servers, where the panel tells them.
    pub name_servers: Vec<String>,
    /// The server's own host name, where the panel tells it.
    pub host_name: Option<String>,
}

/// One package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerPackage {
    /// The name by which jobs ask for it.
    pub name: PackageName,
    /// The panel's id of it, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its limits in our units.
    pub limits: Limits,
}
