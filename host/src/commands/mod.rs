//! What the command line does besides serving MCP.

pub mod audit;
pub mod call;
pub mod explain;
pub mod grants;
pub mod shell;
pub mod tools;
