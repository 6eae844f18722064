//! `sql_search`, `sql_orderby`, `sql_limit`, `sql_offset`: SQL made from parameters, with the mistakes that this allows.

use std::cmp::Ordering;

use serde_json::Value;

use super::failure::Failure;
use super::input::{Params, as_int, as_text};
use super::rows::Row;

/// The rows of a list, and which columns may be named without the alias.
pub(super) struct Table<'a> {
    pub(super) rows: Vec<Row>,
    /// The alias in front of columns, with the point: `c.`.
    pub(super) alias: &'a str,
    /// Columns that a joined table has too: naming them bare in a search is an error.
    pub(super) ambiguous: Vec<String>,
    /// All columns.
    pub(super) columns: Vec<String>,
}

impl Table<'_> {
    /// The rows that the parameters ask for.
    pub(super) fn select(self, params: &Params) -> Result<Vec<Row>, Failure> {
        let mut rows = self.search(params)?;
        if let Some(Value::Object(order)) = params.get("sql_orderby") {
            for (field, _) in order {
                self.column(field, "ORDER BY")?;
            }
            rows.sort_by(|one, other| {
                let fields = order.iter().map(|(field, direction)| {
                    let column = field.rsplit('.').next().unwrap_or(field);
                    let ordering = compare(one.get(column), other.get(column));
                    let down = direction
                        .as_str()
                        .is_some_and(|text| text.eq_ignore_ascii_case("desc"));
                    if down { ordering.reverse() } else { ordering }
                });
                fields.fold(Ordering::Equal, Ordering::then)
            });
        }
        paged(rows, params)
    }

    /// The rows that the search alone leaves, unordered.
    pub(super) fn search(&self, params: &Params) -> Result<Vec<Row>, Failure> {
        let Some(search) = params.get("sql_search") else {
            return Ok(self.rows.clone());
        };
        let fields = match search {
            Value::Object(map) => map.clone(),
            Value::Array(list) if list.is_empty() => return Ok(self.rows.clone()),
            Value::Array(_) => return Err(syntax_error("")),
            _ => {
                return Failure::plain(
                    500,
                    "Internal PHP error: #2 foreach() argument must be of type array|object, string given",
                );
            }
        };
        let mut rows = self.rows.clone();
        for (field, wanted) in &fields {
            let column = self.column(field, "WHERE")?;
            let condition = Condition::of(wanted)?;
            rows.retain(|row| row.get(&column).is_some_and(|value| condition.holds(value)));
        }
        Ok(rows)
    }

    fn column(&self, field: &str, place: &str) -> Result<String, Failure> {
        let column = field
            .strip_prefix(self.alias)
            .filter(|_| !self.alias.is_empty());
        let name = column.unwrap_or(field);
        if !self.columns.iter().any(|known| known == name) {
            return Failure::plain(
                500,
                format!(
                    "SQLSTATE[42S22]: Column not found: 1054 Unknown column '{field}' in '{place}'"
                ),
            );
        }
        if column.is_none() && place == "WHERE" && self.ambiguous.iter().any(|other| other == name)
        {
            return Failure::plain(
                500,
                format!(
                    "SQLSTATE[23000]: Integrity constraint violation: 1052 Column '{field}' in WHERE is ambiguous"
                ),
            );
        }
        Ok(name.to_owned())
    }
}

enum Condition {
    Like(String),
    Is(Ordering, String),
    IsNot(String),
    In(Vec<String>),
}

impl Condition {
    fn of(wanted: &Value) -> Result<Self, Failure> {
        let Value::Object(map) = wanted else {
            return Ok(Condition::Like(as_text(wanted)?));
        };
        let value = map.get("value").cloned().unwrap_or(Value::Null);
        match map.get("op").map(as_text).transpose()?.as_deref() {
            None => Ok(Condition::Like(as_text(&value)?)),
            Some("=") => Ok(Condition::Is(Ordering::Equal, as_text(&value)?)),
            Some("<") => Ok(Condition::Is(Ordering::Less, as_text(&value)?)),
            Some(">") => Ok(Condition::Is(Ordering::Greater, as_text(&value)?)),
            Some("<>") => Ok(Condition::IsNot(as_text(&value)?)),
            Some("in") => match value {
                Value::Array(list) => Ok(Condition::In(
                    list.iter().map(as_text).collect::<Result<_, _>>()?,
                )),
                _ => Err(syntax_error("")),
            },
            // Nothing is written for an unknown operator, and the AND in front of it dangles.
            Some(_) => Err(syntax_error("")),
        }
    }

    fn holds(&self, value: &Value) -> bool {
        match self {
            Condition::Like(part) => like(&text_of(value), &format!("%{part}%")),
            Condition::Is(ordering, wanted) => against(value, wanted) == *ordering,
            Condition::IsNot(wanted) => against(value, wanted) != Ordering::Equal,
            Condition::In(list) => list
                .iter()
                .any(|wanted| against(value, wanted) == Ordering::Equal),
        }
    }
}

fn syntax_error(near: &str) -> Failure {
    Failure::Plain(
        500,
        format!(
            "SQLSTATE[42000]: Syntax error or access violation: 1064 You have an error in your SQL syntax; check the \
             manual that corresponds to your MariaDB server version for the right syntax to use near '{near}' at line 4"
        ),
    )
}

fn text_of(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// The collation of the database does not know upper and lower case.
fn against(value: &Value, wanted: &str) -> Ordering {
    match value.as_f64() {
        Some(number) => number
            .partial_cmp(&wanted.trim().parse().unwrap_or(0.0))
            .unwrap_or(Ordering::Equal),
        None => text_of(value).to_lowercase().cmp(&wanted.to_lowercase()),
    }
}

fn compare(one: Option<&Value>, other: Option<&Value>) -> Ordering {
    match (one, other) {
        (Some(one), Some(other)) if one.is_number() && other.is_number() => one
            .as_f64()
            .partial_cmp(&other.as_f64())
            .unwrap_or(Ordering::Equal),
        (Some(one), Some(other)) => text_of(one)
            .to_lowercase()
            .cmp(&text_of(other).to_lowercase()),
        (one, other) => one.is_some().cmp(&other.is_some()),
    }
}

/// SQL's LIKE, in which `_` is one character and `%` any number of them.
fn like(text: &str, pattern: &str) -> bool {
    let quoted: String = pattern
        .chars()
        .map(|c| match c {
            '%' => ".*".to_owned(),
            '_' => ".".to_owned(),
            other => regex::escape(&other.to_string()),
        })
        .collect();
    regex::RegexBuilder::new(&format!("^{quoted}$"))
        .case_insensitive(true)
        .dot_matches_new_line(true)
        .build()
        .is_ok_and(|pattern| pattern.is_match(text))
}

/// Without a limit the offset is ignored; what is no number is no limit.
fn paged(rows: Vec<Row>, params: &Params) -> Result<Vec<Row>, Failure> {
    let limit = params.get("sql_limit").map_or(0, as_int);
    let offset = params.get("sql_offset").map_or(0, as_int);
    let Ok(limit) = usize::try_from(limit) else {
        return Ok(rows);
    };
    if limit == 0 {
        return Ok(rows);
    }
    match usize::try_from(offset) {
        Ok(offset) => Ok(rows.into_iter().skip(offset).take(limit).collect()),
        Err(_) => Err(syntax_error(&format!("{offset},{limit}"))),
    }
}
