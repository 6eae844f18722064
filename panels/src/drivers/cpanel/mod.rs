//! cPanel & WHM by WHM API 1, with a token of root or of a reseller.
//!
//! Our verbs as its functions. Figures and zeroes are translated in [`units`], refusals in [`reasons`],
//! the envelope in [`envelope`]; parameters and deadlines stand in [`wire`].

mod check;
mod create;
mod envelope;
mod fuzz;
mod limits;
mod listings;
mod look;
mod reasons;
mod rules;
mod shapes;
mod units;
mod usage;
mod wire;

use std::net::IpAddr;

use async_trait::async_trait;
use hosting::{DomainName, LimitName, Limits, Month, PackageName, Username};
use secrecy::SecretString;
use serde_json::Value;

use self::envelope::Answer;
pub(crate) use self::fuzz::{fuzz, traffic, traffic_by_tree};
use self::look::{after_change, no_such_account, optional, rows, summary};
use self::wire::Wire;
use crate::http::lenient;
use crate::{
    AccountKey, Address, Counter, Created, Driver, LoginLink, NewAccount, Order, Panel,
    PanelAccount, PanelError, ServerCheck, ServerConfig, ServerSettings, UsageReport,
};

/// Its row in the list of drivers.
pub(super) const DRIVER: Driver = Driver {
    name: "cpanel",
    title: "cPanel & WHM",
    rules: rules::rules,
    open,
};

#[expect(
    clippy::needless_pass_by_value,
    reason = "the list of drivers hands the settings over"
)]
fn open(settings: ServerSettings) -> Result<Box<dyn Panel>, PanelError> {
    let user = settings.user.as_deref().unwrap_or("root").trim();
    let plain = !user.is_empty() && user.chars().all(|c| c.is_ascii_graphic() && c != ':');
    if !plain {
        return Err(PanelError::refused(
            "server_settings",
            "the user must be `root` or a reseller's login name",
        ));
    }
    Ok(Box::new(Cpanel {
        wire: Wire::new(&settings, user)?,
        scope: if user == "root" {
            Scope::Whole
        } else {
            Scope::Own
        },
    }))
}

#[derive(Debug)]
struct Cpanel {
    wire: Wire,
    scope: Scope,
}

/// What the token sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Every account.
    Whole,
    /// A reseller's own; all others are answered as if they did not exist.
    Own,
}

#[async_trait]
impl Panel for Cpanel {
    fn counter(&self) -> Counter {
        Counter::MonthTotal
    }

    async fn check(&self) -> Result<ServerCheck, PanelError> {
        check::check(&self.wire).await
    }

    async fn server_config(&self) -> Result<ServerConfig, PanelError> {
        let done = self.wire.listpkgs().await?.done()?;
        // Resellers often may not list addresses; packages are what matters.
        let addresses = match optional(self.wire.listips().await?) {
            Some(done) => rows(&done, "ip", shapes::address)?,
            None => Vec::new(),
        };
        Ok(ServerConfig {
            packages: rows(&done, "pkg", shapes::package)?,
            addresses,
            ..ServerConfig::default()
        })
    }

    async fn find(&self, account: &AccountKey) -> Result<Option<PanelAccount>, PanelError> {
        summary(&self.wire, &account.username).await
    }

    async fn domain_owner(&self, domain: &DomainName) -> Result<Option<Username>, PanelError> {
        look::domain_owner(&self.wire, domain).await
    }

    async fn list(&self) -> Result<Vec<PanelAccount>, PanelError> {
        let done = self.wire.listaccts().await?.done()?;
        let read_at = done.reply.panel_clock;
        rows(&done, "acct", |row| shapes::account(row, read_at))
    }

    async fn create(&self, account: &NewAccount) -> Result<Created, PanelError> {
        let fields = create::fields(account)?;
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let done = self.wire.createacct(&fields, &account.password).await?;
        Ok(create::created(&done.done()?))
    }

    async fn suspend(&self, account: &AccountKey, reason: &str) -> Result<(), PanelError> {
        let answer = self.wire.suspendacct(&account.username, reason).await?;
        answer.done().map(|_| ())
    }

    async fn unsuspend(
        &self,
        account: &AccountKey,
        _before: Option<&Value>,
    ) -> Result<(), PanelError> {
        let answer = self.wire.unsuspendacct(&account.username).await?;
        answer.done().map(|_| ())
    }

    async fn terminate(&self, account: &AccountKey) -> Result<Option<Order>, PanelError> {
        match self.wire.removeacct(&account.username).await? {
            Answer::Done(_) => Ok(None),
            Answer::Refused(refused) if reasons::is_absent(&refused.reason) => {
                if self.is_surely_absent(&account.username).await? {
                    Ok(None)
                } else {
                    Err(refused.rejected("not_ours"))
                }
            }
            Answer::Refused(refused) => Err(refused.into_error()),
        }
    }

