//! MCP over HTTP (Streamable HTTP, both protocol eras), for clients on other machines and for teams.
//!
//! | question | file |
//! |---|---|
//! | where is the port opened, and how long may a connection last? | `listener` |
//! | who is let in, and to what? | `front` |
//! | what becomes of a batch? | `batch` |
//! | who are they? | [`tokens`] |
//! | how many requests may somebody make? | `rate` |
//! | what may each token do? | [`team`] |
//! | what can be set? | [`settings`] |

mod batch;
mod front;
mod listener;
mod rate;
pub mod settings;
pub mod team;
mod tls;
pub mod tokens;

pub use front::{Front, Key, Open, Principal};
pub use listener::Listener;
