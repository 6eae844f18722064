//! The matrix of failpoints on the built binary, and that no point is left out of it.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use jobs::JobKind;
use jobs::faults::Point;
use tests::failpoints::{Case, Run, all, rotation};
use tests::servers::Kind;

/// Which part of the matrix: a number that a longer series of runs raises.
#[expect(
    clippy::disallowed_methods,
    reason = "the turn comes from the test run"
)]
fn turn() -> usize {
    std::env::var("HOSTLER_TEST_TURN")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(0)
}

async fn run(database: Kind, cases: Vec<Case>, lanes: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let many = cases.len();
    let run = Run {
        folder: folder.path().to_owned(),
        database,
        cases,
        lanes,
    };
    let report = run.go().await;
    println!("{database:?}, {many} cases, turn {}\n{report}", turn());
    report.assert_good();
    assert_eq!(report.aborted.len(), many);
}

/// Every point, with at least two kinds where two can reach it, on both drivers.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_aborts_anywhere_loses_nothing_on_sqlite() {
    run(Kind::Sqlite, rotation(turn(), 2), 3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the whole matrix takes about half an hour"]
async fn the_whole_matrix_on_sqlite() {
    run(Kind::Sqlite, all(), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the whole matrix takes about half an hour"]
async fn the_whole_matrix_on_postgres() {
    run(Kind::Postgres, all(), 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the whole matrix takes about half an hour"]
async fn the_whole_matrix_on_mariadb() {
    run(Kind::MariaDb, all(), 4).await;
}

#[test]
fn over_all_turns_every_case_has_its_own() {
    let whole: BTreeSet<Case> = all().into_iter().collect();
    let turns: BTreeSet<Case> = (0..30).flat_map(|turn| rotation(turn, 2)).collect();
    assert_eq!(turns, whole);
}

#[test]
fn every_turn_has_every_point_with_two_kinds_on_both_drivers() {
    let kinds = |cases: &[Case], point: Point, driver: &str| -> BTreeSet<JobKind> {
        let of = cases
            .iter()
            .filter(|case| case.point == point && case.driver == driver);
        of.map(|case| case.kind).collect()
    };
    let whole = all();
    for turn in 0..30 {
        let part = rotation(turn, 2);
        for &point in Point::ALL {
            for driver in ["cpanel", "froxlor", "-"] {
                let possible = kinds(&whole, point, driver).len().min(2);
                let there = kinds(&part, point, driver).len();
                assert!(there >= possible, "{point:?} {driver} turn {turn}: {there}");
            }
        }
    }
}

/// Every point has its place in the sources, and there only.
#[test]
fn every_point_is_placed_once() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut text = String::new();
    for package in ["jobs", "scheduler", "worker"] {
        read(&root.join(package).join("src"), &mut text);
    }
    assert!(Point::ALL.len() >= 30);
    for point in Point::ALL {
        let call = format!("Point::{}.reach", point.variant());
        let calls = text
            .match_indices(&call)
            .filter(|(at, _)| {
                let rest = &text[at + call.len()..];
                rest.starts_with('(') || rest.starts_with("_each(")
            })
            .count();
        assert_eq!(calls, 1, "{call}");
    }
}

fn read(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("listed").path();
        if path.is_dir() {
            read(&path, text);
        } else {
            text.push_str(&std::fs::read_to_string(&path).expect("a source"));
        }
    }
}
