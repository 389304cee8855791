//! MCP over HTTP.

mod access;
pub(crate) mod client;
mod eras;
mod limits;
mod team;
mod telemetry;
