//! The hostler command.
