//! Columns of values, written as one parameter.

use std::fmt::Write as _;

/// One column of the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cells {
    /// Whole numbers.
    Ints(Vec<Option<i64>>),
    /// Texts.
    Texts(Vec<Option<String>>),
}

impl Cells {
    fn len(&self) -> usize {
        match self {
            Self::Ints(cells) => cells.len(),
            Self::Texts(cells) => cells.len(),
        }
    }

    fn put(&self, row: usize, into: &mut String, quote: fn(&str, &mut String), nothing: &str) {
        let put = match self {
            Self::Ints(cells) => cells.get(row).copied().flatten().map(|number| {
                // Writing into a string cannot fail.
                let _ = write!(into, "{number}");
            }),
            Self::Texts(cells) => {
                let cell = cells.get(row).and_then(Option::as_deref);
                cell.map(|text| quote(text, into))
            }
        };
        if put.is_none() {
            into.push_str(nothing);
        }
    }
}

/// As PostgreSQL reads an array from a text.
pub(super) fn array(cells: &Cells) -> String {
    let mut text = String::with_capacity(cells.len() * 12 + 2);
    text.push('{');
    for row in 0..cells.len() {
        if row > 0 {
            text.push(',');
        }
        cells.put(row, &mut text, quoted_for_array, "NULL");
    }
    text.push('}');
    text
}

fn quoted_for_array(cell: &str, into: &mut String) {
    into.push('"');
    for letter in cell.chars() {
        if matches!(letter, '"' | '\\') {
            into.push('\\');
        }
        into.push(letter);
    }
    into.push('"');
}

/// The rows as a list of lists.
pub(super) fn json(columns: &[Cells]) -> String {
    let rows = columns.first().map_or(0, Cells::len);
    let mut text = String::with_capacity(rows * columns.len() * 12 + 2);
    text.push('[');
    for row in 0..rows {
        text.push_str(if row == 0 { "[" } else { ",[" });
        for (place, cells) in columns.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            cells.put(row, &mut text, quoted_for_json, "null");
        }
        text.push(']');
    }
    text.push(']');
    text
}

fn quoted_for_json(cell: &str, into: &mut String) {
    let _ = write!(into, "{}", serde_json::Value::from(cell));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> [Cells; 2] {
        let texts = [Some("a,b"), None, Some("NULL"), Some("\"\\{}\u{e9}\n")];
        [
            Cells::Ints(vec![Some(i64::MAX), None, Some(-1), Some(0)]),
            Cells::Texts(texts.map(|text| text.map(str::to_owned)).to_vec()),
        ]
    }

    #[test]
    fn an_array_says_null_and_quotes_all_texts() {
        let [ints, texts] = columns();
        assert_eq!(array(&ints), "{9223372036854775807,NULL,-1,0}");
        assert_eq!(
            array(&texts),
            "{\"a,b\",NULL,\"NULL\",\"\\\"\\\\{}\u{e9}\n\"}"
        );
        assert_eq!(array(&Cells::Ints(Vec::new())), "{}");
    }

    #[test]
    fn rows_are_json_that_reads_back() {
        let read: serde_json::Value = serde_json::from_str(&json(&columns())).unwrap();
        let written = serde_json::json!([
            [i64::MAX, "a,b"],
            [null, null],
            [-1, "NULL"],
            [0, "\"\\{}\u{e9}\n"]
        ]);
        assert_eq!(read, written);
        assert_eq!(json(&[Cells::Ints(Vec::new())]), "[]");
    }
}
