//! Making an account: the account itself, what the panel leaves to a second call, an address of its own,
//! its own limits.

mod ordered;
mod steps;

use async_trait::async_trait;
use hosting::AccountDraft;
use jobs::faults::{Bug, Point};
use jobs::{AccountState, CreateAccount};
use panels::{NewAccount, PanelAccount, PanelError, Standing};
use secrecy::{ExposeSecret, SecretString};

use super::{Handler, Observed, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::identity::{Expected, Incarnation, incarnation, is_ours};
use crate::passwords::{self, Password};

pub(super) struct Create<'a> {
    pub(super) wanted: &'a CreateAccount,
}

/// What there is to do.
pub(super) enum Todo {
    /// All of it: the panel has no such account.
    Make,
    /// The account is ours; what comes after making it.
    GoOn(Box<PanelAccount>),
    /// What was ordered, by its own id.
    Follow,
}

#[async_trait]
impl Handler for Create<'_> {
    type Todo = Todo;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Todo>, Halt> {
        if attempt.progress().order.is_some() {
            attempt.doubt_is_resolved();
            return Ok(Observed::ToDo(Todo::Follow));
        }
        let key = attempt.key()?;
        let Some(found) = attempt.panel()?.find(&key).await? else {
            return Ok(Observed::ToDo(Todo::Make));
        };
        if !self.is_ours(attempt, &found)? {
            return Err(conflict(attempt, &found));
        }
        if !found.unfinished.is_empty() {
            // The first request may still be at it.
            attempt.may_send()?;
            let why = format!(
                "the panel has made only a part of the account: {}",
                found.unfinished.join("; ")
            );
            return Err(Halt::hold("half_made", why));
        }
        if is_known(attempt) {
            steps::note_as_found(attempt, &found);
            let result = steps::result(attempt, self.wanted, &found, Offered::Nothing);
            return Ok(Observed::AlreadySo(
                Done::already_so().with(result).secrets_spent(),
            ));
        }
        attempt.doubt_is_resolved();
        Ok(Observed::ToDo(Todo::GoOn(Box::new(found))))
    }

    async fn act(&self, attempt: &Attempt<'_>, todo: Todo) -> Result<Done, Halt> {
        if attempt.panel()?.orders() {
            return ordered::act(self, attempt, todo).await;
        }
        let rules = attempt.rules()?;
        let password = passwords::stored_or_generated(attempt, &rules.password).await?;
        let new = self.new_account(attempt, &password.secret)?;
        let found = match todo {
            Todo::Make => self.make(attempt, &new, &password).await?,
            Todo::GoOn(found) => *found,
            Todo::Follow => steps::read_back(attempt).await?,
        };
        attempt.note(|change| change.evidence = subject::evidence(&found));
        attempt.stands("the account exists on the panel, but its domain is not set up");
        steps::complete(attempt, &new).await?;
        // Whether the panel has our password is not known when its answer was lost.
        if !attempt.progress().created {
            attempt.stands("the account exists on the panel, but its password is not set");
            steps::set_password(attempt, &password.secret).await?;
            Point::PasswordSet.reach(&attempt.claimed.job);
        }
        let found = if self.wanted.dedicated_ip {
            attempt.stands("the account exists on the panel, but has no address of its own");
            steps::give_address(attempt, found).await?
        } else {
            found
        };
        attempt.stands("the account exists on the panel, but its own limits are not set");
        steps::set_limits(attempt, &found, &self.wanted.limits).await?;
        Point::LimitsSet.reach(&attempt.claimed.job);
        steps::note_made(attempt, &found, self.wanted);
        let offered = if password.generated {
            Offered::Password
        } else {
            Offered::Nothing
        };
        let result = steps::result(attempt, self.wanted, &found, offered);
        Ok(Done::changed().with(result).secrets_spent())
    }
}

/// Whether the row already says that the account is there: this job made nothing of it.
fn is_known(attempt: &Attempt<'_>) -> bool {
    let there = [Some(AccountState::Active), Some(AccountState::Suspended)];
    attempt.progress().first_sent_at.is_none() && there.contains(&attempt.account_state())
}

/// What can be fetched after success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// The generated password.
    Password,
    /// Nothing: the platform knows it.
    Nothing,
}

