//! Whether two answers have the same shape, and whether they say the same.

use serde_json::Value;

/// What a comparison overlooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loose {
    /// The lengths of lists.
    Length,
    /// Lists may be longer and records may have more keys than recorded.
    Subset,
}

/// The same keys and types at every depth, and lists of the same length.
pub(crate) fn same_shape(
    recorded: &Value,
    got: &Value,
    loose: Option<Loose>,
    path: &str,
) -> Result<(), String> {
    match (recorded, got) {
        (Value::Object(recorded), Value::Object(got)) => {
            for (name, value) in recorded {
                let Some(other) = got.get(name) else {
                    return Err(format!("{path}.{name} is missing"));
                };
                same_shape(value, other, loose, &format!("{path}.{name}"))?;
            }
            let extra = got.keys().find(|name| !recorded.contains_key(*name));
            match extra.filter(|_| loose != Some(Loose::Subset)) {
                Some(name) => Err(format!("{path}.{name} was not recorded")),
                None => Ok(()),
            }
        }
        (Value::Array(recorded), Value::Array(got)) => {
            if recorded.len() != got.len() && loose.is_none() {
                return Err(format!(
                    "{path} has {} items instead of {}",
                    got.len(),
                    recorded.len()
                ));
            }
            let Some(last) = recorded.last() else {
                return Ok(());
            };
            let compared = if loose == Some(Loose::Subset) {
                recorded.len()
            } else {
                got.len()
            };
            for (index, item) in got.iter().take(compared).enumerate() {
                let model = recorded.get(index).unwrap_or(last);
                same_shape(model, item, loose, &format!("{path}[{index}]"))?;
            }
            Ok(())
        }
        (recorded, got) if std::mem::discriminant(recorded) == std::mem::discriminant(got) => {
            Ok(())
        }
        (recorded, got) => Err(format!("{path} is {got} instead of {recorded}")),
    }
}

/// Columns whose values cannot agree: hashes, times, counters of the log.
const OTHER: [&str; 8] = [
    "password",
    "ts",
    "date",
    "logid",
    "add_date",
    "lastlogin_fail",
    "uri",
    "h",
];

/// The first value that is another one, but for hashes, times and the like.
pub(crate) fn other_value(recorded: &Value, got: &Value, path: &str) -> Option<String> {
    match (recorded, got) {
        (Value::Object(recorded), Value::Object(got)) => recorded
            .iter()
            .filter(|(name, _)| !OTHER.contains(&name.as_str()))
            .find_map(|(name, value)| {
                other_value(value, got.get(name)?, &format!("{path}.{name}"))
            }),
        (Value::Array(recorded), Value::Array(got)) => {
            if recorded.len() != got.len() {
                return Some(format!(
                    "{path}: {} items instead of {}",
                    got.len(),
                    recorded.len()
                ));
            }
            let pairs = recorded.iter().zip(got).enumerate();
            pairs
                .into_iter()
                .find_map(|(at, (one, other))| other_value(one, other, &format!("{path}[{at}]")))
        }
        // A hosting plan's value is JSON in a text, its keys in any order.
        (Value::String(recorded), Value::String(got)) if recorded.starts_with('{') => {
            let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
            (parsed(recorded) != parsed(got)).then(|| format!("{path}: {got}"))
        }
        (recorded, got) => {
            (recorded != got).then(|| format!("{path}: {got} instead of {recorded}"))
        }
    }
}
