//! The real binary over stdio, against the simulated Proxmox VE over real TLS.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the unexpected fails by panicking"
)]

mod approvals;
mod batches;
mod boundary;
mod cancellation;
mod cases;
mod completion;
mod component;
mod demo;
mod grants;
mod harness;
mod house;
mod http;
mod input;
mod listing;
mod original;
mod oversight;
mod prompts;
mod protocol;
mod release;
mod resources;
mod secrets;
mod settings;
mod shell;
mod strictness;
mod subscriptions;
mod tasks;
