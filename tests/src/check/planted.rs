//! Each invariant on hand-made evidence: a run that is fine, and the same run with one thing wrong.

use serde_json::{Value, json};

use super::decide;
use super::evidence::{
    Account, Attempt, Booking, Entry, Event, Evidence, Exchange, Job, Month, Panel, PanelAccount,
    PanelTraffic, Request,
};

fn exchange(key: &str, id: &str, at: i64) -> Exchange {
    Exchange {
        begin: at,
        end: at + 5,
        path: "/v1/jobs".into(),
        key: key.into(),
        body: json!({"for": key}),
        status: Some(202),
        id: id.into(),
        answer: json!({"id": id}),
    }
}

fn job(id: i64, kind: &str, payload: &Value) -> Job {
    Job {
        id,
        public_id: format!("J{id}"),
        platform_id: 1,
        idem_key: format!("k{id}"),
        kind: kind.into(),
        server: Some("web1".into()),
        username: Some("anna".into()),
        account_id: Some(1),
        payload: payload.to_string(),
        state: "succeeded".into(),
        attempt: 1,
        ..Job::default()
    }
}

fn attempt(job_id: i64, at: i64) -> Attempt {
    Attempt {
        job_id,
        attempt: 1,
        started_at: at,
        sent_at: Some(at + 5),
        finished_at: at + 20,
        outcome: "succeeded".into(),
        ..Attempt::default()
    }
}

fn entry(seq: u64, call: &str, change: Value) -> Entry {
    Entry {
        seq,
        call: call.into(),
        username: "anna".into(),
        incarnation: "7".into(),
        change,
        begin_tick: seq * 10,
        end_tick: seq * 10 + 5,
        overlaps: Vec::new(),
        request: seq,
    }
}

fn asked(calls: &[&str]) -> Vec<Request> {
    let calls = calls.iter().zip(1..);
    let asked = calls.map(|(call, ordinal)| Request {
        ordinal,
        call: (*call).into(),
        username: Some("anna".into()),
    });
    asked.collect()
}

/// Made, put on another package, suspended: all as promised.
fn fine() -> Evidence {
    let jobs = vec![
        job(1, "create", &json!({"domain": "anna.example.com"})),
        job(2, "change_package", &json!({"package": "gold"})),
        job(3, "suspend", &json!({})),
    ];
    let panel = Panel {
        ledger: vec![
            entry(
                1,
                "createacct",
                json!({"created": true, "domain": "anna.example.com"}),
            ),
            entry(2, "changepackage", json!({"plan": ["silver", "gold"]})),
            entry(3, "suspendacct", json!({"suspended": [false, true]})),
        ],
        accounts: vec![PanelAccount {
            username: "anna".into(),
            incarnation: "7".into(),
            domain: "anna.example.com".into(),
            package: Some("gold".into()),
            suspended: true,
            limits: json!({}),
        }],
        traffic: vec![PanelTraffic {
            username: "anna".into(),
            month: "2026-11".into(),
            bytes: 30,
        }],
        requests: asked(&["accountsummary", "createacct", "accountsummary"]),
    };
    let booking = |delta_bytes, total_bytes| Booking {
        account_id: 1,
        month: "2026-11".into(),
        entry: "delta".into(),
        delta_bytes,
        total_bytes,
    };
    Evidence {
        pace: 0.01,
        exchanges: (1..=3)
            .map(|n| exchange(&format!("k{n}"), &format!("J{n}"), n * 100))
            .collect(),
        attempts: vec![attempt(1, 1000), attempt(2, 2000), attempt(3, 3000)],
        accounts: vec![Account {
            id: 1,
            server: "web1".into(),
            username: "anna".into(),
            domain: Some("anna.example.com".into()),
            state: "suspended".into(),
        }],
        months: vec![Month {
            account_id: 1,
            month: "2026-11".into(),
            total_bytes: 30,
            flag: None,
        }],
        bookings: vec![booking(10, 10), booking(20, 30)],
        texts: vec![("job.payload".into(), "{}".into())],
        panels: [("web1".to_owned(), panel)].into(),
        outputs: vec![("output/serve-1.log".into(), b"Listening".to_vec())],
        secrets: vec![("token".into(), "s3cret/+=\"x".into())],
        jobs,
        ..Evidence::default()
    }
}

