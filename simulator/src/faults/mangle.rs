//! Answers that are almost right.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How an answer is spoilt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum WrongJson {
    /// The text ends in the middle, with a matching `Content-Length`.
    Truncated,
    /// Every number becomes a string.
    NumbersAsStrings,
    /// Every number becomes text with a unit: `"1.5 GB"`.
    NumbersWithUnits,
    /// Every string of digits becomes a number.
    StringsAsNumbers,
    /// A list of exactly one record becomes the record itself.
    ArrayOfOne,
    /// Every number becomes a fraction.
    Fractions,
    /// Every number becomes `1e400`, which no number type holds.
    HugeNumbers,
    /// Every number becomes negative.
    Negative,
    /// Every value that is not a record or a list becomes null.
    Nulls,
    /// These fields are left out, at every depth.
    Missing(Vec<String>),
    /// The first field of every record appears twice, the second time with another value.
    DuplicateKeys,
    /// The answer is an empty record.
    EmptyObject,
    /// The answer is an empty list.
    EmptyList,
    /// Lists inside lists, ten thousand deep.
    Deep,
    /// A byte order mark stands in front.
    ByteOrderMark,
    /// A byte that is not UTF-8 stands in every string.
    Latin1,
    /// Every list of records holds each record twice.
    Doubled,
    /// Every list of records lost its second half.
    Halved,
}

/// The spoilt form of a JSON body. A body that is not JSON stays as it is.
pub(crate) fn mangle(body: &[u8], how: &WrongJson) -> Vec<u8> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return body.to_vec();
    };
    match how {
        WrongJson::Truncated => body.get(..body.len() * 2 / 3).unwrap_or_default().to_vec(),
        WrongJson::EmptyObject => b"{}".to_vec(),
        WrongJson::EmptyList => b"[]".to_vec(),
        WrongJson::Deep => [vec![b'['; 10_000], vec![b']'; 10_000]].concat(),
        WrongJson::ByteOrderMark => [b"\xef\xbb\xbf".as_slice(), body].concat(),
        WrongJson::Latin1 => latin1(body),
        WrongJson::DuplicateKeys => duplicate_keys(&value).into_bytes(),
        // A number beyond any type cannot stand in a `Value`: it is put in as text.
        WrongJson::HugeNumbers => {
            let marked = each_number(value, &|_| Value::from("@huge@"));
            marked
                .to_string()
                .replace("\"@huge@\"", "1e400")
                .into_bytes()
        }
        WrongJson::NumbersAsStrings => text(&each_number(value, &|n| Value::from(n.to_string()))),
        WrongJson::NumbersWithUnits => text(&each_number(value, &|_| Value::from("1.5 GB"))),
        WrongJson::Fractions => text(&each_number(value, &|n| {
            Value::from(n.as_f64().unwrap_or(0.0) + 0.5)
        })),
        WrongJson::Negative => text(&each_number(value, &|n| {
            Value::from(n.as_i64().map_or(-1, |n| -n.saturating_abs().max(1)))
        })),
        WrongJson::StringsAsNumbers => text(&each_leaf(value, &|leaf| match leaf.as_str() {
            Some(s) => s.parse::<u64>().map_or(leaf, Value::from),
            None => leaf,
        })),
        WrongJson::Nulls => text(&each_leaf(value, &|_| Value::Null)),
        WrongJson::ArrayOfOne => text(&lists(value, &|mut list| match list.len() {
            1 => list.remove(0),
            _ => Value::Array(list),
        })),
        WrongJson::Doubled => text(&lists(value, &|list| {
            Value::Array(
                list.iter()
                    .flat_map(|item| [item.clone(), item.clone()])
                    .collect(),
            )
        })),
        WrongJson::Halved => text(&lists(value, &|mut list| {
            list.truncate(list.len() / 2);
            Value::Array(list)
        })),
        WrongJson::Missing(fields) => text(&without(value, fields)),
    }
}

