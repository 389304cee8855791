//! `proxmox-mcp`: an MCP server for Proxmox VE whose tools run in a sandbox.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use proxmox_gate::Gate;
use proxmox_mcp_host::calls::Tools;
use proxmox_mcp_host::changes::EVERY;
use proxmox_mcp_host::cli::{AuditCommand, Cli, Command, GrantsCommand, TokenCommand};
use proxmox_mcp_host::clock::Clock;
use proxmox_mcp_host::crew::Crew;
use proxmox_mcp_host::egress::Egress;
use proxmox_mcp_host::engine::Engine;
use proxmox_mcp_host::http::settings::HttpSettings;
use proxmox_mcp_host::http::team::{self, Team};
use proxmox_mcp_host::mcp::{self, Server};
use proxmox_mcp_host::permissions::Permissions;
use proxmox_mcp_host::selection::Selection;
use proxmox_mcp_host::settings::{self, Sources};
use proxmox_mcp_host::telemetry::Telemetry;
use proxmox_mcp_host::tls::Trust;
use proxmox_mcp_host::watch::Safeguards;
use proxmox_mcp_host::{commands, demo};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A call makes and drops thousands of small things, and many calls do so on several threads. Huge pages would make
/// an idle server twice as large.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WRONG_SETTINGS: u8 = 2;
/// How long what still runs may take to be dropped, once the server ends.
const CALLS_DROPPED_WITHIN: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match &cli.command {
        // Needs no server, and no settings of one.
        Some(Command::Audit { command: AuditCommand::Verify { file, expect } }) => {
            commands::audit::run(file, expect.as_deref())
        }
        Some(Command::Completions { shell }) => Ok(commands::shell::completions(*shell)),
        Some(Command::Man { folder }) => commands::shell::man(folder.as_deref()),
        Some(Command::Token { command: TokenCommand::New { name, file } }) => {
            team::new_token(name, cli.options.profile.as_deref(), file.as_ref()).map(|()| ExitCode::SUCCESS)
        }
        _ => prepare(&cli).and_then(|prepared| run(cli, prepared)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("proxmox-mcp: {error:#}");
            ExitCode::from(WRONG_SETTINGS)
        }
    }
}

/// Everything that can be wrong with the settings is found out here.
struct Prepared {
    permissions: Permissions,
    selection: Selection,
    gate: Gate,
    /// The same with what may be asked for.
    wide: Option<Gate>,
    egress: Arc<Egress>,
    login: String,
    sources: Sources,
    http: Option<HttpSettings>,
    safeguards: Arc<Safeguards>,
    /// The simulated cluster, which lives as long as this does.
    _sim: Option<proxmox_sim::Sim>,
}

fn prepare(cli: &Cli) -> Result<Prepared> {
    let options = &cli.options;
    let sources = Sources::gather(options)?;
    start_log(settings::log_level(options, &sources)?);
    if let Some(path) = &sources.file_path {
        tracing::info!(path = %path.display(), "settings file");
    }
    let http = match &cli.command {
        Some(Command::Serve(http)) => HttpSettings::gather(http, &sources)?,
        _ => None,
    };
    let permissions = Permissions::gather(options, &sources)?;
    let (sim, connection) = match options.demo {
        true => demo::start(options).map(|(sim, connection)| (Some(sim), connection))?,
        false => (None, settings::connection(options, &sources)?),
    };
    if connection.endpoint.trust == Trust::DangerAnything {
        tracing::warn!(
            "the server's certificate is not verified: whoever sits between this machine and {} can read the API \
             token. Set PROXMOX_FINGERPRINT or PROXMOX_CA_FILE instead of PROXMOX_VERIFY_TLS=false.",
            connection.endpoint.authority()
        );
    }
    let safeguards = settings::safeguards(options, &sources, &connection.endpoint.authorization)?;
    // Over HTTP each token begins with its own.
    if http.is_none() {
        safeguards.begin(None, &permissions);
    }
    safeguards.note_head("the audit log begins");
    let gate = |grants| Gate::new(grants, permissions.walls().clone(), connection.login.clone());
    let (wide, gate) = (permissions.with_asking().map(gate), gate(permissions.grants().clone()));
    Ok(Prepared {
        selection: Selection::gather(options, &sources, permissions.profile())?,
        permissions,
        login: connection.login,
        sources,
        http,
        gate,
        wide,
        egress: Egress::new(connection.endpoint),
        safeguards: Arc::new(safeguards),
        _sim: sim,
    })
}

