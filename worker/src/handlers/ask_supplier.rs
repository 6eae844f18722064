//! Reading something of our account with a supplier.

use async_trait::async_trait;
use panels::Question;

use super::{Handler, Observed};
use crate::attempt::{Attempt, Done, Halt};

/// Rows that a result holds at most: a job's row is no archive.
const MOST_ROWS: usize = 1000;

pub(super) struct AskSupplier<'a> {
    pub(super) question: &'a str,
}

#[async_trait]
impl Handler for AskSupplier<'_> {
    type Todo = ();

    async fn observe(&self, _: &Attempt<'_>) -> Result<Observed<()>, Halt> {
        Ok(Observed::ToDo(()))
    }

    async fn act(&self, attempt: &Attempt<'_>, (): ()) -> Result<Done, Halt> {
        let mut known = Question::ALL.into_iter();
        let Some(question) = known.find(|one| one.name() == self.question) else {
            return Err(Halt::refuse("unsupported", "this cannot be asked"));
        };
        let mut answer = attempt.panel()?.ask_supplier(question).await?;
        let rows = answer.as_array().map(Vec::len);
        if let Some(rows) = answer.as_array_mut() {
            rows.truncate(MOST_ROWS);
        }
        Ok(Done::changed().with(serde_json::json!({
            "question": question.name(),
            "answer": answer,
            "rows": rows,
        })))
    }
}
