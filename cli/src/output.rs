//! What a command prints: aligned tables for people, one JSON document for machines.

use std::io::{IsTerminal, Write};

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use owo_colors::OwoColorize;
use serde::Serialize;

use crate::config::colours_wanted;
use crate::telemetry::escaped;

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    json: bool,
    colour: bool,
    terminal: bool,
}

impl Output {
    /// Standard output; colours on terminals only, and not where NO_COLOR is set.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stdout().is_terminal();
        Self {
            json,
            colour: terminal && !json && colours_wanted(),
            terminal,
        }
    }

    /// Whether one JSON document is wanted.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether a person watches.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.terminal && !self.json
    }

    /// Prints a line for people; nothing with `--json`.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            print(text.as_ref());
        }
    }

    /// Prints the JSON document, when one is wanted.
    pub fn json(&self, value: &impl Serialize) {
        if self.json {
            self.document(value);
        }
    }

    /// Prints a JSON document in any case.
    pub fn document(&self, value: &impl Serialize) {
        let text = if self.terminal {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        match text {
            Ok(text) => print(&text),
            Err(error) => tracing::error!(%error, "The answer cannot be written as JSON"),
        }
    }

    /// Prints text that is the answer itself (CSV, a reference), with or without `--json`.
    pub fn raw(&self, text: &str) {
        print(text.trim_end_matches('\n'));
    }

    /// Writes a piece of an answer that comes in many.
    ///
    /// # Errors
    /// Nobody reads it any more, or its disk is full.
    pub fn bytes(&self, piece: &[u8]) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        out.write_all(piece)?;
        out.flush()
    }

    /// Prints rows under a header, or `none` when there are none.
    pub fn table(&self, header: &[&str], rows: Vec<Vec<String>>, none: &str) {
        if self.json {
            return;
        }
        if rows.is_empty() {
            return print(none);
        }
        print(&aligned(header, rows, self.terminal));
    }

    /// Prints names and values, one pair a line; empty values are left out.
    pub fn fields(&self, fields: &[(&str, String)]) {
        let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
            self.line(format!("{name:width$}  {}", escaped(value)));
        }
    }

    /// Good news.
    #[must_use]
    pub fn good(&self, text: &str) -> String {
        if self.colour {
            text.green().to_string()
        } else {
            text.to_owned()
        }
    }

    /// Bad news.
    #[must_use]
    pub fn bad(&self, text: &str) -> String {
        if self.colour {
            text.red().to_string()
        } else {
            text.to_owned()
        }
    }

    /// What is less important.
    #[must_use]
    pub fn faint(&self, text: &str) -> String {
        if self.colour {
            text.dimmed().to_string()
        } else {
            text.to_owned()
        }
    }

    /// A title.
    #[must_use]
    pub fn title(&self, text: &str) -> String {
        if self.colour {
            text.bold().to_string()
        } else {
            text.to_owned()
        }
    }

    /// A job's or an account's state.
    #[must_use]
    pub fn state(&self, state: &str) -> String {
        match state {
            "succeeded" | "active" | "up" => self.good(state),
            "failed" | "held" | "conflict" => self.bad(state),
            _ => state.to_owned(),
        }
    }
}

/// A broken pipe is no failure of the work.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Rows under a header, columns aligned; numbers to the right.
fn aligned(header: &[&str], rows: Vec<Vec<String>>, terminal: bool) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    if terminal {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header.iter().map(|name| name.to_uppercase()));
    let columns = header.len();
    let numeric: Vec<bool> = (0..columns)
        .map(|at| {
            rows.iter()
                .all(|row| row.get(at).is_none_or(|cell| is_number(cell)))
        })
        .collect();
    for row in rows {
        table.add_row(row);
    }
    for (column, numeric) in table.column_iter_mut().zip(numeric) {
        column.set_padding((0, 2));
        if numeric {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let text = table.to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}

fn is_number(cell: &str) -> bool {
    cell.is_empty()
        || cell == "-"
        || (cell.chars().any(|letter| letter.is_ascii_digit())
            && cell
                .chars()
                .all(|letter| letter.is_ascii_digit() || ".,+- kMGTiB".contains(letter)))
}

/// A cell: control characters escaped, `-` for nothing.
#[must_use]
pub fn cell(text: Option<impl AsRef<str>>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| escaped(text.as_ref()))
}

/// Bytes in the unit that a person would choose; 1 MiB = 2^20.
#[must_use]
pub fn bytes(count: i64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut scaled = count.max(0);
    let mut rest = 0;
    while scaled >= 1024 && unit + 1 < UNITS.len() {
        rest = scaled % 1024;
        scaled /= 1024;
        unit += 1;
    }
    if unit == 0 {
        format!("{scaled} B")
    } else {
        format!("{scaled}.{} {}", rest * 10 / 1024, UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let rows = vec![
            vec!["web1".to_owned(), "7".to_owned()],
            vec!["a-longer-name".to_owned(), "1200".to_owned()],
        ];
        let text = aligned(&["server", "jobs"], rows, false);
        assert_eq!(
            text,
            "SERVER         JOBS\nweb1              7\na-longer-name  1200"
        );
    }

    #[test]
    fn bytes_read_like_a_person_says_them() {
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1 << 20), "1.0 MiB");
        assert_eq!(bytes(3 * (1 << 30) + (1 << 29)), "3.5 GiB");
    }

    #[test]
    fn a_cell_cannot_break_the_table() {
        assert_eq!(cell(Some("two\nlines")), "two\\nlines");
        assert_eq!(cell(None::<&str>), "-");
    }
}