    async fn change_package(
        &self,
        account: &AccountKey,
        package: &PackageName,
    ) -> Result<Option<Order>, PanelError> {
        let answer = self.wire.changepackage(&account.username, package).await?;
        answer.done().map(|_| None)
    }

    async fn is_on_package(
        &self,
        account: &PanelAccount,
        package: &PackageName,
        overrides: &Limits,
    ) -> Result<bool, PanelError> {
        if account.package.as_ref() != Some(package) {
            return Ok(false);
        }
        let Answer::Done(done) = self.wire.getpkginfo(package).await? else {
            // What cannot be compared is put on the package again; the panel says what is wrong with it.
            return Ok(false);
        };
        let wanted = units::package_limits(done.data.get("pkg").unwrap_or(&Value::Null));
        let mut now = account.limits.clone();
        let compares_traffic = wanted.get(LimitName::TrafficMb).is_some()
            && overrides.get(LimitName::TrafficMb).is_none();
        if compares_traffic
            && let Some(limit) = limits::traffic(&self.wire, &account.username).await?
        {
            now.set(LimitName::TrafficMb, limit);
        }
        Ok(wanted
            .iter()
            .filter(|(name, _)| overrides.get(*name).is_none())
            .all(|(name, limit)| now.get(name).is_none_or(|now| now == limit)))
    }

    async fn set_limits(
        &self,
        account: &AccountKey,
        limits: &Limits,
    ) -> Result<Option<Order>, PanelError> {
        limits::set(&self.wire, &account.username, limits).await?;
        Ok(None)
    }

    async fn change_password(
        &self,
        account: &AccountKey,
        password: &SecretString,
    ) -> Result<(), PanelError> {
        let answer = self.wire.passwd(&account.username, password).await?;
        answer.done().map(|_| ())
    }

    async fn login_url(&self, account: &AccountKey) -> Result<LoginLink, PanelError> {
        let answer = self.wire.create_user_session(&account.username).await?;
        let done = answer.done()?;
        let url = shapes::text(&done.data, "url").filter(|url| is_https(url));
        let Some(url) = url else {
            // Not with an excerpt of the answer: a link that we cannot read is still a secret.
            let mut detail = done
                .reply
                .detail("the answer holds no link that can be used");
            detail.reply = None;
            return Err(PanelError::Transient(detail));
        };
        Ok(LoginLink {
            url: url.into(),
            expires_at: done
                .data
                .get("expires")
                .and_then(lenient::signed)
                .and_then(|seconds| seconds.checked_mul(1000)),
        })
    }

    async fn move_to(&self, account: &AccountKey, target: &str) -> Result<(), PanelError> {
        let owner = [("owner", target)];
        let answer = self.wire.modifyacct(&account.username, &owner).await?;
        let done = answer.done()?;
        // A token without the right gets a warning, not a refusal.
        let now = self.after(&account.username).await?;
        if now.owner.as_deref() == Some(target) {
            return Ok(());
        }
        let why = format!(
            "the panel left the account with its owner: {}",
            done.warnings.join("; ")
        );
        Err(done.reply.rejected("owner_not_applied", &why))
    }

    async fn addresses(&self) -> Result<Vec<Address>, PanelError> {
        let done = self.wire.listips().await?.done()?;
        rows(&done, "ip", shapes::address)
    }

    async fn assign_address(
        &self,
        account: &AccountKey,
        address: IpAddr,
    ) -> Result<(), PanelError> {
        let text = address.to_string();
        let done = self
            .wire
            .setsiteip(&account.username, &text)
            .await?
            .done()?;
        let now = self.after(&account.username).await?;
        if now.address == Some(address) {
            return Ok(());
        }
        let why = format!(
            "the panel left the account on another address: {}",
            done.warnings.join("; ")
        );
        Err(done.reply.rejected("address_not_applied", &why))
    }

    async fn usage(&self, month: Month) -> Result<UsageReport, PanelError> {
        usage::of_all(&self.wire, month).await
    }

    async fn usage_of(
        &self,
        account: &AccountKey,
        month: Month,
    ) -> Result<UsageReport, PanelError> {
        usage::of_one(&self.wire, &account.username, month).await
    }
}

impl Cpanel {
    /// The account as it is after a change that the panel confirmed.
    async fn after(&self, user: &Username) -> Result<PanelAccount, PanelError> {
        after_change(summary(&self.wire, user).await)?.ok_or_else(no_such_account)
    }

    /// Whether there is no such account, also none that a reseller's token does not see.
    async fn is_surely_absent(&self, user: &Username) -> Result<bool, PanelError> {
        if after_change(summary(&self.wire, user).await)?.is_some() {
            return Ok(false);
        }
        if self.scope == Scope::Whole {
            return Ok(true);
        }
        let answer = after_change(self.wire.verify_new_username(user).await)?;
        Ok(matches!(answer, Answer::Done(_)))
    }
}

fn is_https(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| url.scheme() == "https" && url.has_host())
}
