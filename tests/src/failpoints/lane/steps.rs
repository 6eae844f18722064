//! How a case's job comes to its failpoint.

use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use entity::{job, server};
use jobs::JobKind;
use jobs::faults::Point;
use jobs::store::Target;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use simulator::{Applied, Fault, Reply, Scope};

use super::{Lane, NEW_OWNER, PATIENCE};
use crate::failpoints::case::{Case, Mode, NO_PANEL};
use crate::failpoints::jobs_of::{self, Asked};
use crate::failpoints::night;
use crate::field::Part;
use crate::world;

/// A job for later that a case cancels is not due before.
const LATER: TimeDelta = TimeDelta::seconds(25);
/// A job for later that a case waits for.
const SOON: TimeDelta = TimeDelta::milliseconds(1500);

impl Lane {
    /// The job of a case; what becomes of its first change is arranged.
    pub(super) fn asked(&mut self, case: Case) -> Asked {
        let target = match case.driver {
            "cpanel" => NEW_OWNER,
            _ => &self.admin,
        };
        let panel = self.field.panel(jobs_of::server_of(case));
        let asked = jobs_of::ask(case, self.number, &mut self.accounts, target, panel);
        let fault = match case.mode {
            Mode::Clean => None,
            Mode::Applied => Some((Applied::Yes, Reply::CutResponse { after: 0 })),
            Mode::NotApplied => Some((Applied::No, Reply::Reset)),
        };
        if let (Some((applied, reply)), Some(username)) = (fault, &asked.username) {
            let fault = Fault::on("*").for_user(username).only(Scope::Change);
            panel.faults().add(fault.applied(applied).reply(reply));
        }
        asked
    }

    /// The usual case: the process is asked for the job and aborts on the way.
    pub(super) async fn submitted(&mut self, case: Case, armed: &str) -> Result<(), String> {
        if case.driver == NO_PANEL {
            let process = self.generation(Part::Serve, armed).await;
            self.webhook().await;
            return self.aborts(process).await;
        }
        let asked = self.asked(case);
        let process = self.generation(Part::Serve, armed).await;
        self.repeat(case).await;
        self.once(asked).await?;
        self.aborts(process).await
    }

    /// Asks once. Without an answer it is repeated later, as a platform does.
    pub(super) async fn once(&mut self, asked: Asked) -> Result<(), String> {
        match self.ask(&asked).await {
            Some((200 | 202, _)) => Ok(()),
            Some((503, _)) | None => {
                self.unanswered.push(asked);
                Ok(())
            }
            Some((status, answer)) => Err(format!("{status} {answer} for {}", asked.body)),
        }
    }

    pub(super) async fn ask(&self, asked: &Asked) -> Option<(u16, Value)> {
        let platform = &self.field.platform;
        platform.once("/v1/jobs", &asked.key, &asked.body).await
    }

    /// Repeats what was not answered, unless that could set off the case's own failpoint.
    pub(super) async fn repeat(&mut self, case: Case) {
        if [Point::IntakeParsed, Point::IntakeChecked].contains(&case.point) {
            return;
        }
        for asked in std::mem::take(&mut self.unanswered) {
            if !matches!(self.ask(&asked).await, Some((200 | 202, _))) {
                self.unanswered.push(asked);
            }
        }
    }

    /// Tells the billing platform something, as closing a month does.
    pub(super) async fn webhook(&self) {
        let spec = jobs::JobSpec::DeliverWebhook {
            endpoint_id: 1,
            event: "month.closed".to_owned(),
            data: json!({"case": self.number}),
        };
        let job = world::job(spec, None, Target::Nobody);
        let (answers, _) = self.store.submit(&[job]).await.expect("submitted");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    }

    /// Creates that earlier cases left behind are taken back: no other is rung for while they have the
    /// server's places, and only workers take them back.
    pub(super) async fn leases_end(&mut self, server: &str) -> Result<(), String> {
        let mut process = self.generation(Part::Serve, "").await;
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let over = async {
            while self.is_creating(server).await {
                look.tick().await;
            }
        };
        let over = tokio::time::timeout(PATIENCE, over).await;
        self.field.kill(&mut process).await;
        over.map_err(|_| "creates of earlier cases did not end".to_owned())
    }

