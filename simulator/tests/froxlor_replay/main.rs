//! Every exchange that was recorded with a real Froxlor 2.3.4 is sent to the simulated one, in the recorded order, and
//! must come back with the recorded status, header names, JSON keys and JSON types; null is a type of its own.
//! `fixtures/froxlor/exchanges.jsonl` holds the recordings: a customer's record is written as what differs from the
//! template in the first line.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../support/mod.rs"]
mod support;

mod compare;
mod set_up;

use serde_json::{Map, Value, json};
use support::Bench;

const RECORDINGS: &str = include_str!("../../fixtures/froxlor/exchanges.jsonl");

/// Exchanges that are not replayed, with the reason. None is left out at present.
const LEFT_OUT: [(u32, &str); 0] = [];

/// Exchanges whose comparison is looser, with the reason.
const LOOSER: [(u32, compare::Loose, &str); 3] = [
    (
        26,
        compare::Loose::Subset,
        "the recording was cut to module, function and access, and here to 12 of 165 rows",
    ),
    (
        200,
        compare::Loose::Length,
        "only one of the admin's daily sums had been written when it was recorded",
    ),
    (203, compare::Loose::Length, "as 200"),
];

/// One recorded exchange.
pub(crate) struct Exchange {
    number: u32,
    name: String,
    fields: Value,
}

fn exchanges() -> Vec<Exchange> {
    let mut lines = RECORDINGS
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let template = lines.next().unwrap()["template"].clone();
    lines
        .map(|mut fields| {
            let name = fields["name"].as_str().unwrap().to_owned();
            if let Some(answer) = fields.get_mut("answer") {
                *answer = expanded(answer, &template);
            }
            Exchange {
                number: name[..3].parse().unwrap(),
                name,
                fields,
            }
        })
        .collect()
}

fn expanded(value: &Value, template: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("$customer") => {
            let mut record = template.as_object().unwrap().clone();
            for (column, value) in map["$customer"].as_object().unwrap() {
                record.insert(column.clone(), value.clone());
            }
            for gone in map
                .get("without")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                record.remove(gone.as_str().unwrap());
            }
            Value::Object(record)
        }
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), expanded(value, template)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list.iter().map(|value| expanded(value, template)).collect(),
        other => other.clone(),
    }
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<String>,
    text: String,
}

pub(crate) async fn send(bench: &Bench, exchange: &Exchange) -> Answer {
    let fields = &exchange.fields;
    let path = fields["path"].as_str().unwrap_or("/api.php");
    let url = format!("{}{path}", bench.panel.url());
    let get = fields["method"] == "GET";
    let request = if get {
        bench.client.get(url)
    } else {
        bench.client.post(url)
    };
    let request = match set_up::credentials(bench, fields["key"].as_str().unwrap()) {
        Some((key, secret)) => request.basic_auth(key, Some(secret)),
        None => request,
    };
    let body = fields["text"]
        .as_str()
        .map_or_else(|| fields["body"].to_string(), str::to_owned);
    let response = request
        .header("Content-Type", "application/json")
        .body(body)
        .send()
        .await
        .unwrap();
    Answer {
        status: response.status().as_u16(),
        headers: response
            .headers()
            .keys()
            .map(|name| name.as_str().to_owned())
            .collect(),
        text: response.text().await.unwrap(),
    }
}

/// Compares the shapes. The value that differs, when one does.
fn check(exchange: &Exchange, answer: &Answer) -> Result<Option<String>, String> {
    let fields = &exchange.fields;
    if fields["status"] != answer.status {
        return Err(format!(
            "status {} instead of {}: {}",
            answer.status, fields["status"], answer.text
        ));
    }
    for name in [
        "x-ratelimit-limit",
        "www-authenticate",
        "retry-after",
        "location",
    ] {
        let recorded = fields["headers"].as_array().unwrap().contains(&json!(name));
        if recorded != answer.headers.iter().any(|header| header == name) {
            return Err(format!("header {name}: recorded {recorded}"));
        }
    }
    if let Some(plain) = fields.get("plain") {
        return if plain == &answer.text {
            Ok(None)
        } else {
            Err(format!("text {:?}", answer.text))
        };
    }
    let got: Value =
        serde_json::from_str(&answer.text).map_err(|error| format!("{error}: {}", answer.text))?;
    let loose = LOOSER
        .iter()
        .find(|(number, _, _)| *number == exchange.number)
        .map(|(_, loose, _)| *loose);
    compare::same_shape(&fields["answer"], &got, loose, "")?;
    Ok(compare::other_value(&fields["answer"], &got, ""))
}

