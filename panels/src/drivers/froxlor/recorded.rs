//! Every recorded answer, read whole and cut at every byte.

use std::path::Path;

use serde_json::Value;

use super::envelope::{Judged, judge};
use super::shapes::{Customer, Domain, Plan, TrafficRows, rows};
use crate::PanelError;
use crate::http::lenient::{items, text, whole};
use crate::http::{Effect, Reply};

/// A recorded exchange: name, command, status, body.
struct Exchange {
    name: String,
    command: String,
    status: u16,
    body: String,
}

fn exchanges() -> Vec<Exchange> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/drivers/froxlor/fixtures");
    let read = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.unwrap().path();
        let whole = std::fs::read_to_string(&path).unwrap();
        let (head, body) = whole.split_once("\n\n").unwrap();
        let mut lines = head.lines();
        let mut word = |mark: &str| {
            let line = lines.next().unwrap().strip_prefix(mark).unwrap();
            line.split(' ').next().unwrap().to_owned()
        };
        Exchange {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            command: word("> "),
            status: word("< ").parse().unwrap(),
            body: body.to_owned(),
        }
    };
    let all: Vec<_> = std::fs::read_dir(folder).unwrap().map(read).collect();
    assert!(all.len() > 90, "{}", all.len());
    all
}

/// Whether the data is of the shape that we read from the command's answers.
fn readable(command: &str, data: &Value) -> bool {
    match command {
        "Customers.listing" => rows(data, Customer::read).is_some(),
        "Customers.listingCount" => whole(data).is_some(),
        "Domains.add" => Domain::read(data).is_some(),
        "HostingPlans.get" => Plan::read(data).is_some(),
        "HostingPlans.listing" => rows(data, Plan::read).is_some(),
        "Ftps.listing" => rows(data, |row| text(row.get("username")?)).is_some(),
        "Traffic.listing" => serde_json::from_value::<TrafficRows>(data.clone()).is_ok(),
        "Froxlor.listFunctions" => items(data).iter().all(|row| row.get("function").is_some()),
        "Froxlor.generateLoginLink" => data.get("base").is_some() && data.get("uri").is_some(),
        command if command.starts_with("Customers.") => Customer::read(data).is_some(),
        other => panic!("nothing reads {other}"),
    }
}

#[test]
fn every_recorded_success_has_the_shape_that_is_read() {
    let mut successes = 0;
    for exchange in exchanges() {
        let reply = Reply::canned(Effect::Read, exchange.status, exchange.body.as_bytes());
        let judged: Judged<Value> = judge(reply);
        let data = exchange.status == 200 && exchange.body.contains("\"data\"");
        match judged.outcome {
            Ok(Ok(got)) => {
                successes += 1;
                assert!(data, "{}", exchange.name);
                assert!(readable(&exchange.command, &got.value), "{}", exchange.name);
            }
            Ok(Err(_)) | Err(_) => assert!(!data, "{}", exchange.name),
        }
    }
    assert!(successes > 40, "{successes}");
}

#[test]
fn no_recorded_answer_cut_anywhere_is_taken_for_a_success() {
    for exchange in exchanges() {
        let body = exchange.body.trim_end().as_bytes();
        for cut in 0..body.len() {
            let reply = Reply::canned(Effect::Change, exchange.status, &body[..cut]);
            let judged: Judged<Value> = judge(reply);
            let place = || format!("{} cut after {cut}", exchange.name);
            let Err(error) = judged.outcome else {
                panic!("{}: an answer of Froxlor's", place())
            };
            match exchange.status {
                200 | 303 | 500.. => assert_eq!(error.class(), "in_doubt", "{}", place()),
                // Not Froxlor's words any more, so the status alone speaks: never a refusal.
                _ => assert!(!matches!(error, PanelError::Rejected { .. }), "{}", place()),
            }
        }
    }
}