impl Create<'_> {
    fn is_ours(&self, attempt: &Attempt<'_>, found: &PanelAccount) -> Result<bool, Halt> {
        match incarnation(&attempt.recorded(), &found.evidence) {
            _ if Bug::AnybodysAccount.is_on() => return Ok(true),
            Incarnation::Same => return Ok(true),
            Incarnation::Other => return Ok(false),
            Incarnation::Unknown => {}
        }
        let progress = attempt.progress();
        // Where orders are sent once, only one without an answer can have made what bears no mark of ours.
        let may_be_ours = progress.ordering || !attempt.panel()?.orders();
        let marker = attempt.worker.marker(attempt.account()?.id);
        let expected = Expected {
            marker: &marker,
            domain: Some(&self.wanted.domain),
            owner: attempt.server()?.user.as_deref(),
            sent_at: progress.first_sent_at.filter(|_| may_be_ours),
            read_at: attempt.now(),
        };
        Ok(is_ours(found, &expected))
    }

    /// Makes the account, and gives it as the panel shows it.
    async fn make(
        &self,
        attempt: &Attempt<'_>,
        new: &NewAccount,
        password: &Password,
    ) -> Result<PanelAccount, Halt> {
        self.check(attempt, Some(password))?;
        if self.wanted.dedicated_ip {
            steps::reserve_address(attempt).await?;
        }
        let sent_before = attempt.progress().first_sent_at.is_some();
        match steps::make(attempt, new).await {
            Ok(()) => {
                Point::Made.reach(&attempt.claimed.job);
                attempt.stands("the account exists on the panel, but was not read back");
                let found = steps::read_back(attempt).await?;
                Point::ReadBack.reach(&attempt.claimed.job);
                Ok(found)
            }
            Err(Halt::Panel(refused @ PanelError::Rejected { .. })) if attempt.sent_now() => {
                self.behind_refusal(attempt, refused, sent_before).await
            }
            Err(other) => Err(other),
        }
    }

    /// The name was free when we looked, and yet the panel refused to make the account. What has it now may
    /// be an earlier request of ours that landed late, or somebody else who was faster.
    async fn behind_refusal(
        &self,
        attempt: &Attempt<'_>,
        refused: PanelError,
        sent_before: bool,
    ) -> Result<PanelAccount, Halt> {
        if !sent_before && refused.code() != "account_exists" {
            return Err(refused.into());
        }
        attempt.doubt_is_open();
        let taken = ["account_exists", "group_exists", "domain_taken"].contains(&refused.code());
        match attempt.panel()?.find(&attempt.key()?).await? {
            Some(found) if !self.is_ours(attempt, &found)? => Err(conflict(attempt, &found)),
            Some(found) if found.unfinished.is_empty() => {
                attempt.doubt_is_resolved();
                Ok(found)
            }
            // Its making may be under way.
            None if !sent_before || !taken => {
                attempt.doubt_is_resolved();
                Err(refused.into())
            }
            Some(_) | None => Err(steps::still_landing(&refused).into()),
        }
    }

    fn new_account(
        &self,
        attempt: &Attempt<'_>,
        password: &SecretString,
    ) -> Result<NewAccount, Halt> {
        Ok(NewAccount {
            username: attempt.key()?.username,
            domain: self.wanted.domain.clone(),
            email: self.wanted.email.clone(),
            password: password.clone(),
            package: self.wanted.package.clone(),
            limits: self.wanted.limits.clone(),
            marker: attempt.worker.marker(attempt.account()?.id),
            panel: self.wanted.panel.clone(),
        })
    }

    fn check(&self, attempt: &Attempt<'_>, password: Option<&Password>) -> Result<(), Halt> {
        let username = attempt.key()?.username;
        let mut given = vec!["domain", "username"];
        given.extend(self.wanted.email.as_ref().map(|_| "email"));
        given.extend(self.wanted.package.as_ref().map(|_| "package"));
        attempt.check(&AccountDraft {
            username: Some(username.as_str()),
            given: &given,
            password: password.map(|password| password.secret.expose_secret()),
            limits: Some(&self.wanted.limits),
            dedicated_ip: self.wanted.dedicated_ip,
            panel: Some(&self.wanted.panel),
            ..attempt.draft()
        })?;
        match &self.wanted.package {
            Some(package) => subject::package_is_known(attempt, package),
            None => Ok(()),
        }
    }
}

/// The name belongs to an account that our create did not make.
fn conflict(attempt: &Attempt<'_>, found: &PanelAccount) -> Halt {
    attempt.doubt_is_resolved();
    attempt.note(|change| change.state = Some(AccountState::Conflict));
    let domain = found
        .domain
        .as_ref()
        .map_or("no domain", |domain| domain.as_str());
    let state = match found.standing {
        Standing::Active => "active",
        Standing::Suspended { .. } => "suspended",
    };
    let why = format!(
        "the panel has an account of that name that is not ours ({domain}, {state}); nothing was changed"
    );
    Halt::hold("conflict", why)
}
