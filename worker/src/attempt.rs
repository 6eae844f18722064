//! One attempt: what handlers see of the job, the panel and the ledger.

mod end;
mod send;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use entity::{account, server};
use hosting::{AccountDraft, Limits, PanelRules, Username};
use jobs::faults::Point;
use jobs::store::{AccountChange, Claimed, NewSecret};
use jobs::{AccountState, JobSpec};
use panels::{AccountKey, Evidence, Panel, ServerConfig};

pub(crate) use end::{Done, Halt};

use crate::doubt::{self, Next};
use crate::parts::Worker;
use crate::progress::Progress;
use crate::verdict::{Doubt, Tries, Work};

#[derive(Debug)]
struct State {
    progress: Progress,
    /// Whether a change that was sent before this attempt is in doubt.
    doubt: Doubt,
    /// Whether a change has left in this attempt and its answer is not known.
    in_flight: bool,
    /// Whether any change has left in this attempt.
    sent: bool,
    /// What of the job stands on the panel, and what is missing; `None` = nothing of it.
    begun: Option<&'static str>,
    account: Option<AccountChange>,
}

/// One attempt at a claimed job.
pub(crate) struct Attempt<'w> {
    pub(crate) worker: &'w Worker,
    pub(crate) claimed: &'w Claimed,
    panel: Option<Arc<dyn Panel>>,
    begun: Instant,
    state: Mutex<State>,
}

impl<'w> Attempt<'w> {
    pub(crate) fn new(worker: &'w Worker, claimed: &'w Claimed) -> Self {
        let job = &claimed.job;
        let doubt = if job.doubt_since.is_some() {
            Doubt::Open
        } else {
            Doubt::None
        };
        Self {
            worker,
            claimed,
            panel: None,
            begun: Instant::now(),
            state: Mutex::new(State {
                progress: Progress::read(job.progress.as_deref()),
                doubt,
                in_flight: false,
                sent: false,
                begun: None,
                account: None,
            }),
        }
    }

