//! What was done on the panels, and for which job: the ledger's entries as deeds.
//!
//! An entry does not say for which job it was made. It is found by walking along the account's jobs in the
//! order of intake: each deed belongs to the job at hand when it fits its kind, else to the next one that
//! it fits. A deed that fits none of those came too late, or nobody asked for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::evidence::{Entry, Evidence, Job};

/// What an entry did, as far as jobs ask for such things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    Create,
    Terminate,
    Suspend,
    Unsuspend,
    Password,
    /// Another package, by name where the panel notes it.
    Package(Option<String>),
    /// Another owner.
    Move,
    /// Numbers of an account; Froxlor has no packages of an account, only their numbers.
    Settings,
}

/// One entry and the job that it was made for.
#[derive(Debug)]
pub(super) struct Deed<'a> {
    pub(super) entry: &'a Entry,
    pub(super) what: What,
    pub(super) job: Option<&'a Job>,
}

/// All deeds by server and login name.
pub(super) type Deeds<'a> = BTreeMap<(String, String), Vec<Deed<'a>>>;

pub(super) fn deeds(evidence: &Evidence) -> Deeds<'_> {
    let replayed: BTreeSet<i64> = evidence
        .events
        .iter()
        .filter(|event| event.event == "replayed")
        .map(|event| event.job_id)
        .collect();
    let mut lines: BTreeMap<(String, String), Vec<&Job>> = BTreeMap::new();
    // What was never begun did nothing.
    for job in evidence
        .jobs
        .iter()
        .filter(|job| job.changes() && job.attempt > 0)
    {
        if let Some(place) = job.place() {
            lines.entry(place).or_default().push(job);
        }
    }
    let mut all: Deeds<'_> = BTreeMap::new();
    for (server, panel) in &evidence.panels {
        let mut at: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &panel.ledger {
            let Some(what) = what(entry) else { continue };
            let place = (server.clone(), entry.username.to_lowercase());
            let line = lines.get(&place).map_or(&[][..], Vec::as_slice);
            let at = at.entry(&entry.username).or_default();
            let next = (*at..line.len()).find(|index| fits(line[*index], &what));
            let job = match next {
                Some(index) => {
                    *at = index;
                    Some(line[index])
                }
                // A replay keeps the job's place in the line, and happens later.
                None => line
                    .iter()
                    .copied()
                    .find(|job| replayed.contains(&job.id) && fits(job, &what)),
            };
            all.entry(place)
                .or_default()
                .push(Deed { entry, what, job });
        }
    }
    all
}

/// Whether such a job makes such a deed.
fn fits(job: &Job, what: &What) -> bool {
    match what {
        What::Create => job.kind == "create",
        What::Terminate => job.kind == "terminate",
        What::Suspend => job.kind == "suspend",
        What::Unsuspend => job.kind == "unsuspend",
        What::Password => matches!(job.kind.as_str(), "change_password" | "create"),
        What::Package(name) => {
            let wanted = job.wants()["package"].as_str().map(str::to_owned);
            let same = name.is_none() || wanted == *name;
            job.kind == "change_package" && same
        }
        What::Move => job.kind == "move",
        What::Settings => matches!(
            job.kind.as_str(),
            "change_package" | "change_limits" | "create"
        ),
    }
}

fn what(entry: &Entry) -> Option<What> {
    let flag = |name: &str| entry.change[name].as_bool() == Some(true);
    let after = |name: &str| entry.change[name].get(1);
    match entry.call.to_ascii_lowercase().as_str() {
        "createacct" | "customers.add" => flag("created").then_some(What::Create),
        "removeacct" | "customers.delete" => flag("removed").then_some(What::Terminate),
        "suspendacct" => Some(What::Suspend),
        "unsuspendacct" => Some(What::Unsuspend),
        "passwd" => Some(What::Password),
        "changepackage" => {
            let name = after("plan").and_then(Value::as_str);
            Some(What::Package(name.map(str::to_owned)))
        }
        "modifyacct" if entry.change.get("owner").is_some() => Some(What::Move),
        "customers.move" => Some(What::Move),
        "editquota" | "limitbw" | "modifyacct" => Some(What::Settings),
        "customers.update" => Some(update(entry, after("deactivated"))),
        _ => None,
    }
}

/// Froxlor has one command for all changes.
fn update(entry: &Entry, deactivated: Option<&Value>) -> What {
    match deactivated {
        Some(after) if is_on(after) => What::Suspend,
        Some(_) => What::Unsuspend,
        None if entry.change.get("password").is_some() => What::Password,
        None => What::Settings,
    }
}

fn is_on(value: &Value) -> bool {
    !matches!(
        value.to_string().trim_matches('"'),
        "0" | "false" | "null" | ""
    )
}
