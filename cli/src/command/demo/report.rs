//! What came of it: read from the panels and the API after the run, compared, and printed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;
use simulator::Applied;

use super::script::{Ended, Show, ending, unpaid};
use super::stage::{Panel, Stage};
use crate::error::Failure;
use crate::output::{Output, bytes, cell};

/// The document of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    ok: bool,
    jobs: Vec<Job>,
    traffic: Vec<Traffic>,
    faults: Vec<Fault>,
    #[serde(skip)]
    complaints: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Job {
    id: String,
    kind: String,
    server: String,
    state: String,
    attempts: u64,
}

#[derive(Debug, Serialize)]
struct Traffic {
    server: String,
    username: String,
    month: String,
    panel_bytes: u64,
    booked_bytes: Option<u64>,
    resets: u64,
}

#[derive(Debug, Serialize)]
struct Fault {
    server: String,
    call: String,
    fault: String,
}

impl Report {
    /// Reads the panels' state and side effects, and what the API says was booked.
    pub(super) async fn of(show: &Show<'_>, stage: &Stage) -> Result<Self, Failure> {
        let mut report = Self {
            ok: false,
            jobs: show.ended.iter().map(Job::of).collect(),
            traffic: Vec::new(),
            faults: Vec::new(),
            complaints: Vec::new(),
        };
        report.judge_jobs(show);
        for panel in &stage.panels {
            report.read_faults(panel);
            report.judge_accounts(panel);
        }
        for month in show.months.map(|month| month.to_string()) {
            let booked = show.client.get(&format!("/v1/usage?month={month}")).await?;
            let booked = by_account(&booked);
            for panel in &stage.panels {
                report.read_traffic(show, panel, &month, &booked);
            }
        }
        report.ok = report.complaints.is_empty();
        Ok(report)
    }

    pub(super) fn ok(&self) -> bool {
        self.ok
    }

    fn judge_jobs(&mut self, show: &Show<'_>) {
        for job in show.ended.iter().filter(|job| job.state != "succeeded") {
            self.complaints.push(format!(
                "job {} ({} on {}) ended {}",
                job.id, job.kind, job.server, job.state
            ));
        }
        if show.booked_twice != 0 {
            self.complaints.push(format!(
                "reading the same night again booked {} bytes",
                show.booked_twice
            ));
        }
    }

    fn read_faults(&mut self, panel: &Panel) {
        let board = panel.simulator.faults();
        for fired in board.fired() {
            let applied = match fired.applied {
                Applied::Yes => "although it was done",
                Applied::No => "and it was not done",
                Applied::Half => "and it was half done",
                Applied::AfterSeconds(_) => "and it was done later",
            };
            let seen = match fired.fault.as_str() {
                "never" => "never answered",
                "status" => "answered 503",
                "reset" => "reset the connection",
                "cut_body" => "cut its answer off",
                "throttled" => "asked for patience (429)",
                other => other,
            };
            self.faults.push(Fault {
                server: panel.server.clone(),
                call: fired.call,
                fault: format!("{seen}, {applied}"),
            });
        }
        if board.waiting() > 0 {
            self.complaints.push(format!(
                "{} faults on {} never struck",
                board.waiting(),
                panel.server
            ));
        }
    }

    /// The panel's own account of what was done to it: each account made once, never two changes of one
    /// account at a time, and in the end everybody is as they should be.
    fn judge_accounts(&mut self, panel: &Panel) {
        let ledger = panel.simulator.ledger();
        let mut made: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for entry in &ledger {
            made.entry(&entry.username)
                .or_default()
                .insert(&entry.incarnation);
            if !entry.overlaps.is_empty() {
                self.complaints.push(format!(
                    "{} was changed twice at a time on {}",
                    entry.username, panel.server
                ));
            }
        }
        let gone: BTreeSet<&String> = ending(panel).collect();
        let unpaid: BTreeSet<&String> = unpaid(panel).collect();
        for name in &panel.users {
            let times = made.get(name.as_str()).map_or(0, BTreeSet::len);
            if times != 1 {
                self.complaints
                    .push(format!("{name} was made {times} times on {}", panel.server));
            }
            let account = panel.simulator.account(name);
            let right = match &account {
                None => gone.contains(name),
                Some(account) => {
                    !gone.contains(name)
                        && account.suspended == unpaid.contains(name)
                        && !account.half_made
                }
            };
            if !right {
                self.complaints
                    .push(format!("{name} on {} is not as it should be", panel.server));
            }
        }
        let strangers = made
            .keys()
            .any(|name| !name.is_empty() && !panel.users.iter().any(|user| user == name));
        if strangers {
            self.complaints.push(format!(
                "{} has accounts that nobody asked for",
                panel.server
            ));
        }
    }