/// Changes one thing, and says which invariants are reported.
fn broken_by(change: impl FnOnce(&mut Evidence)) -> Vec<u8> {
    let mut evidence = fine();
    change(&mut evidence);
    let mut found: Vec<u8> = decide(&evidence).iter().map(|v| v.invariant).collect();
    found.dedup();
    found
}

const NOTHING: [u8; 0] = [];

fn panel(evidence: &mut Evidence) -> &mut Panel {
    evidence.panels.get_mut("web1").unwrap()
}

#[test]
fn a_run_that_is_fine_is_fine() {
    assert!(decide(&fine()).is_empty());
}

#[test]
fn i01_a_promised_job_without_a_row_and_one_that_does_not_rest_are_seen() {
    assert_eq!(
        broken_by(|run| run.exchanges.push(exchange("k9", "J9", 900))),
        [1]
    );
    assert_eq!(broken_by(|run| run.jobs[2].state = "running".into()), [1]);
    let waits = |state: &str| {
        let state = state.to_owned();
        broken_by(|run| {
            run.jobs[1].state = state;
            run.jobs[1].head_of = Some(1);
            run.jobs[1].doubt_since = Some(1);
            run.attempts[1].outcome = "held".into();
            run.attempts[1].error_code = Some("panel_in_doubt".into());
            run.attempts[1].error_message = Some("not known".into());
            run.jobs[2].state = "queued".into();
            run.jobs[2].attempt = 0;
            run.attempts.pop();
            panel(run).ledger.pop();
        })
    };
    assert_eq!(
        waits("held"),
        NOTHING,
        "it waits for the person as the held one does"
    );
    assert_eq!(waits("retrying"), [1]);
}

#[test]
fn i02_a_key_with_two_jobs_or_two_bodies_is_seen() {
    assert_eq!(
        broken_by(|run| run.exchanges.push(exchange("k1", "J1", 150))),
        NOTHING,
        "a repetition is told the same"
    );
    assert_eq!(
        broken_by(|run| {
            run.exchanges.push(exchange("k1", "J2", 150));
            run.exchanges.retain(|e| e.key != "k2");
        }),
        [2]
    );
    assert_eq!(
        broken_by(|run| {
            let mut other = exchange("k1", "J1", 150);
            other.body = json!({"for": "something else"});
            run.exchanges.push(other);
        }),
        [2]
    );
    assert_eq!(
        broken_by(|run| {
            let mut twin = job(4, "get_stats", &json!({}));
            (twin.account_id, twin.username) = (None, None);
            twin.idem_key = "k1".into();
            run.jobs.push(twin);
            run.attempts.push(attempt(4, 4000));
        }),
        [2]
    );
}

#[test]
fn i03_two_jobs_at_one_time_are_seen_on_the_panel_and_in_the_database() {
    assert_eq!(broken_by(|run| panel(run).ledger[2].begin_tick = 22), [3]);
    assert_eq!(
        broken_by(|run| panel(run).ledger[2].overlaps = vec![2]),
        [3]
    );
    assert_eq!(
        broken_by(|run| {
            run.attempts[2].sent_at = Some(2010);
        }),
        [3]
    );
    assert_eq!(
        broken_by(|run| {
            for job in &mut run.jobs[1..] {
                job.lease_until = Some(9000);
            }
        }),
        [3]
    );
}

