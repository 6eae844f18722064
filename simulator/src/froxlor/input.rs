//! What becomes of parameters on their way in: C escapes are interpreted, an anti-XSS filter cuts and encodes, values
//! are trimmed. Passwords too. The filter is imitated as far as recorded examples show it.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::{Map, Value};

use super::failure::Failure;

/// A command's parameters, already altered.
#[derive(Clone, Default)]
pub(super) struct Params {
    map: Map<String, Value>,
    /// `Customers:add`, for the texts about parameters.
    function: String,
}

impl Params {
    /// Null and an empty list are no parameters; a text is a fatal error, as in PHP.
    pub(super) fn of(value: Option<&Value>, function: &str) -> Result<Self, Failure> {
        let map = match value {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(map)) => map
                .iter()
                .map(|(name, value)| (name.clone(), altered(value)))
                .collect(),
            Some(Value::Array(list)) if list.is_empty() => Map::new(),
            Some(_) => return Err(Failure::Fatal),
        };
        Ok(Params {
            map,
            function: function.to_owned(),
        })
    }

    /// A parameter that was given; null is not given.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    /// A required parameter: 404 when missing, 406 when empty.
    pub(super) fn required(&self, name: &str) -> Result<String, Failure> {
        let function = &self.function;
        let Some(value) = self.get(name) else {
            return Failure::plain(
                404,
                format!("Requested parameter \"{name}\" could not be found for \"{function}\""),
            );
        };
        let text = as_text(value)?;
        if text.is_empty() {
            return Failure::plain(
                406,
                format!(
                    "Requested parameter \"{name}\" is empty where it should not be for \"{function}\""
                ),
            );
        }
        Ok(text)
    }

    /// An optional text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        self.get(name).map(as_text).transpose()
    }

    /// An optional whole number; fractions are cut, what is no number is 0.
    pub(super) fn int(&self, name: &str) -> Option<i64> {
        self.get(name).map(as_int)
    }

    /// An optional switch.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.int(name).map(|number| number != 0)
    }

    /// A number with its `_ul` companion, which makes it unlimited (-1).
    pub(super) fn limit(&self, name: &str) -> Option<i64> {
        match self.flag(&format!("{name}_ul")) {
            Some(true) => Some(-1),
            _ => self.int(name),
        }
    }

    /// `id` or `loginname` (or another name), as most commands select: the id wins when it is above zero.
    pub(super) fn selector(&self, id: &str, name: &str) -> Result<Selector, Failure> {
        match self.int(id) {
            Some(number) if number > 0 => Ok(Selector::Id(number)),
            _ => self.required(name).map(Selector::Name),
        }
    }
}

/// Which record a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Selector {
    Id(i64),
    Name(String),
}

/// A value as PHP turns it into a string. Lists and records are a TypeError, which nobody catches.
pub(super) fn as_text(value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(true) => Ok("1".to_owned()),
        Value::Bool(false) | Value::Null => Ok(String::new()),
        Value::Array(_) | Value::Object(_) => Err(Failure::Fatal),
    }
}

/// PHP's `intval`.
pub(super) fn as_int(value: &Value) -> i64 {
    match value {
        Value::Number(number) => number
            .as_i64()
            .unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64),
        Value::Bool(on) => i64::from(*on),
        Value::String(text) => {
            let text = text.trim();
            let end = text
                .char_indices()
                .find(|(at, c)| !(c.is_ascii_digit() || (*at == 0 && matches!(c, '-' | '+'))))
                .map_or(text.len(), |(at, _)| at);
            text.get(..end)
                .and_then(|digits| digits.parse().ok())
                .unwrap_or(0)
        }
        Value::Array(list) => i64::from(!list.is_empty()),
        Value::Object(_) => 1,
        Value::Null => 0,
    }
}

fn altered(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(alter(text)),
        Value::Array(list) => list.iter().map(altered).collect(),
        Value::Object(map) => map
            .iter()
            .map(|(name, value)| (name.clone(), altered(value)))
            .collect(),
        other => other.clone(),
    }
}

/// What Froxlor makes of a text before it uses it.
pub(super) fn alter(text: &str) -> String {
    anti_xss(&strip_c_slashes(text)).trim().to_owned()
}

/// PHP's `stripcslashes`.
fn strip_c_slashes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        let Some(next) = chars.next() else { break };
        match next {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'v' => out.push('\x0b'),
            'b' => out.push('\x08'),
            'f' => out.push('\x0c'),
            '0'..='7' => {
                let mut code = next.to_digit(8).unwrap_or(0);
                for _ in 0..2 {
                    let Some(digit) = chars.peek().and_then(|c| c.to_digit(8)) else {
                        break;
                    };
                    code = code * 8 + digit;
                    chars.next();
                }
                out.push(char::from_u32(code & 0xff).unwrap_or('?'));
            }
            other => out.push(other),
        }
    }
    out
}

struct Rule {
    pattern: Regex,
    becomes: &'static str,
}

/// In this order. The right-hand sides are what the recorded filter left.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    let rule = |pattern: &str, becomes| {
        Some(Rule {
            pattern: Regex::new(pattern).ok()?,
            becomes,
        })
    };
    [
        rule(r"(?is)<script\b[^>]*>.*?(</script>|\z)", ""),
        rule(r"(?i)document\.(cookie|write|location)", ""),
        rule(r"(?i)\b(java|vb|live)script:\w*", ""),
        rule(r"(?i)\bon\w{3,}(\s*=)", "$1"),
        rule(r"(?i)\bexpression\(", ""),
        rule(
            r"(?i)(alert|eval|prompt|confirm|system|fopen)\(([^)]*)\)",
            "$1&#40;$2&#41;",
        ),
        rule(r#"(?i)(<img\b[^>]*?)src=[^\s>]*"#, "$1"),
        rule(r"<(\?|!--)", "&lt;$1"),
        rule(r"<([^<>]*)\z", "&lt;$1"),
    ]
    .into_iter()
    .flatten()
    .collect()
});

fn anti_xss(text: &str) -> String {
    // Invisible characters go first.
    let visible = |c: &char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    let mut text: String = text.chars().filter(visible).collect();
    if text.to_ascii_lowercase().contains("%3c") {
        text = percent_decoded(&text);
    }
    for rule in RULES.iter() {
        text = rule.pattern.replace_all(&text, rule.becomes).into_owned();
    }
    text
}

fn percent_decoded(text: &str) -> String {
    let pair = format!("x={}", text.replace('+', "%2B").replace('&', "%26"));
    let decoded: Vec<(String, String)> = serde_urlencoded::from_str(&pair).unwrap_or_default();
    decoded
        .into_iter()
        .next()
        .map_or_else(|| text.to_owned(), |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_read_as_php_reads_them() {
        let cases = [
            (Value::from("1.9"), 1),
            (Value::from(0.5), 0),
            (Value::from("lots"), 0),
            (Value::from("-5"), -5),
            (Value::from(true), 1),
            (Value::from("true"), 0),
        ];
        for (value, expected) in cases {
            assert_eq!(as_int(&value), expected, "{value}");
        }
    }

    #[test]
    fn texts_are_altered_as_recorded() {
        let cases = [
            (r"C:\Path\x", "C:Pathx"),
            ("  padded  ", "padded"),
            ("Ex<ample", "Ex&lt;ample"),
            (
                "a\\b <b>bold</b> <script>alert(1)</script> line1\nline2 {\"k\":\"v\"} café",
                "a <b>bold</b>  line1\nline2 {\"k\":\"v\"} café",
            ),
        ];
        for (sent, stored) in cases {
            assert_eq!(alter(sent), stored);
        }
    }
}
