//! What several tools need to know of Proxmox VE.

pub mod agent;
pub mod cluster;
pub mod config;
pub mod guests;
pub mod ids;
pub mod nodes;
pub mod power;
pub mod quirks;
pub mod resources;
pub mod smart;
pub mod storages;
pub mod tasks;
