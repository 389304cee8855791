//! The host of the Proxmox VE tools: it runs them in a sandbox, holds the API token, decides which of
//! their requests may go out, and speaks MCP.
//!
//! | question | file |
//! |---|---|
//! | where is a request allowed or refused? | the crate `proxmox-gate` (`host/gate`), called in [`boundary`] |
//! | where does HTTP leave the process? | [`egress`] |
//! | what comes back, and what of it does the component not get to see? | `received`, [`secrets`] |
//! | what can the component reach, and how much of it? | [`engine`] |
//! | how does a call run from start to end? | [`calls`] |
//! | in which threads? | [`crew`] |
//! | when is a person asked, and what? | [`approvals`] |
//! | who is in which pool? | [`pools`] |
//! | what is written down, and what stops changes? | [`watch`] |
//! | what is told to a collector? | [`telemetry`] |
//! | where is MCP spoken? | [`mcp`], over HTTP [`http`] |
//! | how is a change of the cluster noticed? | [`changes`] |
//! | where do settings come from? | [`settings`], [`cli`] |
//! | which tools are listed? | [`catalogue`], [`selection`], [`reach`] |
//! | what is permitted, and where was that said? | [`permissions`], [`profiles`] |

pub mod approvals;
pub mod boundary;
pub mod calls;
pub mod catalogue;
pub mod changes;
pub mod cli;
pub mod clock;
mod code_config;
pub mod commands;
pub mod crew;
pub mod demo;
mod echo;
pub mod egress;
pub mod engine;
pub mod http;
mod lookup;
pub mod mcp;
pub mod permissions;
pub mod pools;
pub mod profiles;
pub mod reach;
mod received;
#[cfg(test)]
mod reference;
pub mod secrets;
pub mod selection;
pub mod settings;
pub mod telemetry;
pub mod tls;
pub mod watch;
