//! 7. The reported result is the panel's state: what the newest job of each thing says is what the panel
//!    shows, and a failed job has done nothing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::deeds::{What, deeds};
use super::evidence::{Evidence, Job, PanelAccount};

const MB: u64 = 1 << 20;

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = failed_and_done(evidence);
    let mut lines: BTreeMap<(String, String), Vec<&Job>> = BTreeMap::new();
    for job in evidence
        .jobs
        .iter()
        .filter(|job| job.changes() && job.attempt > 0)
    {
        if let Some(place) = job.place() {
            lines.entry(place).or_default().push(job);
        }
    }
    for ((server, user), jobs) in lines {
        let Some(panel) = evidence.panels.get(&server) else {
            continue;
        };
        let found = panel
            .accounts
            .iter()
            .find(|account| account.username.eq_ignore_ascii_case(&user));
        broken.extend(contradictions(&jobs, found));
    }
    broken
}

/// Something about an account that jobs set, and how the panel shows it.
struct Thing {
    kinds: &'static [&'static str],
    contradicts: fn(&Job, &PanelAccount) -> Option<String>,
}

const THINGS: [Thing; 4] = [
    Thing {
        kinds: &["create", "terminate"],
        contradicts: existence,
    },
    Thing {
        kinds: &["suspend", "unsuspend"],
        contradicts: standing,
    },
    Thing {
        kinds: &["change_package"],
        contradicts: package,
    },
    Thing {
        kinds: &["change_limits", "change_package"],
        contradicts: numbers,
    },
];

/// What the panel shows instead of what the newest job about each thing says, of those since the account
/// was removed last.
fn contradictions(jobs: &[&Job], found: Option<&PanelAccount>) -> Vec<(String, String)> {
    let removed = jobs
        .iter()
        .rposition(|job| job.kind == "terminate" && job.state == "succeeded");
    let jobs = &jobs[removed.unwrap_or(0)..];
    let about = THINGS.iter().filter_map(|thing| {
        let mut newest = jobs.iter().rev();
        let newest = newest.find(|job| thing.kinds.contains(&job.kind.as_str()))?;
        // One that is not done, or failed, says nothing of the thing as it is now.
        let job = Some(newest).filter(|job| job.state == "succeeded")?;
        let what = match found {
            Some(account) => (thing.contradicts)(job, account)?,
            None if job.kind == "terminate" => return None,
            None => "succeeded, and the panel has no such account".to_owned(),
        };
        Some((job.name(), what))
    });
    about.collect()
}

fn existence(job: &Job, account: &PanelAccount) -> Option<String> {
    if job.kind == "terminate" {
        let what = format!("succeeded, and account {} is there", account.incarnation);
        return Some(what);
    }
    let wanted = &job.wants()["domain"];
    let other = !account.domain.is_empty() && wanted.as_str() != Some(account.domain.as_str());
    other.then(|| format!("succeeded, and the account's domain is {}", account.domain))
}

fn standing(job: &Job, account: &PanelAccount) -> Option<String> {
    let shown = if account.suspended {
        "suspended"
    } else {
        "active"
    };
    let other = account.suspended != (job.kind == "suspend");
    other.then(|| format!("succeeded, and the account is {shown}"))
}

/// Froxlor shows none.
fn package(job: &Job, account: &PanelAccount) -> Option<String> {
    let package = account.package.as_deref()?;
    let other = Some(package) != job.wants()["package"].as_str();
    other.then(|| format!("succeeded, and the account is on package {package}"))
}

fn numbers(job: &Job, account: &PanelAccount) -> Option<String> {
    limits(&job.wants()["limits"], &account.limits)
}

fn limits(wanted: &Value, shown: &Value) -> Option<String> {
    let names = [
        ("disk_mb", "disk", MB),
        ("traffic_mb", "traffic", MB),
        ("databases", "databases", 1),
    ];
    names.into_iter().find_map(|(ours, theirs, unit)| {
        let wanted = wanted[ours].as_u64()?.saturating_mul(unit);
        let other = shown[theirs].as_u64() != Some(wanted);
        other.then(|| {
            format!(
                "succeeded, and the panel shows {theirs} = {}",
                shown[theirs]
            )
        })
    })
}

/// Failed says that nothing was changed.
fn failed_and_done(evidence: &Evidence) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    for deed in deeds(evidence).values().flatten() {
        let telling = matches!(
            deed.what,
            What::Create | What::Terminate | What::Suspend | What::Unsuspend
        );
        let Some(job) = deed.job.filter(|_| telling) else {
            continue;
        };
        if job.state == "failed" && job.doubt_since.is_none() {
            broken.push((
                job.name(),
                format!("failed, and {} was done", deed.entry.call),
            ));
        }
    }
    broken
}
