//! The docs against what they speak of: pages that are linked, commands that the binary takes, codes that
//! the sources know.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use regex::Regex;

/// The words of a command as a shell takes them apart, up to what is not its own.
fn words(command: &str) -> Vec<String> {
    let word = Regex::new(r#"'([^']*)'|"([^"]*)"|([^\s'"]+)"#).expect("the pattern is right");
    word.captures_iter(command)
        .map(|found| {
            found
                .iter()
                .skip(1)
                .flatten()
                .map(|part| part.as_str())
                .collect()
        })
        .take_while(|word: &String| !["&", "#", ";", "|"].contains(&word.as_str()))
        .collect()
}

#[test]
fn every_command_of_the_docs_is_one_that_the_binary_takes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let command = Regex::new(r"(?m)^\$ (?:docker compose exec scheduler )?(hostler [^;\n]*)")
        .expect("the pattern is right");
    let mut taken = 0;
    for page in pages(&root) {
        let text = std::fs::read_to_string(&page).expect("a page can be read");
        for found in command.captures_iter(&text) {
            if let Err(error) = cli::parse(words(&found[1])) {
                panic!("{}: {}: {error}", page.display(), &found[1]);
            }
            taken += 1;
        }
    }
    assert!(taken > 30, "only {taken} commands were found");
}

/// The README and every page of the docs.
fn pages(root: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(root.join("docs"))
        .expect("docs can be read")
        .map(|entry| entry.expect("docs can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .chain([root.join("README.md")])
        .collect()
}

#[test]
fn every_page_that_the_docs_link_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let link = Regex::new(r"\]\(([^)#:\s]+)(#[^)]*)?\)").expect("the pattern is right");
    let mut links = 0;
    for page in pages(&root) {
        let text = std::fs::read_to_string(&page).expect("a page can be read");
        let folder = page.parent().expect("a page is in a folder");
        for found in link.captures_iter(&text) {
            assert!(
                folder.join(&found[1]).exists(),
                "{} links {}",
                page.display(),
                &found[1]
            );
            links += 1;
        }
    }
    assert!(links > 5, "only {links} links were found");
}

/// The first cells of the tables under that heading, split into their codes.
fn codes(page: &str, heading: &str) -> Vec<String> {
    let code = Regex::new(r"`([a-z_]+)`").expect("the pattern is right");
    let (_, section) = page.split_once(heading).expect("the page has this heading");
    section
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| ")?.split(" | ").next())
        .flat_map(|cell| code.captures_iter(cell).map(|found| found[1].to_owned()))
        .collect()
}

fn sources(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).expect("sources can be read") {
        let path = entry.expect("sources can be read").path();
        if path.is_dir() {
            sources(&path, text);
        } else if path.extension().is_some_and(|end| end == "rs") {
            text.push_str(&std::fs::read_to_string(&path).expect("sources can be read"));
        }
    }
}

#[test]
fn every_code_of_the_operators_page_is_one_that_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page =
        std::fs::read_to_string(root.join("docs/operating.md")).expect("the page can be read");
    let mut text = String::new();
    for part in ["jobs", "worker", "panels", "scheduler"] {
        sources(&root.join(part).join("src"), &mut text);
    }
    for (heading, least) in [
        ("## What a job waits for", 8),
        ("## What is held, and why", 17),
        ("## What failed, and why", 30),
    ] {
        let codes = codes(&page, heading);
        assert!(codes.len() >= least, "{heading}: {codes:?}");
        for code in codes {
            assert!(text.contains(&format!("\"{code}\"")), "{heading}: {code}");
        }
    }
}

/// Where the worker holds a job, it says why by a code that the page explains.
#[test]
fn every_hold_is_explained_on_the_operators_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let page =
        std::fs::read_to_string(root.join("docs/operating.md")).expect("the page can be read");
    let mut text = String::new();
    sources(&root.join("worker/src"), &mut text);
    let hold = Regex::new(r#"(?:Halt|Self)::(hold|refuse)\(\s*"([a-z_]+)""#)
        .expect("the pattern is right");
    let found: Vec<_> = hold.captures_iter(&text).collect();
    assert!(found.len() > 15, "{} were found", found.len());
    let held = codes(&page, "## What is held, and why");
    let failed = codes(&page, "## What failed, and why");
    for hold in found {
        let (explained, code) = (if &hold[1] == "hold" { &held } else { &failed }, &hold[2]);
        assert!(explained.iter().any(|known| known == code), "{code}");
    }
}
