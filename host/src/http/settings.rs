//! The settings of the HTTP door, and what may not be set together.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Args;

use crate::settings::{SettingsError, Sources, wrong};

/// Requests that one token may make in a minute, unless the operator says otherwise.
const DEFAULT_RATE: NonZeroU32 = NonZeroU32::new(600).unwrap();
/// Connections at one time, unless the operator says otherwise.
const DEFAULT_CONNECTIONS: NonZeroU32 = NonZeroU32::new(256).unwrap();
/// What a machine calls itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Flags of `serve` about HTTP.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "HTTP")]
pub struct HttpOptions {
    /// Speak MCP over HTTP here: a port, on 127.0.0.1 alone, or address:port. Path: /mcp
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// File of those who may come in, a line each; `proxmox-mcp token new` writes them
    #[arg(long, value_name = "FILE")]
    pub http_tokens: Option<String>,
    /// PEM file of the server's certificate, for HTTPS
    #[arg(long, value_name = "FILE")]
    pub http_cert: Option<String>,
    /// PEM file of the certificate's private key
    #[arg(long, value_name = "FILE")]
    pub http_key: Option<String>,
    /// Further names that clients may call this server by, such as `mcp.example.com`
    #[arg(long, value_name = "NAMES")]
    pub http_hosts: Option<String>,
    /// Web pages that may call this server, such as `https://app.example.com` [default: none]
    #[arg(long, value_name = "ORIGINS")]
    pub http_origins: Option<String>,
    /// Requests that one token may make in a minute, and without tokens one address [default: 600]
    #[arg(long, value_name = "N")]
    pub http_rate: Option<String>,
    /// Connections at one time [default: 256]
    #[arg(long, value_name = "N")]
    pub http_connections: Option<String>,
}

/// How to serve over HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpSettings {
    /// Where to listen.
    pub address: SocketAddr,
    /// Who may come in; anybody on this machine without it.
    pub tokens: Option<PathBuf>,
    /// Certificate and private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What clients may call this server in `Host`.
    pub hosts: Vec<String>,
    /// What may stand in `Origin`, beside the server itself on this machine.
    pub origins: Vec<String>,
    /// Requests in a minute.
    pub rate: NonZeroU32,
    /// Connections at one time.
    pub connections: NonZeroU32,
}

impl HttpSettings {
    /// Reads flags and variables; `None` where MCP is to be spoken on standard input and output.
    ///
    /// # Errors
    /// Where one cannot be understood, or where they would let in whoever comes along.
    pub fn gather(options: &HttpOptions, sources: &Sources) -> Result<Option<Self>, SettingsError> {
        let get = |flag, name| sources.flag_or(flag, name);
        let Some(address) = get(&options.http, "PROXMOX_HTTP") else {
            return match options.first_flag() {
                Some(flag) => {
                    wrong(format!("{flag} is about HTTP, which is off. Add --http 8080, or leave it out."))
                }
                None => Ok(None),
            };
        };
        let address = parse_address(address)?;
        let tokens = get(&options.http_tokens, "PROXMOX_HTTP_TOKENS").map(PathBuf::from);
        let named = get(&options.http_hosts, "PROXMOX_HTTP_HOSTS");
        check_exposure(address, tokens.is_some(), named.is_some())?;
        let tls = match (
            get(&options.http_cert, "PROXMOX_HTTP_CERT"),
            get(&options.http_key, "PROXMOX_HTTP_KEY"),
        ) {
            (Some(certificate), Some(key)) => Some((certificate.into(), key.into())),
            (None, None) => None,
            (Some(_), None) => {
                return wrong("PROXMOX_HTTP_CERT is set without PROXMOX_HTTP_KEY; set both or none.");
            }
            (None, Some(_)) => {
                return wrong("PROXMOX_HTTP_KEY is set without PROXMOX_HTTP_CERT; set both or none.");
            }
        };
        let origins = list(get(&options.http_origins, "PROXMOX_HTTP_ORIGINS"));
        check_origins(&origins)?;
        Ok(Some(Self {
            address,
            tokens,
            tls,
            hosts: hosts(address.ip(), list(named)),
            origins,
            rate: count(get(&options.http_rate, "PROXMOX_HTTP_RATE"), "PROXMOX_HTTP_RATE", DEFAULT_RATE)?,
            connections: count(
                get(&options.http_connections, "PROXMOX_HTTP_CONNECTIONS"),
                "PROXMOX_HTTP_CONNECTIONS",
                DEFAULT_CONNECTIONS,
            )?,
        }))
    }

