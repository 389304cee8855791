//! Flags, environment and `.env` file, put together and checked. Whatever is wrong is one sentence that
//! says what to set.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use proxmox_audit::{AuditLog, Brakes, Options as AuditOptions, Recorder, Redactor};
use tracing::level_filters::LevelFilter;

use crate::cli::Options;
use crate::egress::Endpoint;
use crate::tls::{Fingerprint, Trust};
use crate::watch::Safeguards;

const DEFAULT_PORT: u16 = 8006;
const DEFAULT_USER: &str = "root@pam";
const DEFAULT_TOKEN_NAME: &str = "mcpserver";

/// A setting that is wrong or missing. `Display` is the sentence for the operator.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SettingsError(String);

pub(crate) fn wrong<T>(message: impl Into<String>) -> Result<T, SettingsError> {
    Err(SettingsError(message.into()))
}

/// Where to connect, as whom.
pub struct Connection {
    /// The server.
    pub endpoint: Endpoint,
    /// The API token without its secret: `root@pam!mcp`.
    pub login: String,
}

/// Where settings come from. A flag is looked at first, by whoever asks.
pub struct Sources {
    environment: HashMap<String, String>,
    file: HashMap<String, String>,
    /// The `.env` file that was read.
    pub file_path: Option<PathBuf>,
}

impl Sources {
    /// The environment of this process, and the `.env` file that `options` name or that is nearest.
    ///
    /// # Errors
    /// Where the file cannot be read or understood.
    pub fn gather(options: &Options) -> Result<Self, SettingsError> {
        let environment = std::env::vars().filter(|(name, _)| name.starts_with("PROXMOX_")).collect();
        let file_path = match (&options.env_file, options.no_env_file) {
            (_, true) => None,
            (Some(path), _) => Some(path.clone()),
            (None, _) => std::env::current_dir().ok().and_then(|folder| nearest(&folder)),
        };
        let file = match &file_path {
            Some(path) => read_file(path)?,
            None => HashMap::new(),
        };
        Ok(Self { environment, file, file_path })
    }

    /// The value of a variable; an empty one counts as not set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let set = |map: &'_ HashMap<String, String>| map.contains_key(name);
        let from = if set(&self.environment) { &self.environment } else { &self.file };
        from.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
    }

    /// The value of a flag, or else of a variable.
    pub(crate) fn flag_or<'a>(&'a self, flag: &'a Option<String>, name: &str) -> Option<&'a str> {
        flag.as_deref().map(str::trim).or_else(|| self.get(name))
    }
}

#[cfg(test)]
impl Sources {
    /// These variables alone.
    pub(crate) fn of(variables: &[(&str, &str)]) -> Self {
        let pairs = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Self { environment: pairs.collect(), file: HashMap::new(), file_path: None }
    }
}

fn nearest(folder: &Path) -> Option<PathBuf> {
    folder.ancestors().map(|folder| folder.join(".env")).find(|path| path.is_file())
}

/// Only `PROXMOX_` variables are taken, and none is put into the environment of this process.
fn read_file(path: &Path) -> Result<HashMap<String, String>, SettingsError> {
    let shown = path.display();
    let lines = match dotenvy::from_path_iter(path) {
        Ok(lines) => lines,
        Err(error) => return wrong(format!("The settings file {shown} cannot be read: {error}.")),
    };
    let mut values = HashMap::new();
    for line in lines {
        match line {
            Ok((name, value)) if name.starts_with("PROXMOX_") => drop(values.insert(name, value)),
            Ok(_) => {}
            // Lines of other programs are not our concern. Ours may hold the secret, so only its name is shown.
            Err(dotenvy::Error::LineParse(text, _)) => {
                if let Some(at) = text.find("PROXMOX_") {
                    let rest = text.get(at..).unwrap_or_default();
                    let end =
                        rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
                    let name = rest.get(..end).unwrap_or_default();
                    return wrong(format!(
                        "In the settings file {shown}, the line of {name} cannot be understood. Write NAME=value, with \
                         quotes around a value that has spaces, # or $."
                    ));
                }
            }
            Err(error) => return wrong(format!("The settings file {shown} cannot be read: {error}.")),
        }
    }
    Ok(values)
}

