//! What each token may do: the profile that its line names, together with what the server was started with.
//! All share one way to Proxmox VE, one sandbox, one audit log and the brakes.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use proxmox_gate::Gate;

use super::front::{Front, Key, Open, Principal};
use super::listener::Listener;
use super::settings::HttpSettings;
use super::tokens;
use crate::calls::Tools;
use crate::changes::EVERY;
use crate::cli::Options;
use crate::egress::Egress;
use crate::engine::Engine;
use crate::mcp::Server;
use crate::permissions::Permissions;
use crate::selection::Selection;
use crate::settings::Sources;
use crate::watch::Safeguards;

/// What all tokens share.
pub struct Team {
    /// The server's own flags.
    pub options: Options,
    /// The server's own environment and file.
    pub sources: Sources,
    /// The API token without its secret.
    pub login: String,
    /// The way to Proxmox VE.
    pub egress: Arc<Egress>,
    /// The sandbox.
    pub engine: Engine,
    /// Audit log and brakes.
    pub safeguards: Arc<Safeguards>,
}

impl Team {
    /// Serves MCP over HTTP until `stop`.
    ///
    /// # Errors
    /// Where the port cannot be opened, or a token's permissions cannot be understood.
    pub async fn serve(self, settings: &HttpSettings, stop: impl Future<Output = ()>) -> Result<()> {
        let principals = self.principals(settings.tokens.as_deref()).await?;
        let listener = Listener::bind(settings).await?;
        let address = listener.address()?;
        if settings.is_readable_on_the_way() {
            tracing::warn!(
                "whoever sits between this machine and its clients can read tokens and answers. Set PROXMOX_HTTP_CERT \
                 and PROXMOX_HTTP_KEY, or put a proxy that speaks HTTPS in front and listen for it alone."
            );
        }
        let front = Front::new(settings, address.port(), principals);
        eprintln!("proxmox-mcp listens on {}://{address}/mcp", settings.scheme());
        let reloading = async {
            if let Some(file) = &settings.tokens {
                self.reload_when_asked(file, &front).await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = listener.serve(front.clone(), stop) => {}
            () = reloading => {}
        }
        Ok(())
    }

    /// A server for each token of the file; without a file one for whoever is on this machine.
    async fn principals(&self, file: Option<&Path>) -> Result<Vec<Principal<Server>>> {
        let Some(file) = file else {
            let (_, server) = self.server(None, None).await?;
            return Ok(vec![Principal { key: None, open: sessions(server) }]);
        };
        let mut principals = Vec::new();
        for entry in tokens::load(file)? {
            let (permissions, server) = self
                .server(Some(&entry.name), entry.profile.as_deref())
                .await
                .with_context(|| format!("the token `{}` in {}", entry.name, file.display()))?;
            let profile = permissions.profile().cloned();
            let key = Some(Key { name: entry.name, digest: entry.digest, profile });
            principals.push(Principal { key, open: sessions(server) });
        }
        Ok(principals)
    }

    async fn server(&self, token: Option<&str>, profile: Option<&str>) -> Result<(Permissions, Server)> {
        let mut options = self.options.clone();
        options.profile = profile.map(str::to_owned).or(options.profile);
        let permissions = Permissions::gather(&options, &self.sources)?;
        let selection = Selection::gather(&options, &self.sources, permissions.profile())?;
        let gate = |grants| Gate::new(grants, permissions.walls().clone(), self.login.clone());
        let tools =
            Tools::with_engine(self.engine.clone(), gate(permissions.grants().clone()), self.egress.clone());
        let tools = tools.await?.guarded(self.safeguards.clone()).selecting(selection)?;
        let tools = match permissions.with_asking().map(gate) {
            Some(wide) => tools.asking(wide),
            None => tools,
        };
        self.safeguards.begin(token, &permissions);
        let server = Server::new(Arc::new(tools))?.for_token(token);
        let every = self.options.poll_ms.map_or(EVERY, Duration::from_millis);
        Ok((permissions, server.looking_every(every)))
    }

    /// Reads tokens and profiles again at each SIGHUP. Where that fails, all stays as it was.
    async fn reload_when_asked(&self, file: &Path, front: &Front<Server>) {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut asked) = signal(SignalKind::hangup()) else { return };
            while asked.recv().await.is_some() {
                match self.principals(Some(file)).await {
                    Ok(principals) => {
                        let count = principals.len();
                        front.replace(principals);
                        eprintln!("proxmox-mcp read {} again: {count} tokens", file.display());
                    }
                    Err(error) => eprintln!("proxmox-mcp: {error:#}\nThe tokens stay as they were."),
                }
            }
        }
        #[cfg(not(unix))]
        let _ = (file, front);
    }
}

fn sessions(server: Server) -> Open<Server> {
    Arc::new(move || server.session())
}

/// `proxmox-mcp token new`: prints a new token, this once, and the line for the file, or adds it there.
///
/// # Errors
/// Where the name is none or taken, or the file cannot be written.
pub fn new_token(name: &str, profile: Option<&str>, file: Option<&PathBuf>) -> Result<()> {
    let (token, line) = tokens::make(name, profile)?;
    match file {
        Some(file) => {
            append(file, name, &line)?;
            eprintln!("Added to {}. Give {name} this token; it is shown this once:", file.display());
        }
        None => eprintln!(
            "Add this line to the file of --http-tokens:\n\n{line}\n\nGive {name} this token; it is shown this once:"
        ),
    }
    writeln!(std::io::stdout(), "{token}")?;
    Ok(())
}

fn append(file: &Path, name: &str, line: &str) -> Result<()> {
    let shown = file.display();
    // No token is added to a file that would be refused.
    let new = !file.exists() || std::fs::metadata(file)?.len() == 0;
    if !new && tokens::load(file)?.iter().any(|entry| entry.name == name) {
        anyhow::bail!(
            "{shown} has a token called `{name}` already. Give this one another name, or take that line out first."
        );
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(file).with_context(|| format!("{shown} cannot be written"))?;
    let broken = !new && !std::fs::read_to_string(file)?.ends_with('\n');
    let before = if broken { "\n" } else { "" };
    writeln!(open, "{before}{line}").with_context(|| format!("{shown} cannot be written"))
}