    /// `http` or `https`.
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }

    /// Whether tokens and answers cross a network in the clear.
    pub fn is_readable_on_the_way(&self) -> bool {
        self.tls.is_none() && !is_loopback(self.address.ip())
    }

    /// What may stand in `Origin`: on this machine the server itself at this port, and what the operator named.
    pub(crate) fn allowed_origins(&self, port: u16) -> Vec<String> {
        let scheme = self.scheme();
        let own = is_loopback(self.address.ip())
            .then(|| ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{scheme}://{host}:{port}")));
        own.into_iter().flatten().chain(self.origins.iter().cloned()).collect()
    }
}

impl HttpOptions {
    /// A flag other than `--http` that was given.
    fn first_flag(&self) -> Option<&'static str> {
        let flags = [
            (&self.http_tokens, "--http-tokens"),
            (&self.http_cert, "--http-cert"),
            (&self.http_key, "--http-key"),
            (&self.http_hosts, "--http-hosts"),
            (&self.http_origins, "--http-origins"),
            (&self.http_rate, "--http-rate"),
            (&self.http_connections, "--http-connections"),
        ];
        flags.iter().find(|(value, _)| value.is_some()).map(|(_, name)| *name)
    }
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

fn parse_address(text: &str) -> Result<SocketAddr, SettingsError> {
    let port = text.strip_prefix(':').or_else(|| text.strip_prefix("localhost:")).unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Ok(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port));
    }
    text.parse().or_else(|_| {
        wrong(format!(
            "PROXMOX_HTTP is `{text}`; it takes a port, such as 8080 (on this machine alone), or an address of this \
             machine with a port, such as 192.168.1.5:8080 or [::1]:8080."
        ))
    })
}

/// Nobody listens to the network without knowing who is there, and under which name.
fn check_exposure(address: SocketAddr, has_tokens: bool, has_hosts: bool) -> Result<(), SettingsError> {
    if is_loopback(address.ip()) {
        return Ok(());
    }
    if !has_tokens {
        return wrong(format!(
            "PROXMOX_HTTP is `{address}`, which other machines can reach, and anybody there could use this server. \
             Make a token with `proxmox-mcp token new NAME --file FILE` and start with `--http-tokens FILE`, or \
             listen on this machine alone with `--http {}`.",
            address.port()
        ));
    }
    if address.ip().is_unspecified() && !has_hosts {
        return wrong(format!(
            "PROXMOX_HTTP is `{address}`, which stands for every address of this machine. Say with --http-hosts what \
             clients call it, such as `--http-hosts mcp.example.com,192.168.1.5`."
        ));
    }
    Ok(())
}

fn hosts(ip: IpAddr, mut named: Vec<String>) -> Vec<String> {
    if is_loopback(ip) || ip.is_unspecified() {
        named.extend(LOOPBACK.map(str::to_owned));
    }
    if !ip.is_unspecified() && !is_loopback(ip) {
        named.push(ip.to_string());
    }
    named
}

fn check_origins(origins: &[String]) -> Result<(), SettingsError> {
    let whole = |origin: &&String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_none_or(|host| host.is_empty() || host.contains(['/', '?', '#', '*', '@']))
    };
    match origins.iter().find(whole) {
        Some(origin) => wrong(format!(
            "PROXMOX_HTTP_ORIGINS has `{origin}`; it takes origins such as https://app.example.com, with a scheme and \
             without a path."
        )),
        None => Ok(()),
    }
}

