//! The contract between who puts jobs in and who takes them out: kinds, lifecycle, store, queue.