    pub(super) async fn is_creating(&self, server: &str) -> bool {
        let server = server::Entity::find()
            .filter(server::Column::Name.eq(server))
            .one(self.field.sql())
            .await
            .expect("answered");
        job::Entity::find()
            .filter(job::Column::ServerId.eq(server.map(|server| server.id)))
            .filter(job::Column::Kind.eq(JobKind::Create.name()))
            .filter(job::Column::State.is_in(["queued", "running", "retrying"]))
            .filter(job::Column::DueAt.lt(Utc::now().timestamp_millis() + 1000))
            .one(self.field.sql())
            .await
            .expect("answered")
            .is_some()
    }

    /// A job that is in, and that nobody was rung for.
    pub(super) async fn left_unrung(&mut self, case: Case, after: i64) -> Result<(), String> {
        if case.driver == NO_PANEL {
            self.webhook().await;
            return Ok(());
        }
        let asked = self.asked(case);
        // Without a worker, so that it is still there for the next generation.
        let armed = format!("intake_committed:{}>{after}", case.kind);
        let process = self.generation(Part::Scheduler, &armed).await;
        self.once(asked).await?;
        self.aborts(process).await
    }

    /// A job for later joins its line when it is due.
    pub(super) async fn scheduled(&mut self, case: Case, armed: &str) -> Result<(), String> {
        let mut asked = self.asked(case);
        let process = self.generation(Part::Serve, armed).await;
        self.repeat(case).await;
        asked.body["due_at"] = json!(rfc3339(SOON));
        self.once(asked).await?;
        self.aborts(process).await
    }

    /// A job for later is cancelled, perhaps replayed.
    pub(super) async fn operated(
        &mut self,
        case: Case,
        armed: &str,
        actions: &[&str],
    ) -> Result<(), String> {
        let mut asked = self.asked(case);
        let process = self.generation(Part::Serve, armed).await;
        self.repeat(case).await;
        asked.body["due_at"] = json!(rfc3339(LATER));
        let Some((202, job)) = self.ask(&asked).await else {
            return Err("it was not taken in".to_owned());
        };
        let id = job["id"].as_str().unwrap_or_default();
        for action in actions {
            let path = format!("/v1/jobs/{id}/{action}");
            let key = format!("{}-{action}", asked.key);
            let reason = json!({"reason": "a case"});
            // The last one is not answered.
            self.field.platform.once(&path, &key, &reason).await;
        }
        self.aborts(process).await
    }

    /// Both servers have their night, and the process aborts at the one that the case is about.
    pub(super) async fn night(&mut self, case: Case) -> Result<(), String> {
        night::make_due(self.field.sql(), &["cpanel", "froxlor"], self.number).await;
        let nth = if case.driver == "cpanel" { 1 } else { 2 };
        let armed = format!("{}:{}@{nth}", case.point.name(), case.kind);
        let process = self.generation(Part::Serve, &armed).await;
        self.aborts(process).await?;
        self.night_ends(2).await
    }

    /// The next start asks for the rest, once a server and month.
    pub(super) async fn night_ends(&mut self, servers: usize) -> Result<(), String> {
        let mut process = self.generation(Part::Serve, "").await;
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let over = async {
            while !night::is_over(self.field.sql(), servers).await {
                look.tick().await;
            }
        };
        let over = tokio::time::timeout(PATIENCE, over).await;
        self.field.kill(&mut process).await;
        if over.is_err() {
            return Err("the night was not made up for".to_owned());
        }
        let mut keys = night::asked(self.field.sql()).await;
        let all = keys.len();
        keys.dedup();
        keys.sort();
        keys.dedup();
        // The first three days of a month also read the month before.
        if keys.len() == all && (all == servers || all == 2 * servers) {
            Ok(())
        } else {
            Err(format!("{all} jobs for {servers} servers: {keys:?}"))
        }
    }
}

fn rfc3339(from_now: TimeDelta) -> String {
    (Utc::now() + from_now).to_rfc3339_opts(SecondsFormat::Millis, true)
}
