//! Who may import what: the crates' edges, and the few places that may name certain crates.

use std::fmt;
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata};

/// For each of our crates, which of ours it may use. What is not listed may not be used.
const MAY_USE: [(&str, &[&str]); 10] = [
    ("hosting", &[]),
    ("entity", &[]),
    ("migration", &[]),
    ("simulator", &[]),
    ("panels", &["hosting"]),
    ("jobs", &["entity", "hosting"]),
    ("scheduler", &["jobs", "entity", "hosting"]),
    ("worker", &["jobs", "panels", "entity", "hosting"]),
    (
        "cli",
        &[
            "hosting",
            "entity",
            "migration",
            "panels",
            "jobs",
            "scheduler",
            "worker",
            "simulator",
        ],
    ),
    (
        "tests",
        &[
            "hosting",
            "entity",
            "migration",
            "panels",
            "jobs",
            "scheduler",
            "worker",
            "simulator",
            "cli",
        ],
    ),
];

/// What a crate's own tests may use on top: a schema to run on, a panel to talk to.
const TESTS_MAY_USE: [(&str, &[&str]); 4] = [
    ("jobs", &["migration"]),
    ("scheduler", &["migration"]),
    ("worker", &["migration", "simulator"]),
    ("panels", &["simulator"]),
];

/// Foreign crates that only some of ours may depend on, also in their tests.
const FOREIGN: [(&str, &[&str]); 5] = [
    ("apalis", &["jobs"]),
    ("apalis-core", &["jobs"]),
    ("redis", &["jobs", "tests"]),
    ("backoff", &["jobs"]),
    (
        "sea-orm",
        &["entity", "jobs", "scheduler", "worker", "cli", "tests"],
    ),
];

/// One crate's dependency on another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Who depends.
    pub from: String,
    /// On what.
    pub to: String,
    /// Whether only its tests do.
    pub tests_only: bool,
}

/// The edges of the workspace's members.
#[must_use]
pub fn edges(metadata: &Metadata) -> Vec<Edge> {
    let members = metadata.workspace_packages();
    members
        .iter()
        .flat_map(|package| {
            package.dependencies.iter().map(|dependency| Edge {
                from: package.name.to_string(),
                to: dependency.name.clone(),
                tests_only: dependency.kind == DependencyKind::Development,
            })
        })
        .collect()
}

/// The edges that must not be.
#[must_use]
pub fn forbidden_edges(edges: &[Edge]) -> Vec<String> {
    let broken = edges.iter().filter(|edge| !may_be(edge));
    broken
        .map(|edge| format!("{} must not depend on {}", edge.from, edge.to))
        .collect()
}

fn may_be(edge: &Edge) -> bool {
    let listed = |list: &[(&str, &[&str])]| {
        list.iter()
            .any(|(from, to)| *from == edge.from && to.contains(&edge.to.as_str()))
    };
    let ours = MAY_USE.iter().any(|(name, _)| *name == edge.to);
    if ours {
        return listed(&MAY_USE) || (edge.tests_only && listed(&TESTS_MAY_USE));
    }
    FOREIGN
        .iter()
        .find(|(name, _)| *name == edge.to)
        .is_none_or(|(_, users)| users.contains(&edge.from.as_str()))
}

/// Words of the source that belong to few places.
#[derive(Debug, Clone, Copy)]
pub struct TextRule {
    /// What is wrong about the words elsewhere.
    pub why: &'static str,
    /// Any of these breaks the rule.
    pub words: &'static [&'static str],
    /// Paths begin so where the rule holds; empty = everywhere.
    pub holds_in: &'static [&'static str],
    /// Paths begin so where the words are allowed.
    pub except_in: &'static [&'static str],
}

