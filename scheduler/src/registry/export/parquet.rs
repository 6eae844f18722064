//! A month as a Parquet file, group by group of rows.

use std::sync::Arc;

use hosting::Limit;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::columns::{COLUMNS, Values};
use crate::registry::usage::UsageRow;

/// Rows of a group, which are held in memory: each group adds a little to the file's end.
const GROUP: usize = 20_000;

/// A file under way.
pub(super) struct Table {
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Vec<Column>,
    rows: usize,
}

/// The values of a group's column, without what is not known, and where those are.
#[derive(Default)]
struct Column {
    texts: Vec<ByteArray>,
    numbers: Vec<i64>,
    known: Vec<i16>,
}

impl Table {
    pub(super) fn new() -> Result<Self> {
        let schema = Arc::new(parse_message_type(&schema())?);
        let properties = WriterProperties::builder().set_created_by("hostler".to_owned());
        Ok(Self {
            writer: SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties.build()))?,
            columns: COLUMNS.iter().map(|_| Column::default()).collect(),
            rows: 0,
        })
    }

    pub(super) fn add(&mut self, rows: &[UsageRow]) -> Result<()> {
        for row in rows {
            for ((_, values), column) in COLUMNS.iter().zip(&mut self.columns) {
                column.add(*values, row);
            }
            self.rows += 1;
            if self.rows == GROUP {
                self.write_group()?;
            }
        }
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<()> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.finish()?;
        Ok(())
    }

    /// What was written since the last time.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.inner_mut())
    }

    fn write_group(&mut self) -> Result<()> {
        let mut group = self.writer.next_row_group()?;
        for ((_, values), column) in COLUMNS.iter().zip(&mut self.columns) {
            let missing = || ParquetError::General("a column too few".to_owned());
            let mut into = group.next_column()?.ok_or_else(missing)?;
            let known = Some(column.known.as_slice());
            match values {
                Values::Text(_) => {
                    let into = into.typed::<ByteArrayType>();
                    into.write_batch(&column.texts, known, None)?;
                }
                Values::Whole(_) | Values::Limit(_) | Values::Time(_) => {
                    let into = into.typed::<Int64Type>();
                    into.write_batch(&column.numbers, known, None)?;
                }
            }
            into.close()?;
            *column = Column::default();
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl Column {
    fn add(&mut self, values: Values, row: &UsageRow) {
        let number = match values {
            Values::Text(value) => {
                let text = value(row).map(|text| ByteArray::from(text.as_ref()));
                self.known.push(text.is_some().into());
                self.texts.extend(text);
                return;
            }
            Values::Whole(value) | Values::Time(value) => value(row),
            // -1 is none, as in our own columns.
            Values::Limit(value) => value(row).map(Limit::as_column),
        };
        self.known.push(number.is_some().into());
        self.numbers.extend(number);
    }
}

fn schema() -> String {
    let columns = COLUMNS.iter().map(|(name, values)| {
        let kind = match values {
            Values::Text(_) => "BYTE_ARRAY",
            Values::Whole(_) | Values::Limit(_) | Values::Time(_) => "INT64",
        };
        let meaning = match values {
            Values::Text(_) => " (STRING)",
            Values::Time(_) => " (TIMESTAMP(MILLIS,true))",
            Values::Whole(_) | Values::Limit(_) => "",
        };
        format!("OPTIONAL {kind} {name}{meaning};")
    });
    format!("message month {{ {} }}", columns.collect::<String>())
}
