//! Everything that puts jobs in: the HTTP API, the clock, the top-up of the doorbell.
