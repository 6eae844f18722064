//! What comes in from outside: no banned crate, no unknown licence, no other registry, as deny.toml says.
//! cargo-deny checks the same and more; this needs nothing installed, so it never goes unchecked.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use cargo_metadata::{Metadata, MetadataCommand};
use serde::Deserialize;
use tests::licence::is_allowed;

#[derive(Debug, Deserialize)]
struct Deny {
    advisories: Advisories,
    bans: Bans,
    licenses: Licenses,
    sources: Sources,
}

#[derive(Debug, Deserialize)]
struct Advisories {
    ignore: Vec<Ignored>,
}

#[derive(Debug, Deserialize)]
struct Ignored {
    id: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Debug, Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn deny() -> Deny {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("there is a deny.toml");
    toml::from_str(&text).expect("deny.toml can be read")
}

/// All packages that the lock file means for Linux on this machine's processor.
fn metadata() -> Metadata {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    MetadataCommand::new()
        .current_dir(root())
        .other_options(["--locked", "--filter-platform", &target].map(String::from))
        .exec()
        .expect("cargo describes the dependencies")
}

fn banned_among(names: &[&str], deny: &Deny) -> Vec<String> {
    let banned = deny.bans.deny.iter();
    banned
        .filter(|banned| names.contains(&banned.name.as_str()))
        .map(|banned| format!("{}: {}", banned.name, banned.reason))
        .collect()
}

#[test]
fn no_banned_crate_is_in_the_lock_file() {
    let deny = deny();
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("there is a lock file");
    let names: Vec<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .collect();
    assert!(names.len() > 300, "the lock file's crates are found");
    assert_eq!(banned_among(&names, &deny), Vec::<String>::new());
    for name in [
        "openssl-sys",
        "native-tls",
        "aws-lc-sys",
        "serde_yml",
        "atty",
    ] {
        assert_eq!(banned_among(&[name], &deny).len(), 1, "{name} is banned");
    }
}

#[test]
fn every_licence_is_one_that_we_accept() {
    let allowed = deny().licenses.allow;
    let metadata = metadata();
    let foreign = metadata
        .packages
        .iter()
        .filter(|package| package.source.is_some());
    let refused: Vec<String> = foreign
        .filter(|package| {
            let licence = package.license.as_deref().unwrap_or_default();
            !is_allowed(licence, &allowed)
        })
        .map(|package| format!("{}: {:?}", package.name, package.license))
        .collect();
    assert_eq!(refused, Vec::<String>::new());
}

#[test]
fn everything_comes_from_the_registry() {
    let allowed = deny().sources.allow_registry;
    let metadata = metadata();
    let strange: Vec<String> = metadata
        .packages
        .iter()
        .filter_map(|package| Some((package.name.as_str(), package.source.as_ref()?)))
        .filter(|(_, source)| {
            let registry = source.repr.strip_prefix("registry+");
            !registry.is_some_and(|url| allowed.iter().any(|allowed| allowed == url))
        })
        .map(|(name, source)| format!("{name} from {source}"))
        .collect();
    assert_eq!(strange, Vec::<String>::new());
}

#[test]
fn what_is_ignored_is_ignored_for_a_reason() {
    let ignored = deny().advisories.ignore;
    let ids: Vec<&str> = ignored.iter().map(|ignored| ignored.id.as_str()).collect();
    assert_eq!(
        ids,
        ["RUSTSEC-2025-0012", "RUSTSEC-2024-0384"],
        "backoff's two, and no other"
    );
    assert!(ignored.iter().all(|ignored| ignored.reason.len() > 20));
}
