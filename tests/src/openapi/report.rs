//! What schemathesis found, by operation.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// What came of a run.
#[derive(Debug)]
pub struct Report {
    /// What was asked of each operation.
    pub rows: BTreeMap<String, Row>,
    /// Whether every check passed.
    pub passed: bool,
    /// All that schemathesis said.
    pub said: String,
}

/// The answers of one operation.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Requests.
    pub cases: usize,
    /// Answers of 200 to 299.
    pub good: usize,
    /// Answers of 400 to 499.
    pub refused: usize,
    /// Answers of 500 and more, and none at all.
    pub broken: usize,
}

impl Report {
    /// From the events that schemathesis wrote, a JSON document a line.
    pub(super) fn of(
        operations: &[String],
        events: &str,
        passed: bool,
        said: String,
    ) -> Result<Self, String> {
        let mut rows: BTreeMap<String, Row> = operations
            .iter()
            .map(|operation| (operation.clone(), Row::default()))
            .collect();
        for line in events.lines() {
            let event: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
            let recorder = &event["ScenarioFinished"]["recorder"];
            for (id, case) in recorder["cases"].as_object().into_iter().flatten() {
                let text = |name: &str| case["value"][name].as_str().unwrap_or_default().to_owned();
                let operation = format!("{} {}", text("method"), text("path"));
                // Methods that the path does not take are tried too.
                if let Some(row) = rows.get_mut(&operation) {
                    row.add(&recorder["interactions"][id]["response"]["status_code"]);
                }
            }
        }
        Ok(Self { rows, passed, said })
    }

    /// Operations that never did what they are for.
    #[must_use]
    pub fn never_good(&self) -> Vec<&str> {
        let rows = self.rows.iter().filter(|(_, row)| row.good == 0);
        rows.map(|(operation, _)| operation.as_str()).collect()
    }

    /// Whether every check passed, nothing broke, and every operation did what it is for.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.passed
            && !self.rows.is_empty()
            && self.never_good().is_empty()
            && self.rows.values().all(|row| row.broken == 0)
    }
}

impl Row {
    fn add(&mut self, status: &Value) {
        self.cases += 1;
        match status.as_u64() {
            Some(200..=299) => self.good += 1,
            Some(100..=499) => self.refused += 1,
            Some(_) | None => self.broken += 1,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:45} cases   2xx   4xx   5xx", "operation")?;
        let mut all = Row::default();
        for (operation, row) in &self.rows {
            let Row {
                cases,
                good,
                refused,
                broken,
            } = row;
            writeln!(
                f,
                "{operation:45} {cases:5} {good:5} {refused:5} {broken:5}"
            )?;
            all.cases += cases;
            all.good += good;
            all.refused += refused;
            all.broken += broken;
        }
        let Row {
            cases,
            good,
            refused,
            broken,
        } = all;
        write!(
            f,
            "{:45} {cases:5} {good:5} {refused:5} {broken:5}",
            self.rows.len()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(method: &str, status: u16) -> String {
        serde_json::json!({"ScenarioFinished": {"recorder": {
            "cases": {"a": {"value": {"method": method, "path": "/v1/jobs"}}},
            "interactions": {"a": {"response": {"status_code": status}}},
        }}})
        .to_string()
    }

    #[test]
    fn an_operation_that_never_succeeds_or_breaks_once_is_noticed() {
        let operations = ["GET /v1/jobs".to_owned()];
        let of = |lines: &[String]| {
            Report::of(&operations, &lines.join("\n"), true, String::new()).unwrap()
        };
        assert!(of(&[event("GET", 200), event("GET", 422)]).is_good());
        assert!(!of(&[event("GET", 404), event("TRACE", 200)]).is_good());
        assert!(!of(&[event("GET", 200), event("GET", 503)]).is_good());
        assert_eq!(of(&[]).never_good(), ["GET /v1/jobs"]);
    }
}
