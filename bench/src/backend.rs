//! The simulated Proxmox VE, in a process of its own: its computing time is nobody else's.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use proxmox_sim::{Counts, Options, Sim};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use crate::plan::Cluster;

/// How to reach it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) token_name: String,
    pub(crate) token: String,
    pub(crate) fingerprint: String,
    pub(crate) ca_pem: String,
}

/// Serves a cluster until standard input ends, and tells the counts for each line of it.
pub(crate) fn serve(nodes: u16, guests: u32, latency_ms: u64) -> Result<()> {
    let cluster = Cluster { nodes, guests, latency_ms };
    let sim = Sim::start(Options {
        nodes: nodes.into(),
        guests: usize::try_from(guests)?,
        latency: cluster.latency(),
        frozen: true,
        ..Options::default()
    })?;
    let token = sim.token();
    let address = Address {
        host: sim.addr().ip().to_string(),
        port: sim.addr().port(),
        user: token.user,
        token_name: token.name,
        token: token.secret,
        fingerprint: sim.fingerprint(),
        ca_pem: sim.ca_pem().to_owned(),
    };
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(&address)?)?;
    for line in std::io::stdin().lock().lines() {
        line?;
        // What arrived is counted; keeping it as well would fill the memory.
        sim.clear_requests();
        let Counts { connections, requests, bytes } = sim.traffic();
        writeln!(output, "{connections} {requests} {bytes}")?;
        output.flush()?;
    }
    Ok(())
}

/// The simulator as the benchmark sees it.
pub(crate) struct Backend {
    child: Child,
    output: BufReader<ChildStdout>,
    pub(crate) address: Address,
    /// The certificate that signed the server's, in a file.
    ca_file: NamedTempFile,
}

impl Backend {
    /// Starts one.
    pub(crate) fn start(cluster: Cluster) -> Result<Backend> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("simulate")
            .args([cluster.nodes.to_string(), cluster.guests.to_string(), cluster.latency_ms.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("the simulator has no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        let address: Address = serde_json::from_str(&line).context("the simulator did not start")?;
        let mut ca_file = NamedTempFile::new()?;
        ca_file.write_all(address.ca_pem.as_bytes())?;
        Ok(Backend { child, output, address, ca_file })
    }

    /// What went over the wire so far.
    pub(crate) fn counts(&mut self) -> Result<Counts> {
        let input = self.child.stdin.as_mut().context("the simulator has no input")?;
        writeln!(input)?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let counts: Vec<u64> = line.split_whitespace().filter_map(|count| count.parse().ok()).collect();
        let [connections, requests, bytes] = counts.as_slice() else { bail!("the simulator is gone") };
        Ok(Counts { connections: *connections, requests: *requests, bytes: *bytes })
    }

    /// The words that an adapter may use, with what they stand for.
    pub(crate) fn words(&self) -> Result<Vec<(&'static str, String)>> {
        let Address { host, port, user, token_name, token, fingerprint, .. } = self.address.clone();
        let ca_file = self.ca_file.path().to_str().context("the temporary folder has an odd name")?;
        Ok(vec![
            ("{host}", host),
            ("{port}", port.to_string()),
            ("{user}", user),
            ("{token_name}", token_name),
            ("{token}", token),
            ("{fingerprint}", fingerprint),
            ("{ca_file}", ca_file.to_owned()),
            ("{node}", crate::plan::NODE.to_owned()),
            ("{vmid}", crate::plan::VMID.to_string()),
        ])
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // The end of its input ends it.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}
