//! The Froxlor driver against exchanges recorded from Froxlor 2.3.4, over a real HTTPS socket.
//!
//! `src/drivers/froxlor/fixtures/NNN-name.txt` hold them: the command and its parameters, the status line,
//! and the body as it came (records reduced to the fields that matter, secrets replaced).

mod accounts;
mod changes;
mod create;
mod envelope;
mod packages;
mod replay;
#[path = "../support/mod.rs"]
mod support;
mod usage;
