//! HostBill's user API, as a customer of a supplier has it: services are ordered, paid by credit and cancelled.
//!
//! Settings: the address is that of the API (`https://host/api`, also below a folder), the user is the
//! client's mail address, the secret its password. Options: see [`settings`].
//!
//! What is peculiar, and where it is dealt with:
//! - errors come as lists of texts with status 200, in the client's language: [`envelope`];
//! - an order costs money and has no idempotency key, so that it is one request of its own, its ids are kept
//!   first, and the service's label bears our marker: [`orders`];
//! - login name and password are the supplier's choice: an account's name here is ours alone, kept in the label;
//! - a cancellation is a request that a person may have to process: [`orders`];
//! - what a service can do differs from service to service and is asked for first: [`read::offered`].

mod admin;
mod catalogue;
mod channel;
mod envelope;
mod fuzz;
mod machines;
mod orders;
mod read;
mod rules;
mod settings;
mod shapes;
mod supplier;
mod upgrade;
mod usage;
mod wire;

use async_trait::async_trait;
use hosting::{DomainName, Limits, Month, PackageName, Username};
use secrecy::SecretString;
use serde_json::Value;

pub use self::admin::{AdminApi, BilledLogin, BilledService};
pub(crate) use self::fuzz::fuzz;
use self::settings::Options;
pub use self::supplier::{
    Balance, Contact, InvoiceLine, Question, ServiceLine, Supplier, Ticket, Zone, ZoneRecord,
};
use self::wire::Wire;
use super::Driver;
use crate::{
    AccountKey, Counter, Created, LoginLink, Machine, MachineAction, NewAccount, NewMachine, Order,
    OrderState, OrderStep, Panel, PanelAccount, PanelError, ServerCheck, ServerConfig,
    ServerSettings, UsageReport,
};

/// The driver's row in [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver {
    name: "hostbill",
    title: "HostBill",
    rules: rules::rules,
    open: |settings| Ok(Box::new(HostBill::new(&settings)?)),
};

/// One client's account with one supplier.
#[derive(Debug)]
struct HostBill {
    supplier: Supplier,
    options: Options,
}

impl HostBill {
    fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        let options = Options::read(settings)?;
        Ok(Self {
            supplier: Supplier::of(Wire::new(settings, &options)?),
            options,
        })
    }

    fn wire(&self) -> &Wire {
        self.supplier.wire()
    }
}

#[async_trait]
impl Panel for HostBill {
    /// What a resource's figure counts from is the supplier's secret: a drop books nothing.
    fn counter(&self) -> Counter {
        Counter::Running {
            restarts_from_zero: false,
        }
    }

    async fn check(&self) -> Result<ServerCheck, PanelError> {
        rules::check(self).await
    }

    async fn server_config(&self) -> Result<ServerConfig, PanelError> {
        catalogue::server_config(self.wire()).await
    }

    async fn find(&self, account: &AccountKey) -> Result<Option<PanelAccount>, PanelError> {
        read::find(self, account).await
    }

    async fn domain_owner(&self, domain: &DomainName) -> Result<Option<Username>, PanelError> {
        read::domain_owner(self, domain).await
    }

    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError> {
        read::list(self).await
    }

    fn orders(&self) -> bool {
        true
    }

    async fn prepare(&self, account: &NewAccount) -> Result<Value, PanelError> {
        catalogue::prepare(self, account).await
    }

    async fn place(&self, account: &NewAccount, prepared: &Value) -> Result<Order, PanelError> {
        orders::place(self, account, prepared).await
    }

    fn order_behind(&self, account: &NewAccount, found: &PanelAccount) -> Option<Order> {
        orders::behind(account, found)
    }

    async fn traces(&self, since: i64) -> Result<Vec<String>, PanelError> {
        orders::traces(self, since).await
    }

    async fn order_state(&self, order: &Order) -> Result<OrderState, PanelError> {
        orders::state(self, order).await
    }

    async fn take_step(&self, order: &Order, step: OrderStep) -> Result<(), PanelError> {
        orders::take_step(self, order, step).await
    }

    async fn create(&self, account: &NewAccount) -> Result<Created, PanelError> {
        let prepared = self.prepare(account).await?;
        if self.domain_owner(&account.domain).await?.is_some() {
            let why = "there is a service of that domain already";
            return Err(PanelError::refused("account_exists", why));
        }
        Ok(Created {
            order: Some(self.place(account, &prepared).await?),
            ..Created::default()
        })
    }

    async fn suspend(&self, account: &AccountKey, _reason: &str) -> Result<(), PanelError> {
        machines::switch_all(self, account, &MachineAction::Stop).await
    }

    async fn unsuspend(
        &self,
        account: &AccountKey,
        _before: Option<&Value>,
    ) -> Result<(), PanelError> {
        machines::switch_all(self, account, &MachineAction::Start).await
    }

    async fn terminate(&self, account: &AccountKey) -> Result<Option<Order>, PanelError> {
        orders::cancel(self, account).await
    }

    async fn change_package(
        &self,
        account: &AccountKey,
        package: &PackageName,
    ) -> Result<Option<Order>, PanelError> {
        upgrade::package(self, account, package).await.map(Some)
    }

    async fn is_on_package(
        &self,
        account: &PanelAccount,
        package: &PackageName,
        _overrides: &Limits,
    ) -> Result<bool, PanelError> {
        catalogue::is_product(self.wire(), account, package).await
    }

    async fn set_limits(
        &self,
        account: &AccountKey,
        limits: &Limits,
    ) -> Result<Option<Order>, PanelError> {
        upgrade::limits(self, account, limits).await.map(Some)
    }

    async fn change_password(
        &self,
        _account: &AccountKey,
        _password: &SecretString,
    ) -> Result<(), PanelError> {
        Err(no_such("change_password"))
    }

    async fn login_url(&self, _account: &AccountKey) -> Result<LoginLink, PanelError> {
        Err(no_such("login_url"))
    }

    async fn machines(&self, account: &AccountKey) -> Result<Vec<Machine>, PanelError> {
        machines::list(self, account).await
    }

    async fn machine(&self, account: &AccountKey, id: &str) -> Result<Option<Machine>, PanelError> {
        machines::one(self, account, id).await
    }

    async fn create_machine(
        &self,
        account: &AccountKey,
        new: &NewMachine,
    ) -> Result<(), PanelError> {
        machines::create(self, account, new).await
    }

    async fn drive_machine(
        &self,
        account: &AccountKey,
        id: &str,
        action: &MachineAction,
    ) -> Result<(), PanelError> {
        machines::drive(self, account, id, action).await
    }

    async fn ask_supplier(&self, question: Question) -> Result<Value, PanelError> {
        self.supplier.ask(question).await
    }

    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError> {
        usage::usage(self, month).await
    }

    async fn usage_of(
        &self,
        account: &AccountKey,
        month: Month,
    ) -> Result<UsageReport, PanelError> {
        usage::usage_of(self, account, month).await
    }
}

/// A customer's API has nothing of that.
fn no_such(what: &str) -> PanelError {
    PanelError::refused("unsupported", format!("HostBill's user API has no {what}"))
}
