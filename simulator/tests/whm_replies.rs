//! Every reply text and shape that the WHM contract names, each provoked by a call on a fresh server.
//! `fixtures/whm/replies.jsonl`: the contract's section, the text, the call, what is done before it, and where in the
//! answer the text stands (`at`: a JSON pointer, or `text` for the whole body).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use simulator::{Fault, Options, PanelKind, Reply, TakenWording, Token};
use support::Bench;

const REPLIES: &str = include_str!("../fixtures/whm/replies.jsonl");

#[derive(Debug, Deserialize)]
struct Expected {
    section: String,
    text: String,
    call: String,
    params: BTreeMap<String, String>,
    ok: bool,
    at: String,
    before: Vec<(String, Value)>,
    status: Option<u16>,
    api: Option<u8>,
}

/// Who calls, as an `Authorization` header.
fn authorization(bench: &Bench, who: &str) -> Option<String> {
    match who {
        "nobody" => None,
        "root" => Some(format!("whm root:{}", bench.panel.secret())),
        "wrong" => Some("whm root:WRONG".to_owned()),
        other => Some(format!("WHM {other}:TOKEN-{other}")),
    }
}

async fn call(
    bench: &Bench,
    who: &str,
    api: Option<u8>,
    function: &str,
    params: &BTreeMap<String, String>,
) -> (u16, String) {
    let url = format!("{}/json-api/{function}", bench.panel.url());
    let mut form = params.clone();
    if api.is_none() {
        form.insert("api.version".to_owned(), "1".to_owned());
    }
    let mut request = bench.client.post(url).form(&form);
    if let Some(header) = authorization(bench, who) {
        request = request.header("Authorization", header);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

fn set(bench: &Bench, what: &str) {
    let (name, value) = what.split_once('=').unwrap();
    let number = || value.parse::<u64>().unwrap();
    if let ("traffic", Some((month, bytes))) = (name, value.split_once(':')) {
        assert!(
            bench
                .panel
                .set_traffic("acme", month, bytes.parse().unwrap())
        );
        return;
    }
    if name == "disk" {
        assert!(bench.panel.set_disk_used("acme", number() * 1024 * 1024));
        return;
    }
    bench.panel.whm(|whm| match name {
        "taken" if value == "account" => whm.set_taken_wording(TakenWording::Account),
        "taken" => whm.set_taken_wording(TakenWording::Group),
        "group" => whm.leave_group(value),
        "remote" => whm.set_remote_domains(&[value]),
        "old" => whm.set_old_wording(true),
        "strength" => whm.set_min_password_strength(number()),
        "resellers" => whm.set_reseller_limit(Some(0)),
        "resellerdisk" => whm.set_reseller_disk(Some(number())),
        "licence" => whm.set_maximum_users(number()),
        "ips" => whm.set_dedicated_ips(&[]),
        "busy" => whm.lock_user_files(1),
        other => panic!("unknown setting {other}"),
    });
}

/// Does what comes before; returns who makes the call itself.
async fn prepare(bench: &Bench, expected: &Expected) -> String {
    bench.panel.whm(|whm| {
        whm.add_token(Token::new("viewer", "TOKEN-viewer", &["list-accts"]));
        whm.add_token(Token::new("reseller", "TOKEN-reseller", &["all"]));
        whm.add_token(Token::root("TOKEN-root2"));
        whm.add_token(Token::new("expired", "TOKEN-expired", &["all"]));
        whm.expire_token("TOKEN-expired");
    });
    let mut who = "root".to_owned();
    for (step, argument) in &expected.before {
        let text = argument.as_str().unwrap_or_default();
        match step.as_str() {
            "as" => text.clone_into(&mut who),
            "set" => set(bench, text),
            "clock" => bench.panel.set_clock(text.parse().unwrap()),
            "fault" => {
                let reply = match text {
                    "html" => Reply::Html,
                    code => Reply::Status {
                        code: code.parse().unwrap(),
                        body: String::new(),
                    },
                };
                bench
                    .panel
                    .faults()
                    .add(Fault::on(&expected.call).reply(reply));
            }
            function => {
                let params = serde_json::from_value(argument.clone()).unwrap();
                let (_, body) = call(bench, &who, None, function, &params).await;
                let answer: Value = serde_json::from_str(&body).unwrap();
                assert_eq!(answer["metadata"]["result"], 1, "{function}: {body}");
            }
        }
    }
    who
}

fn check(expected: &Expected, status: u16, body: &str) -> Result<(), String> {
    if status != expected.status.unwrap_or(200) {
        return Err(format!("status {status}: {body}"));
    }
    if expected.at == "text" {
        return if body.contains(&expected.text) {
            Ok(())
        } else {
            Err(body.to_owned())
        };
    }
    let answer: Value = serde_json::from_str(body).map_err(|error| format!("{error}: {body}"))?;
    if expected.api.is_none()
        && expected.status.is_none()
        && answer["metadata"]["result"] != u8::from(expected.ok)
    {
        return Err(format!("result: {body}"));
    }
    let value = answer
        .pointer(&expected.at)
        .ok_or_else(|| format!("no {}: {body}", expected.at))?;
    let shown = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    let same = if value.is_string() {
        shown.contains(&expected.text)
    } else {
        shown == expected.text
    };
    if same {
        Ok(())
    } else {
        Err(format!("{} is {shown:?}", expected.at))
    }
}

#[tokio::test]
async fn every_reply_of_the_contract_can_be_had() {
    let (mut checked, mut texts, mut wrong) = (0, BTreeSet::new(), Vec::new());
    for line in REPLIES.lines() {
        let expected: Expected = serde_json::from_str(line).unwrap();
        let bench = Bench::start(Options::new(PanelKind::Cpanel)).await;
        let who = prepare(&bench, &expected).await;
        let (status, body) =
            call(&bench, &who, expected.api, &expected.call, &expected.params).await;
        checked += 1;
        texts.insert((expected.call.clone(), expected.text.clone()));
        if let Err(reason) = check(&expected, status, &body) {
            wrong.push(format!(
                "section {}: {} {:?}: {reason}",
                expected.section, expected.call, expected.text
            ));
        }
    }
    println!(
        "{checked} replies of the WHM contract checked, {} different ones",
        texts.len()
    );
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked >= 160, "{checked}");
}
