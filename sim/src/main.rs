//! Runs the simulated Proxmox VE in the foreground.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use proxmox_sim::{Options, Release, Sim, WorldKind};

/// A simulated Proxmox VE cluster behind a real TLS server.
#[derive(Debug, Parser)]
#[command(name = "proxmox-sim", version)]
struct Arguments {
    /// Number of nodes.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=200))]
    nodes: u16,
    /// Number of guests.
    #[arg(long, default_value_t = 12)]
    guests: u32,
    /// Milliseconds added to each answer.
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
    /// Port on the loopback address; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Seconds that starting a guest takes.
    #[arg(long, default_value_t = 2.0)]
    task_seconds: f64,
    /// The cluster of the recorded exchanges instead of the demo.
    #[arg(long)]
    recorded: bool,
    /// The release of Proxmox VE: 8.4 or 9.2.
    #[arg(long, default_value = "9.2")]
    release: Release,
    /// Freezes clock-dependent figures.
    #[arg(long)]
    frozen: bool,
    /// Where the CA certificate goes; a file in the directory for temporary files by default.
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

fn main() -> ExitCode {
    match serve(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to be done where even this cannot be written.
            let _ = writeln!(std::io::stderr(), "proxmox-sim: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    if !arguments.task_seconds.is_finite() || arguments.task_seconds < 0.0 {
        return Err("--task-seconds must be a number that is not negative".into());
    }
    let sim = Sim::start(Options {
        nodes: arguments.nodes.into(),
        guests: usize::try_from(arguments.guests)?,
        latency: Duration::from_millis(arguments.latency_ms),
        port: arguments.port,
        task_seconds: arguments.task_seconds,
        frozen: arguments.frozen,
        release: arguments.release,
        world: if arguments.recorded { WorldKind::Recorded } else { WorldKind::Demo },
        ..Options::default()
    })?;
    let file = arguments
        .ca_file
        .unwrap_or_else(|| std::env::temp_dir().join(format!("proxmox-sim-{}.pem", sim.addr().port())));
    std::fs::write(&file, sim.ca_pem()).map_err(|e| format!("cannot write {}: {e}", file.display()))?;
    let token = sim.token();
    let mut out = std::io::stdout();
    writeln!(out, "PROXMOX_HOST={}", sim.addr().ip())?;
    writeln!(out, "PROXMOX_PORT={}", sim.addr().port())?;
    writeln!(out, "PROXMOX_USER={}", token.user)?;
    writeln!(out, "PROXMOX_TOKEN_NAME={}", token.name)?;
    writeln!(out, "PROXMOX_TOKEN_VALUE={}", token.secret)?;
    writeln!(out, "PROXMOX_FINGERPRINT={}", sim.fingerprint())?;
    writeln!(out, "# PROXMOX_CA_FILE={} does in place of the fingerprint", file.display())?;
    out.flush()?;
    loop {
        std::thread::park();
    }
}
