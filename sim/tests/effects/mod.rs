//! What a change leaves behind, as the cluster tells it afterwards.

mod access;
mod cluster;
mod firewall;
mod guests;
mod nodes;
mod release;
mod storage;