fn list(text: Option<&str>) -> Vec<String> {
    let words = text.unwrap_or_default().split(|c: char| c == ',' || c.is_whitespace());
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn count(text: Option<&str>, name: &str, default: NonZeroU32) -> Result<NonZeroU32, SettingsError> {
    let Some(text) = text else { return Ok(default) };
    match text.parse::<NonZeroU32>() {
        Ok(number) if number.get() <= 1_000_000 => Ok(number),
        _ => wrong(format!("{name} is `{text}`; it takes a number from 1 to 1000000.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(variables: &[(&str, &str)]) -> Result<Option<HttpSettings>, String> {
        let gathered = HttpSettings::gather(&HttpOptions::default(), &Sources::of(variables));
        gathered.map_err(|error| error.to_string())
    }

    fn with(variables: &[(&str, &str)]) -> HttpSettings {
        gather(variables).unwrap().unwrap()
    }

    #[test]
    fn a_port_alone_is_on_this_machine() {
        for text in ["8080", ":8080", "localhost:8080", "127.0.0.1:8080"] {
            assert_eq!(with(&[("PROXMOX_HTTP", text)]).address.to_string(), "127.0.0.1:8080", "{text}");
        }
        assert_eq!(with(&[("PROXMOX_HTTP", "[::1]:8080")]).address.to_string(), "[::1]:8080");
        assert_eq!(gather(&[]), Ok(None));
        for text in ["proxmox.example.com:80", "8080x", "99999", "::1:8080", "http://127.0.0.1:80"] {
            assert!(gather(&[("PROXMOX_HTTP", text)]).unwrap_err().contains("it takes a port"), "{text}");
        }
    }

    #[test]
    fn nobody_listens_to_the_network_without_tokens() {
        for address in ["0.0.0.0:80", "[::]:80", "192.168.1.5:80", "[::ffff:192.168.1.5]:80", "[fe80::1]:80"]
        {
            let refused = gather(&[("PROXMOX_HTTP", address), ("PROXMOX_HTTP_HOSTS", "mcp")]).unwrap_err();
            assert!(refused.contains("--http-tokens FILE") && refused.contains("--http 80"), "{refused}");
        }
        let tokens = ("PROXMOX_HTTP_TOKENS", "tokens");
        assert_eq!(with(&[("PROXMOX_HTTP", "192.168.1.5:80"), tokens]).hosts, ["192.168.1.5"]);
        let refused = gather(&[("PROXMOX_HTTP", "0.0.0.0:80"), tokens]).unwrap_err();
        assert!(refused.contains("--http-hosts"), "{refused}");
        let all = with(&[("PROXMOX_HTTP", "0.0.0.0:80"), tokens, ("PROXMOX_HTTP_HOSTS", "mcp, 10.0.0.1")]);
        assert_eq!(all.hosts, ["mcp", "10.0.0.1", "localhost", "127.0.0.1", "::1"]);
        assert!(all.is_readable_on_the_way() && all.allowed_origins(80).is_empty());
    }

    #[test]
    fn what_belongs_together_comes_together() {
        let http = ("PROXMOX_HTTP", "80");
        let refused = gather(&[http, ("PROXMOX_HTTP_CERT", "a")]).unwrap_err();
        assert!(refused.contains("PROXMOX_HTTP_KEY"), "{refused}");
        let refused = gather(&[http, ("PROXMOX_HTTP_KEY", "a")]).unwrap_err();
        assert!(refused.contains("PROXMOX_HTTP_CERT"), "{refused}");
        let both = with(&[http, ("PROXMOX_HTTP_KEY", "k"), ("PROXMOX_HTTP_CERT", "c")]);
        assert_eq!(both.tls, Some(("c".into(), "k".into())));
        assert_eq!(both.allowed_origins(9)[0], "https://localhost:9");
        let options = HttpOptions { http_tokens: Some("tokens".to_owned()), ..HttpOptions::default() };
        let refused = HttpSettings::gather(&options, &Sources::of(&[])).unwrap_err().to_string();
        assert!(refused.contains("--http-tokens") && refused.contains("--http 8080"), "{refused}");
    }

    #[test]
    fn limits_and_origins_are_checked() {
        let http = ("PROXMOX_HTTP", "80");
        for (name, text) in [("PROXMOX_HTTP_RATE", "0"), ("PROXMOX_HTTP_CONNECTIONS", "many")] {
            assert!(gather(&[http, (name, text)]).unwrap_err().starts_with(name));
        }
        for origin in ["app.example.com", "https://", "https://*", "https://a/b", "null", "ftp://a"] {
            let refused = gather(&[http, ("PROXMOX_HTTP_ORIGINS", origin)]).unwrap_err();
            assert!(refused.contains("PROXMOX_HTTP_ORIGINS"), "{origin}: {refused}");
        }
        let all = with(&[http, ("PROXMOX_HTTP_ORIGINS", "https://a.example https://b.example:444")]);
        assert_eq!(all.origins, ["https://a.example", "https://b.example:444"]);
        assert_eq!(all.rate.get(), 600);
    }
}
