//! A panel that does what it is told, remembers what it was asked, and can be made to misbehave.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use hosting::{DomainName, Limits, Month, PackageName, Username};
use panels::{
    AccountKey, AccountUsage, Address, Counter, Created, Detail, Evidence, LoginLink, NewAccount,
    Order, Panel, PanelAccount, PanelError, ServerCheck, ServerConfig, Standing, UsageReport,
};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::sync::Notify;

/// What the next call of a verb does instead of what it should.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Fails without doing anything.
    Fail(PanelError),
    /// Does it, and the answer is lost.
    ApplyAndLose,
    /// Does it, and says that it did not.
    ApplyAndFail(PanelError),
    /// Somebody else makes that account at this moment, and it fails.
    Overtaken(Box<PanelAccount>, PanelError),
    /// The answer is lost, and nothing was done.
    Lose,
    /// Never answers.
    Hang,
    /// Panics.
    Panic,
    /// Gives the answer of now later: tells `asked` when it was asked, and waits for `go_on`.
    Late {
        asked: Arc<Notify>,
        go_on: Arc<Notify>,
    },
}

#[derive(Debug, Default)]
pub struct State {
    pub accounts: BTreeMap<String, PanelAccount>,
    pub passwords: BTreeMap<String, String>,
    pub calls: Vec<String>,
    pub faults: BTreeMap<String, VecDeque<Fault>>,
    pub reports: BTreeMap<String, Vec<AccountUsage>>,
    pub addresses: Vec<Address>,
    pub packages: BTreeMap<String, Limits>,
    pub marks: bool,
    pub made: i64,
    pub clock: i64,
    pub missing_after_unsuspend: Vec<String>,
    pub running_counter: bool,
    /// What a running counter shows after a reset may be older than that.
    pub restarts_unknown: bool,
    /// The month that a report is said to be of, where it is not the one that was asked for.
    pub reported_month: Option<Month>,
}

#[derive(Debug, Default)]
pub struct Fake(Mutex<State>);

const READS: [&str; 9] = [
    "find",
    "domain_owner",
    "list",
    "check",
    "server_config",
    "remember",
    "usage",
    "usage_of",
    "addresses",
];

pub fn transient() -> PanelError {
    PanelError::Transient(Box::new(Detail::of("no connection")))
}

pub fn throttled(seconds: u64) -> PanelError {
    PanelError::Throttled {
        after: Some(Duration::from_secs(seconds)),
        detail: Box::new(Detail::of("too many requests")),
    }
}

pub fn auth() -> PanelError {
    PanelError::Auth(Box::new(Detail::of("access denied")))
}

impl Fake {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// The next call of that verb misbehaves; several queue up.
    pub fn next(&self, verb: &str, fault: Fault) {
        self.state()
            .faults
            .entry(verb.into())
            .or_default()
            .push_back(fault);
    }

    pub fn fail(&self, verb: &str, error: PanelError) {
        self.next(verb, Fault::Fail(error));
    }

    /// The changing calls, in order.
    pub fn changes(&self) -> Vec<String> {
        let calls = self.state().calls.clone();
        calls
            .into_iter()
            .filter(|call| !READS.contains(&call.as_str()))
            .collect()
    }

    pub fn count(&self, verb: &str) -> usize {
        self.state()
            .calls
            .iter()
            .filter(|call| *call == verb)
            .count()
    }

    pub fn forget_calls(&self) {
        self.state().calls.clear();
    }

    pub fn account(&self, name: &str) -> Option<PanelAccount> {
        self.state().accounts.get(name).cloned()
    }

    /// An account that somebody else made.
    pub fn put_foreign(&self, name: &str, domain: &str) {
        let account = plain(
            name,
            domain,
            "somebody",
            Evidence {
                uid: Some("9001".into()),
                started_at: Some(1_000),
                ..Evidence::default()
            },
        );
        self.state().accounts.insert(name.into(), account);
    }

    pub fn change_account(&self, name: &str, write: impl FnOnce(&mut PanelAccount)) {
        write(self.state().accounts.get_mut(name).unwrap());
    }