#[test]
fn i03_a_claim_that_is_taken_back_while_it_is_valid_is_seen() {
    let lost_after = |ms: i64| {
        broken_by(|run| {
            run.jobs[2].attempt = 2;
            run.attempts[2].attempt = 2;
            let mut lost = attempt(3, 2100);
            lost.outcome = "lost".into();
            lost.sent_at = None;
            lost.finished_at = lost.started_at + ms;
            run.attempts.insert(2, lost);
        })
    };
    assert_eq!(lost_after(9_000), NOTHING, "300 s at this pace, and six");
    assert_eq!(lost_after(8_000), [3]);
}

#[test]
fn i04_two_accounts_of_one_create_and_success_without_one_are_seen() {
    let second = || {
        let mut second = entry(4, "createacct", json!({"created": true}));
        second.incarnation = "8".into();
        second
    };
    assert_eq!(
        broken_by(|run| panel(run).ledger.insert(1, second())),
        [4],
        "made twice"
    );
    assert_eq!(
        broken_by(|run| {
            panel(run).ledger.remove(0);
        }),
        [4],
        "made never"
    );
    assert_eq!(
        broken_by(|run| {
            let mut other = second();
            other.username = "berta".into();
            panel(run).ledger.push(other);
        }),
        [4],
        "nobody asked"
    );
}

#[test]
fn i04_a_create_that_is_sent_again_without_a_look_is_seen() {
    let twice = ["createacct", "accountsummary", "createacct"];
    assert_eq!(
        broken_by(|run| panel(run).requests = asked(&twice)),
        NOTHING
    );
    let blindly = ["accountsummary", "createacct", "createacct"];
    assert_eq!(broken_by(|run| panel(run).requests = asked(&blindly)), [4]);
}

#[test]
fn i05_what_is_done_out_of_order_is_seen() {
    assert_eq!(
        broken_by(|run| {
            let ledger = &mut panel(run).ledger;
            ledger.swap(1, 2);
            for (index, entry) in ledger.iter_mut().enumerate() {
                entry.begin_tick = index as u64 * 10;
                entry.end_tick = index as u64 * 10 + 5;
            }
        }),
        [5]
    );
    assert_eq!(
        broken_by(|run| {
            run.exchanges[2].begin = 10;
            run.exchanges[2].end = 20;
        }),
        [5],
        "who was answered first comes first"
    );
}

#[test]
fn i06_removing_what_was_not_meant_is_seen() {
    let removal = |incarnation: &str, change: Value| {
        let (incarnation, change) = (incarnation.to_owned(), change);
        move |run: &mut Evidence| {
            run.jobs.push(job(4, "terminate", &json!({})));
            run.attempts.push(attempt(4, 4000));
            let mut entry = entry(4, "removeacct", change);
            entry.incarnation = incarnation;
            panel(run).ledger.push(entry);
            panel(run).accounts.clear();
            run.accounts[0].state = "terminated".into();
        }
    };
    let gone = json!({"removed": true, "domain": "anna.example.com"});
    assert_eq!(broken_by(removal("7", gone.clone())), NOTHING);
    assert_eq!(broken_by(removal("9", gone)), [6], "another incarnation");
    assert_eq!(
        broken_by(|run| {
            panel(run)
                .ledger
                .push(entry(4, "removeacct", json!({"removed": true})));
        }),
        [5, 6],
        "nobody asked"
    );
}

#[test]
fn i07_a_result_that_the_panel_does_not_show_is_seen() {
    assert_eq!(
        broken_by(|run| panel(run).accounts[0].suspended = false),
        [7]
    );
    assert_eq!(
        broken_by(|run| panel(run).accounts[0].package = Some("silver".into())),
        [7]
    );
    assert_eq!(broken_by(|run| panel(run).accounts.clear()), [7]);
    assert_eq!(
        broken_by(|run| {
            run.jobs[2].state = "failed".into();
            run.attempts[2].outcome = "failed".into();
            run.attempts[2].error_code = Some("refused".into());
            run.attempts[2].error_message = Some("no".into());
        }),
        [7],
        "failed, and done"
    );
    assert_eq!(
        broken_by(|run| {
            run.jobs[1].kind = "change_limits".into();
            run.jobs[1].payload = json!({"limits": {"disk_mb": 2}}).to_string();
            panel(run).ledger[1].call = "editquota".into();
            panel(run).accounts[0].limits = json!({"disk": 1_048_576});
        }),
        [7]
    );
}

