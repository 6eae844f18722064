//! What a refusal may repeat of the request that it refuses.
//!
//! A message that repeats a wrong value helps to see a slip of the pen. But what stands in the wrong field
//! may be a password or a token, and refusals are kept in the logs of billing platforms. So only what is
//! written like a name is repeated.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Problem;

/// Shorter texts keep no secret, and stand in other words by chance.
const LEAST: usize = 8;
/// Longer texts are no names.
const MOST: usize = 24;
const INSTEAD: &str = "(not shown)";

/// The texts of a request that no answer may repeat.
#[derive(Debug, Default)]
pub(crate) struct Unsaid(BTreeSet<String>);

impl Unsaid {
    /// Of that body: its values and the names of its fields.
    pub(crate) fn of(body: &Value) -> Self {
        let mut unsaid = Self::default();
        unsaid.collect(body);
        unsaid
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.add(text),
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.add(name);
                    self.collect(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn add(&mut self, text: &str) {
        if text.len() >= LEAST && !is_like_a_name(text) {
            self.0.insert(text.to_owned());
            // As messages shorten it.
            self.0.insert(text.chars().take(60).collect());
            // As Rust and JSON quote it.
            self.0.insert(text.escape_debug().to_string());
        }
    }

    /// The problem without them.
    pub(crate) fn left_out_of(&self, mut problem: Problem) -> Problem {
        // The longest first: one may be a part of another.
        let mut texts: Vec<&String> = self.0.iter().collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        for text in texts {
            let clean = |said: &mut String| {
                if said.contains(text.as_str()) {
                    *said = said.replace(text.as_str(), INSTEAD);
                }
            };
            clean(&mut problem.detail);
            for error in &mut problem.errors {
                clean(&mut error.field);
                clean(&mut error.message);
            }
        }
        problem
    }
}

fn is_like_a_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MOST
        && text
            .bytes()
            .all(|byte| plain(byte) || b"._-:/".contains(&byte))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slip_is_repeated_and_what_may_be_a_secret_is_not() {
        let body = json!({
            "server": "web9", "package": "platinum", "kind": "S3cret-Pass!", "token-IN-place": {"a": ["x\"Y7zzzz\""]},
        });
        let said = "no `web9`, `platinum`, `S3cret-Pass!`, `token-IN-place`, \"x\\\"Y7zzzz\\\"\"";
        let problem = Unsaid::of(&body).left_out_of(Problem::field("token-IN-place", said));
        let shown = "no `web9`, `platinum`, `(not shown)`, `(not shown)`, \"(not shown)\"";
        assert_eq!(problem.errors[0].message, shown);
        assert_eq!(problem.errors[0].field, INSTEAD);
        assert_eq!(problem.detail, format!("{INSTEAD}: {shown}"));
    }
}
