//! What every driver must make of what a panel may answer. Walks the list of drivers; each brings its
//! golden exchanges (`suite/`), from which the faults are made here.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod suite;
mod support;

use panels::http::Effect;
use panels::{DRIVERS, Panel};
use serde_json::Value;
use suite::{Expect, Scenario, Stage, Suite, Verb};
use support::{Answer, Canned};

/// What no driver's suite may leave out.
const REQUIRED: &[&str] = &[
    "find_absent",
    "find_present",
    "find_suspended",
    "find_forbidden",
    "create_ok",
    "create_exists",
    "suspend",
    "unsuspend",
    "terminate",
    "terminate_absent",
    "change_package",
    "change_limits",
    "change_password",
    "login_url",
    "list",
    "usage",
    "usage_of",
    "check",
    "server_config",
];

fn suites() -> Vec<Suite> {
    vec![
        suite::cpanel::suite(),
        suite::froxlor::suite(),
        suite::hostbill::suite(),
    ]
}

fn open(suite: &Suite, stage: &Stage) -> Box<dyn Panel> {
    panels::open(suite.driver, suite.settings(stage.panel.settings())).unwrap()
}

/// The scenarios that succeed, with the place of each answer in which a fault is tried: each change, and
/// where there is none the first read.
fn faulty_places(scenario: &Scenario) -> Vec<usize> {
    let changes: Vec<usize> = (0..scenario.routes.len())
        .filter(|place| scenario.routes[*place].effect == Effect::Change)
        .collect();
    if changes.is_empty() { vec![0] } else { changes }
}

#[test]
fn every_driver_brings_the_required_exchanges() {
    let suites = suites();
    for driver in DRIVERS {
        let suite = suites.iter().find(|suite| suite.driver == driver.name);
        let suite = suite.unwrap_or_else(|| panic!("no suite for {}", driver.name));
        let rules = (driver.rules)();
        for name in REQUIRED {
            // What a panel does not have at all it cannot bring.
            if ["change_password", "login_url"].contains(name) && !rules.supports(name) {
                continue;
            }
            assert!(
                suite
                    .scenarios
                    .iter()
                    .any(|scenario| scenario.name == *name),
                "{} has no exchange `{name}`",
                driver.name
            );
        }
    }
    assert_eq!(suites.len(), DRIVERS.len());
}

#[tokio::test]
async fn golden_exchanges_mean_what_they_say() {
    let mut count = 0;
    for suite in suites() {
        let stage = Stage::new();
        for scenario in &suite.scenarios {
            let driver = open(&suite, &stage);
            stage.set(&scenario.routes, None);
            let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
            let unexpected = stage.unexpected.lock().unwrap().clone();
            assert!(unexpected.is_empty(), "{}: {unexpected:?}", scenario.name);
            scenario.expect.check(scenario.name, &result);
            count += 1;
        }
    }
    assert!(count >= 2 * REQUIRED.len(), "only {count} exchanges");
}

/// Faults with the class that each falls in, after a read and after a change.
fn faults() -> Vec<(&'static str, Answer, &'static str, &'static str)> {
    let unknown = |name, answer: Answer| (name, answer, "transient", "in_doubt");
    let both = |name, answer: Answer, class| (name, answer, class, class);
    let page = |status, body: &str| Answer::from(Canned::new(status, "text/html", body));
    let json = |body: &str| Answer::from(Canned::json(body));
    let login = "<!DOCTYPE html><html><title>Login</title><input type=\"password\"></html>";
    let down = "<html><body>Down for maintenance</body></html>";
    let elsewhere =
        Canned::new(302, "text/html", "").with("Location", "https://elsewhere.example/");
    let later = Canned::new(429, "text/plain", "slow down").with("Retry-After", "30");
    vec![
        unknown("500", page(500, "<html>Internal Server Error</html>")),
        unknown("502", page(502, down)),
        unknown("503", page(503, down)),
        unknown("504 without a body", page(504, "")),
        unknown("a web page", page(200, down)),
        unknown("nothing", page(200, "")),
        unknown("half of JSON", json("{\"metadata\":{\"result\":1")),
        unknown("an empty object", json("{}")),
        unknown("a list", json("[]")),
        unknown("null", json("null")),
        unknown("a text", json("\"OK\"")),
        unknown("another object", json("{\"ok\":true}")),
        unknown("deep nesting", json(&"[".repeat(100_000))),
        unknown("closed", Answer::Closed),
        unknown(
            "cut off",
            Answer::CutAfter(9, Canned::json("{\"metadata\":{}}")),
        ),
        both("a login page", page(200, login), "auth"),
        both("a redirect", elsewhere.into(), "auth"),
        both("401", page(401, "<html>Unauthorized</html>"), "auth"),
        both("403", page(403, "Forbidden"), "auth"),
        both("429", later.into(), "throttled"),
    ]
}

