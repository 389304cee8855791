//! The command line. Each setting is a flag and a variable; `settings.rs` puts them together.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use crate::http::settings::HttpOptions;

/// Every variable and what it means, for the help, the manual and the reference.
pub const VARIABLES: &[(&str, &str)] = &[
    ("PROXMOX_HOST", "address of the server, with or without https:// and port"),
    ("PROXMOX_PORT", "its port (8006)"),
    ("PROXMOX_USER", "owner of the API token (root@pam)"),
    ("PROXMOX_TOKEN_NAME", "name of the API token (mcpserver)"),
    ("PROXMOX_TOKEN_VALUE", "its secret"),
    ("PROXMOX_TOKEN_FILE", "a file that holds the secret"),
    ("PROXMOX_TOKEN_COMMAND", "a command that prints the secret (not taken from a .env file)"),
    ("PROXMOX_ALLOW_ELEVATED", "true: every privilege that the token has"),
    ("PROXMOX_BASIC", "false: only what is granted can be read"),
    ("PROXMOX_GRANTS", "what else is allowed, such as `VM.PowerMgmt@/vms/101, Sys.Audit@/`"),
    ("PROXMOX_ASK", "what is allowed after a person said yes to the very call"),
    ("PROXMOX_PROFILE", "a named set of permissions from the profiles file"),
    ("PROXMOX_PROFILES_FILE", "the file that holds profiles (~/.config/proxmox-mcp/profiles.toml)"),
    ("PROXMOX_NODE_ALLOWLIST", "nodes that may be touched at all, such as `pve1,pve2`"),
    ("PROXMOX_VMID_ALLOWLIST", "guests that may be touched at all, such as `100,200-299`"),
    ("PROXMOX_TOOLSETS", "toolsets to offer, such as `overview,guests`, or `all`"),
    ("PROXMOX_TOOLS", "tools to offer beside those toolsets"),
    ("PROXMOX_EXCLUDE_TOOLS", "tools to turn off"),
    ("PROXMOX_READ_ONLY", "true: every tool that changes something is off"),
    ("PROXMOX_CA_FILE", "PEM file of the authorities that may sign the server's certificate"),
    ("PROXMOX_FINGERPRINT", "SHA-256 fingerprint of the server's certificate"),
    ("PROXMOX_VERIFY_TLS", "false: take any certificate; whoever sits in between can then read the token"),
    ("PROXMOX_AUDIT_LOG", "file that each call, and each request behind it, is written to"),
    ("PROXMOX_CHANGES_PER_MINUTE", "changes that are let through in a minute"),
    ("PROXMOX_STOP_FILE", "while this file exists, nothing is changed"),
    ("PROXMOX_STOP_CANCELLED_TASKS", "true: a call that is given up stops its task in Proxmox VE, too"),
    ("PROXMOX_HTTP", "for `serve`: where to speak MCP over HTTP, such as `8080` (this machine alone)"),
    ("PROXMOX_HTTP_TOKENS", "file that says who may come in over HTTP"),
    ("PROXMOX_HTTP_CERT", "PEM file of this server's certificate, for HTTPS"),
    ("PROXMOX_HTTP_KEY", "PEM file of its key"),
    ("PROXMOX_HTTP_HOSTS", "what clients call this server"),
    ("PROXMOX_HTTP_ORIGINS", "web pages that may call it"),
    ("PROXMOX_HTTP_RATE", "requests of one token in a minute (600)"),
    ("PROXMOX_HTTP_CONNECTIONS", "connections at one time (256)"),
    ("PROXMOX_LOG", "what to log on standard error: error, warn, info, debug"),
];

const ORDER: &str = "Every setting can also stand in the environment, or in a `.env` file in this folder or one above it. \
A flag wins over the environment, the environment over the file.";

/// What a shell gets when this program ends.
pub const EXIT_CODES: &str = "0 done, 1 the call failed, 2 wrong usage or settings.";

