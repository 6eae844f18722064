//! `hostler job`: the operator's hands on jobs.

mod filter;
mod show;

use clap::{Args, Subcommand};
use entity::job;
use jobs::store::{Cancelled, JobFilter, Replayed, Store};
use serde_json::json;

use self::filter::Filter;
use super::operator;
use crate::App;
use crate::error::Failure;
use crate::start::{Patience, doorbell, ledger};

/// List, show, replay and cancel jobs.
#[derive(Debug, Args)]
pub struct Job {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List jobs, newest first
    List {
        #[command(flatten)]
        filter: Filter,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: u64,
    },
    /// Show a job with its attempts and history
    Show {
        /// The job's id
        id: String,
    },
    /// Try held, failed or cancelled jobs again
    Replay(Replay),
    /// Take queued jobs back
    Cancel {
        /// Their ids
        #[arg(required = true)]
        ids: Vec<String>,
        /// Why, for the history
        #[arg(long)]
        reason: Option<String>,
    },
}

#[derive(Debug, Args)]
struct Replay {
    /// Their ids
    #[arg(required_unless_present = "where_", conflicts_with = "where_")]
    ids: Vec<String>,
    /// All jobs that match, as in `state=failed,server=web1,error=panel_auth`
    #[arg(long = "where", id = "where_", value_name = "FILTER")]
    where_: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Also replay jobs that a newer one of their account has overtaken
    #[arg(long)]
    force: bool,
    /// Why, for the history
    #[arg(long)]
    reason: Option<String>,
}

/// What became of one job.
#[derive(Debug, serde::Serialize)]
struct Line {
    id: String,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
}

impl Job {
    pub(crate) async fn run(self, app: &App) -> Result<(), Failure> {
        let store = ledger(&app.config.settings, Patience::None).await?;
        match self.action {
            Action::List { filter, limit } => {
                let filter = filter.resolve(&store, limit).await?;
                show::list(app, &store, &filter).await
            }
            Action::Show { id } => show::one(app, &store, &find(&store, &id).await?).await,
            Action::Replay(replay) => replay.run(app, &store).await,
            Action::Cancel { ids, reason } => cancel(app, &store, &ids, reason.as_deref()).await,
        }
    }
}

async fn find(store: &Store, id: &str) -> Result<job::Model, Failure> {
    store
        .job(id)
        .await?
        .ok_or_else(|| Failure::usage("id", format!("there is no job `{id}`")))
}

impl Replay {
    async fn run(&self, app: &App, store: &Store) -> Result<(), Failure> {
        let mut rows = Vec::new();
        if let Some(text) = &self.where_ {
            let filter: JobFilter = Filter::parse(text)?.resolve(store, 10_000).await?;
            rows = store.jobs(&filter).await?;
            // Oldest first: their places in the accounts' lines are in this order.
            rows.reverse();
            rows.retain(|row| ["held", "failed", "cancelled"].contains(&row.state.as_str()));
        }
        for id in &self.ids {
            rows.push(find(store, id).await?);
        }
        let bell = doorbell(&app.config.settings).await?;
        let reason = self.reason.as_deref().unwrap_or("replayed by the operator");
        let mut lines = Vec::new();
        for row in &rows {
            let what = if self.dry_run {
                store.replay_would(row, self.force).await?
            } else {
                let (what, rings) = store
                    .replay(row.id, &operator(), reason, self.force)
                    .await?;
                bell.ring(&rings).await;
                what
            };
            lines.push(match what {
                Replayed::Reopened => Line::done(row),
                Replayed::Refused(why) => Line::refused(row, why),
            });
        }
        let verb = if self.dry_run {
            "would be replayed"
        } else {
            "replayed"
        };
        report(app, &lines, verb, self.dry_run)
    }
}

async fn cancel(
    app: &App,
    store: &Store,
    ids: &[String],
    reason: Option<&str>,
) -> Result<(), Failure> {
    let bell = doorbell(&app.config.settings).await?;
    let mut lines = Vec::new();
    for id in ids {
        let row = find(store, id).await?;
        let (what, rings) = store
            .cancel(
                row.id,
                &operator(),
                Some(reason.unwrap_or("cancelled by the operator")),
            )
            .await?;
        bell.ring(&rings).await;
        lines.push(match what {
            Cancelled::Done => Line::done(&row),
            Cancelled::Refused(why) => Line::refused(&row, why),
        });
    }
    report(app, &lines, "cancelled", false)
}

impl Line {
    fn done(row: &job::Model) -> Self {
        Self {
            id: row.public_id.clone(),
            done: true,
            why_not: None,
        }
    }

    fn refused(row: &job::Model, why: String) -> Self {
        Self {
            id: row.public_id.clone(),
            done: false,
            why_not: Some(why),
        }
    }
}

fn report(app: &App, lines: &[Line], verb: &str, dry_run: bool) -> Result<(), Failure> {
    app.out.json(&json!({ "dry_run": dry_run, "jobs": lines }));
    for line in lines {
        match &line.why_not {
            None => app.out.line(format!("{}  {verb}", line.id)),
            Some(why) => app.out.line(format!("{}  not {verb}: {why}", line.id)),
        }
    }
    let refused = lines.iter().filter(|line| !line.done).count();
    app.out.line(format!(
        "{} {verb}, {refused} refused",
        lines.len() - refused
    ));
    if refused == 0 {
        Ok(())
    } else {
        Err(Failure::Shown)
    }
}