/// Reads `true`, `false` and their like.
pub(crate) fn boolean(name: &str, value: &str) -> Result<bool, SettingsError> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => wrong(format!("{name} is `{value}`; it takes true or false.")),
    }
}

/// What to log; the flag wins.
pub fn log_level(options: &Options, sources: &Sources) -> Result<LevelFilter, SettingsError> {
    let level = sources.flag_or(&options.log, "PROXMOX_LOG").unwrap_or("warn").to_ascii_lowercase();
    match level.as_str() {
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        "off" => Ok(LevelFilter::OFF),
        _ => wrong(format!("PROXMOX_LOG is `{level}`; it takes error, warn, info, debug or off.")),
    }
}

/// The server and the token.
///
/// # Errors
/// Where a setting is missing or wrong.
pub fn connection(options: &Options, sources: &Sources) -> Result<Connection, SettingsError> {
    let Some(host) = sources.flag_or(&options.host, "PROXMOX_HOST") else {
        return wrong(
            "PROXMOX_HOST is not set. Set it to the address of your Proxmox VE server, in the environment or in a \
             .env file, or try the simulated cluster with --demo.",
        );
    };
    let port = sources.flag_or(&options.port, "PROXMOX_PORT");
    let (host, port) = address(host, port)?;
    let trust = trust(options, sources)?;
    let secret = secret(options, sources)?;
    let user = sources.flag_or(&options.user, "PROXMOX_USER").unwrap_or(DEFAULT_USER);
    let name = sources.flag_or(&options.token_name, "PROXMOX_TOKEN_NAME").unwrap_or(DEFAULT_TOKEN_NAME);
    let login = login(user, name)?;
    let endpoint = Endpoint { host, port, trust, authorization: authorization(&login, &secret)? };
    Ok(Connection { endpoint, login })
}

/// The `Authorization` header of an API token.
///
/// # Errors
/// Where the secret has characters that no token has.
pub fn authorization(login: &str, secret: &str) -> Result<HeaderValue, SettingsError> {
    let plausible = !secret.is_empty() && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let value = HeaderValue::from_str(&format!("PVEAPIToken={login}={secret}"));
    match value {
        Ok(mut value) if plausible => {
            value.set_sensitive(true);
            Ok(value)
        }
        _ => wrong(
            "The API token's secret has characters that none has. It looks like \
             1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f, as `pveum user token add` printed it.",
        ),
    }
}

/// The audit log and the brakes. `authorization` is kept out of the log.
///
/// # Errors
/// Where a setting is wrong, or the log cannot be opened.
pub fn safeguards(
    options: &Options,
    sources: &Sources,
    authorization: &HeaderValue,
) -> Result<Safeguards, SettingsError> {
    let per_minute = match sources.flag_or(&options.changes_per_minute, "PROXMOX_CHANGES_PER_MINUTE") {
        None => None,
        Some(text) => match text.parse::<NonZeroU32>() {
            Ok(number) => Some(number),
            Err(_) => {
                return wrong(format!(
                    "PROXMOX_CHANGES_PER_MINUTE is `{text}`; it takes a number from 1 on. To stop all changes, use \
                     PROXMOX_STOP_FILE."
                ));
            }
        },
    };
    let stop_file = sources.flag_or(&options.stop_file, "PROXMOX_STOP_FILE").map(PathBuf::from);
    let recorder = match sources.flag_or(&options.audit_log, "PROXMOX_AUDIT_LOG") {
        None => Recorder::off(),
        Some(file) => {
            let secret = authorization.to_str().ok().and_then(|text| text.rsplit_once('='));
            let redactor = Redactor::new(secret.map(|(_, secret)| secret.to_owned()));
            let log =
                AuditLog::open_with(Path::new(file), AuditOptions { redactor, ..AuditOptions::default() });
            Recorder::new(
                log.map_err(|error| SettingsError(format!("PROXMOX_AUDIT_LOG is `{file}`: {error}.")))?,
            )
        }
    };
    let stop = match sources.get("PROXMOX_STOP_CANCELLED_TASKS") {
        _ if options.stop_cancelled_tasks => true,
        Some(text) => boolean("PROXMOX_STOP_CANCELLED_TASKS", text)?,
        None => false,
    };
    Ok(Safeguards::new(recorder, Brakes::new(per_minute, stop_file)).stopping_cancelled_tasks(stop))
}

