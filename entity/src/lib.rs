//! SeaORM entities, one file a table; no query, no rule.