    /// Opens the server's panel, where the job has a server.
    pub(crate) async fn open_panel(&mut self) -> Result<(), Halt> {
        if let Some(server) = &self.claimed.server {
            self.panel = Some(self.worker.parts.panels.open(server).await?);
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn panel(&self) -> Result<&dyn Panel, Halt> {
        self.panel
            .as_deref()
            .ok_or_else(|| Halt::hold("no_server", "the job has no server"))
    }

    pub(crate) fn server(&self) -> Result<&server::Model, Halt> {
        self.claimed
            .server
            .as_ref()
            .ok_or_else(|| Halt::hold("no_server", "the job's server is gone"))
    }

    pub(crate) fn account(&self) -> Result<&account::Model, Halt> {
        self.claimed
            .account
            .as_ref()
            .ok_or_else(|| Halt::hold("no_account", "the job's account is gone"))
    }

    /// The account's state as its row says it.
    pub(crate) fn account_state(&self) -> Option<AccountState> {
        self.claimed
            .account
            .as_ref()
            .and_then(|row| row.state.parse().ok())
    }

    /// How the account is named to the panel.
    pub(crate) fn key(&self) -> Result<AccountKey, Halt> {
        let row = self.account()?;
        let username: Username = row
            .username
            .parse()
            .map_err(|error: hosting::Invalid| Halt::hold("no_account", error.to_string()))?;
        Ok(AccountKey {
            username,
            domain: row.domain.as_deref().and_then(|text| text.parse().ok()),
            panel_id: self.recorded().panel_id,
        })
    }

    /// What was recorded of the account's incarnation.
    pub(crate) fn recorded(&self) -> Evidence {
        let text = self.claimed.account.as_ref().map(|row| &row.evidence);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// The account's own limits.
    pub(crate) fn overrides(&self) -> Limits {
        let text = self.claimed.account.as_ref().map(|row| &row.limits);
        text.and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default()
    }

    /// The server's rules.
    pub(crate) fn rules(&self) -> Result<PanelRules, Halt> {
        serde_json::from_str(&self.server()?.rules).map_err(|error| {
            let why = format!("the server's rules cannot be read ({error}); run a server check");
            Halt::hold("server_rules", why)
        })
    }

    /// Checks what the job asks for against the server's rules, once more: they may have changed since
    /// it was taken in.
    pub(crate) fn check(&self, draft: &AccountDraft<'_>) -> Result<(), Halt> {
        let errors = self.rules()?.check(draft);
        if errors.is_empty() {
            return Ok(());
        }
        let texts: Vec<String> = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.message))
            .collect();
        Err(Halt::refuse("invalid", texts.join("; ")))
    }

    /// What `get_server_config` read last, if anything.
    pub(crate) fn server_config(&self) -> Option<ServerConfig> {
        let text = self.claimed.server.as_ref()?.config.as_deref()?;
        serde_json::from_str(text).ok()
    }

    /// Milliseconds UTC by the database's clock: as of the claim, plus what has passed here since.
    pub(crate) fn now(&self) -> i64 {
        let passed = i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.claimed.claimed_at.saturating_add(passed)
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Whether another try may follow this one.
    pub(crate) fn tries(&self) -> Tries {
        if self.claimed.job.tries + 1 < self.claimed.job.max_tries {
            Tries::Left
        } else {
            Tries::None
        }
    }

    pub(crate) fn progress(&self) -> Progress {
        self.state().progress.clone()
    }

    /// Notes what the outcome, whichever it is, shall change about the account.
    pub(crate) fn note(&self, write: impl FnOnce(&mut AccountChange)) {
        write(self.state().account.get_or_insert_default());
    }

    pub(crate) fn noted(&self) -> Option<AccountChange> {
        self.state().account.clone()
    }

    /// Whether a change is in doubt at this moment.
    pub(crate) fn doubt(&self) -> Doubt {
        let state = self.state();
        if state.in_flight {
            Doubt::Open
        } else {
            state.doubt
        }
    }

    /// Whether any change has left in this attempt.
    pub(crate) fn sent_now(&self) -> bool {
        self.state().sent
    }

    /// A part of the job stands on the panel: from here on it cannot fail as if nothing was changed.
    /// `what` says which part, and what is missing, for the customer.
    pub(crate) fn stands(&self, what: &'static str) {
        self.state().begun = Some(what);
    }

    /// Nothing of it stands any more.
    pub(crate) fn nothing_stands(&self) {
        self.state().begun = None;
    }

    /// What stands, and what is missing.
    pub(crate) fn begun(&self) -> Option<&'static str> {
        self.state().begun
    }

    pub(crate) fn work(&self) -> Work {
        match self.begun() {
            Some(_) => Work::Begun,
            None => Work::Untouched,
        }
    }

    /// The look has told what became of the change that was in doubt.
    pub(crate) fn doubt_is_resolved(&self) {
        self.state().doubt = Doubt::None;
    }

    /// What was confirmed in this attempt is not to be seen.
    pub(crate) fn doubt_is_open(&self) {
        self.state().doubt = Doubt::Open;
    }

    /// After a look that did not find the change: whether it may be sent (again).
    pub(crate) fn may_send(&self) -> Result<(), Halt> {
        let job = &self.claimed.job;
        let (Doubt::Open, Some(since)) = (self.doubt(), job.doubt_since) else {
            return Ok(());
        };
        let settle = self.claimed.kind().policy().settle.unwrap_or_default();
        let settle = self.worker.store().pace().of(settle);
        match doubt::after_absent(job.looks, since, self.claimed.claimed_at, settle) {
            Next::LookAgain => Err(Halt::LookAgain),
            Next::ActAgain => {
                self.doubt_is_resolved();
                Ok(())
            }
        }
    }

    /// Notes a step that the next commit carries.
    pub(crate) fn remember(&self, step: impl FnOnce(&mut Progress)) {
        step(&mut self.state().progress);
    }

    /// The owner of the job's secrets.
    pub(crate) fn secrets_owner(&self) -> String {
        format!("job:{}", self.claimed.job.public_id)
    }

    /// Writes secrets of the job.
    ///
    /// # Errors
    /// [`Halt::Lost`] when the claim is no longer valid; then nothing was written.
    pub(crate) async fn keep_secrets(&self, secrets: &[NewSecret]) -> Result<(), Halt> {
        let job = &self.claimed.job;
        let store = self.worker.store();
        if store.put_secrets_of(job.id, job.fence, secrets).await? {
            Point::SecretsKept.reach(job);
            Ok(())
        } else {
            Err(Halt::Lost)
        }
    }

    /// A draft that only names the kind.
    pub(crate) fn draft(&self) -> AccountDraft<'static> {
        AccountDraft {
            kind: self.spec().kind().on_the_panel().name(),
            ..AccountDraft::default()
        }
    }

    pub(crate) fn spec(&self) -> &JobSpec {
        &self.claimed.spec
    }
}
