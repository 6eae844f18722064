//! Rules that hold for any input, tried with many. `PROPTEST_CASES` says how many (256 by itself); a
//! failure prints the smallest input that breaks the rule.
//!
//! More of them stand next to what they are about; [`listed`] counts all of the workspace.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

mod clock;
mod config;
mod intake;
mod line;
mod listed;
mod nights;
mod panels;
mod seals;
mod values;
