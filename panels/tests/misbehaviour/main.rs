//! Panels that misbehave: what each driver makes of it, on real sockets.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "each test binary uses a part of it")]
#[path = "../suite/mod.rs"]
mod suite;
#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod cuts;
mod redirects;
mod shapes;
mod throttles;
mod trust;

use panels::{Panel, ServerSettings};
use suite::{Scenario, Stage, Suite};

fn suites() -> Vec<Suite> {
    vec![
        suite::cpanel::suite(),
        suite::froxlor::suite(),
        suite::hostbill::suite(),
    ]
}

fn open(suite: &Suite, stage: &Stage) -> Box<dyn Panel> {
    open_at(suite, stage.panel.settings())
}

fn open_at(suite: &Suite, settings: ServerSettings) -> Box<dyn Panel> {
    panels::open(suite.driver, suite.settings(settings)).unwrap()
}

fn named<'s>(suite: &'s Suite, name: &str) -> &'s Scenario {
    let found = suite.scenarios.iter().find(|one| one.name == name);
    found.unwrap()
}

/// One that reads and one that changes.
const PAIR: [(&str, &str); 2] = [("find_present", "transient"), ("suspend", "in_doubt")];
