//! The door for jobs: the same checks for the API and the command line.
//!
//! JSON in, a committed row out, or a problem that names the field. Passwords are sealed to the workers
//! before anything is stored; the ring comes after the commit.

mod account;
mod check;
mod request;
mod servers;
mod spec;

use std::collections::HashMap;
use std::sync::Arc;

use entity::job;
use jobs::faults::{Bug, Point};
use jobs::seal::Keyring;
use jobs::store::{Audience, NewJob, Purpose, Store};
use jobs::{JobKind, new_public_id, queue::Doorbell};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::Value;

use crate::Problem;
use crate::caller::Caller;
use crate::discreet::Unsaid;
pub(crate) use check::uses;
use check::{Checked, Checker, Stop};
pub use request::{AccountRequest, JobRequest, Password};
pub(crate) use request::{NO_NUL, typed, whole};
use servers::Servers;

/// Longest idempotency key, in characters.
const LONGEST_KEY: usize = 200;

/// One request for a job.
#[derive(Debug, Clone, Default)]
pub struct Body {
    /// The JSON body.
    pub json: Value,
    /// The key from the header, where one was sent.
    pub idempotency_key: Option<String>,
    /// The caller's request id.
    pub trace: Option<String>,
}

/// A job that is in the ledger.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its row.
    pub job: job::Model,
    /// Whether this request made it; else the same request made it earlier.
    pub new: bool,
}

/// The door.
#[derive(Debug, Clone)]
pub struct Intake {
    store: Store,
    doorbell: Doorbell,
    keyring: Arc<Keyring>,
}

/// A request that can be read, by somebody who may make it.
struct Draft {
    kind: JobKind,
    request: JobRequest,
    key: Option<String>,
    body_hash: String,
    trace: Option<String>,
}

impl Intake {
    /// A door to that ledger.
    #[must_use]
    pub fn new(store: Store, doorbell: Doorbell, keyring: Arc<Keyring>) -> Self {
        Self {
            store,
            doorbell,
            keyring,
        }
    }

    /// Takes jobs in, those that are right in one transaction; one answer a body, in their order.
    /// Rings after the commit. When the ledger is away every answer that needs it is 503.
    pub async fn accept(
        &self,
        caller: &Caller,
        bodies: Vec<Body>,
    ) -> Vec<Result<Accepted, Problem>> {
        let unsaid: Vec<Unsaid> = bodies.iter().map(|body| Unsaid::of(&body.json)).collect();
        let answers = self.take_in(caller, bodies).await;
        let both = answers.into_iter().zip(unsaid);
        both.map(|(answer, unsaid)| answer.map_err(|problem| unsaid.left_out_of(problem)))
            .collect()
    }

    async fn take_in(&self, caller: &Caller, bodies: Vec<Body>) -> Vec<Result<Accepted, Problem>> {
        let drafts: Vec<Result<Draft, Problem>> = bodies
            .into_iter()
            .map(|body| self.draft(caller, body))
            .collect();
        let known = match self.known(caller, &drafts).await {
            Ok(known) => known,
            Err(problem) => {
                return drafts
                    .into_iter()
                    .map(|draft| Err(draft.err().unwrap_or_else(|| problem.clone())))
                    .collect();
            }
        };
        let mut answers: Vec<Option<Result<Accepted, Problem>>> = Vec::with_capacity(drafts.len());
        let mut going_in: Vec<(usize, NewJob)> = Vec::new();
        let mut checker = Checker {
            store: &self.store,
            caller,
            servers: Servers::new(&self.store),
            now: known.now,
        };
        for (index, draft) in drafts.into_iter().enumerate() {
            let answer = match draft {
                Err(problem) => Some(Err(problem)),
                Ok(draft) => match known.answer(&draft) {
                    Some(answer) => Some(answer),
                    None => match self.new_job(&mut checker, draft).await {
                        Ok(job) => {
                            going_in.push((index, job));
                            None
                        }
                        Err(Stop(problem)) => Some(Err(problem)),
                    },
                },
            };
            answers.push(answer);
        }
        self.submit(going_in, &mut answers).await;
        answers
            .into_iter()
            .map(|answer| answer.unwrap_or_else(|| Err(Problem::unavailable())))
            .collect()
    }

    fn draft(&self, caller: &Caller, body: Body) -> Result<Draft, Problem> {
        let request = JobRequest::parse(&body.json)?;
        let kind = check::kind_of(caller, &request)?;
        Point::IntakeParsed.reach(kind.name());
        let key = one_key(body.idempotency_key, request.idempotency_key.as_deref())?;
        if key.is_none() && kind.changes() {
            return Err(Problem::field(
                "idempotency_key",
                format!("is required for {kind}: send the header Idempotency-Key, or this field"),
            ));
        }
        let canonical = request::canonical(&body.json);
        Ok(Draft {
            kind,
            request,
            key,
            body_hash: self.keyring.intake.hash(canonical.as_bytes()),
            trace: body.trace.map(|trace| trace.chars().take(128).collect()),
        })
    }

