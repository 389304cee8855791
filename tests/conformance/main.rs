//! What the MCP conformance suite asks for (tools, resources and prompts of its own), served through the very
//! door that `proxmox-mcp serve --http` opens. Only for tests.

mod data;
mod rounds;
mod server;

use std::sync::Arc;

use anyhow::{Context, Result};
use proxmox_mcp_host::cli::Options;
use proxmox_mcp_host::http::settings::{HttpOptions, HttpSettings};
use proxmox_mcp_host::http::{Front, Listener, Principal};
use proxmox_mcp_host::settings::Sources;

#[tokio::main]
async fn main() -> Result<()> {
    let http = std::env::args().nth(1);
    // The suite asks as fast as it can.
    let options = HttpOptions { http, http_rate: Some("1000000".to_owned()), ..HttpOptions::default() };
    let sources = Sources::gather(&Options { no_env_file: true, ..Options::default() })?;
    let settings =
        HttpSettings::gather(&options, &sources)?.context("usage: proxmox-mcp-conformance PORT")?;
    let listener = Listener::bind(&settings).await?;
    let address = listener.address()?;
    let server = server::Server::new()?;
    let principal = Principal { key: None, open: Arc::new(move || server.clone()) };
    let front = Front::new(&settings, address.port(), vec![principal]);
    eprintln!("proxmox-mcp listens on http://{address}/mcp");
    listener.serve(front, std::future::pending()).await;
    Ok(())
}
