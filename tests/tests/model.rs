//! The protocol's model, visited whole; and that each of its rules is needed.

use stateright::{Checker, HasDiscoveries, Model};
use tests::model::actions::Action;
use tests::model::invariants::{NOTHING_LOST, ONE_ACCOUNT, ONE_ROW, ONE_RUNNING, ORDER};
use tests::model::liveness::{search, shortest_break};
use tests::model::{Kind, Protocol, Rules};

use Kind::{Create, Suspend, Terminate, Unsuspend};

/// Nobody rings: the states of rings that come, get lost, or come twice or late are left out, and only the
/// timers wake workers.
fn silent(plan: &[Kind]) -> Protocol {
    Protocol {
        rings: false,
        ..Protocol::of(plan)
    }
}

/// Every state keeps the invariants, and from every state everything comes to rest. Two explorers, one of
/// them stateright's, agree on how many states there are.
fn is_sound(protocol: &Protocol) {
    let checked = protocol.clone().checker().threads(2).spawn_bfs().join();
    checked.assert_properties();
    let found = search(protocol);
    println!(
        "model, {:?}, rings {}, kills {}, stops {}, replays {}, refusals {}: {} states, {} at rest; 1 to 5 hold in all",
        protocol.plan,
        protocol.rings,
        protocol.crashes,
        protocol.stops,
        protocol.replays,
        protocol.refusals,
        found.states,
        found.at_rest,
    );
    assert_eq!(found.states, checked.unique_state_count());
    assert!(found.at_rest > 0);
    assert_eq!(found.stuck, None, "from there nothing comes to rest");
}

#[test]
fn a_create_keeps_the_invariants_whatever_is_lost_killed_or_refused() {
    is_sound(&Protocol {
        crashes: 1,
        ..Protocol::of(&[Create])
    });
    is_sound(&Protocol {
        refusals: 1,
        replays: 1,
        ..silent(&[Create])
    });
}

#[test]
fn a_stopped_worker_breaks_nothing_when_it_goes_on() {
    is_sound(&Protocol {
        stops: 1,
        ..silent(&[Create])
    });
}

#[test]
fn a_change_behind_a_create_keeps_the_invariants() {
    is_sound(&Protocol::of(&[Create, Suspend]));
}

#[test]
#[ignore = "half a minute: killed workers, and every kind of change behind a create"]
fn two_and_three_jobs_keep_the_invariants_when_workers_are_killed() {
    for plan in [
        [Create, Suspend].as_slice(),
        &[Create, Suspend, Unsuspend],
        &[Create, Suspend, Terminate],
    ] {
        is_sound(&Protocol {
            crashes: 1,
            ..silent(plan)
        });
    }
}

#[test]
#[ignore = "minutes: every fault together, and replays of refused and parked jobs"]
fn every_fault_together_keeps_the_invariants() {
    is_sound(&Protocol {
        crashes: 1,
        stops: 1,
        refusals: 1,
        ..Protocol::of(&[Create])
    });
    is_sound(&Protocol {
        stops: 1,
        ..silent(&[Create, Suspend])
    });
    is_sound(&Protocol {
        replays: 1,
        refusals: 1,
        ..silent(&[Create, Suspend])
    });
    is_sound(&Protocol {
        crashes: 2,
        replays: 1,
        ..silent(&[Create, Terminate])
    });
}

/// Switches one rule off, and shows the shortest way to break what it is there for. stateright finds a way,
/// too.
fn breaks(what: &str, invariant: &'static str, protocol: &Protocol, off: impl FnOnce(&mut Rules)) {
    let mut broken = protocol.clone();
    off(&mut broken.rules);
    assert_ne!(broken.rules, Rules::ALL);
    let Some(way) = shortest_break(&broken, invariant) else {
        panic!("without {what}, \"{invariant}\" still holds");
    };
    println!(
        "model without {what} breaks \"{invariant}\" in {} steps:\n    {}",
        way.len(),
        words(&way)
    );
    let checked = broken
        .checker()
        .finish_when(HasDiscoveries::AnyOf([invariant].into()))
        .spawn_bfs()
        .join();
    assert!(checked.discovery(invariant).is_some());
}

fn words(way: &[Action]) -> String {
    let words: Vec<String> = way.iter().map(|action| format!("{action:?}")).collect();
    words.join(" > ")
}

#[test]
fn without_the_fence_a_stopped_worker_sends_a_second_create() {
    let stopped = Protocol {
        stops: 1,
        ..silent(&[Create])
    };
    breaks("the fence", ONE_ACCOUNT, &stopped, |rules| {
        rules.fence = false;
    });
}

#[test]
fn with_rescue_before_the_deadline_two_calls_run_for_one_account() {
    breaks(
        "waiting for the deadline before a rescue",
        ONE_RUNNING,
        &silent(&[Create, Suspend]),
        |rules| rules.rescue_after_deadline = false,
    );
}

#[test]
fn without_the_settle_time_a_create_that_is_slow_makes_two_accounts() {
    let create = silent(&[Create]);
    breaks("the settle time", ONE_ACCOUNT, &create, |rules| {
        rules.settle = false;
    });
    breaks("looking first", ONE_ACCOUNT, &create, |rules| {
        rules.look_first = false;
    });
}

#[test]
fn without_sending_at_once_a_stopped_worker_sends_what_is_overtaken() {
    let stopped = Protocol {
        stops: 1,
        ..silent(&[Create])
    };
    breaks("sending at once", ONE_ACCOUNT, &stopped, |rules| {
        rules.send_at_once = false;
    });
}

#[test]
fn without_the_line_a_younger_job_overtakes() {
    let two = silent(&[Create, Suspend]);
    breaks("the line", ONE_RUNNING, &two, |rules| rules.line = false);
}

#[test]
#[ignore = "half a minute: the way is long"]
fn without_the_line_an_older_job_takes_effect_last() {
    let opposite = silent(&[Create, Terminate]);
    breaks("the line", ORDER, &opposite, |rules| rules.line = false);
}

#[test]
fn without_the_rules_of_intake_jobs_are_lost_or_doubled() {
    let create = silent(&[Create]);
    breaks("one row a key", ONE_ROW, &create, |rules| {
        rules.one_row_a_key = false;
    });
    breaks(
        "the commit before the 202",
        NOTHING_LOST,
        &create,
        |rules| {
            rules.commit_before_202 = false;
        },
    );
}

/// Invariant 1's other half: a job that nobody looks for is as good as lost.
#[test]
fn without_the_timers_a_lost_ring_strands_its_job() {
    let mut broken = Protocol::of(&[Create]);
    broken.rules.poll = false;
    let stuck = search(&broken).stuck;
    let Some(way) = stuck else {
        panic!("without the timers everything still comes to rest");
    };
    println!(
        "model without the timers breaks \"{NOTHING_LOST}\": {} and nothing comes after",
        words(&way)
    );
}
