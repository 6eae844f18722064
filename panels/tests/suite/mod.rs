//! What a driver brings to the conformance suite: its golden exchanges, and what they mean.

pub(crate) mod cpanel;
pub(crate) mod froxlor;
pub(crate) mod hostbill;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use hosting::{DomainName, Limits, Month, PackageName, Username};
use panels::http::Effect;
use panels::{AccountKey, NewAccount, Panel, PanelError, ServerSettings, Standing};

use crate::support::{Answer, Canned, Received, SECRET, TestPanel};

/// The password of every create and change; no text that leaves a driver may hold it.
pub(crate) const PASSWORD: &str = "Pw-9!xK2@mQ7";

/// One driver's exchanges.
pub(crate) struct Suite {
    /// The driver's name.
    pub(crate) driver: &'static str,
    /// The server's options.
    pub(crate) options: &'static [(&'static str, &'static str)],
    /// The account that the exchanges are about.
    pub(crate) subject: Subject,
    pub(crate) scenarios: Vec<Scenario>,
}

#[derive(Clone)]
pub(crate) struct Subject {
    pub(crate) username: &'static str,
    pub(crate) domain: &'static str,
    pub(crate) package: &'static str,
    pub(crate) marker: &'static str,
    pub(crate) target: &'static str,
    pub(crate) address: &'static str,
    pub(crate) month: &'static str,
    pub(crate) limits: Limits,
}

/// One verb, what the panel answers to the calls it makes, and what that means.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) verb: Verb,
    pub(crate) routes: Vec<Route>,
    pub(crate) expect: Expect,
}

/// The answer to a call. Where the same call has several, they come in turn and the last stays.
#[derive(Clone)]
pub(crate) struct Route {
    pub(crate) call: &'static str,
    pub(crate) effect: Effect,
    pub(crate) answer: Canned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Check,
    ServerConfig,
    Find,
    DomainOwner,
    List,
    Create,
    Suspend,
    Unsuspend,
    Terminate,
    ChangePackage,
    SetLimits,
    ChangePassword,
    LoginUrl,
    Unlock,
    MoveTo,
    AssignAddress,
    Usage,
    UsageOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Any success.
    Done,
    Absent,
    Active,
    Suspended {
        ours: Option<bool>,
        locked: bool,
    },
    /// The class, and the code.
    Refused(&'static str, &'static str),
}

/// What came of a verb: its result in the debug form, and the standing where it found an account.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) shown: String,
    pub(crate) standing: Option<Option<Standing>>,
}

impl Suite {
    /// The settings with the suite's options.
    pub(crate) fn settings(&self, settings: ServerSettings) -> ServerSettings {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        ServerSettings {
            options: self.options.iter().map(own).collect(),
            ..settings
        }
    }
}

impl Expect {
    pub(crate) fn check(self, name: &str, result: &Result<Seen, PanelError>) {
        match (self, result) {
            (Expect::Refused(class, code), Err(error)) => {
                assert_eq!(
                    (error.class(), error.code()),
                    (class, code),
                    "{name}: {error:?}"
                );
            }
            (Expect::Done, Ok(_)) => {}
            (Expect::Absent, Ok(seen)) => {
                assert_eq!(seen.standing, Some(None), "{name}");
            }
            (Expect::Active, Ok(seen)) => {
                assert_eq!(seen.standing, Some(Some(Standing::Active)), "{name}");
            }
            (Expect::Suspended { ours, locked }, Ok(seen)) => match &seen.standing {
                Some(Some(Standing::Suspended {
                    ours: o, locked: l, ..
                })) => {
                    assert_eq!((*o, *l), (ours, locked), "{name}");
                }
                other => panic!("{name}: {other:?}"),
            },
            (_, result) => panic!("{name}: {result:?}"),
        }
    }

    pub(crate) fn is_success(self) -> bool {
        !matches!(self, Expect::Refused(..))
    }
}

/// The name of the function that a request calls: the last part of its path, or the command in its body.
pub(crate) fn call_of(received: &Received) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(&received.body).ok();
    let command = json.as_ref().and_then(|body| {
        let body = body.get("body").unwrap_or(body);
        body.get("command")?.as_str().map(str::to_owned)
    });
    command.unwrap_or_else(|| {
        let last = received.path.rsplit('/').next();
        last.unwrap_or_default().to_owned()
    })
}