    /// Notes the call, and does `apply` unless a fault says otherwise.
    async fn call<T: Default>(
        &self,
        verb: &str,
        apply: impl FnOnce(&mut State) -> Result<T, PanelError>,
    ) -> Result<T, PanelError> {
        let fault = {
            let mut state = self.state();
            state.calls.push(verb.to_owned());
            state.faults.get_mut(verb).and_then(VecDeque::pop_front)
        };
        let lost = || {
            Err(PanelError::InDoubt(Box::new(Detail::of(
                "the answer is lost",
            ))))
        };
        match fault {
            None => apply(&mut self.state()),
            Some(Fault::Fail(error)) => Err(error),
            Some(Fault::Lose) => lost(),
            Some(Fault::ApplyAndLose) => {
                apply(&mut self.state())?;
                lost()
            }
            Some(Fault::ApplyAndFail(error)) => {
                apply(&mut self.state())?;
                Err(error)
            }
            Some(Fault::Overtaken(account, error)) => {
                let name = account.username.to_string();
                self.state().accounts.insert(name, *account);
                Err(error)
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::Panic) => panic!("the driver has a fault"),
            Some(Fault::Late { asked, go_on }) => {
                let answer = apply(&mut self.state());
                asked.notify_one();
                go_on.notified().await;
                answer
            }
        }
    }

    async fn on_account(
        &self,
        verb: &str,
        key: &AccountKey,
        write: impl FnOnce(&mut PanelAccount),
    ) -> Result<(), PanelError> {
        self.call(verb, |state| {
            let account = state.accounts.get_mut(key.username.as_str());
            let account =
                account.ok_or_else(|| PanelError::refused("no_such_account", "there is none"))?;
            write(account);
            Ok(())
        })
        .await
    }
}

pub fn plain(name: &str, domain: &str, owner: &str, evidence: Evidence) -> PanelAccount {
    PanelAccount {
        username: name.parse().unwrap(),
        domain: Some(domain.parse().unwrap()),
        owner: Some(owner.into()),
        email: None,
        package: None,
        standing: Standing::Active,
        limits: Limits::new(),
        address: None,
        evidence,
        unfinished: Vec::new(),
    }
}

pub fn suspended(ours: Option<bool>) -> Standing {
    Standing::Suspended {
        reason: Some("because".into()),
        locked: false,
        ours,
    }
}

/// The panel's clock: far enough in the future that what it makes began after anything that was sent.
fn panel_clock() -> i64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis()
        .try_into()
        .unwrap()
}

#[async_trait]
impl Panel for Fake {
    fn counter(&self) -> Counter {
        let state = self.state();
        if state.running_counter {
            Counter::Running {
                restarts_from_zero: !state.restarts_unknown,
            }
        } else {
            Counter::MonthTotal
        }
    }

    async fn check(&self) -> Result<ServerCheck, PanelError> {
        let check = |_: &mut State| {
            Ok(Some(ServerCheck {
                version: Some("11.138".into()),
                rules: super::rules(),
                missing_rights: vec!["kill-acct".into()],
                notes: vec![],
            }))
        };
        Ok(self.call("check", check).await?.unwrap())
    }

    async fn server_config(&self) -> Result<ServerConfig, PanelError> {
        self.call("server_config", |_| {
            Ok(ServerConfig {
                packages: vec![panels::ServerPackage {
                    name: "gold".parse().unwrap(),
                    id: None,
                    limits: Limits::new(),
                }],
                host_name: Some("web1.example.net".into()),
                ..ServerConfig::default()
            })
        })
        .await
    }

    async fn find(&self, key: &AccountKey) -> Result<Option<PanelAccount>, PanelError> {
        self.call("find", |state| {
            let mut found = state.accounts.get(key.username.as_str()).cloned();
            if let Some(found) = &mut found {
                found.evidence.read_at = Some(panel_clock());
            }
            Ok(found)
        })
        .await
    }

    async fn domain_owner(&self, domain: &DomainName) -> Result<Option<Username>, PanelError> {
        self.call("domain_owner", |state| {
            let owner = state
                .accounts
                .values()
                .find(|account| account.domain.as_ref() == Some(domain));
            Ok(owner.map(|account| account.username.clone()))
        })
        .await
    }

    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError> {
        self.call("list", |state| {
            Ok(state.accounts.values().cloned().collect())
        })
        .await
    }

    async fn create(&self, new: &NewAccount) -> Result<Created, PanelError> {
        self.call("create", |state| {
            state.made += 1;
            let mut account = plain(
                new.username.as_str(),
                new.domain.as_str(),
                "root",
                Evidence {
                    marker: state.marks.then(|| new.marker.clone()),
                    uid: Some((1000 + state.made).to_string()),
                    started_at: Some(panel_clock()),
                    ..Evidence::default()
                },
            );
            account.package.clone_from(&new.package);
            let name = new.username.to_string();
            state
                .passwords
                .insert(name.clone(), new.password.expose_secret().to_owned());
            if state.accounts.insert(name, account).is_some() {
                panic!("a second account was made over the first");
            }
            Ok(Created {
                name_servers: vec!["ns1.example.net".into()],
                ..Created::default()
            })
        })
        .await
    }

