//! The simulated cluster behind `--demo`: in this process, over real TLS, with a certificate that is
//! verified like any other.

use std::time::Duration;

use anyhow::{Context, Result};
use proxmox_sim::{Options as SimOptions, Sim};

use crate::cli::Options;
use crate::egress::Endpoint;
use crate::settings::{Connection, authorization};
use crate::tls::Trust;

/// Starts the simulated cluster. It runs until the returned [`Sim`] is dropped.
///
/// # Errors
/// Where it cannot listen on the loopback address.
pub fn start(options: &Options) -> Result<(Sim, Connection)> {
    let defaults = SimOptions::default();
    let sim = Sim::start(SimOptions {
        nodes: options.demo_nodes.map_or(defaults.nodes, |n| n as usize),
        guests: options.demo_guests.map_or(defaults.guests, |n| n as usize),
        latency: options.demo_latency_ms.map_or(defaults.latency, |ms| Duration::from_millis(ms.into())),
        ..defaults
    })
    .context("the simulated cluster does not start")?;
    let token = sim.token();
    let login = format!("{}!{}", token.user, token.name);
    let endpoint = Endpoint {
        host: sim.addr().ip().to_string(),
        port: sim.addr().port(),
        trust: Trust::CaPem(sim.ca_pem().to_owned()),
        authorization: authorization(&login, &token.secret)?,
    };
    Ok((sim, Connection { endpoint, login }))
}
