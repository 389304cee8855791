//! Components that attack the host, compiled for this machine. The tests beside it run them.

/// Grows a table of functions without end.
pub static GREEDY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/greedy.cwasm"));

/// All other attacks.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile.cwasm"));