/// Host and port from `PROXMOX_HOST` and `PROXMOX_PORT`.
fn address(host: &str, port: Option<&str>) -> Result<(String, u16), SettingsError> {
    if host.starts_with("http://") {
        return wrong(format!(
            "PROXMOX_HOST is `{host}`, but Proxmox VE speaks https only. Write https:// or no scheme."
        ));
    }
    let bare = host.strip_prefix("https://").unwrap_or(host).trim_end_matches('/');
    let (name, inner) = match bare.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((name, "")) => (name, None),
            Some((name, rest)) => (name, rest.strip_prefix(':')),
            None => return wrong(format!("PROXMOX_HOST is `{host}`: the closing bracket is missing.")),
        },
        // More than one colon is a bare IPv6 address.
        None if bare.matches(':').count() == 1 => {
            bare.split_once(':').map_or((bare, None), |(n, p)| (n, Some(p)))
        }
        None => (bare, None),
    };
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if !is_address && !is_name {
        return wrong(format!(
            "PROXMOX_HOST is `{host}`; it takes a host name or an address, such as pve.example.com or 192.168.1.100."
        ));
    }
    let number = |name: &str, text: &str| match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        _ => wrong(format!("{name} names the port `{text}`; it takes a number from 1 to 65535.")),
    };
    let port = match (inner, port) {
        (Some(inner), Some(port)) if inner != port => {
            return wrong(format!(
                "PROXMOX_HOST says port {inner} and PROXMOX_PORT says {port}; leave one of them out."
            ));
        }
        (Some(inner), _) => number("PROXMOX_HOST", inner)?,
        (None, Some(port)) => number("PROXMOX_PORT", port)?,
        (None, None) => DEFAULT_PORT,
    };
    Ok((name.to_owned(), port))
}

fn trust(options: &Options, sources: &Sources) -> Result<Trust, SettingsError> {
    let verify = match sources.flag_or(&options.verify_tls, "PROXMOX_VERIFY_TLS") {
        Some(value) => boolean("PROXMOX_VERIFY_TLS", value)?,
        None => true,
    };
    let fingerprint = sources.flag_or(&options.fingerprint, "PROXMOX_FINGERPRINT");
    let ca_file = sources.flag_or(&options.ca_file, "PROXMOX_CA_FILE");
    match (fingerprint, ca_file) {
        (Some(_), Some(_)) => {
            wrong("PROXMOX_FINGERPRINT and PROXMOX_CA_FILE are both set; leave one of them out.")
        }
        (Some(_), _) | (_, Some(_)) if !verify => wrong(
            "PROXMOX_VERIFY_TLS is false, but PROXMOX_FINGERPRINT or PROXMOX_CA_FILE is set. Remove PROXMOX_VERIFY_TLS: \
             with a fingerprint or a CA file the certificate is verified.",
        ),
        (Some(text), None) => match Fingerprint::parse(text) {
            Some(fingerprint) => Ok(Trust::Fingerprint(fingerprint)),
            None => wrong(format!(
                "PROXMOX_FINGERPRINT is `{text}`; it takes the SHA-256 fingerprint of the server's certificate, \
                 32 pairs of hexadecimal digits with colons."
            )),
        },
        (None, Some(path)) if Path::new(path).is_file() => Ok(Trust::CaFile(path.into())),
        (None, Some(path)) => wrong(format!("PROXMOX_CA_FILE is `{path}`, but there is no such file.")),
        (None, None) if verify => Ok(Trust::System),
        (None, None) => Ok(Trust::DangerAnything),
    }
}

