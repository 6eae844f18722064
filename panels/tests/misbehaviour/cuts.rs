//! Every exchange cut at every byte, as the bytes go over the wire: status line, headers, body.

use panels::http::Effect;

use crate::suite::{Scenario, Stage, Suite};
use crate::support::{Answer, Canned, response};
use crate::{open, suites};

/// How the length of a body is told.
#[derive(Debug, Clone, Copy)]
enum Framing {
    Length,
    Chunked,
}

fn on_the_wire(canned: &Canned, framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Length => response(canned, canned.body.len()),
        Framing::Chunked => {
            let mut head = format!("HTTP/1.1 {} Canned\r\nConnection: close\r\n", canned.status);
            for (name, value) in &canned.headers {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
            head.push_str("Transfer-Encoding: chunked\r\n\r\n");
            let (one, two) = canned.body.split_at(canned.body.len() / 2);
            let chunk = |part: &[u8]| {
                let size = format!("{:x}\r\n", part.len());
                [size.as_bytes(), part, b"\r\n"].concat()
            };
            [head.as_bytes(), &chunk(one), &chunk(two), b"0\r\n\r\n"].concat()
        }
    }
}

/// The class that is right for an answer of which only a part came.
fn right(scenario: &Scenario, place: usize, head_came: bool) -> &'static [&'static str] {
    let route = &scenario.routes[place];
    match (route.effect, route.answer.status) {
        // By the status alone, whatever its body.
        (_, 401 | 403) if head_came => &["auth"],
        (_, 429) if head_came => &["throttled"],
        (Effect::Change, _) => &["in_doubt"],
        // A look behind a change that was made: what failed is the whole.
        (Effect::Read, _) if behind_change(scenario, place) => &["in_doubt", "transient"],
        (Effect::Read, _) => &["transient"],
    }
}

fn behind_change(scenario: &Scenario, place: usize) -> bool {
    let before = &scenario.routes[..place];
    before.iter().any(|route| route.effect == Effect::Change)
}

/// Cuts every `step`-th byte; how many cuts there were.
async fn cut_all(suite: &Suite, effect: Effect, framing: Framing, step: usize) -> usize {
    let stage = Stage::new();
    let mut cuts = 0;
    for scenario in &suite.scenarios {
        let mut driver = open(suite, &stage);
        for place in 0..scenario.routes.len() {
            if scenario.routes[place].effect != effect {
                continue;
            }
            let wire = on_the_wire(&scenario.routes[place].answer, framing);
            let head = wire
                .windows(4)
                .position(|four| four == b"\r\n\r\n")
                .unwrap()
                + 4;
            // A different offset for each, so that a step over bytes leaves none out for all.
            for cut in (place % step..wire.len()).step_by(step) {
                let answer = Answer::Raw(wire[..cut].to_vec());
                stage.set(&scenario.routes, Some((place, answer)));
                let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
                if result.is_ok() {
                    // What it has read once it may know.
                    driver = open(suite, &stage);
                }
                let asked = stage.panel.received();
                let reached = asked
                    .iter()
                    .any(|one| crate::suite::call_of(one) == scenario.routes[place].call);
                let title = format!("{} {} {framing:?} at {cut}", suite.driver, scenario.name);
                if !reached {
                    break;
                }
                match result {
                    Ok(seen) if effect == Effect::Change => panic!("{title}: {seen:?}"),
                    // Some looks are additions, without which an answer is still one.
                    Ok(_) => {}
                    Err(error) => assert!(
                        right(scenario, place, cut >= head).contains(&error.class()),
                        "{title}: {error:?}"
                    ),
                }
                cuts += 1;
            }
        }
    }
    cuts
}

async fn cuts(effect: Effect, framing: Framing, step: usize) {
    for suite in &suites() {
        let begun = std::time::Instant::now();
        let cuts = cut_all(suite, effect, framing, step).await;
        println!(
            "{}: {cuts} cuts of a {effect:?}, {framing:?}, every {step}, in {:?}",
            suite.driver,
            begun.elapsed()
        );
        assert!(cuts > 3000 / step, "{cuts}");
    }
}

// Every byte of every change's body, where its end is the connection's, is cut in the conformance suite.

#[tokio::test]
async fn no_change_that_is_cut_is_a_success() {
    cuts(Effect::Change, Framing::Length, 11).await;
    cuts(Effect::Change, Framing::Chunked, 29).await;
}

#[tokio::test]
async fn no_read_that_is_cut_is_a_refusal() {
    cuts(Effect::Read, Framing::Length, 97).await;
    cuts(Effect::Read, Framing::Chunked, 193).await;
}

#[tokio::test]
#[ignore = "every byte of every change takes minutes"]
async fn no_change_that_is_cut_at_any_byte_is_a_success() {
    cuts(Effect::Change, Framing::Length, 1).await;
    cuts(Effect::Change, Framing::Chunked, 1).await;
}

#[tokio::test]
#[ignore = "every byte of every read takes minutes"]
async fn no_read_that_is_cut_at_any_byte_is_a_refusal() {
    cuts(Effect::Read, Framing::Length, 1).await;
    cuts(Effect::Read, Framing::Chunked, 1).await;
}
