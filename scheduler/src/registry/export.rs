//! A month written down piece by piece, so that the memory it takes does not grow with its rows.

use std::io::Write;

use hosting::Month;

use super::lines::AccountMonth;
use super::usage::UsageRow;
use crate::times::{rfc3339, whole_mb};

/// How a month is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A header line, then a line for each account. What a spreadsheet would take for a formula begins with
    /// an apostrophe.
    Csv,
    /// A JSON object for each line.
    NdJson,
    /// One JSON array.
    JsonList,
    /// A JSON object: `{"month": "2026-11", "items": [...]}`.
    JsonMonth,
}

/// Why a piece could not be written: never in practice, it is written to memory.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// As CSV.
    #[error(transparent)]
    Csv(#[from] csv::Error),
    /// As JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// Into the buffer.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

const HEADER: [&str; 18] = [
    "month",
    "server",
    "username",
    "domain",
    "reference",
    "account_id",
    "traffic_bytes",
    "traffic_mb",
    "traffic_limit_mb",
    "overage_bytes",
    "overage_mb",
    "disk_mb",
    "resets",
    "flag",
    "late_bytes",
    "closed_at",
    "as_of",
    "disk_as_of",
];

/// An export under way: what comes first, then rows in any number of pieces, then what comes last. Without
/// its end a JSON document is broken, so that one cut short does not look complete.
#[derive(Debug)]
pub struct Export {
    layout: Layout,
    month: Month,
    first: bool,
}

impl Export {
    /// Before anything is written.
    #[must_use]
    pub fn new(layout: Layout, month: Month) -> Self {
        Self {
            layout,
            month,
            first: true,
        }
    }

    /// Which month.
    #[must_use]
    pub fn month(&self) -> Month {
        self.month
    }

    /// What comes first.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn begin(&self) -> Result<Vec<u8>, ExportError> {
        Ok(match self.layout {
            Layout::Csv => csv_line(&HEADER.map(str::to_owned))?,
            Layout::NdJson => Vec::new(),
            Layout::JsonList => b"[".to_vec(),
            Layout::JsonMonth => format!("{{\"month\":\"{}\",\"items\":[", self.month).into_bytes(),
        })
    }

    /// Some rows.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn rows(&mut self, rows: &[UsageRow]) -> Result<Vec<u8>, ExportError> {
        let mut piece = Vec::new();
        for row in rows {
            match self.layout {
                Layout::Csv => piece.extend(csv_line(&fields(row))?),
                Layout::NdJson => {
                    serde_json::to_writer(&mut piece, &AccountMonth::from(row))?;
                    piece.push(b'\n');
                }
                Layout::JsonList | Layout::JsonMonth => {
                    let between: &[u8] = if self.first { b"\n" } else { b",\n" };
                    piece.write_all(between)?;
                    serde_json::to_writer(&mut piece, &AccountMonth::from(row))?;
                }
            }
            self.first = false;
        }
        Ok(piece)
    }

    /// What comes last.
    #[must_use]
    pub fn end(&self) -> &'static [u8] {
        match self.layout {
            Layout::Csv | Layout::NdJson => b"",
            Layout::JsonList => b"]\n",
            Layout::JsonMonth => b"]}\n",
        }
    }
}

fn csv_line(fields: &[String]) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn fields(row: &UsageRow) -> [String; 18] {
    let usage = row.usage.as_ref();
    let number = |value: Option<i64>| value.map(|n| n.to_string()).unwrap_or_default();
    let time = |value: Option<i64>| value.map(rfc3339).unwrap_or_default();
    let mb = |bytes: Option<i64>| bytes.map(|n| whole_mb(n).to_string()).unwrap_or_default();
    let overage = row.overage_bytes();
    let limit = row.traffic_limit.map(|limit| limit.to_string());
    [
        row.month.to_string(),
        plain(&row.server),
        plain(&row.account.username),
        plain(row.account.domain.as_deref().unwrap_or_default()),
        plain(row.account.reference.as_deref().unwrap_or_default()),
        row.account.public_id.clone(),
        number(row.used_bytes()),
        mb(row.used_bytes()),
        limit.unwrap_or_default(),
        number(overage),
        mb(overage),
        mb(row.disk_bytes),
        usage.map(|u| u.resets.to_string()).unwrap_or_default(),
        usage.and_then(|u| u.flag.clone()).unwrap_or_default(),
        number(usage.map(|u| u.late_bytes)),
        time(usage.and_then(|u| u.closed_at)),
        time(usage.map(|u| u.as_of)),
        time(row.disk_as_of),
    ]
}

/// OWASP's rule for CSV: what begins like a formula is made text.
fn plain(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formula_becomes_text() {
        for (text, safe) in [
            ("=1+1", "'=1+1"),
            ("+49", "'+49"),
            ("-x", "'-x"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("whmcs:42", "whmcs:42"),
        ] {
            assert_eq!(plain(text), safe);
        }
    }

    #[test]
    fn an_export_without_its_end_is_no_json() {
        let month: Month = "2026-11".parse().unwrap();
        for layout in [Layout::JsonList, Layout::JsonMonth] {
            let mut export = Export::new(layout, month);
            let mut text = export.begin().unwrap();
            text.extend(export.rows(&[]).unwrap());
            assert!(serde_json::from_slice::<serde_json::Value>(&text).is_err());
            text.extend(export.end());
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let list = value.get("items").unwrap_or(&value);
            assert_eq!(list.as_array().map(Vec::len), Some(0));
        }
    }
}