/// `root@pam!mcp` from user and token name; the name may be given whole.
fn login(user: &str, name: &str) -> Result<String, SettingsError> {
    let (user, name) = name.split_once('!').unwrap_or((user, name));
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"!=:/".contains(&b));
    match user.split_once('@') {
        Some((id, realm)) if word(id) && word(realm) => {}
        _ => {
            return wrong(format!(
                "PROXMOX_USER is `{user}`; it takes a user with its realm, such as root@pam."
            ));
        }
    }
    if !word(name) {
        return wrong(format!(
            "PROXMOX_TOKEN_NAME is `{name}`; it takes the name of an API token, such as mcp."
        ));
    }
    Ok(format!("{user}!{name}"))
}

fn secret(options: &Options, sources: &Sources) -> Result<String, SettingsError> {
    if sources.file.contains_key("PROXMOX_TOKEN_COMMAND")
        && !sources.environment.contains_key("PROXMOX_TOKEN_COMMAND")
    {
        return wrong(
            "PROXMOX_TOKEN_COMMAND stands in a .env file. A command is taken from the environment or from \
             --token-command only, so that a file in some folder cannot run one.",
        );
    }
    let flagged = options.token_file.is_some() || options.token_command.is_some();
    let value = sources.get("PROXMOX_TOKEN_VALUE").filter(|_| !flagged);
    let file = sources
        .flag_or(&options.token_file, "PROXMOX_TOKEN_FILE")
        .filter(|_| options.token_command.is_none());
    let command = sources.flag_or(&options.token_command, "PROXMOX_TOKEN_COMMAND");
    let text = match (value, file, command) {
        (Some(value), _, _) => value.to_owned(),
        (None, Some(file), _) => {
            warn_of_readers(Path::new(file));
            std::fs::read_to_string(file).map_err(|error| {
                SettingsError(format!("PROXMOX_TOKEN_FILE is `{file}`, which cannot be read: {error}."))
            })?
        }
        (None, None, Some(command)) => run(command)?,
        (None, None, None) => {
            return wrong(
                "PROXMOX_TOKEN_VALUE is not set. Set it to the secret of the API token (or set PROXMOX_TOKEN_FILE or \
                 PROXMOX_TOKEN_COMMAND), in the environment or in a .env file.",
            );
        }
    };
    let text = text.trim();
    // What `pveum` and the web page show is sometimes pasted whole: root@pam!mcp=SECRET.
    Ok(text.rsplit_once('=').map_or(text, |(_, secret)| secret).to_owned())
}

fn run(command: &str) -> Result<String, SettingsError> {
    let output =
        std::process::Command::new("sh").args(["-c", command]).stdin(std::process::Stdio::null()).output();
    match output {
        Ok(output) if output.status.success() => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Ok(output) => wrong(format!(
            "PROXMOX_TOKEN_COMMAND failed ({}): {}",
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )),
        Err(error) => wrong(format!("PROXMOX_TOKEN_COMMAND could not be run: {error}.")),
    }
}

#[cfg(unix)]
fn warn_of_readers(path: &Path) {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    // What systemd hands to a service belongs to root, and its group bits stand for that service alone.
    let seen = |meta: std::fs::Metadata| match meta.gid() {
        0 => meta.permissions().mode() & 0o007,
        _ => meta.permissions().mode() & 0o077,
    };
    if std::fs::metadata(path).is_ok_and(|meta| seen(meta) != 0) {
        tracing::warn!(path = %path.display(), "other users of this machine can read the token file; run chmod 600 on it");
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_path: &Path) {}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
