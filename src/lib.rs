//! The tools of a Model Context Protocol server for Proxmox VE, as a WASI component.
//!
//! The component turns a call's arguments into requests to the Proxmox VE API and the answers into
//! text and data. Under our host it holds no authority: no token, no address, no permission checks. The
//! host does that, at the one way out, `wasi:http/outgoing-handler`.
//!
//! A short tour, from the outside in:
//!
//! - `guest` and `http` touch the WebAssembly side: the exports, and the way out.
//! - [`catalogue`] finds the tool of a call and runs it, or goes on with one that waits.
//! - [`tool`] says what a tool is: a value that declares its parameters, the shape of its answer
//!   ([`shape`]) and the API methods that it calls.
//! - [`cx`] makes those calls, and no others; [`error`] words what goes wrong, [`missing`] what an
//!   answer lacks.
//! - [`rest`] is the API by path, for the tools that reach all of it;
//! - [`pve`] holds what several tools need to know of Proxmox VE; [`text`], [`foreign`], [`dates`] and [`data`]
//!   how things are written.
//! - [`health`] holds the checks that find what is wrong; each is a function of what was fetched.
//! - [`door`] is the component without our host, and [`server`] the MCP that it speaks there.
//! - [`tools`] are the tools, one file each. Adding a tool is adding a file.
//! - [`resources`] names what can be read by URI and [`prompts`] what a person can ask for; both are made of calls of
//!   tools, and so are the candidates of [`completion`].
//!
//! Everything but the first point also compiles natively, where the unit tests run.

pub mod catalogue;
pub mod change;
pub mod completion;
pub mod cx;
pub mod data;
pub mod dates;
pub mod door;
pub mod error;
pub mod foreign;
#[cfg(target_family = "wasm")]
mod guest;
pub mod health;
#[cfg(target_family = "wasm")]
mod http;
pub mod listing;
pub mod missing;
pub mod nearest;
pub mod prompts;
pub mod pve;
#[cfg(test)]
mod reference;
pub mod resources;
pub mod rest;
mod secret;
pub mod server;
pub mod shape;
pub mod show;
pub mod table;
pub mod terraform;
#[cfg(test)]
mod testing;
pub mod text;
pub mod tool;
pub mod view;

/// The tools: one module each, named as the tool is.
pub mod tools {
    include!(concat!(env!("OUT_DIR"), "/tools.rs"));
}
