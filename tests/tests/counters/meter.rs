//! A panel that has nothing but a counter.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use entity::server;
use hosting::{Bytes, DomainName, Limits, Month, PackageName, Username};
use panels::{
    AccountKey, AccountUsage, Counter, Created, LoginLink, NewAccount, Order, Panel, PanelAccount,
    PanelError, ServerCheck, ServerConfig, UsageReport,
};
use secrecy::SecretString;
use tests::world::username;
use worker::{OpenError, PanelSource};

/// Shows what it is told to show, as a counter that begins at zero after a reset.
#[derive(Debug, Default)]
pub(crate) struct Meter(Arc<Mutex<Vec<AccountUsage>>>);

impl Meter {
    /// Name, counter, disk use.
    pub(crate) fn shows(&self, figures: &[(&str, u64, u64)]) {
        let rows = figures.iter().map(|(name, traffic, disk)| AccountUsage {
            username: username(name),
            domain: None,
            owner: None,
            deleted: false,
            traffic: Bytes::new(*traffic),
            traffic_limit: None,
            disk: Bytes::new(*disk),
            disk_limit: None,
            days: None,
        });
        *self.0.lock().expect("nobody panicked") = rows.collect();
    }
}

#[async_trait]
impl PanelSource for Meter {
    async fn open(&self, _: &server::Model) -> Result<Arc<dyn Panel>, OpenError> {
        Ok(Arc::new(Meter(Arc::clone(&self.0))))
    }
}

fn nothing<T>() -> Result<T, PanelError> {
    Err(PanelError::refused("unsupported", "it only counts"))
}

#[async_trait]
impl Panel for Meter {
    fn counter(&self) -> Counter {
        Counter::Running {
            restarts_from_zero: true,
        }
    }

    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError> {
        Ok(UsageReport {
            month,
            accounts: self.0.lock().expect("nobody panicked").clone(),
            refused: Vec::new(),
        })
    }

    async fn usage_of(&self, _: &AccountKey, month: Month) -> Result<UsageReport, PanelError> {
        self.usage(month).await
    }

    async fn check(&self) -> Result<ServerCheck, PanelError> {
        nothing()
    }

    async fn server_config(&self) -> Result<ServerConfig, PanelError> {
        nothing()
    }

    async fn find(&self, _: &AccountKey) -> Result<Option<PanelAccount>, PanelError> {
        nothing()
    }

    async fn domain_owner(&self, _: &DomainName) -> Result<Option<Username>, PanelError> {
        nothing()
    }

    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError> {
        nothing()
    }

    async fn create(&self, _: &NewAccount) -> Result<Created, PanelError> {
        nothing()
    }

    async fn suspend(&self, _: &AccountKey, _: &str) -> Result<(), PanelError> {
        nothing()
    }

    async fn unsuspend(
        &self,
        _: &AccountKey,
        _: Option<&serde_json::Value>,
    ) -> Result<(), PanelError> {
        nothing()
    }

    async fn terminate(&self, _: &AccountKey) -> Result<Option<Order>, PanelError> {
        nothing()
    }

    async fn change_package(
        &self,
        _: &AccountKey,
        _: &PackageName,
    ) -> Result<Option<Order>, PanelError> {
        nothing()
    }

    async fn is_on_package(
        &self,
        _: &PanelAccount,
        _: &PackageName,
        _: &Limits,
    ) -> Result<bool, PanelError> {
        nothing()
    }

    async fn set_limits(&self, _: &AccountKey, _: &Limits) -> Result<Option<Order>, PanelError> {
        nothing()
    }

    async fn change_password(&self, _: &AccountKey, _: &SecretString) -> Result<(), PanelError> {
        nothing()
    }

    async fn login_url(&self, _: &AccountKey) -> Result<LoginLink, PanelError> {
        nothing()
    }
}