    /// What the keys of these requests already stand for. A repeated request is answered by its job
    /// even if it would no longer be right (the package is gone, the account terminated).
    async fn known(
        &self,
        caller: &Caller,
        drafts: &[Result<Draft, Problem>],
    ) -> Result<Known, Problem> {
        let keys: Vec<&str> = drafts
            .iter()
            .flatten()
            .filter_map(|draft| draft.key.as_deref())
            .collect();
        let mut by_key = HashMap::new();
        for chunk in keys.chunks(500) {
            let rows = job::Entity::find()
                .filter(job::Column::IdemKey.is_in(chunk.iter().copied()))
                .filter(job::Column::PlatformId.eq(caller.platform_id))
                .all(self.store.reader())
                .await?;
            by_key.extend(rows.into_iter().map(|row| (row.idem_key.clone(), row)));
        }
        let now = self.store.now().await?;
        Ok(Known { by_key, now })
    }

    async fn new_job(&self, checker: &mut Checker<'_>, draft: Draft) -> Result<NewJob, Stop> {
        let (reason, webhook) = (draft.request.reason.clone(), draft.request.webhook.clone());
        let Checked {
            spec,
            server,
            target,
            password,
            due_at,
        } = checker.check(draft.kind, draft.request).await?;
        let public_id = new_public_id();
        let mut secrets = Vec::new();
        if let Some(password) = password {
            let owner = format!("job:{public_id}");
            let sealed = self
                .keyring
                .worker
                .seal(Audience::Worker, Purpose::Password, &owner, &password)
                .map_err(|error| {
                    tracing::error!(failure = %error, "A password could not be sealed to the workers: {error}");
                    Stop(Problem::unavailable())
                })?;
            secrets.push(sealed);
        }
        Ok(NewJob {
            idem_key: draft
                .key
                .filter(|_| !Bug::KeyIgnored.is_on())
                .unwrap_or_else(|| format!("auto:{public_id}")),
            public_id,
            platform_id: checker.caller.platform_id,
            body_hash: draft.body_hash,
            spec,
            server_id: Some(server.row.id),
            target,
            due_at,
            actor: checker.caller.actor.clone(),
            reason,
            webhook,
            trace: draft.trace,
            secrets,
            replay_of: None,
        })
    }

    async fn submit(
        &self,
        going_in: Vec<(usize, NewJob)>,
        answers: &mut [Option<Result<Accepted, Problem>>],
    ) {
        if going_in.is_empty() {
            return;
        }
        let (places, new): (Vec<usize>, Vec<NewJob>) = going_in.into_iter().unzip();
        Point::IntakeChecked.reach_each(new.iter().map(|job| job.spec.kind().name()));
        match self.store.submit(&new).await {
            Ok((submitted, rings)) => {
                let made = || submitted.iter().flatten().filter(|answer| answer.new);
                Point::IntakeCommitted.reach_each(made().map(|answer| &answer.job));
                self.doorbell.ring(&rings).await;
                Point::IntakeRung.reach_each(made().map(|answer| &answer.job));
                for (place, answer) in places.into_iter().zip(submitted) {
                    answers[place] = Some(
                        answer
                            .map(|done| Accepted {
                                job: done.job,
                                new: done.new,
                            })
                            .map_err(Problem::from),
                    );
                }
            }
            Err(error) => {
                let problem = Problem::from(error);
                for place in places {
                    answers[place] = Some(Err(problem.clone()));
                }
            }
        }
    }
}

/// Jobs that the keys of a call stand for.
struct Known {
    by_key: HashMap<String, job::Model>,
    now: i64,
}

impl Known {
    fn answer(&self, draft: &Draft) -> Option<Result<Accepted, Problem>> {
        let row = self.by_key.get(draft.key.as_deref()?)?;
        Some(if row.body_hash == draft.body_hash {
            Ok(Accepted {
                job: row.clone(),
                new: false,
            })
        } else {
            Err(jobs::store::Refusal::KeyTaken(row.public_id.clone()).into())
        })
    }
}

/// The one key of header and body.
fn one_key(header: Option<String>, body: Option<&str>) -> Result<Option<String>, Problem> {
    let wrong = |why: &str| Err(Problem::field("idempotency_key", why));
    let key = match (header, body) {
        (Some(header), Some(body)) if header != body => {
            return wrong("the header Idempotency-Key says something else");
        }
        (Some(header), _) => header,
        (None, Some(body)) => body.to_owned(),
        (None, None) => return Ok(None),
    };
    let fits = (1..=LONGEST_KEY).contains(&key.chars().count())
        && key.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        && key.trim() == key;
    if fits {
        Ok(Some(key))
    } else {
        wrong("must have 1 to 200 visible ASCII characters")
    }
}
