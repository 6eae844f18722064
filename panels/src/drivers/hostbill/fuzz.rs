//! The readers of answers, fed with anything.

use super::envelope::judge;
use super::machines::machine;
use super::shapes::{Choice, Invoice, Product, Route, Row, Service, cents, id};
use crate::PanelError;
use crate::fuzzing::parts;
use crate::http::Reply;

/// Reads an answer as every call does, then each part of it as each of the shapes; how many could be read.
pub(crate) fn fuzz(reply: Reply) -> Result<usize, PanelError> {
    let said = judge(reply)?;
    let whole = serde_json::Value::Object(said.fields);
    let count = parts(&whole)
        .into_iter()
        .map(|part| {
            usize::from(Row::read(part).is_some())
                + usize::from(Service::read(part).is_some())
                + usize::from(Invoice::read(part).is_some())
                + usize::from(Product::read(part).is_some())
                + usize::from(Route::read(part).is_some())
                + usize::from(Choice::read(part).is_some())
                + usize::from(machine(part).is_some())
                + usize::from(cents(part).is_some())
                + usize::from(id(part).is_some())
        })
        .sum();
    Ok(count)
}
