//! 10. A secret never leaves: not in output, answers or the database, in none of five encodings.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use regex::bytes::Regex;

use super::evidence::Evidence;

pub(super) fn decide(evidence: &Evidence) -> Vec<(String, String)> {
    let mut canaries: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in evidence
        .secrets
        .iter()
        .filter(|(_, value)| !value.is_empty())
    {
        for (encoding, canary) in encodings(value) {
            canaries
                .entry(canary)
                .or_insert_with(|| format!("{name}, {encoding}"));
        }
    }
    let Some(any) = any_of(canaries.keys()) else {
        return Vec::new();
    };
    let mut broken = Vec::new();
    let mut look = |place: &str, bytes: &[u8]| {
        for found in any.find_iter(bytes) {
            let canary = String::from_utf8_lossy(found.as_bytes());
            let which = canaries.get(canary.as_ref()).map_or("?", String::as_str);
            broken.push((place.to_owned(), format!("holds the secret {which}")));
        }
    };
    for (file, bytes) in &evidence.outputs {
        look(file, bytes);
    }
    for (column, text) in &evidence.texts {
        look(column, text.as_bytes());
    }
    for exchange in &evidence.exchanges {
        let answer = exchange.answer.to_string();
        look(
            &format!("the answer to {}", exchange.key),
            answer.as_bytes(),
        );
    }
    broken
}

/// One pass over the bytes for all canaries.
fn any_of<'a>(canaries: impl Iterator<Item = &'a String>) -> Option<Regex> {
    let all: Vec<String> = canaries.map(|canary| regex::escape(canary)).collect();
    let wanted = !all.is_empty();
    wanted.then(|| Regex::new(&all.join("|")).ok()).flatten()
}

/// The secret as it is, and as it looks in a URL, in base64, in a JSON text and in hex.
fn encodings(value: &str) -> Vec<(&'static str, String)> {
    let url: String = value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    let json = serde_json::Value::from(value).to_string();
    let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![
        ("as it is", value.to_owned()),
        ("URL-encoded", url),
        ("in base64", STANDARD.encode(value)),
        ("in base64", URL_SAFE.encode(value)),
        ("in a JSON text", json.trim_matches('"').to_owned()),
        ("in hex", hex),
    ];
    let mut known = std::collections::BTreeSet::new();
    all.retain(|(_, text)| known.insert(text.clone()));
    all
}
