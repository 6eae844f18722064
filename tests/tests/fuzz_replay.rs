//! Every fuzz target over its corpus, then over mutations of it. `HOSTLER_FUZZ_SECONDS` and
//! `HOSTLER_FUZZ_SEED` are for the long run.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tests::fuzzing::{Mutator, TARGETS, Target};

/// The seed of the run in every test.
const SEED: u64 = 20_261_126;
/// Mutations of each target in every test.
const ROUNDS: usize = 3_000;
/// The same for what writes files.
const SLOW_ROUNDS: usize = 300;
/// One input may take so long; the machine may be busy.
const SLOWEST: Duration = Duration::from_secs(20);

fn run(target: &Target, input: &[u8]) {
    let begun = Instant::now();
    if catch_unwind(AssertUnwindSafe(|| (target.run)(input))).is_err() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("hostler-fuzz-{}-{}", target.name, input.len()));
        std::fs::write(&file, input).ok();
        panic!(
            "{} breaks its word about {} ({:?})",
            target.name,
            file.display(),
            String::from_utf8_lossy(&input[..input.len().min(400)])
        );
    }
    assert!(
        begun.elapsed() < SLOWEST,
        "{} takes for ever over {:?}",
        target.name,
        String::from_utf8_lossy(input)
    );
}

fn rounds(target: &Target) -> usize {
    if target.name == "config" {
        SLOW_ROUNDS
    } else {
        ROUNDS
    }
}

#[test]
fn every_target_keeps_its_word_over_the_corpus_and_near_it() {
    for target in TARGETS {
        let corpus = target.corpus();
        assert!(corpus.len() >= 5, "{} has a corpus", target.name);
        corpus.iter().for_each(|input| run(&target, input));
        let mut mutator = Mutator::new(SEED, corpus.clone());
        for _ in 0..rounds(&target) {
            run(&target, &mutator.draw());
        }
        println!(
            "{}: {} of the corpus, {} mutations, seed {SEED}",
            target.name,
            corpus.len(),
            rounds(&target)
        );
    }
}

/// Row 34: what no file holds well.
#[test]
fn what_is_deep_long_or_odd_is_read_or_refused() {
    let deep = |open: &str, close: &str| {
        format!(
            "{{\"metadata\":{{\"result\":1}},\"data\":{}1{}}}",
            open.repeat(10_000),
            close.repeat(10_000)
        )
    };
    let inputs: [Vec<u8>; 8] = [
        deep("[", "]").into_bytes(),
        deep("{\"a\":", "}").into_bytes(),
        "[".repeat(1 << 20).into_bytes(),
        format!(
            "{{\"data\":{{\"list\":[{{\"value\":{}}}]}}}}",
            "\"[".repeat(10_000)
        )
        .into_bytes(),
        format!("{{\"data\":\"{}\"}}", "x".repeat(1 << 20)).into_bytes(),
        format!("{{\"data\":{}}}", "9".repeat(100_000)).into_bytes(),
        [b"\xef\xbb\xbf".as_slice(), b"{\"data\":[]}"].concat(),
        vec![0; 100_000],
    ];
    for target in TARGETS {
        inputs.iter().for_each(|input| run(&target, input));
    }
}

#[test]
fn the_same_seed_gives_the_same_inputs() {
    let draw = |seed| {
        let mut mutator = Mutator::new(seed, vec![b"{\"data\":[1,2,3]}".to_vec()]);
        (0..50).map(|_| mutator.draw()).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
#[ignore = "as long as HOSTLER_FUZZ_SECONDS says, 10 for each target by itself"]
#[expect(
    clippy::disallowed_methods,
    reason = "how long is the caller's wish, not a setting of Hostler's"
)]
fn every_target_keeps_its_word_for_a_while() {
    let number = |name: &str, usual: u64| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or(usual)
    };
    let (seconds, seed) = (
        number("HOSTLER_FUZZ_SECONDS", 10),
        number("HOSTLER_FUZZ_SEED", SEED),
    );
    for target in TARGETS {
        let (begun, mut count) = (Instant::now(), 0_u64);
        let mut mutator = Mutator::new(seed, target.corpus());
        while begun.elapsed().as_secs() < seconds {
            run(&target, &mutator.draw());
            count += 1;
        }
        println!(
            "{}: {count} executions in {seconds} s, seed {seed}, nothing found",
            target.name
        );
    }
}