fn after_help() -> String {
    let variable = |(name, meaning): &(&str, &str)| format!("  {name:<22}  {meaning}\n");
    let variables: String = VARIABLES.iter().map(variable).collect();
    format!("{ORDER}\n\n{variables}\nExit codes: {EXIT_CODES}")
}

/// An MCP server for Proxmox VE. Without a command it speaks MCP on standard input and output.
#[derive(Debug, Parser)]
#[command(name = "proxmox-mcp", version, after_help = after_help(), max_term_width = 110)]
pub struct Cli {
    /// Where to connect and what to allow.
    #[command(flatten)]
    pub options: Options,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Speaks MCP on standard input and output (what happens without a command, too), or over HTTP
    Serve(Box<HttpOptions>),
    /// Makes tokens for those who come in over HTTP
    Token {
        /// What to do
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Calls one tool and prints its answer
    Call {
        /// Name of the tool, such as proxmox_get_nodes
        tool: String,
        /// Arguments as key=value. A value that is JSON is taken as such, anything else as text
        #[arg(value_name = "KEY=VALUE")]
        arguments: Vec<String>,
        /// Print the data as JSON
        #[arg(long)]
        json: bool,
    },
    /// Lists the tools, what each needs, and whether it is granted
    Tools {
        /// Print the list as JSON
        #[arg(long)]
        json: bool,
    },
    /// Looks after the audit log
    Audit {
        /// What to do with it
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Prints what a shell needs to complete this program's commands and flags
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Prints the manual page, or writes one for each command
    Man {
        /// Write all pages into this folder
        #[arg(long, value_name = "FOLDER")]
        folder: Option<PathBuf>,
    },
    /// Shows what is granted, where that was said, and which tools it opens
    Grants {
        /// Print it as JSON
        #[arg(long, global = true)]
        json: bool,
        /// What else to do
        #[command(subcommand)]
        command: Option<GrantsCommand>,
    },
}

/// What to do about tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Prints a new token, this once, and the line for the file of --http-tokens, which knows it by its digest
    New {
        /// Whose token it is; the name stands in the audit log
        name: String,
        /// Add the line to this file
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

/// What else to do about grants.
#[derive(Debug, Subcommand)]
pub enum GrantsCommand {
    /// Shows each request that a call would make, what decides it, and what would open it. Nothing is changed
    Explain {
        /// Name of the tool, such as proxmox_start_vm
        tool: String,
        /// Arguments as key=value
        #[arg(value_name = "KEY=VALUE")]
        arguments: Vec<String>,
    },
}

/// What to do with an audit log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Says whether a log is as it was written: no line changed, removed, inserted or moved
    Verify {
        /// The log
        file: PathBuf,
        /// The end of the log as it was noted before, such as 7:<hash>: also finds lines cut off at the end
        #[arg(long, value_name = "SEQ:HASH")]
        expect: Option<String>,
    },
}

/// Settings that every command takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Connection")]
pub struct Options {
    /// Address of the Proxmox VE server, with or without https:// and port
    #[arg(long, global = true, value_name = "HOST")]
    pub host: Option<String>,
    /// Port of the server [default: 8006]
    #[arg(long, global = true)]
    pub port: Option<String>,
    /// Owner of the API token [default: root@pam]
    #[arg(long, global = true, value_name = "USER@REALM")]
    pub user: Option<String>,
    /// Name of the API token [default: mcpserver]
    #[arg(long, global = true, value_name = "NAME")]
    pub token_name: Option<String>,
    /// File that holds the token's secret. (The secret itself has no flag: flags show in the process list)
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<String>,
    /// Shell command that prints the token's secret
    #[arg(long, global = true, value_name = "COMMAND")]
    pub token_command: Option<String>,
    /// PEM file of the authorities that may sign the server's certificate
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<String>,
    /// SHA-256 fingerprint of the server's certificate
    #[arg(long, global = true, value_name = "AB:CD:...")]
    pub fingerprint: Option<String>,
    /// Whether to verify the server's certificate [default: true]
    #[arg(long, global = true, value_name = "BOOL")]
    pub verify_tls: Option<String>,
    /// Read settings from this file instead of the nearest .env
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Read no .env file
    #[arg(long, global = true, conflicts_with = "env_file")]
    pub no_env_file: bool,
    /// What to log on standard error: error, warn, info or debug [default: warn]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log: Option<String>,

    /// Allow a privilege or role on an ACL path; may be given again and again
    #[arg(long, global = true, value_name = "PRIVILEGE@PATH", help_heading = "Permissions")]
    pub grant: Vec<String>,
    /// Allow this, too, but ask a person before each call; may be given again and again
    #[arg(long, global = true, value_name = "PRIVILEGE@PATH", help_heading = "Permissions")]
    pub ask: Vec<String>,
    /// Allow everything that the API token may do
    #[arg(long, global = true, help_heading = "Permissions")]
    pub allow_elevated: bool,
    /// Allow nothing but what is granted, reading included
    #[arg(long, global = true, help_heading = "Permissions")]
    pub no_basic: bool,
    /// Take grants and allow-lists from this profile, too
    #[arg(long, global = true, value_name = "NAME", help_heading = "Permissions")]
    pub profile: Option<String>,
    /// File that holds the profiles [default: ~/.config/proxmox-mcp/profiles.toml]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Permissions")]
    pub profiles_file: Option<PathBuf>,
    /// Nodes that may be touched at all
    #[arg(long, global = true, value_name = "NODES", help_heading = "Permissions")]
    pub node_allowlist: Option<String>,
    /// Guests that may be touched at all
    #[arg(long, global = true, value_name = "VMIDS", help_heading = "Permissions")]
    pub vmid_allowlist: Option<String>,

    /// Toolsets to offer, such as `overview,guests`, or `all` [default: all but planning, admin and by-name]
    #[arg(long, global = true, value_name = "NAMES", help_heading = "Tools")]
    pub toolsets: Option<String>,
    /// Tools to offer, beside --toolsets if that is given, else alone
    #[arg(long, global = true, value_name = "NAMES", help_heading = "Tools")]
    pub tools: Option<String>,
    /// Tools to turn off
    #[arg(long, global = true, value_name = "NAMES", help_heading = "Tools")]
    pub exclude_tools: Option<String>,
    /// Turn off every tool that changes something
    #[arg(long, global = true, help_heading = "Tools")]
    pub read_only: bool,

    /// Write each call, and each request behind it, to this file; where that fails, nothing is changed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Oversight")]
    pub audit_log: Option<String>,
    /// Changes that are let through in a minute
    #[arg(long, global = true, value_name = "N", help_heading = "Oversight")]
    pub changes_per_minute: Option<String>,
    /// While this file exists, nothing is changed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Oversight")]
    pub stop_file: Option<String>,
    /// When a call is given up, stop the task that it began in Proxmox VE (as far as that is granted)
    #[arg(long, global = true, help_heading = "Oversight")]
    pub stop_cancelled_tasks: bool,

    /// The time that tools find, as Unix time in seconds; for answers that come out the same on every day
    #[arg(long, global = true, value_name = "SECONDS", hide = true)]
    pub clock: Option<u64>,
    /// How often to look for changes that clients subscribed to, in milliseconds; for tests
    #[arg(long, global = true, value_name = "MS", hide = true)]
    pub poll_ms: Option<u64>,

    /// Use a simulated cluster; nothing to configure
    #[arg(long, global = true, help_heading = "Demo")]
    pub demo: bool,
    /// Nodes of the simulated cluster [default: 3]
    #[arg(long, global = true, value_name = "N", requires = "demo", help_heading = "Demo", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub demo_nodes: Option<u32>,
    /// Guests of the simulated cluster [default: 12]
    #[arg(long, global = true, value_name = "M", requires = "demo", help_heading = "Demo", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub demo_guests: Option<u32>,
    /// Time that the simulated cluster takes for each answer, in milliseconds [default: 0]
    #[arg(long, global = true, value_name = "T", requires = "demo", help_heading = "Demo", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    pub demo_latency_ms: Option<u32>,
}
