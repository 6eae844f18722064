//! Answers of the wrong shape or in the wrong units, for whatever reads them.

use panels::http::Effect;
use serde_json::{Map, Value};

use crate::suite::{Stage, Verb, call_of};
use crate::{open, suites};

type Spoil = fn(&Value) -> Vec<u8>;

const SPOILS: &[(&str, Spoil)] = &[
    ("texts with units", |body| {
        each_number(body, &|_| "\"1.5 GB\"".into())
    }),
    ("fractions", |body| {
        each_number(body, &|n| format!("{}.5", n.trim_start_matches('-')))
    }),
    ("beyond any float", |body| {
        each_number(body, &|_| "1e400".into())
    }),
    ("beyond 64 bits", |body| {
        each_number(body, &|_| "99999999999999999999".into())
    }),
    ("negative", |body| {
        each_number(body, &|n| format!("-7{}", n.trim_start_matches('-')))
    }),
    ("nulls for numbers", |body| {
        each_number(body, &|_| "null".into())
    }),
    ("lists for numbers", |body| {
        each_number(body, &|n| format!("[{n}]"))
    }),
    ("nulls for texts", |body| {
        text(&leaves(body, &|leaf| match leaf {
            Value::String(_) => Value::Null,
            other => other.clone(),
        }))
    }),
    ("objects for texts", |body| {
        text(&leaves(body, &|leaf| match leaf {
            Value::String(text) => serde_json::json!({ text: text }),
            other => other.clone(),
        }))
    }),
    ("nulls", |body| text(&leaves(body, &|_| Value::Null))),
    ("NUL in texts", |body| {
        text(&leaves(body, &|leaf| match leaf {
            Value::String(text) => Value::String(format!("{text}\0")),
            other => other.clone(),
        }))
    }),
    ("lists of one as the one", |body| {
        text(&lists(body, &|list| match list {
            [one] => one.clone(),
            many => Value::Array(many.to_vec()),
        }))
    }),
    ("lists as objects", |body| {
        text(&lists(body, &|list| {
            let fields = list.iter().enumerate();
            Value::Object(
                fields
                    .map(|(n, item)| (n.to_string(), item.clone()))
                    .collect(),
            )
        }))
    }),
    ("lists in lists", |body| {
        text(&lists(body, &|list| serde_json::json!([list])))
    }),
    ("keys twice", |body| twice(body).into_bytes()),
    ("10,000 deep", |_| {
        ["[".repeat(10_000), "]".repeat(10_000)]
            .concat()
            .into_bytes()
    }),
    ("10,000 deep inside", |body| deep_inside(body)),
    ("a byte order mark", |body| {
        [b"\xef\xbb\xbf", text(body).as_slice()].concat()
    }),
    ("latin-1", |body| {
        text(body)
            .iter()
            .flat_map(|byte| match byte {
                b'a' => vec![0xe4],
                other => vec![*other],
            })
            .collect()
    }),
    ("a NUL behind it", |body| {
        [text(body).as_slice(), b"\0"].concat()
    }),
    ("two documents", |body| [text(body), text(body)].concat()),
];

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn leaves(value: &Value, change: &dyn Fn(&Value) -> Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| leaves(item, change)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), leaves(field, change)))
            .collect(),
        leaf => change(leaf),
    }
}

fn lists(value: &Value, change: &dyn Fn(&[Value]) -> Value) -> Value {
    match value {
        Value::Array(items) => {
            let items: Vec<Value> = items.iter().map(|item| lists(item, change)).collect();
            change(&items)
        }
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), lists(field, change)))
            .collect::<Map<_, _>>()
            .into(),
        leaf => leaf.clone(),
    }
}

/// Every number, and every text of digits, as something else that no `Value` can hold.
fn each_number(body: &Value, write: &dyn Fn(&str) -> String) -> Vec<u8> {
    let marked = leaves(body, &|leaf| match leaf {
        Value::Number(number) => Value::String(format!("@{number}@")),
        Value::String(digits) if digits.parse::<i64>().is_ok() => {
            Value::String(format!("@{digits}@"))
        }
        other => other.clone(),
    });
    let marked = marked.to_string();
    let mut parts = marked.split("\"@");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once("@\"").unwrap();
        whole.push_str(&write(number));
        whole.push_str(rest);
    }
    whole.into_bytes()
}

fn twice(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let field = |(name, field): (&String, &Value)| {
                let name = Value::from(name.as_str());
                format!("{name}:{},{name}:\"other\"", twice(field))
            };
            let fields: Vec<String> = fields.iter().map(field).collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(twice).collect();
            format!("[{}]", items.join(","))
        }
        leaf => leaf.to_string(),
    }
}

