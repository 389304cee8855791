//! A component that attacks the host, compiled for this machine. The tests beside it run it.

/// The compiled component.
pub static COMPONENT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/hostile.cwasm"));