#[tokio::test]
async fn faults_fall_in_their_class() {
    for suite in suites() {
        let stage = Stage::new();
        for scenario in suite.scenarios.iter().filter(|s| s.expect.is_success()) {
            for place in faulty_places(scenario) {
                for (name, answer, on_read, on_change) in faults() {
                    let driver = open(&suite, &stage);
                    stage.set(&scenario.routes, Some((place, answer)));
                    let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                    let mut class = match scenario.routes[place].effect {
                        Effect::Read => on_read,
                        Effect::Change => on_change,
                    };
                    // Behind a change that was made, "nothing was changed" is not true any more.
                    let behind_change = scenario.routes[..place]
                        .iter()
                        .any(|route| route.effect == Effect::Change);
                    if class == "throttled" && behind_change {
                        class = "in_doubt";
                    }
                    let title = format!("{} {} {name}", suite.driver, scenario.name);
                    match result {
                        Err(error) => assert_eq!(error.class(), class, "{title}: {error:?}"),
                        Ok(seen) => panic!("{title}: {seen:?}"),
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_throttle_keeps_how_long() {
    for suite in suites() {
        let stage = Stage::new();
        let scenario = named(&suite, "suspend");
        let place = faulty_places(scenario)[0];
        let later = Canned::new(429, "text/plain", "").with("Retry-After", "30");
        let driver = open(&suite, &stage);
        stage.set(&scenario.routes, Some((place, later.into())));
        let error = stage
            .run(&*driver, &suite.subject, scenario.verb)
            .await
            .unwrap_err();
        match error {
            panels::PanelError::Throttled { after, .. } => {
                assert_eq!(after, Some(std::time::Duration::from_secs(30)));
            }
            other => panic!("{}: {other:?}", suite.driver),
        }
    }
}

#[tokio::test]
async fn a_time_out_is_a_doubt_for_a_change_only() {
    for suite in suites() {
        for (name, class) in [("suspend", "in_doubt"), ("find_present", "transient")] {
            let stage = Stage::new();
            let scenario = named(&suite, name);
            let place = faulty_places(scenario)[0];
            let driver = open(&suite, &stage);
            stage.set(&scenario.routes, Some((place, Answer::Silence)));
            let call = stage.run(&*driver, &suite.subject, scenario.verb);
            let silenced = scenario.routes[place].call;
            // Only when the request that stays without an answer has arrived may the clock jump.
            let clock = async {
                loop {
                    stage.panel.arrival().await;
                    let last = stage.panel.received().pop();
                    if last.is_some_and(|last| suite::call_of(&last) == silenced) {
                        break;
                    }
                }
                tokio::time::pause();
            };
            let (result, ()) = tokio::join!(call, clock);
            tokio::time::resume();
            assert_eq!(
                result.unwrap_err().class(),
                class,
                "{} {name}",
                suite.driver
            );
        }
    }
}

fn named<'s>(suite: &'s Suite, name: &str) -> &'s Scenario {
    let found = suite
        .scenarios
        .iter()
        .find(|scenario| scenario.name == name);
    found.unwrap()
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_never_a_success() {
    for suite in suites() {
        let stage = Stage::new();
        for scenario in suite.scenarios.iter().filter(|s| s.expect.is_success()) {
            let driver = open(&suite, &stage);
            for place in faulty_places(scenario) {
                let golden = scenario.routes[place].answer.clone();
                let change = scenario.routes[place].effect == Effect::Change;
                // Every byte where something would be changed; reads are only sampled.
                let step = if change { 1 } else { 37 };
                for cut in (0..golden.body.len()).step_by(step) {
                    let answer = Answer::Truncated(cut, golden.clone());
                    stage.set(&scenario.routes, Some((place, answer)));
                    let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                    let title = format!("{} {} at {cut}", suite.driver, scenario.name);
                    match result {
                        // A refusal needs no body to be one.
                        Err(error) if !change || golden.status >= 400 => drop(error),
                        Err(error) => assert_eq!(error.class(), "in_doubt", "{title}: {error:?}"),
                        Ok(seen) => panic!("{title}: {seen:?}"),
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn numbers_written_as_texts_mean_the_same() {
    for suite in suites() {
        let stage = Stage::new();
        for scenario in suite.scenarios.iter().filter(|s| s.expect.is_success()) {
            let driver = open(&suite, &stage);
            stage.set(&scenario.routes, None);
            let plain = stage.run(&*driver, &suite.subject, scenario.verb).await;
            let mut routes = scenario.routes.clone();
            for route in &mut routes {
                let mut body: Value = serde_json::from_slice(&route.answer.body).unwrap();
                numbers_to_texts(&mut body);
                route.answer.body = body.to_string().into_bytes();
            }
            let driver = open(&suite, &stage);
            stage.set(&routes, None);
            let texts = stage.run(&*driver, &suite.subject, scenario.verb).await;
            assert_eq!(
                plain.unwrap().shown,
                texts.unwrap().shown,
                "{} {}",
                suite.driver,
                scenario.name
            );
        }
    }
}

fn numbers_to_texts(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(numbers_to_texts),
        Value::Object(fields) => fields.values_mut().for_each(numbers_to_texts),
        _ => {}
    }
}

#[tokio::test]
async fn a_kind_that_is_not_offered_is_refused_without_a_call() {
    for driver in DRIVERS {
        let rules = (driver.rules)();
        let stage = Stage::new();
        let panel = panels::open(driver.name, stage.panel.settings()).unwrap();
        let suite = suites();
        let suite = suite.iter().find(|s| s.driver == driver.name).unwrap();
        for (kind, verb) in [("unlock", Verb::Unlock), ("move", Verb::MoveTo)] {
            if !rules.supports(kind) {
                let result = stage.run(&*panel, &suite.subject, verb).await;
                Expect::Refused("rejected", "unsupported").check(kind, &result);
                assert!(stage.panel.received().is_empty());
            }
        }
    }
}