fn run(cli: Cli, prepared: Prepared) -> Result<ExitCode> {
    let workers = workers(prepared.http.is_some());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let clock = cli.options.clock.map(Clock::set_to);
    let crew = Arc::new(Crew::default());
    let code = runtime.block_on(async {
        if let Some(telemetry) = Telemetry::start()? {
            prepared.safeguards.tell(telemetry);
        }
        if let Some(http) = prepared.http {
            let team = Team {
                engine: Engine::load()?.at(clock),
                options: cli.options,
                sources: prepared.sources,
                login: prepared.login,
                egress: prepared.egress,
                safeguards: prepared.safeguards.clone(),
            };
            return team.serve(&http, asked_to_stop()).await.map(|()| ExitCode::SUCCESS);
        }
        let engine = Engine::load()?.at(clock).with_crew(crew.clone());
        let tools = Tools::with_engine(engine, prepared.gate, prepared.egress).await?;
        let tools = tools.guarded(prepared.safeguards.clone()).selecting(prepared.selection)?;
        let tools = Arc::new(match prepared.wide {
            Some(wide) => tools.asking(wide),
            None => tools,
        });
        match cli.command.unwrap_or_else(|| Command::Serve(Box::default())) {
            Command::Serve(_) => {
                if std::io::stdin().is_terminal() {
                    eprintln!(
                        "proxmox-mcp waits for an MCP client on standard input. To try it by hand: proxmox-mcp call proxmox_get_nodes"
                    );
                }
                let every = cli.options.poll_ms.map_or(EVERY, Duration::from_millis);
                let server = Server::new(tools)?.looking_every(every);
                tokio::select! {
                    served = mcp::serve(server) => served.map(|()| ExitCode::SUCCESS),
                    () = asked_to_stop() => Ok(ExitCode::SUCCESS),
                }
            }
            Command::Call { tool, arguments, json } => commands::call::run(&tools, &tool, &arguments, json).await,
            Command::Tools { json } => commands::tools::run(&tools, json),
            // Done before anything was prepared.
            Command::Audit { .. } | Command::Token { .. } | Command::Completions { .. } | Command::Man { .. } => {
                Ok(ExitCode::SUCCESS)
            }
            Command::Grants { json, command: None } => {
                commands::grants::run(&tools, &prepared.permissions, json)
            }
            Command::Grants { json, command: Some(GrantsCommand::Explain { tool, arguments }) } => {
                commands::explain::run(&tools, &prepared.permissions, &tool, &arguments, json).await
            }
        }
    });
    runtime.block_on(prepared.safeguards.end_telling());
    // A call that is cut off here is written down as it is dropped.
    crew.end(CALLS_DROPPED_WITHIN);
    runtime.shutdown_timeout(CALLS_DROPPED_WITHIN);
    prepared.safeguards.note_head("the audit log ends");
    code
}

/// One client mostly asks one thing after the other, and a second thread would be woken for each to find nothing to
/// do. A team keeps several busy.
fn workers(team: bool) -> usize {
    match team {
        true => std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4),
        false => 1,
    }
}

/// Logs go to standard error; standard output belongs to the protocol.
fn start_log(level: LevelFilter) {
    let ours = ["proxmox_mcp", "proxmox_mcp_host"].map(|target| (target, level));
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::INFO))
        .with_targets(ours)
        // rmcp warns of each request that a client got wrong, and the client is told anyway.
        .with_target("rmcp", level.min(LevelFilter::ERROR))
        // A client that closes its stream is no error.
        .with_target("rmcp::service", LevelFilter::OFF);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .without_time();
    tracing_subscriber::registry().with(lines).with(filter).init();
}

#[cfg(unix)]
async fn asked_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

#[cfg(not(unix))]
async fn asked_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending().await
    }
}