fn deep_inside(body: &Value) -> Vec<u8> {
    let deep = ["[".repeat(10_000), "]".repeat(10_000)].concat();
    let marked = leaves(body, &|_| Value::from("@deep@")).to_string();
    marked.replace("\"@deep@\"", &deep).into_bytes()
}

/// A read may be lost, a change may be in doubt, and nothing else.
fn is_right(effect: Effect, behind_change: bool, class: &str) -> bool {
    match effect {
        Effect::Change => class == "in_doubt",
        Effect::Read => class == "transient" || (behind_change && class == "in_doubt"),
    }
}

async fn every_shape(driver_name: &str) {
    let (mut tried, mut bad) = (0, Vec::new());
    for suite in suites().iter().filter(|suite| suite.driver == driver_name) {
        let stage = Stage::new();
        for scenario in suite.scenarios.iter().filter(|one| one.expect.is_success()) {
            for place in 0..scenario.routes.len() {
                let route = &scenario.routes[place];
                let Ok(body) = serde_json::from_slice::<Value>(&route.answer.body) else {
                    continue;
                };
                let behind = scenario.routes[..place]
                    .iter()
                    .any(|one| one.effect == Effect::Change);
                let mut driver = open(suite, &stage);
                for (name, spoil) in SPOILS {
                    let mut spoilt = route.answer.clone();
                    spoilt.body = spoil(&body);
                    // The words of a refusal are its meaning.
                    if route.answer.status >= 400 && *name == "NUL in texts" {
                        continue;
                    }
                    stage.set(&scenario.routes, Some((place, spoilt.into())));
                    let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                    if result.is_ok() {
                        // What it has read once it may know.
                        driver = open(suite, &stage);
                    }
                    if !stage
                        .panel
                        .received()
                        .iter()
                        .any(|one| call_of(one) == route.call)
                    {
                        break;
                    }
                    if let Err(error) = result
                        && !is_right(route.effect, behind, error.class())
                    {
                        bad.push(format!(
                            "{} {} {name}: {error:?}",
                            scenario.name, route.call
                        ));
                    }
                    tried += 1;
                }
            }
        }
        stage.unexpected.lock().unwrap().clear();
    }
    println!("{driver_name}: {tried} answers of the wrong shape");
    assert!(
        bad.is_empty(),
        "{} of {tried}:\n{}",
        bad.len(),
        bad.join("\n")
    );
    assert!(tried > 500, "{tried}");
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_no_answer_on_cpanel() {
    every_shape("cpanel").await;
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_no_answer_on_froxlor() {
    every_shape("froxlor").await;
}

#[tokio::test]
async fn an_answer_of_the_wrong_shape_is_no_answer_on_hostbill() {
    every_shape("hostbill").await;
}

/// A figure that was not understood is never another figure.
#[tokio::test]
async fn traffic_in_the_wrong_units_is_not_counted() {
    let units = &SPOILS[..7];
    for suite in &suites() {
        let stage = Stage::new();
        for (name, verb) in [("usage", Verb::Usage), ("usage_of", Verb::UsageOf)] {
            let scenario = crate::named(suite, name);
            let month = suite.subject.month.parse().unwrap();
            let driver = open(suite, &stage);
            stage.set(&scenario.routes, None);
            let good = driver.usage(month).await.ok();
            let last = scenario.routes.len() - 1;
            for place in 0..=last {
                let body = serde_json::from_slice(&scenario.routes[place].answer.body).unwrap();
                for (title, spoil) in units {
                    let mut spoilt = scenario.routes[place].answer.clone();
                    spoilt.body = spoil(&body);
                    let driver = open(suite, &stage);
                    stage.set(&scenario.routes, Some((place, spoilt.into())));
                    let report = match verb {
                        Verb::Usage => driver.usage(month).await,
                        _ => {
                            let key = panels::AccountKey {
                                username: suite.subject.username.parse().unwrap(),
                                domain: None,
                                panel_id: None,
                            };
                            driver.usage_of(&key, month).await
                        }
                    };
                    let Ok(report) = report else { continue };
                    for row in &report.accounts {
                        let known = good.iter().flat_map(|good| &good.accounts);
                        let mut same = known.filter(|one| one.username == row.username);
                        assert!(
                            verb != Verb::Usage
                                || row.traffic.is_none()
                                || same.any(|one| one.traffic == row.traffic),
                            "{} {name} {title}: {row:?}",
                            suite.driver
                        );
                    }
                }
            }
        }
    }
}
