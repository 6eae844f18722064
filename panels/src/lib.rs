//! The panels' drivers: our verbs into their calls.
