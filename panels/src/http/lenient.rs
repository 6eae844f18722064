//! Reading JSON whose types vary between panel versions and languages.
//!
//! Lenient about how a value is written, strict about what it is: an amount is never read through
//! a float that cannot hold it.

use std::borrow::Cow;

use serde_json::Value;

use super::Scalar;

/// The largest whole number below which every float is exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A scalar as text; `None` for null, lists and objects.
#[must_use]
pub fn text(value: &Value) -> Option<String> {
    Scalar::from(value).text().map(Cow::into_owned)
}

/// A whole number, zero or more: a number, an integral float up to 2^53, or a text of digits.
#[must_use]
pub fn whole(value: &Value) -> Option<u64> {
    Scalar::from(value).whole()
}

/// A whole number of either sign, within `i64`.
#[must_use]
pub fn signed(value: &Value) -> Option<i64> {
    Scalar::from(value).signed()
}

/// A yes or no: booleans, 0 and 1, and the words for them; `None` for anything else.
#[must_use]
pub fn flag(value: &Value) -> Option<bool> {
    Scalar::from(value).flag()
}

impl<'a> Scalar<'a> {
    /// As [`text`].
    #[must_use]
    pub fn text(&self) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string().into()),
            Self::Flag(flag) => Some(flag.to_string().into()),
            Self::Null | Self::Other => None,
        }
    }

    /// As [`whole`].
    #[must_use]
    pub fn whole(&self) -> Option<u64> {
        self.signed().and_then(|n| u64::try_from(n).ok())
    }

    /// As [`signed`].
    #[must_use]
    pub fn signed(&self) -> Option<i64> {
        match self {
            Self::Number(number) => number.as_i64().or_else(|| integral(number.as_f64()?)),
            Self::Text(text) => {
                let text = text.trim();
                let digits = text.strip_prefix('-').unwrap_or(text);
                let written = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
                if written { text.parse().ok() } else { None }
            }
            Self::Flag(_) | Self::Null | Self::Other => None,
        }
    }

    /// As [`flag`].
    #[must_use]
    pub fn flag(&self) -> Option<bool> {
        match self {
            Self::Flag(flag) => Some(*flag),
            Self::Number(_) => match self.signed()? {
                0 => Some(false),
                1 => Some(true),
                _ => None,
            },
            Self::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "1" | "y" | "yes" | "true" | "on" => Some(true),
                "0" | "n" | "no" | "false" | "off" | "" => Some(false),
                _ => None,
            },
            Self::Null | Self::Other => None,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "only integral floats within 2^53 come here"
)]
fn integral(float: f64) -> Option<i64> {
    (float.fract() == 0.0 && float.abs() <= EXACT).then_some(float as i64)
}

/// The items of what may be a list, an object used as one (PHP and Perl write sparse lists so), a
/// single item, or nothing.
#[must_use]
pub fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) if fields.keys().all(|k| k.bytes().all(|b| b.is_ascii_digit())) => {
            fields.values().collect()
        }
        single => vec![single],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_be_texts_and_integral_floats() {
        for (value, number) in [
            (json!(7), Some(7)),
            (json!("7"), Some(7)),
            (json!(" 12 "), Some(12)),
            (json!(3.0), Some(3)),
            (json!(1e3), Some(1000)),
            (
                json!(9_007_199_254_740_993_u64),
                Some(9_007_199_254_740_993),
            ),
            (json!(i64::MAX), Some(i64::MAX)),
            (json!("-1024"), Some(-1024)),
            (json!(1.5), None),
            (json!(1e17), None),
            (json!(u64::MAX), None),
            (json!("1e3"), None),
            (json!("--1"), None),
            (json!(""), None),
            (json!(null), None),
            (json!([1]), None),
        ] {
            assert_eq!(signed(&value), number, "{value}");
        }
        assert_eq!(whole(&json!(-1)), None);
    }

    #[test]
    fn flags_are_read_in_every_spelling() {
        for yes in [json!(1), json!("1"), json!(true), json!("y"), json!("Yes")] {
            assert_eq!(flag(&yes), Some(true), "{yes}");
        }
        for no in [json!(0), json!("0"), json!(false), json!("n"), json!("")] {
            assert_eq!(flag(&no), Some(false), "{no}");
        }
        assert_eq!(flag(&json!(2)), None);
        assert_eq!(flag(&json!(null)), None);
    }

    #[test]
    fn lists_may_be_objects_or_single_or_missing() {
        assert_eq!(items(&json!([1, 2])).len(), 2);
        assert_eq!(items(&json!({"3": {"a": 1}, "5": {"a": 2}})).len(), 2);
        assert_eq!(items(&json!({"user": "bob"})).len(), 1);
        assert_eq!(items(&json!({})).len(), 0);
        assert_eq!(items(&json!(null)).len(), 0);
    }
}
