//! The tables of `docs/reliability.md`: every fault has its row, and every row names tests that exist.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Faults of processes, Redis, SQL, panels and operators.
const FAULTS: u32 = 53;
/// Faults of traffic figures.
const TRAFFIC: u32 = 24;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is wrong with the page's tables: a fault without a row, a row without a test, a test that is not
/// there. `read` gives a file of the project by its path.
fn wrong(page: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let row = Regex::new(r"(?m)^\| ([FT]\d+) \|(.*)\|$").expect("the pattern is right");
    let rows: BTreeMap<&str, &str> = row
        .captures_iter(page)
        .map(|found| found.extract())
        .map(|(_, [name, cells])| (name, cells))
        .collect();
    let wanted = (1..=FAULTS)
        .map(|n| format!("F{n}"))
        .chain((1..=TRAFFIC).map(|n| format!("T{n}")));
    let mut wrong = Vec::new();
    for name in wanted {
        match rows.get(name.as_str()) {
            None => wrong.push(format!("{name} has no row")),
            Some(cells) => wrong.extend(wrong_in(&name, cells, &read)),
        }
    }
    wrong
}

fn wrong_in(name: &str, cells: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let place = Regex::new(r"`([\w/.-]+\.rs)` `(\w+)`").expect("the pattern is right");
    let tests: Vec<_> = place.captures_iter(cells).collect();
    if tests.is_empty() {
        return vec![format!("{name} names no test")];
    }
    tests
        .iter()
        .filter(|test| !read(&test[1]).is_some_and(|text| has_test(&text, &test[2])))
        .map(|test| format!("{name}: {} has no test `{}`", &test[1], &test[2]))
        .collect()
}

/// A function behind a test attribute, or a function or name in one of the macros that make tests. What
/// calls itself ignored does not count: it is not run each time.
fn has_test(text: &str, function: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let definition =
        Regex::new(&format!(r"^((async )?fn )?{function}\b[(:]")).expect("a name is a pattern");
    let Some(at) = lines.iter().position(|line| definition.is_match(line)) else {
        return false;
    };
    let before = &lines[..at];
    let attributes: Vec<&str> = before
        .iter()
        .rev()
        .take_while(|line| line.starts_with('#') || line.starts_with("//"))
        .copied()
        .collect();
    let ignored = attributes.iter().any(|line| line.starts_with("#[ignore"));
    let attribute = attributes
        .iter()
        .any(|line| line.starts_with("#[test") || line.starts_with("#[tokio::test"));
    let call = Regex::new(r"^[\w:]+! \{$").expect("the pattern is right");
    let in_macro = before
        .iter()
        .any(|line| call.is_match(line) && !line.contains("select!"));
    !ignored && (attribute || in_macro)
}

#[test]
fn every_fault_has_a_row_whose_tests_exist() {
    let page =
        std::fs::read_to_string(root().join("docs/reliability.md")).expect("the page can be read");
    let wrong = wrong(&page, |path| {
        std::fs::read_to_string(root().join(path)).ok()
    });
    assert_eq!(wrong, Vec::<String>::new());
    println!("{FAULTS} faults and {TRAFFIC} faults of traffic have tests");
}

#[test]
fn what_is_missing_is_seen() {
    let page: String = (1..=FAULTS)
        .map(|n| format!("| F{n} | x | `a.rs` `there` |\n"))
        .chain((1..=TRAFFIC).map(|n| format!("| T{n} | x | `a.rs` `there` |\n")))
        .collect();
    let file =
        "#[test]\nfn there() {}\n\nfn helper() {}\n\n#[test]\n#[ignore = \"long\"]\nfn long() {}\n";
    let read = |path: &str| (path == "a.rs").then(|| file.to_owned());
    assert_eq!(wrong(&page, read), Vec::<String>::new());
    for (from, to, says) in [
        ("| F7 | x | `a.rs` `there` |\n", "", "F7 has no row"),
        (
            "| F7 | x | `a.rs` `there` |",
            "| F7 | x | later |",
            "F7 names no test",
        ),
        (
            "| F7 | x | `a.rs` `there` |",
            "| F7 | x | `b.rs` `there` |",
            "F7: b.rs has no test `there`",
        ),
        (
            "| T9 | x | `a.rs` `there` |",
            "| T9 | x | `a.rs` `there`, `a.rs` `gone` |",
            "T9: a.rs has no test `gone`",
        ),
        (
            "| T9 | x | `a.rs` `there` |",
            "| T9 | x | `a.rs` `helper` |",
            "T9: a.rs has no test `helper`",
        ),
        (
            "| T9 | x | `a.rs` `there` |",
            "| T9 | x | `a.rs` `long` |",
            "T9: a.rs has no test `long`",
        ),
    ] {
        assert_eq!(wrong(&page.replace(from, to), read), [says]);
    }
}