fn text(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn each_leaf(value: Value, change: &dyn Fn(Value) -> Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, each_leaf(value, change)))
            .collect(),
        Value::Array(list) => list
            .into_iter()
            .map(|value| each_leaf(value, change))
            .collect(),
        leaf => change(leaf),
    }
}

fn each_number(value: Value, change: &dyn Fn(&serde_json::Number) -> Value) -> Value {
    each_leaf(value, &|leaf| match &leaf {
        Value::Number(number) => change(number),
        _ => leaf,
    })
}

fn lists(value: Value, change: &dyn Fn(Vec<Value>) -> Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .map(|(name, value)| (name, lists(value, change)))
            .collect(),
        Value::Array(list) => {
            let list: Vec<Value> = list.into_iter().map(|value| lists(value, change)).collect();
            if list.iter().any(Value::is_object) {
                change(list)
            } else {
                Value::Array(list)
            }
        }
        leaf => leaf,
    }
}

fn without(value: Value, fields: &[String]) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(name, _)| !fields.contains(name))
            .map(|(name, value)| (name, without(value, fields)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(list) => list
            .into_iter()
            .map(|value| without(value, fields))
            .collect(),
        leaf => leaf,
    }
}

fn latin1(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 16);
    for (index, byte) in body.iter().enumerate() {
        // In front of the quote that ends a string value or a name: those after a letter.
        let ends = *byte == b'"' && index > 0 && body[index - 1].is_ascii_alphanumeric();
        if ends {
            out.push(0xe9);
        }
        out.push(*byte);
    }
    out
}

fn duplicate_keys(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut parts: Vec<String> = map
                .iter()
                .map(|(name, value)| {
                    format!("{}:{}", Value::from(name.as_str()), duplicate_keys(value))
                })
                .collect();
            if let Some(name) = map.keys().next() {
                parts.push(format!("{}:\"other\"", Value::from(name.as_str())));
            }
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(list) => {
            format!(
                "[{}]",
                list.iter()
                    .map(duplicate_keys)
                    .collect::<Vec<_>>()
                    .join(",")
            )
        }
        leaf => leaf.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"data":{"acct":[{"user":"acme","used":12}]},"n":3}"#;

    fn spoilt(how: &WrongJson) -> String {
        String::from_utf8_lossy(&mangle(BODY.as_bytes(), how)).into_owned()
    }

    #[test]
    fn each_way_of_spoiling_shows() {
        let expected = [
            (WrongJson::NumbersAsStrings, r#""used":"12""#),
            (WrongJson::NumbersWithUnits, r#""used":"1.5 GB""#),
            (WrongJson::ArrayOfOne, r#""acct":{"#),
            (WrongJson::Fractions, r#""used":12.5"#),
            (WrongJson::HugeNumbers, r#""used":1e400"#),
            (WrongJson::Negative, r#""used":-12"#),
            (WrongJson::Nulls, r#""user":null"#),
            (
                WrongJson::Missing(vec!["user".to_owned()]),
                r#"[{"used":12}]"#,
            ),
            (WrongJson::Halved, r#""acct":[]"#),
            (WrongJson::DuplicateKeys, r#""n":3,"data":"other""#),
            (WrongJson::EmptyObject, "{}"),
            (WrongJson::EmptyList, "[]"),
        ];
        for (how, part) in expected {
            assert!(spoilt(&how).contains(part), "{how:?}: {}", spoilt(&how));
        }
        assert_eq!(spoilt(&WrongJson::Doubled).matches("acme").count(), 2);
        assert!(serde_json::from_str::<Value>(&spoilt(&WrongJson::Truncated)).is_err());
        assert!(String::from_utf8(mangle(BODY.as_bytes(), &WrongJson::Latin1)).is_err());
        assert_eq!(
            mangle(br#"{"a":"5"}"#, &WrongJson::StringsAsNumbers),
            br#"{"a":5}"#
        );
    }
}