#[tokio::test]
async fn recorded_exchanges_come_out_the_same() {
    let bench = set_up::panel().await;
    let (mut replayed, mut equal, mut wrong) = (0, 0, Vec::new());
    let mut differing = Vec::new();
    for exchange in exchanges() {
        if LEFT_OUT
            .iter()
            .any(|(number, _)| *number == exchange.number)
        {
            continue;
        }
        let answer = match set_up::before(&bench, &exchange).await {
            Some(answer) => answer,
            None => send(&bench, &exchange).await,
        };
        replayed += 1;
        match check(&exchange, &answer) {
            Ok(None) => equal += 1,
            Ok(Some(other)) => differing.push(format!("{}{other}", exchange.name)),
            Err(reason) => wrong.push(format!("{}: {reason}", exchange.name)),
        }
    }
    println!(
        "{replayed} of {} recorded exchanges replayed, {equal} of them equal in every value",
        replayed + LEFT_OUT.len()
    );
    println!("other values:\n{}", differing.join("\n"));
    for (number, reason) in LEFT_OUT {
        println!("left out {number}: {reason}");
    }
    for (number, loose, reason) in LOOSER {
        println!("compared with {loose:?} {number}: {reason}");
    }
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(replayed >= 280, "{replayed}");
    assert!(equal >= 272, "{equal}");
}

/// The recorded series of passwords: what was sent, and what the password was afterwards.
#[tokio::test]
async fn passwords_are_altered_as_recorded() {
    let series: Vec<(String, Option<String>)> =
        serde_json::from_str(include_str!("../../fixtures/froxlor/passwords.json")).unwrap();
    let bench = Bench::froxlor().await;
    let (mut compared, mut refused) = (0, 0);
    for (index, (sent, effective)) in series.iter().enumerate() {
        // With a NUL inside nobody found out what the password became.
        let Some(effective) = effective else { continue };
        let login = format!("pw{index}");
        let add = json!({"new_loginname": login, "new_customer_password": sent, "email": "a@example.com", "company": "A"});
        let (status, body) = bench.froxlor_call("Customers.add", add).await;
        if status == 200 {
            let is = bench.panel.account(&login).unwrap().password_is(effective);
            // What the filter emptied was replaced by a random one.
            assert_eq!(is, !effective.is_empty(), "{sent:?} -> {effective:?}");
            compared += 1;
        } else {
            let upper = effective.chars().any(char::is_uppercase);
            let lower = effective.chars().any(char::is_lowercase);
            assert!(status == 400 && !(upper && lower), "{sent:?}: {body}");
            refused += 1;
        }
    }
    println!(
        "{compared} passwords as recorded, {refused} refused since what was left of them is too simple"
    );
    assert!(compared >= 30, "{compared}");
}

#[test]
fn a_changed_type_or_key_is_noticed() {
    let recorded = json!({"data": {"id": 1, "note": null, "list": [{"a": "x"}]}});
    for wrong in [
        json!({"data": {"id": "1", "note": null, "list": [{"a": "x"}]}}),
        json!({"data": {"id": 1, "note": "", "list": [{"a": "x"}]}}),
        json!({"data": {"id": 1, "note": null, "list": [{"a": "x", "b": 1}]}}),
        json!({"data": {"id": 1, "note": null, "list": []}}),
        json!({"data": {"id": 1, "list": [{"a": "x"}]}}),
        json!({"message": "x"}),
    ] {
        assert!(
            compare::same_shape(&recorded, &wrong, None, "").is_err(),
            "{wrong}"
        );
    }
    let other_values = json!({"data": {"id": 2, "note": null, "list": [{"a": "y"}]}});
    assert!(compare::same_shape(&recorded, &other_values, None, "").is_ok());
    assert!(compare::other_value(&recorded, &other_values, "").is_some());
}
