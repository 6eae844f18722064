//! A month written down piece by piece, so that the memory it takes does not grow with its rows.

mod columns;
mod parquet;

use hosting::Month;

use self::columns::{COLUMNS, Values};
use self::parquet::Table;
use super::lines::AccountMonth;
use super::usage::UsageRow;
use crate::times::rfc3339;

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
    /// A Parquet file with the columns of CSV: numbers are numbers, times are times, and -1 MB is no limit.
    Parquet,
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
    /// As Parquet.
    #[error(transparent)]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Into the buffer.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// An export under way: what comes first, then rows in any number of pieces, then what comes last. Without
/// its end a document is broken, so that one cut short does not look complete; lines of CSV and NDJSON do.
pub struct Export {
    month: Month,
    form: Form,
}

enum Form {
    Csv,
    NdJson,
    Json {
        begin: String,
        end: &'static str,
        first: bool,
    },
    Parquet(Box<Table>),
}

impl Export {
    /// Before anything is written.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn new(layout: Layout, month: Month) -> Result<Self, ExportError> {
        let json = |begin: String, end| Form::Json {
            begin,
            end,
            first: true,
        };
        let form = match layout {
            Layout::Csv => Form::Csv,
            Layout::NdJson => Form::NdJson,
            Layout::JsonList => json("[".to_owned(), "]\n"),
            Layout::JsonMonth => json(format!("{{\"month\":\"{month}\",\"items\":["), "]}\n"),
            Layout::Parquet => Form::Parquet(Box::new(Table::new()?)),
        };
        Ok(Self { month, form })
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
        Ok(match &self.form {
            Form::Csv => csv_line(COLUMNS.map(|(name, _)| name.to_owned()))?,
            Form::NdJson | Form::Parquet(_) => Vec::new(),
            Form::Json { begin, .. } => begin.as_bytes().to_vec(),
        })
    }

    /// Some rows; what is returned may be of earlier ones.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn rows(&mut self, rows: &[UsageRow]) -> Result<Vec<u8>, ExportError> {
        let mut piece = Vec::new();
        match &mut self.form {
            Form::Csv => {
                for row in rows {
                    piece.extend(csv_line(COLUMNS.map(|(_, values)| field(values, row)))?);
                }
            }
            Form::NdJson => {
                for row in rows {
                    serde_json::to_writer(&mut piece, &AccountMonth::from(row))?;
                    piece.push(b'\n');
                }
            }
            Form::Json { first, .. } => {
                for row in rows {
                    let between: &[u8] = if *first { b"\n" } else { b",\n" };
                    piece.extend(between);
                    serde_json::to_writer(&mut piece, &AccountMonth::from(row))?;
                    *first = false;
                }
            }
            Form::Parquet(table) => {
                table.add(rows)?;
                piece = table.take();
            }
        }
        Ok(piece)
    }

    /// What comes last.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn end(&mut self) -> Result<Vec<u8>, ExportError> {
        Ok(match &mut self.form {
            Form::Csv | Form::NdJson => Vec::new(),
            Form::Json { end, .. } => end.as_bytes().to_vec(),
            Form::Parquet(table) => {
                table.end()?;
                table.take()
            }
        })
    }
}

fn csv_line(fields: [String; COLUMNS.len()]) -> Result<Vec<u8>, ExportError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(fields)?;
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}

fn field(values: Values, row: &UsageRow) -> String {
    let text = match values {
        Values::Text(value) => value(row).map(|text| plain(&text)),
        Values::Whole(value) => value(row).map(|number| number.to_string()),
        Values::Limit(value) => value(row).map(|limit| limit.to_string()),
        Values::Time(value) => value(row).map(rfc3339),
    };
    text.unwrap_or_default()
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
            let mut export = Export::new(layout, month).unwrap();
            let mut text = export.begin().unwrap();
            text.extend(export.rows(&[]).unwrap());
            assert!(serde_json::from_slice::<serde_json::Value>(&text).is_err());
            text.extend(export.end().unwrap());
            let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
            let list = value.get("items").unwrap_or(&value);
            assert_eq!(list.as_array().map(Vec::len), Some(0));
        }
    }
}
