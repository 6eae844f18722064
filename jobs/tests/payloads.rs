//! What earlier versions wrote into the ledger is still read: one file, or several, for each kind and version
//! in `golden/version-<n>/<kind>[-<variant>].json`, as the payload's column holds it.
//!
//! Files of released versions are never changed. A new shape is a new version with files of its own.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jobs::{JobKind, JobSpec, PAYLOAD_VERSION};
use serde_json::Value;

fn folder(version: i32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/version-{version}"))
}

/// (kind, variant, contents) of each file of that version.
fn golden(version: i32) -> Vec<(String, Option<String>, String)> {
    let files = std::fs::read_dir(folder(version)).expect("every version has its folder");
    let files = files.map(|file| file.expect("a file can be listed").path());
    let read = files.map(|path| {
        let stem = path.file_stem().expect("a file has a name");
        let stem = stem.to_str().expect("its name is text");
        let text = std::fs::read_to_string(&path).expect("it can be read");
        match stem.split_once('-') {
            Some((kind, variant)) => (kind.to_owned(), Some(variant.to_owned()), text),
            None => (stem.to_owned(), None, text),
        }
    });
    read.collect()
}

fn parsed(text: &str) -> JobSpec {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn payloads_of_every_version_are_read_as_the_kind_that_they_were() {
    for version in 1..=PAYLOAD_VERSION {
        for (kind, _, text) in golden(version) {
            assert_eq!(parsed(&text).kind().name(), kind, "version {version}");
        }
    }
}

#[test]
fn every_kind_has_a_file_of_the_present_version() {
    let there: BTreeSet<String> = golden(PAYLOAD_VERSION)
        .into_iter()
        .filter(|(_, variant, _)| variant.is_none())
        .map(|(kind, ..)| kind)
        .collect();
    let wanted: BTreeSet<String> = JobKind::ALL.map(|kind| kind.name().to_owned()).into();
    assert_eq!(there, wanted);
}

/// What is written now must be what the files say, else a worker of the version that wrote them could not
/// read it: a field that is added, renamed or typed otherwise needs a new version.
#[test]
fn what_is_written_now_is_what_the_present_versions_files_hold() {
    for (kind, variant, text) in golden(PAYLOAD_VERSION) {
        if variant.is_some() {
            continue;
        }
        let written = serde_json::to_value(parsed(&text)).expect("a payload can be written");
        let wanted: Value = serde_json::from_str(&text).expect("it is JSON");
        assert_eq!(written, wanted, "{kind}");
    }
}

#[test]
fn a_payload_of_a_kind_that_is_not_known_is_not_taken_for_another() {
    for text in [r#"{"kind":"clone"}"#, r#"{"kind":"create"}"#, "{}", "[]"] {
        assert!(serde_json::from_str::<JobSpec>(text).is_err(), "{text}");
    }
}
