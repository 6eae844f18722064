//! Froxlor, 0.10 and 2.0 to 2.3.
//!
//! Settings: the address is the panel's (`https://panel.example.com`, `https://example.com/froxlor`) or the
//! whole one of `api.php`; the user is an admin's API key, the secret is the key's secret. The admin should
//! have English as its language: the texts of refusals come in it.
//!
//! What is peculiar, and where it is dealt with:
//! - add is no transaction, and answers errors for customers that it made: [`create`];
//! - a suspend deletes the standard subdomain, an unsuspend does not bring it back: [`change`];
//! - there is no package of a customer, only its numbers: [`packages`];
//! - texts are altered before use: [`rules`]; units differ by direction: [`allowance`];
//! - any update cuts the stored disk space and traffic to whole MB and GB. Froxlor itself and this driver
//!   only ever store whole ones, so that nothing is lost unless somebody wrote others into its tables.

mod allowance;
mod change;
mod channel;
mod check;
mod create;
mod envelope;
mod fuzz;
mod packages;
mod read;
#[cfg(test)]
mod recorded;
mod rules;
mod shapes;
mod usage;
mod wire;

use async_trait::async_trait;
use hosting::{DomainName, Limits, Month, PackageName, Username};
use secrecy::SecretString;
use serde_json::Value;

pub(crate) use self::fuzz::fuzz;
use self::wire::Wire;
use super::Driver;
use crate::{
    AccountKey, Counter, Created, LoginLink, NewAccount, Order, Panel, PanelAccount, PanelError,
    ServerCheck, ServerConfig, ServerSettings, UsageReport,
};

/// The driver's row in [`super::DRIVERS`].
pub(super) const DRIVER: Driver = Driver {
    name: "froxlor",
    title: "Froxlor",
    rules: rules::rules,
    open: |settings| Ok(Box::new(Froxlor::new(&settings)?)),
};

/// One Froxlor.
#[derive(Debug)]
struct Froxlor {
    wire: Wire,
}

impl Froxlor {
    fn new(settings: &ServerSettings) -> Result<Self, PanelError> {
        Ok(Self {
            wire: Wire::new(settings)?,
        })
    }
}

#[async_trait]
impl Panel for Froxlor {
    fn counter(&self) -> Counter {
        Counter::MonthTotal
    }

    async fn check(&self) -> Result<ServerCheck, PanelError> {
        check::check(&self.wire).await
    }

    async fn server_config(&self) -> Result<ServerConfig, PanelError> {
        packages::server_config(&self.wire).await
    }

    async fn find(&self, account: &AccountKey) -> Result<Option<PanelAccount>, PanelError> {
        read::find(&self.wire, account).await
    }

    async fn domain_owner(&self, domain: &DomainName) -> Result<Option<Username>, PanelError> {
        read::domain_owner(&self.wire, domain).await
    }

    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError> {
        read::list(&self.wire).await
    }

    async fn create(&self, account: &NewAccount) -> Result<Created, PanelError> {
        create::create(&self.wire, account).await
    }

    fn completes(&self) -> bool {
        true
    }

    async fn complete(&self, account: &NewAccount) -> Result<bool, PanelError> {
        create::complete(&self.wire, account).await
    }

    async fn suspend(&self, account: &AccountKey, _reason: &str) -> Result<(), PanelError> {
        change::suspend(&self.wire, account).await
    }

    async fn unsuspend(
        &self,
        account: &AccountKey,
        before: Option<&Value>,
    ) -> Result<(), PanelError> {
        change::unsuspend(&self.wire, account, before).await
    }

    async fn remember(&self, account: &AccountKey) -> Result<Option<Value>, PanelError> {
        change::remember(&self.wire, account).await
    }

    async fn missing_after_unsuspend(
        &self,
        account: &AccountKey,
        before: Option<&Value>,
    ) -> Result<Vec<String>, PanelError> {
        change::missing_after_unsuspend(&self.wire, account, before).await
    }

    async fn terminate(&self, account: &AccountKey) -> Result<Option<Order>, PanelError> {
        change::terminate(&self.wire, account).await?;
        Ok(None)
    }

    async fn change_package(
        &self,
        account: &AccountKey,
        package: &PackageName,
    ) -> Result<Option<Order>, PanelError> {
        packages::change_package(&self.wire, account, package).await?;
        Ok(None)
    }

    async fn is_on_package(
        &self,
        account: &PanelAccount,
        package: &PackageName,
        overrides: &Limits,
    ) -> Result<bool, PanelError> {
        packages::is_on_package(&self.wire, account, package, overrides).await
    }

    async fn set_limits(
        &self,
        account: &AccountKey,
        limits: &Limits,
    ) -> Result<Option<Order>, PanelError> {
        packages::set_limits(&self.wire, account, limits).await?;
        Ok(None)
    }

    async fn change_password(
        &self,
        account: &AccountKey,
        password: &SecretString,
    ) -> Result<(), PanelError> {
        change::change_password(&self.wire, account, password).await
    }

    async fn login_url(&self, account: &AccountKey) -> Result<LoginLink, PanelError> {
        change::login_url(&self.wire, account).await
    }

    async fn unlock(&self, account: &AccountKey) -> Result<(), PanelError> {
        change::unlock(&self.wire, account).await
    }

    async fn move_to(&self, account: &AccountKey, target: &str) -> Result<(), PanelError> {
        change::move_to(&self.wire, account, target).await
    }

    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError> {
        usage::usage(&self.wire, month).await
    }

    async fn usage_of(
        &self,
        account: &AccountKey,
        month: Month,
    ) -> Result<UsageReport, PanelError> {
        usage::usage_of(&self.wire, account, month).await
    }
}
