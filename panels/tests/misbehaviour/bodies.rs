//! Answers that are slow, endless, gigantic or packed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use panels::http::{LIFECYCLE_CAP, LISTING_CAP};

use crate::suite::{Scenario, Stage, Suite, call_of};
use crate::support::{Answer, Pour, response};
use crate::{PAIR, named, open, suites};

/// What TLS records and our own reading may take beyond the cap.
const BEYOND: usize = 64 << 10;

/// The place of the answer that a fault replaces: the first that changes, or the first.
fn place(scenario: &Scenario) -> usize {
    let change = |route: &crate::suite::Route| route.effect == panels::http::Effect::Change;
    scenario.routes.iter().position(change).unwrap_or(0)
}

/// The verb's class when that answer comes, with the clock jumping to the deadline once it was asked for.
async fn class_in_time(suite: &Suite, scenario: &Scenario, answer: Answer) -> &'static str {
    let stage = Stage::new();
    let driver = open(suite, &stage);
    let place = place(scenario);
    stage.set(&scenario.routes, Some((place, answer)));
    let call = stage.run(&*driver, &suite.subject, scenario.verb);
    let clock = async {
        loop {
            stage.panel.arrival().await;
            let last = stage.panel.received().pop();
            if last.is_some_and(|last| call_of(&last) == scenario.routes[place].call) {
                break;
            }
        }
        tokio::time::pause();
    };
    let begun = std::time::Instant::now();
    let (result, ()) = tokio::join!(call, clock);
    tokio::time::resume();
    assert!(begun.elapsed().as_secs() < 30, "it ended by our deadline");
    result.unwrap_err().class()
}

#[tokio::test]
async fn a_byte_in_a_second_ends_at_the_deadline() {
    for suite in &suites() {
        for (name, class) in PAIR {
            let scenario = named(suite, name);
            let canned = &scenario.routes[place(scenario)].answer;
            let wire = response(canned, canned.body.len());
            let head = wire.len() - canned.body.len();
            // The head in drops, and a body that gets stuck behind a head that came at once.
            let answer = Answer::Drip(wire.clone());
            assert_eq!(
                class_in_time(suite, scenario, answer).await,
                class,
                "{name}"
            );
            let first = wire[..head + 1].to_vec();
            let answer = Answer::Stuck(first);
            assert_eq!(
                class_in_time(suite, scenario, answer).await,
                class,
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn no_answer_at_all_ends_at_the_deadline() {
    for suite in &suites() {
        for (name, class) in PAIR {
            let answer = Answer::Silence;
            let scenario = named(suite, name);
            assert_eq!(
                class_in_time(suite, scenario, answer).await,
                class,
                "{name}"
            );
        }
    }
}

/// What the verb took of an answer without an end, and its class.
async fn taken(
    suite: &Suite,
    name: &str,
    first: &[u8],
    more: Vec<u8>,
    paced_from: usize,
) -> (usize, &'static str) {
    let stage = Stage::new();
    let driver = open(suite, &stage);
    let scenario = named(suite, name);
    let sent = Arc::new(AtomicUsize::new(0));
    let answer = Answer::Pour(Pour {
        first: first.to_vec(),
        more,
        paced_from,
        sent: Arc::clone(&sent),
    });
    stage.set(&scenario.routes, Some((place(scenario), answer)));
    let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
    (sent.load(Ordering::SeqCst), result.unwrap_err().class())
}

const STATUS: &[u8] = b"HTTP/1.1 200 OK\r\n";
const ENDLESS: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n{\"data\":\"";

#[tokio::test]
async fn a_body_without_an_end_is_taken_up_to_the_cap() {
    for suite in &suites() {
        for (name, class) in PAIR {
            let (taken, seen) = taken(
                suite,
                name,
                ENDLESS,
                vec![b'x'; 16 << 10],
                LIFECYCLE_CAP - BEYOND,
            )
            .await;
            println!(
                "{} {name}: {taken} bytes of a body without an end",
                suite.driver
            );
            assert_eq!(seen, class, "{name}");
            assert!(taken <= LIFECYCLE_CAP + BEYOND, "{name}: {taken}");
        }
    }
}

#[tokio::test]
async fn a_listing_without_an_end_is_taken_up_to_its_cap() {
    for suite in &suites() {
        let (taken, class) = taken(
            suite,
            "usage",
            ENDLESS,
            vec![b'x'; 16 << 10],
            LISTING_CAP - BEYOND,
        )
        .await;
        println!(
            "{} usage: {taken} bytes of a body without an end",
            suite.driver
        );
        assert_eq!(class, "transient");
        assert!(taken <= LISTING_CAP + BEYOND, "{taken}");
    }
}

#[tokio::test]
async fn headers_without_an_end_are_given_up() {
    for suite in &suites() {
        for (name, class) in PAIR {
            let lines = b"X-Filler: xxxxxxxxxxxxxxxx\r\n".repeat(600);
            let (many, seen) = taken(suite, name, STATUS, lines, 300 << 10).await;
            assert_eq!(seen, class, "{name}");
            let name_only = [STATUS, b"X-A: "].concat();
            let (long, seen) =
                taken(suite, name, &name_only, vec![b'x'; 16 << 10], 300 << 10).await;
            assert_eq!(seen, class, "{name}");
            println!(
                "{} {name}: {many} bytes of many headers, {long} of one",
                suite.driver
            );
            assert!(many.max(long) <= LIFECYCLE_CAP, "{many} {long}");
        }
    }
}

/// A zip bomb is a few bytes of nonsense to a client that unpacks nothing.
#[tokio::test]
async fn a_packed_answer_is_not_unpacked() {
    for suite in &suites() {
        for (name, class) in PAIR {
            let scenario = named(suite, name);
            let place = place(scenario);
            let mut canned = scenario.routes[place].answer.clone();
            canned.body = packed(&canned.body);
            let stage = Stage::new();
            let driver = open(suite, &stage);
            let answer = canned.with("Content-Encoding", "gzip");
            stage.set(&scenario.routes, Some((place, answer.into())));
            let result = stage.run(&*driver, &suite.subject, scenario.verb).await;
            assert_eq!(
                result.unwrap_err().class(),
                class,
                "{} {name}",
                suite.driver
            );
            let asked = stage.panel.received();
            assert!(
                asked
                    .iter()
                    .all(|one| one.header("accept-encoding").is_none())
            );
        }
    }
}

/// A gzip file (RFC 1952) of one stored block.
fn packed(body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap();
    let mut crc = u32::MAX;
    for byte in body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    [
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1][..],
        &length.to_le_bytes(),
        &(!length).to_le_bytes(),
        body,
        &(!crc).to_le_bytes(),
        &u32::from(length).to_le_bytes(),
    ]
    .concat()
}
