//! The drop-in modules of `integrations/`, installed and run in their real runtimes against a real `hostler serve`
//! with a pretend panel. The programs beside this file hold only what a platform gives to a module and does with its
//! answers; whether something was done is asked of the panel.

// The layout of what a test awaits is nested deeper than the compiler looks by itself.
#![recursion_limit = "256"]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test fails by panicking"
)]

mod billmanager;
mod blesta;
mod fossbilling;
mod full_length;
mod platform;
mod scene;
mod whmcs;
mod wisecp;