#[test]
fn i09_traffic_that_does_not_add_up_is_seen() {
    assert_eq!(broken_by(|run| run.months[0].total_bytes = 29), [9]);
    assert_eq!(broken_by(|run| run.bookings[1].delta_bytes = 21), [9]);
    assert_eq!(
        broken_by(|run| {
            run.bookings[1].delta_bytes = -5;
            run.bookings[1].total_bytes = 5;
            run.months[0].total_bytes = 5;
        }),
        [9]
    );
    assert_eq!(
        broken_by(|run| panel(run).traffic[0].bytes = 29),
        [9],
        "more than was counted"
    );
    assert_eq!(
        broken_by(|run| {
            panel(run).traffic[0].bytes = 29;
            run.months[0].flag = Some("drop".into());
        }),
        NOTHING,
        "a drop is flagged"
    );
}

#[test]
fn i10_a_secret_is_seen_in_every_place_and_in_five_encodings() {
    let encoded = [
        "s3cret/+=\"x",
        "s3cret%2F%2B%3D%22x",
        "czNjcmV0Lys9Ing=",
        "s3cret/+=\\\"x",
        "7333637265742f2b3d2278",
    ];
    for text in encoded {
        let text = format!("before {text} after");
        let said = text.clone().into_bytes();
        assert_eq!(broken_by(|run| run.outputs[0].1 = said), [10], "{text}");
        let stored = text.clone();
        assert_eq!(broken_by(|run| run.texts[0].1 = stored), [10], "{text}");
    }
    assert_eq!(
        broken_by(|run| run.exchanges[0].answer = json!({"it": "s3cret/+=\"x"})),
        [10]
    );
}

#[test]
fn i11_an_attempt_that_outlives_its_limit_is_seen() {
    let took = |ms: i64| {
        broken_by(|run| {
            run.attempts[2].sent_at = None;
            run.attempts[2].finished_at = run.attempts[2].started_at + ms;
        })
    };
    assert_eq!(took(17_000), NOTHING);
    assert_eq!(took(19_000), [11]);
}

#[test]
fn i12_a_change_of_state_without_a_word_is_seen() {
    assert_eq!(
        broken_by(|run| {
            run.attempts.remove(1);
        }),
        [12],
        "no attempt"
    );
    let cancelled = |event: Option<&str>| {
        let event = event.map(|event| Event {
            job_id: 4,
            actor: "an operator".into(),
            event: event.into(),
            reason: None,
        });
        broken_by(|run| {
            let mut job = job(4, "unsuspend", &json!({}));
            (job.state, job.attempt) = ("cancelled".into(), 0);
            run.jobs.push(job);
            run.events.extend(event);
        })
    };
    assert_eq!(cancelled(Some("cancelled")), NOTHING);
    assert_eq!(cancelled(None), [12]);
    let deaths = |n: i64| {
        broken_by(|run| {
            run.jobs[2].attempt = n + 1;
            run.attempts[2].attempt = n + 1;
            for ordinal in 1..=n {
                let mut lost = attempt(3, -20_000 * ordinal);
                (lost.attempt, lost.outcome) = (ordinal, "lost".into());
                (lost.sent_at, lost.finished_at) = (None, lost.started_at + 10_000);
                run.attempts.insert(2, lost);
            }
        })
    };
    assert_eq!(deaths(2), NOTHING);
    assert_eq!(deaths(3), [12], "never parked");
}