    fn read_traffic(
        &mut self,
        show: &Show<'_>,
        panel: &Panel,
        month: &str,
        booked: &BTreeMap<(String, String), (u64, u64)>,
    ) {
        for name in &panel.users {
            let panel_bytes = match panel.simulator.account(name) {
                Some(_) => panel.simulator.traffic(name, month),
                None => show
                    .last_traffic
                    .iter()
                    .find(|(server, user, of, _)| {
                        (server, user, of.as_str()) == (&panel.server, name, month)
                    })
                    .map_or(0, |(_, _, _, bytes)| *bytes),
            };
            let found = booked.get(&(panel.server.clone(), name.clone()));
            if found.map(|(bytes, _)| *bytes) != Some(panel_bytes) {
                self.complaints.push(format!(
                    "{name} on {}: {month} is booked as {:?} bytes, the panel has {panel_bytes}",
                    panel.server,
                    found.map(|(bytes, _)| bytes)
                ));
            }
            self.traffic.push(Traffic {
                server: panel.server.clone(),
                username: name.clone(),
                month: month.to_owned(),
                panel_bytes,
                booked_bytes: found.map(|(bytes, _)| *bytes),
                resets: found.map_or(0, |(_, resets)| *resets),
            });
        }
    }

    pub(super) fn print(&self, out: Output) {
        out.json(self);
        out.line(format!("\n{}", out.title("Jobs")));
        out.table(
            &["kind", "server", "jobs", "succeeded", "attempts"],
            self.job_rows(),
            "",
        );
        out.line(format!(
            "\n{}",
            out.title("Faults on the way, all survived by looking before acting again")
        ));
        let rows = self
            .faults
            .iter()
            .map(|fault| {
                vec![
                    fault.server.clone(),
                    fault.call.clone(),
                    cell(Some(&fault.fault)),
                ]
            })
            .collect();
        out.table(&["server", "call", "what the panel did"], rows, "None.");
        out.line(format!(
            "\n{}",
            out.title("Traffic: the panels' figures and what was booked")
        ));
        out.table(
            &["server", "account", "month", "panel", "booked", ""],
            self.traffic_rows(out),
            "",
        );
        out.line("");
        if self.ok {
            out.line(out.good("Everything ended as it should."));
        } else {
            for complaint in &self.complaints {
                out.line(out.bad(complaint));
            }
        }
    }

    fn job_rows(&self) -> Vec<Vec<String>> {
        let mut sums: BTreeMap<(&str, &str), (u64, u64, u64)> = BTreeMap::new();
        for job in &self.jobs {
            let sum = sums.entry((&job.kind, &job.server)).or_default();
            sum.0 += 1;
            sum.1 += u64::from(job.state == "succeeded");
            sum.2 += job.attempts;
        }
        sums.into_iter()
            .map(|((kind, server), (all, good, attempts))| {
                vec![
                    kind.to_owned(),
                    server.to_owned(),
                    all.to_string(),
                    good.to_string(),
                    attempts.to_string(),
                ]
            })
            .collect()
    }

    fn traffic_rows(&self, out: Output) -> Vec<Vec<String>> {
        let size = |count: u64| bytes(i64::try_from(count).unwrap_or(i64::MAX));
        self.traffic
            .iter()
            .map(|row| {
                let same = if row.booked_bytes == Some(row.panel_bytes) {
                    out.good("same")
                } else {
                    out.bad("differs")
                };
                vec![
                    row.server.clone(),
                    row.username.clone(),
                    row.month.clone(),
                    size(row.panel_bytes),
                    cell(row.booked_bytes.map(size)),
                    same,
                ]
            })
            .collect()
    }
}

impl Job {
    fn of(job: &Ended) -> Self {
        Self {
            id: job.id.clone(),
            kind: job.kind.clone(),
            server: job.server.clone(),
            state: job.state.clone(),
            attempts: job.attempts,
        }
    }
}

/// Booked bytes and resets by server and login name.
fn by_account(usage: &Value) -> BTreeMap<(String, String), (u64, u64)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let items = usage["items"].as_array().cloned().unwrap_or_default();
    items
        .iter()
        .filter_map(|item| {
            let bytes = item["traffic_bytes"].as_u64()?;
            let resets = item["resets"].as_u64().unwrap_or(0);
            Some((
                (text(&item["server"]), text(&item["username"])),
                (bytes, resets),
            ))
        })
        .collect()
}
