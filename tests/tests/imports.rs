//! Who may import what (docs/architecture.md), and proof that a breach is seen.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use cargo_metadata::{Metadata, MetadataCommand};
use tests::rules::{Edge, TEXT_RULES, breaches, edges, forbidden_edges, sources};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .expect("cargo describes the workspace")
}

#[test]
fn crates_import_only_what_they_may() {
    let edges = edges(&metadata());
    assert!(edges.len() > 50, "cargo lists the members' dependencies");
    assert_eq!(forbidden_edges(&edges), Vec::<String>::new());
}

#[test]
fn a_planted_import_is_seen() {
    let planted = [
        ("scheduler", "panels", false),
        ("scheduler", "worker", false),
        ("worker", "scheduler", false),
        ("panels", "entity", false),
        ("panels", "sea-orm", true),
        ("panels", "jobs", true),
        ("migration", "entity", true),
        ("simulator", "hosting", false),
        ("jobs", "migration", false),
        ("worker", "redis", false),
        ("cli", "apalis", false),
        ("scheduler", "backoff", true),
        ("cli", "tests", true),
    ];
    for (from, to, tests_only) in planted {
        let edge = Edge {
            from: from.into(),
            to: to.into(),
            tests_only,
        };
        assert_eq!(
            forbidden_edges(std::slice::from_ref(&edge)),
            [format!("{from} must not depend on {to}")]
        );
    }
}

#[test]
fn words_stay_where_they_belong() {
    let sources = sources(&root()).expect("the sources can be read");
    assert!(sources.len() > 80, "the sources are found");
    let broken: Vec<String> = sources
        .iter()
        .flat_map(|(path, text)| breaches(path, text))
        .map(|breach| breach.to_string())
        .collect();
    assert_eq!(broken, Vec::<String>::new());
}

#[test]
fn a_planted_word_is_seen_and_a_comment_is_not() {
    for rule in TEXT_RULES {
        let place = match rule.holds_in.first() {
            Some(start) => format!("{start}src/planted.rs"),
            None => "worker/src/planted.rs".to_owned(),
        };
        for word in rule.words {
            let text = format!("fn main() {{\n    let _ = {word};\n}}\n");
            let seen = breaches(&place, &text);
            assert_eq!((seen.len(), seen[0].line), (1, 2), "{word}: {seen:?}");
            assert_eq!(seen[0].why, rule.why);
            assert!(breaches(&place, &format!("// {word}\n")).is_empty());
            for allowed in rule.except_in {
                assert!(breaches(allowed, &text).is_empty(), "{word} in {allowed}");
            }
        }
    }
    assert!(
        breaches("worker/src/x.rs", "use crate::my_redis::Thing;").is_empty(),
        "a longer name is another name"
    );
}

#[test]
fn the_checker_is_among_the_sources_and_may_use_nothing_of_ours() {
    let sources = sources(&root()).expect("the sources can be read");
    let checker = |(path, _): &&(String, String)| path.starts_with("tests/src/check/");
    assert!(sources.iter().filter(checker).count() > 12);
    let planted = "use jobs::JobKind;\nuse super::evidence::Evidence;\n";
    let seen = breaches("tests/src/check/planted.rs", planted);
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[test]
fn plain_cargo_build_makes_the_command_alone() {
    let metadata = metadata();
    let defaults: Vec<&str> = metadata
        .workspace_default_packages()
        .iter()
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(defaults, ["cli"]);
}
