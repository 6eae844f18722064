//! Values that come one by one: variables and flags.

use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};

use super::settings::Settings;
use super::{KEYS, Key, read_text};
use crate::error::Failure;

/// One value from one place; the place is its metadata's name.
pub(super) struct Layer {
    source: String,
    key: String,
    value: Value,
}

impl Layer {
    /// A key's value from text, read as the type that its default has.
    pub(super) fn new(key: &str, source: String, text: &str) -> Result<Self, Failure> {
        let value = if is_text(key) {
            Value::from(text)
        } else {
            match text.parse() {
                Ok(value) => value,
                Err(never) => match never {},
            }
        };
        Ok(Self {
            source,
            key: key.to_owned(),
            value,
        })
    }
}

/// Whether the key's default is a text or nothing: then `1` is the text "1".
fn is_text(key: &str) -> bool {
    let defaults = serde_json::to_value(Settings::default()).unwrap_or_default();
    let pointer = format!("/{}", key.replace('.', "/"));
    defaults
        .pointer(&pointer)
        .is_none_or(|value| value.is_string() || value.is_null())
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        let dict = nested.into_dict().unwrap_or_default();
        Ok(Map::from([(Profile::Default, dict)]))
    }
}

/// Variables that start like ours and belong to our tests.
fn is_for_tests(name: &str) -> bool {
    ["HOSTLER_BIN", "HOSTLER_FAULTY_BIN"].contains(&name)
        || name.starts_with("HOSTLER_TEST_")
        || breaks_on_purpose(name)
}

/// What only a binary with faults in it reads; one that is released does not even know the names.
#[cfg(feature = "faults")]
fn breaks_on_purpose(name: &str) -> bool {
    ["HOSTLER_BUG", "HOSTLER_FAILPOINT", "HOSTLER_ABORT_AT_STEP"]
        .iter()
        .any(|begin| name.starts_with(begin))
}

/// Nothing.
#[cfg(not(feature = "faults"))]
const fn breaks_on_purpose(_name: &str) -> bool {
    false
}

/// What the environment sets.
///
/// # Errors
/// A `HOSTLER_...` variable that is none of ours, the same key set twice, a `..._FILE` that cannot be read.
pub(super) fn environment(variables: &[(String, String)]) -> Result<Vec<Layer>, Failure> {
    let mut layers: Vec<Layer> = Vec::new();
    for (name, value) in variables {
        let Some((key, from_file)) = key_of(name)? else {
            continue;
        };
        // An empty variable is how compose files and shells say "not set".
        if value.is_empty() {
            continue;
        }
        if let Some(other) = layers.iter().find(|layer| layer.key == key.name) {
            return Err(Failure::usage(
                name,
                format!("says the same as {}; set one of them", other.source),
            ));
        }
        let value = if from_file {
            read_text(name, Path::new(value))?.trim().to_owned()
        } else {
            value.clone()
        };
        layers.push(Layer::new(key.name, format!("variable {name}"), &value)?);
    }
    Ok(layers)
}

/// The key that a variable sets, and whether by naming a file.
fn key_of(name: &str) -> Result<Option<(&'static Key, bool)>, Failure> {
    let ours = name.starts_with("HOSTLER_") && !is_for_tests(name);
    let plain = |name: &str| {
        KEYS.iter()
            .find(|key| key.variable == Some(name) || key.usual_variable() == name)
    };
    if let Some(key) = plain(name) {
        return Ok(Some((key, false)));
    }
    let filed = name
        .strip_suffix("_FILE")
        .and_then(plain)
        .filter(|key| key.secret);
    match filed {
        Some(key) => Ok(Some((key, true))),
        None if ours => Err(Failure::usage(
            name,
            "is not a variable of Hostler; `hostler config reference` lists them",
        )),
        None => Ok(None),
    }
}
