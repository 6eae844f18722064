//! Jobs that a command puts in and waits for: the operator's shell has no key to a panel, workers have.

use std::sync::Arc;
use std::time::Duration;

use entity::job;
use jobs::store::Store;
use scheduler::Caller;
use scheduler::intake::{Accepted, Body, Intake};
use serde_json::{Value, json};

use crate::App;
use crate::error::Failure;
use crate::keys::Role;
use crate::output::Output;
use crate::start::{Patience, doorbell, keyring, ledger};

/// How often SQL is asked whether the job has ended.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// The door for jobs, opened by an operator.
pub(crate) struct Door {
    pub(crate) store: Store,
    intake: Intake,
    caller: Caller,
}

impl Door {
    pub(crate) async fn open(app: &App) -> Result<Self, Failure> {
        let settings = &app.config.settings;
        let store = ledger(settings, Patience::None).await?;
        let bell = doorbell(settings).await?;
        let keys = Arc::new(keyring(settings, Role::Operator)?);
        Ok(Self {
            intake: Intake::new(store.clone(), bell, keys),
            store,
            caller: Caller::operator(&crate::config::operator()),
        })
    }

    /// Takes one job in, as the API does.
    pub(crate) async fn put(&self, body: Value) -> Result<Accepted, Failure> {
        self.put_as(&self.caller, body).await
    }

    /// The same for somebody else, like a billing platform.
    pub(crate) async fn put_as(&self, caller: &Caller, body: Value) -> Result<Accepted, Failure> {
        let body = Body {
            json: body,
            ..Body::default()
        };
        let mut answers = self.intake.accept(caller, vec![body]).await;
        match answers.pop() {
            Some(Ok(accepted)) => Ok(accepted),
            Some(Err(problem)) => Err(problem.into()),
            None => Err(Failure::work("the job was neither taken nor refused")),
        }
    }

    /// Waits until the job has come to rest. `None` = it has not within that time.
    pub(crate) async fn wait(
        &self,
        job: &job::Model,
        patience: Duration,
    ) -> Result<Option<job::Model>, Failure> {
        let look = async {
            let mut timer = tokio::time::interval(LOOK_EVERY);
            loop {
                timer.tick().await;
                if !self.store.settled(&[job.id]).await?.is_empty() {
                    return self.store.job_by_row(job.id).await;
                }
            }
        };
        match tokio::time::timeout(patience, look).await {
            Ok(row) => Ok(row?),
            Err(_) => Ok(None),
        }
    }

    /// Takes a job in and waits for a good end.
    pub(crate) async fn run(
        &self,
        out: Output,
        what: &str,
        body: Value,
        patience: Duration,
    ) -> Result<job::Model, Failure> {
        let accepted = self.put(body).await?;
        let spinner = spinner(out, what);
        let ended = self.wait(&accepted.job, patience).await;
        spinner.finish_and_clear();
        succeeded(&accepted.job, ended?, patience)
    }
}

/// The job when it succeeded, else why not.
pub(crate) fn succeeded(
    accepted: &job::Model,
    ended: Option<job::Model>,
    patience: Duration,
) -> Result<job::Model, Failure> {
    let id = &accepted.public_id;
    match ended {
        Some(job) if job.state == "succeeded" => Ok(job),
        Some(job) => {
            let why = job
                .error_message
                .as_deref()
                .or(job.hold_code.as_deref())
                .unwrap_or("no reason was given");
            Err(Failure::work(format!(
                "job {id} ended {}: {why}; `hostler job show {id}` tells more",
                job.state
            )))
        }
        None => Err(Failure::work(format!(
            "job {id} has not ended within {} s; is a worker running (`hostler serve` or `hostler worker`)? `hostler job show {id}` tells what it waits for",
            patience.as_secs()
        ))),
    }
}

/// A job's result as JSON.
pub(crate) fn result(job: &job::Model) -> Value {
    job.result
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or(json!({}))
}

fn spinner(out: Output, what: &str) -> indicatif::ProgressBar {
    if out.is_terminal() {
        let bar = indicatif::ProgressBar::new_spinner().with_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    } else {
        indicatif::ProgressBar::hidden()
    }
}