    async fn suspend(&self, key: &AccountKey, reason: &str) -> Result<(), PanelError> {
        let reason = reason.to_owned();
        self.on_account("suspend", key, |account| {
            account.standing = Standing::Suspended {
                ours: Some(reason.starts_with("hostler:")),
                reason: Some(reason),
                locked: false,
            };
        })
        .await
    }

    async fn unsuspend(&self, key: &AccountKey, _: Option<&Value>) -> Result<(), PanelError> {
        self.on_account("unsuspend", key, |account| {
            account.standing = Standing::Active;
        })
        .await
    }

    async fn remember(&self, _: &AccountKey) -> Result<Option<Value>, PanelError> {
        self.call("remember", |_| {
            Ok(Some(serde_json::json!({"subdomain": true})))
        })
        .await
    }

    async fn missing_after_unsuspend(
        &self,
        _: &AccountKey,
        before: Option<&Value>,
    ) -> Result<Vec<String>, PanelError> {
        let missing = self.state().missing_after_unsuspend.clone();
        Ok(if before.is_some() {
            missing
        } else {
            Vec::new()
        })
    }

    async fn terminate(&self, key: &AccountKey) -> Result<Option<Order>, PanelError> {
        self.call("terminate", |state| {
            state.accounts.remove(key.username.as_str());
            Ok(None)
        })
        .await
    }

    async fn change_package(
        &self,
        key: &AccountKey,
        package: &PackageName,
    ) -> Result<Option<Order>, PanelError> {
        let limits = self.state().packages.get(package.as_str()).cloned();
        self.on_account("change_package", key, |account| {
            account.package = Some(package.clone());
            if let Some(limits) = limits {
                account.limits = limits;
            }
        })
        .await
        .map(|()| None)
    }

    async fn is_on_package(
        &self,
        account: &PanelAccount,
        package: &PackageName,
        _: &Limits,
    ) -> Result<bool, PanelError> {
        Ok(account.package.as_ref() == Some(package))
    }

    async fn set_limits(
        &self,
        key: &AccountKey,
        limits: &Limits,
    ) -> Result<Option<Order>, PanelError> {
        self.on_account("set_limits", key, |account| {
            account.limits = account.limits.overridden_by(limits);
        })
        .await
        .map(|()| None)
    }

    async fn change_password(
        &self,
        key: &AccountKey,
        password: &SecretString,
    ) -> Result<(), PanelError> {
        self.call("change_password", |state| {
            let name = key.username.to_string();
            state
                .passwords
                .insert(name, password.expose_secret().to_owned());
            Ok(())
        })
        .await
    }

    async fn login_url(&self, _: &AccountKey) -> Result<LoginLink, PanelError> {
        let link = |_: &mut State| {
            Ok(Some(LoginLink {
                url: "https://web1.example.net/login?session=s3cret".into(),
                expires_at: None,
            }))
        };
        Ok(self.call("login_url", link).await?.unwrap())
    }

    async fn unlock(&self, key: &AccountKey) -> Result<(), PanelError> {
        self.on_account("unlock", key, |_| {}).await
    }

    async fn move_to(&self, key: &AccountKey, target: &str) -> Result<(), PanelError> {
        self.on_account("move_to", key, |account| {
            account.owner = Some(target.into());
        })
        .await
    }

    async fn addresses(&self) -> Result<Vec<Address>, PanelError> {
        self.call("addresses", |state| Ok(state.addresses.clone()))
            .await
    }

    async fn assign_address(&self, key: &AccountKey, address: IpAddr) -> Result<(), PanelError> {
        self.on_account("assign_address", key, |account| {
            account.address = Some(address);
        })
        .await
    }

    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError> {
        self.report("usage", month, None).await
    }

    async fn usage_of(&self, key: &AccountKey, month: Month) -> Result<UsageReport, PanelError> {
        self.report("usage_of", month, Some(key)).await
    }
}

impl Fake {
    async fn report(
        &self,
        verb: &str,
        month: Month,
        only: Option<&AccountKey>,
    ) -> Result<UsageReport, PanelError> {
        let rows = self
            .call(verb, |state| {
                Ok(state
                    .reports
                    .get(&month.to_string())
                    .cloned()
                    .unwrap_or_default())
            })
            .await?;
        let wanted =
            |row: &AccountUsage| only.is_none_or(|key| row.username.same_as(&key.username));
        Ok(UsageReport {
            month: self.state().reported_month.unwrap_or(month),
            accounts: rows.into_iter().filter(wanted).collect(),
            refused: Vec::new(),
        })
    }
}