/// The rules about words. Comments are not looked at.
pub const TEXT_RULES: [TextRule; 7] = [
    TextRule {
        why: "only jobs/src/queue names apalis",
        words: &["apalis::", "apalis_core::", "use apalis"],
        holds_in: &[],
        except_in: &["jobs/src/queue"],
    },
    TextRule {
        why: "only jobs/src/queue names redis",
        words: &["redis::", "use redis"],
        holds_in: &[],
        except_in: &["jobs/src/queue"],
    },
    TextRule {
        why: "only jobs/src/retry.rs names backoff",
        words: &["backoff::", "use backoff"],
        holds_in: &[],
        except_in: &["jobs/src/retry.rs"],
    },
    TextRule {
        why: "no SQL in panels, simulator and hosting",
        words: &["sea_orm", "sqlx::"],
        holds_in: &["panels/", "simulator/", "hosting/"],
        except_in: &[],
    },
    TextRule {
        why: "only cli/src/config.rs reads the environment",
        words: &[
            "env::var(",
            "env::var_os(",
            "env::vars(",
            "env::vars_os(",
            "env::{var",
        ],
        holds_in: &[],
        // Only tests give what is read there, and only their binary reads it.
        except_in: &["cli/src/config", "jobs/src/faults/"],
    },
    TextRule {
        why: "only panels/src/http makes HTTP clients (and the demonstration one, for our own API)",
        words: &[
            "Client::builder(",
            "ClientBuilder::new(",
            "reqwest::Client::new(",
        ],
        holds_in: &[],
        except_in: &["panels/src/http", "cli/src/command/demo/client.rs"],
    },
    TextRule {
        why: "the checker shares no code with what it checks",
        words: &[
            "hosting::",
            "entity::",
            "migration::",
            "panels::",
            "jobs::",
            "scheduler::",
            "worker::",
            "simulator::",
            "cli::",
            "crate::client",
            "crate::crew",
            "crate::field",
            "crate::installation",
            "crate::kill",
            "crate::servers",
            "crate::stand",
            "crate::world",
            "super::super",
        ],
        holds_in: &["tests/src/check/"],
        except_in: &[],
    },
];

/// Where a rule about words is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// The file, from the workspace's root.
    pub path: String,
    /// The line, from 1.
    pub line: usize,
    /// The rule.
    pub why: &'static str,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.why)
    }
}

/// Where one file breaks the rules about words. `path` is relative to the workspace's root.
#[must_use]
pub fn breaches(path: &str, text: &str) -> Vec<Breach> {
    let rules = TEXT_RULES.iter().filter(|rule| rule.holds_for(path));
    rules
        .flat_map(|rule| {
            let lines = text.lines().enumerate();
            let broken = lines.filter(|(_, line)| rule.is_broken_by(line));
            broken.map(|(index, _)| Breach {
                path: path.to_owned(),
                line: index + 1,
                why: rule.why,
            })
        })
        .collect()
}

impl TextRule {
    fn holds_for(&self, path: &str) -> bool {
        let begins = |list: &[&str]| list.iter().any(|start| path.starts_with(start));
        (self.holds_in.is_empty() || begins(self.holds_in)) && !begins(self.except_in)
    }

    fn is_broken_by(&self, line: &str) -> bool {
        let code = line.split("//").next().unwrap_or_default();
        self.words.iter().any(|word| stands_alone(code, word))
    }
}

/// Whether `word` occurs in `code` without a letter, digit or underscore right before it.
fn stands_alone(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
    })
}

/// Every Rust file in the `src` folders of our crates, of `tests` only the checker: (path from `root`, text).
///
/// # Errors
/// When a folder or file cannot be read.
pub fn sources(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for (name, _) in MAY_USE.iter().filter(|(name, _)| *name != "tests") {
        read_folder(root, &root.join(name).join("src"), &mut found)?;
    }
    read_folder(root, &root.join("tests/src/check"), &mut found)?;
    Ok(found)
}

fn read_folder(
    root: &Path,
    folder: &Path,
    found: &mut Vec<(String, String)>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_folder(root, &path, found)?;
        } else if path.extension().is_some_and(|end| end == "rs") {
            let relative = path.strip_prefix(root).unwrap_or(&path);
            found.push((
                relative.display().to_string(),
                std::fs::read_to_string(&path)?,
            ));
        }
    }
    Ok(())
}
