//! Putting an account on another package.

use async_trait::async_trait;
use hosting::PackageName;
use panels::PanelAccount;

use super::{Handler, Observed, order, subject};
use crate::attempt::{Attempt, Done, Halt};
use crate::verdict::Doubt;

/// The package is right and the account's own limits are not.
const WITHOUT_LIMITS: &str = "the account has its new package, but not its own limits";

pub(super) struct ChangePackage<'a> {
    pub(super) package: &'a PackageName,
}

/// What is to be done.
pub(super) enum Todo {
    /// The package, and after it the account's own limits.
    Package,
    /// Only its own limits, which the change of the package has overwritten.
    Overrides(Box<PanelAccount>),
}

#[async_trait]
impl Handler for ChangePackage<'_> {
    type Todo = Todo;

    async fn observe(&self, attempt: &Attempt<'_>) -> Result<Observed<Todo>, Halt> {
        let sent = attempt.doubt() == Doubt::Open || attempt.progress().order.is_some();
        let found = subject::subject(attempt).await?;
        let overrides = attempt.overrides();
        let panel = attempt.panel()?;
        if !panel
            .is_on_package(&found, self.package, &overrides)
            .await?
        {
            return Ok(Observed::ToDo(Todo::Package));
        }
        self.note(attempt, &found);
        let differs = overrides
            .iter()
            .any(|(name, wanted)| found.limits.get(name).is_some_and(|limit| limit != wanted));
        if differs {
            attempt.doubt_is_resolved();
            return Ok(Observed::ToDo(Todo::Overrides(Box::new(found))));
        }
        let done = if sent {
            Done::changed()
        } else {
            Done::already_so()
        };
        Ok(Observed::AlreadySo(self.tell(done)))
    }

    async fn act(&self, attempt: &Attempt<'_>, todo: Todo) -> Result<Done, Halt> {
        let (panel, key) = (attempt.panel()?, attempt.key()?);
        let overrides = attempt.overrides();
        let found = match todo {
            Todo::Overrides(found) => {
                if attempt.progress().first_step_done {
                    attempt.stands(WITHOUT_LIMITS);
                }
                *found
            }
            Todo::Package => {
                attempt.check(&attempt.draft())?;
                subject::package_is_known(attempt, self.package)?;
                let ordered =
                    order::send(attempt, panel.change_package(&key, self.package)).await?;
                if ordered {
                    self.came_about(attempt).await?;
                }
                attempt.note(|change| change.package = Some(self.package.clone()));
                if overrides.is_empty() {
                    return Ok(self.tell(Done::changed()));
                }
                attempt.stands(WITHOUT_LIMITS);
                attempt
                    .step(|progress| {
                        progress.first_step_done = true;
                        // What follows is an order of its own.
                        progress.order = None;
                    })
                    .await?;
                subject::subject(attempt).await?
            }
        };
        let missing = subject::missing(&found, &overrides);
        if !missing.is_empty() {
            order::send(attempt, panel.set_limits(&key, &missing)).await?;
        }
        self.note(attempt, &found);
        Ok(self.tell(Done::changed()))
    }
}

impl ChangePackage<'_> {
    /// An order that is paid is carried out when the supplier gets to it.
    async fn came_about(&self, attempt: &Attempt<'_>) -> Result<(), Halt> {
        let found = subject::subject(attempt).await?;
        let overrides = attempt.overrides();
        let panel = attempt.panel()?;
        if panel
            .is_on_package(&found, self.package, &overrides)
            .await?
        {
            return Ok(());
        }
        let why = "the supplier has not yet carried the upgrade out".to_owned();
        Err(order::later(attempt, "awaiting_upgrade", why).await?)
    }

    fn note(&self, attempt: &Attempt<'_>, found: &PanelAccount) {
        subject::note_evidence(attempt, found);
        attempt.note(|change| change.package = Some(self.package.clone()));
    }

    fn tell(&self, done: Done) -> Done {
        done.with(serde_json::json!({"package": self.package}))
    }
}