/// A panel that answers by routes, and what it was asked beyond them.
pub(crate) struct Stage {
    pub(crate) panel: TestPanel,
    pub(crate) unexpected: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            panel: TestPanel::scripted(Vec::new()),
            unexpected: Arc::default(),
        }
    }

    /// Puts up the routes, one of them answering otherwise.
    pub(crate) fn set(&self, routes: &[Route], other: Option<(usize, Answer)>) {
        let routes = routes.to_vec();
        let mut used = vec![false; routes.len()];
        let unexpected = Arc::clone(&self.unexpected);
        self.panel.script(move |received| {
            let call = call_of(received);
            let fitting = || (0..routes.len()).filter(|i| routes[*i].call == call);
            let Some(chosen) = fitting()
                .find(|i| !used[*i])
                .or_else(|| fitting().next_back())
            else {
                if let Ok(mut unexpected) = unexpected.lock() {
                    unexpected.push(call);
                }
                return Canned::new(599, "text/plain", "not in the exchange").into();
            };
            used[chosen] = true;
            match &other {
                Some((place, answer)) if *place == chosen => answer.clone(),
                _ => routes[chosen].answer.clone().into(),
            }
        });
    }

    /// Runs the verb and checks that nothing of it shows a secret.
    pub(crate) async fn run(
        &self,
        driver: &dyn Panel,
        subject: &Subject,
        verb: Verb,
    ) -> Result<Seen, PanelError> {
        let result = run(driver, subject, verb).await;
        let shown = match &result {
            Ok(seen) => seen.shown.clone(),
            Err(error) => format!("{error} {error:?} {}", error.detail()),
        };
        for secret in [SECRET, PASSWORD, "T0PSECRET", "Pw-9%21", "ZWQ3q9ZxYb"] {
            assert!(!shown.contains(secret), "{verb:?}: {shown}");
        }
        assert!(!format!("{driver:?}").contains("T0PSECRET"));
        result
    }
}

async fn run(driver: &dyn Panel, subject: &Subject, verb: Verb) -> Result<Seen, PanelError> {
    let username: Username = subject.username.parse().unwrap();
    let domain: DomainName = subject.domain.parse().unwrap();
    let package: PackageName = subject.package.parse().unwrap();
    let month: Month = subject.month.parse().unwrap();
    let key = AccountKey {
        username: username.clone(),
        domain: Some(domain.clone()),
        panel_id: None,
    };
    let new = NewAccount {
        username,
        domain: domain.clone(),
        email: Some("billing@acme.example.com".parse().unwrap()),
        password: PASSWORD.into(),
        package: Some(package.clone()),
        limits: Limits::new(),
        marker: subject.marker.into(),
        panel: BTreeMap::new(),
    };
    let shown = match verb {
        Verb::Check => format!("{:?}", driver.check().await?),
        Verb::ServerConfig => format!("{:?}", driver.server_config().await?),
        Verb::Find => {
            let found = driver.find(&key).await?;
            return Ok(Seen {
                shown: format!("{found:?}"),
                standing: Some(found.map(|account| account.standing)),
            });
        }
        Verb::DomainOwner => format!("{:?}", driver.domain_owner(&domain).await?),
        Verb::List => format!("{:?}", driver.list().await?),
        Verb::Create => format!("{:?}", driver.create(&new).await?),
        Verb::Suspend => format!("{:?}", driver.suspend(&key, "hostler: unpaid").await?),
        Verb::Unsuspend => format!("{:?}", driver.unsuspend(&key, None).await?),
        Verb::Terminate => format!("{:?}", driver.terminate(&key).await?),
        Verb::ChangePackage => format!("{:?}", driver.change_package(&key, &package).await?),
        Verb::SetLimits => format!("{:?}", driver.set_limits(&key, &subject.limits).await?),
        Verb::ChangePassword => {
            format!(
                "{:?}",
                driver.change_password(&key, &PASSWORD.into()).await?
            )
        }
        Verb::LoginUrl => format!("{:?}", driver.login_url(&key).await?),
        Verb::Unlock => format!("{:?}", driver.unlock(&key).await?),
        Verb::MoveTo => format!("{:?}", driver.move_to(&key, subject.target).await?),
        Verb::AssignAddress => {
            let address = subject.address.parse().unwrap();
            format!("{:?}", driver.assign_address(&key, address).await?)
        }
        Verb::Usage => format!("{:?}", driver.usage(month).await?),
        Verb::UsageOf => format!("{:?}", driver.usage_of(&key, month).await?),
    };
    Ok(Seen {
        shown,
        standing: None,
    })
}
