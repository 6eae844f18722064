//! The schema, one change a file, each with a way down.
