//! What the environment says, where the component has to know: the server, the API token, what is granted.
//!
//! What a setting promises and only our host can keep is refused, not passed over.

use std::net::IpAddr;

use proxmox_gate::{Gate, Grants, Walls};

use super::selection::Selection;

const DEFAULT_PORT: u16 = 8006;
const DEFAULT_USER: &str = "root@pam";
const DEFAULT_TOKEN_NAME: &str = "mcpserver";

/// Settings that only our host can honour, and what to do instead.
const OF_THE_HOST: &[(&str, &str)] = &[
    ("PROXMOX_FINGERPRINT", "the runtime verifies certificates, in its own way"),
    ("PROXMOX_CA_FILE", "the runtime verifies certificates, in its own way"),
    ("PROXMOX_TOKEN_FILE", "the component has no files; set PROXMOX_TOKEN_VALUE"),
    ("PROXMOX_TOKEN_COMMAND", "the component runs no programs; set PROXMOX_TOKEN_VALUE"),
    ("PROXMOX_PROFILE", "the component has no files; set PROXMOX_GRANTS"),
    ("PROXMOX_ASK", "the component asks nobody"),
    ("PROXMOX_AUDIT_LOG", "the component has no files"),
    ("PROXMOX_CHANGES_PER_MINUTE", "the component counts no changes"),
    ("PROXMOX_STOP_FILE", "the component has no files"),
];

/// Where requests go, with what token, and what is permitted.
#[derive(Debug)]
pub struct Settings {
    /// Whether the server is spoken to over TLS.
    pub tls: bool,
    /// Host and port.
    pub authority: String,
    /// The header `Authorization`.
    pub authorization: String,
    /// What may be done.
    pub rights: Rights,
}

/// What may be done.
pub struct Rights {
    /// What is granted.
    pub gate: Gate,
    /// Which tools there are.
    pub selection: Selection,
    /// The API token's secret, so that it can be taken out of answers.
    secret: String,
}

impl std::fmt::Debug for Rights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rights").field("selection", &self.selection).finish_non_exhaustive()
    }
}

impl Rights {
    /// These rights. `secret`: the API token's.
    pub fn new(gate: Gate, selection: Selection, secret: String) -> Self {
        Rights { gate, selection, secret }
    }

    /// The API token's secret.
    pub(super) fn secret(&self) -> &str {
        &self.secret
    }
}

/// Whoever knows the value of a variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The settings in these variables; nothing where `PROXMOX_HOST` is not among them.
///
/// # Errors
/// A sentence for the operator: what is wrong, and what to set.
pub fn read(variables: Variables<'_>) -> Result<Option<Settings>, String> {
    let get = |name: &str| value(variables, name);
    let Some(host) = get("PROXMOX_HOST") else { return Ok(None) };
    for (name, why) in OF_THE_HOST {
        if get(name).is_some() {
            return Err(format!(
                "{name} is set, but {why}. Remove it here, or run the host `proxmox-mcp`, which has it."
            ));
        }
    }
    let verify = flag(&get, "PROXMOX_VERIFY_TLS")?.unwrap_or(true);
    let Address { tls, name, authority } = address(&host, get("PROXMOX_PORT").as_deref())?;
    match (tls, verify) {
        (true, false) => {
            return Err(
                "PROXMOX_VERIFY_TLS is false, but the runtime verifies certificates whatever this component \
                 wants. Remove it, and see the README for what certificates the runtime takes."
                    .to_owned(),
            );
        }
        (false, true) if !is_loopback(&name) => {
            return Err(format!(
                "PROXMOX_HOST is `{host}`: over http the API token would cross the network in the clear. Use https, or a \
                 proxy on this machine (http://localhost:PORT), or set PROXMOX_VERIFY_TLS=false if that network is yours."
            ));
        }
        _ => {}
    }
    let login = login(
        get("PROXMOX_USER").as_deref().unwrap_or(DEFAULT_USER),
        get("PROXMOX_TOKEN_NAME").as_deref().unwrap_or(DEFAULT_TOKEN_NAME),
    )?;
    let secret = secret(get("PROXMOX_TOKEN_VALUE"))?;
    let authorization = format!("PVEAPIToken={login}={secret}");
    Ok(Some(Settings { tls, authority, authorization, rights: rights(&get, login, secret)? }))
}

/// The value of a variable; an empty one counts as not set.
pub(crate) fn value(variables: Variables<'_>, name: &str) -> Option<String> {
    variables(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn rights(get: &impl Fn(&str) -> Option<String>, login: String, secret: String) -> Result<Rights, String> {
    let elevated = flag(get, "PROXMOX_ALLOW_ELEVATED")?.unwrap_or(false);
    let basic = flag(get, "PROXMOX_BASIC")?.unwrap_or(true);
    let mut grants = match (elevated, basic) {
        (true, true) => Grants::elevated(),
        (false, true) => Grants::basic(),
        (false, false) => Grants::default(),
        (true, false) => {
            return Err("PROXMOX_ALLOW_ELEVATED grants everything, and PROXMOX_BASIC=false not even reading; leave one \
                        of them out."
                .to_owned());
        }
    };
    if let Some(text) = get("PROXMOX_GRANTS") {
        grants.add(&text).map_err(|error| format!("PROXMOX_GRANTS: {error}"))?;
    }
    let (nodes, guests) = (get("PROXMOX_NODE_ALLOWLIST"), get("PROXMOX_VMID_ALLOWLIST"));
    let walls = Walls::parse(nodes.as_deref(), guests.as_deref()).map_err(|error| error.to_string())?;
    let selection = Selection::read(
        get("PROXMOX_TOOLSETS").as_deref(),
        get("PROXMOX_TOOLS").as_deref(),
        get("PROXMOX_EXCLUDE_TOOLS").as_deref(),
        flag(get, "PROXMOX_READ_ONLY")?.unwrap_or(false),
    )?;
    Ok(Rights::new(Gate::new(grants, walls, login), selection, secret))
}

fn flag(get: &impl Fn(&str) -> Option<String>, name: &str) -> Result<Option<bool>, String> {
    let Some(text) = get(name) else { return Ok(None) };
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(Some(true)),
        "false" | "0" | "no" | "off" => Ok(Some(false)),
        _ => Err(format!("{name} is `{text}`; it takes true or false.")),
    }
}

#[derive(Debug, PartialEq)]
struct Address {
    tls: bool,
    name: String,
    authority: String,
}

/// The server, from `PROXMOX_HOST` and `PROXMOX_PORT`.
fn address(host: &str, port: Option<&str>) -> Result<Address, String> {
    let (tls, rest) = match host.strip_prefix("http://") {
        Some(rest) => (false, rest),
        None => (true, host.strip_prefix("https://").unwrap_or(host)),
    };
    let rest = rest.trim_end_matches('/');
    let (name, inner) = match (rest.strip_prefix('['), rest.matches(':').count()) {
        (Some(rest), _) => {
            let closed = rest.split_once(']');
            let (name, after) =
                closed.ok_or_else(|| format!("PROXMOX_HOST is `{host}`: the closing bracket is missing."))?;
            (name, after.strip_prefix(':'))
        }
        (None, 1) => rest.split_once(':').map_or((rest, None), |(name, port)| (name, Some(port))),
        // More than one colon is a bare IPv6 address.
        (None, _) => (rest, None),
    };
    let ip = name.parse::<IpAddr>();
    let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if ip.is_err() && !is_name {
        return Err(format!(
            "PROXMOX_HOST is `{host}`; it takes a host name or an address, such as pve.example.com or 192.168.1.100."
        ));
    }
    let port = match (inner, port) {
        (Some(inner), Some(port)) if inner != port => {
            return Err(format!(
                "PROXMOX_HOST says port {inner} and PROXMOX_PORT says {port}; leave one of them out."
            ));
        }
        (Some(text), _) | (None, Some(text)) => match text.parse::<u16>() {
            Ok(port) if port > 0 => port,
            _ => return Err(format!("The port is `{text}`; it is a number from 1 to 65535.")),
        },
        (None, None) => DEFAULT_PORT,
    };
    let bracketed = if ip.is_ok_and(|ip| ip.is_ipv6()) { format!("[{name}]") } else { name.to_owned() };
    Ok(Address { tls, name: name.to_owned(), authority: format!("{bracketed}:{port}") })
}

/// Whether requests to this name stay on the machine.
fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// `root@pam!mcp` from user and token name; the name may be given whole.
fn login(user: &str, name: &str) -> Result<String, String> {
    let (user, name) = name.split_once('!').unwrap_or((user, name));
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic() && !b"!=:/".contains(&b));
    if !user.split_once('@').is_some_and(|(id, realm)| word(id) && word(realm)) {
        return Err(format!("PROXMOX_USER is `{user}`; it takes a user with its realm, such as root@pam."));
    }
    if !word(name) {
        return Err(format!(
            "PROXMOX_TOKEN_NAME is `{name}`; it takes the name of an API token, such as mcp."
        ));
    }
    Ok(format!("{user}!{name}"))
}

/// The secret alone; what `pveum` shows is sometimes pasted whole: `root@pam!mcp=SECRET`.
fn secret(value: Option<String>) -> Result<String, String> {
    let value = value.ok_or(
        "PROXMOX_TOKEN_VALUE is not set. Set it to the secret of the API token, and let the runtime hand it on \
         (`--env PROXMOX_TOKEN_VALUE`).",
    )?;
    let secret = value.rsplit_once('=').map_or(value.as_str(), |(_, secret)| secret);
    if secret.is_empty() || !secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Err("PROXMOX_TOKEN_VALUE has characters that no API token has. It looks like \
             1a2b3c4d-0000-4000-8000-1a2b3c4d5e6f, as `pveum user token add` printed it."
            .to_owned());
    }
    Ok(secret.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "7f3c9b52-6d1e-4a80-9c44-2be0d915a7f6";

    fn of(pairs: &[(&str, &str)]) -> Result<Option<Settings>, String> {
        let find =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        read(&find)
    }

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let all = [&[("PROXMOX_HOST", "pve.example.com"), ("PROXMOX_TOKEN_VALUE", SECRET)], pairs].concat();
        // What comes later stands in place of what came before.
        let all: Vec<_> = all.into_iter().rev().collect();
        of(&all).map(Option::unwrap)
    }

    #[test]
    fn without_a_host_nothing_is_set_and_nothing_else_matters() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("PROXMOX_HOST", " "), ("PROXMOX_ASK", "x")]).unwrap().is_none());
    }

    #[test]
    fn the_usual_settings() {
        let settings = with(&[]).unwrap();
        assert!(settings.tls);
        assert_eq!(settings.authority, "pve.example.com:8006");
        assert_eq!(settings.authorization, format!("PVEAPIToken=root@pam!mcpserver={SECRET}"));
        assert!(!settings.rights.gate.grants().is_elevated());
        let pasted = format!("root@pam!mcp={SECRET}");
        let settings = with(&[
            ("PROXMOX_TOKEN_NAME", "mcp@pve!assistant"),
            ("PROXMOX_TOKEN_VALUE", &pasted),
            ("PROXMOX_ALLOW_ELEVATED", "true"),
        ])
        .unwrap();
        assert_eq!(settings.authorization, format!("PVEAPIToken=mcp@pve!assistant={SECRET}"));
        assert!(settings.rights.gate.grants().is_elevated());
        let settings = with(&[("PROXMOX_BASIC", "false"), ("PROXMOX_GRANTS", "VM.Audit@/vms/101")]).unwrap();
        let granted: Vec<String> = settings.rights.gate.grants().iter().map(ToString::to_string).collect();
        assert_eq!(granted, ["VM.Audit@/vms/101"]);
    }

    #[test]
    fn a_server_is_written_in_several_ways() {
        for (host, port, tls, authority) in [
            ("192.168.1.100", None, true, "192.168.1.100:8006"),
            ("https://pve.example.com/", Some("443"), true, "pve.example.com:443"),
            ("[2001:db8::1]:443", None, true, "[2001:db8::1]:443"),
            ("2001:db8::1", None, true, "[2001:db8::1]:8006"),
            ("http://localhost:8080", None, false, "localhost:8080"),
            ("http://127.0.0.1", Some("8080"), false, "127.0.0.1:8080"),
        ] {
            let found = address(host, port).unwrap();
            assert_eq!((found.tls, found.authority.as_str()), (tls, authority), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_set() {
        for (pairs, expected) in [
            (&[("PROXMOX_HOST", "pve/x")][..], "a host name or an address"),
            (&[("PROXMOX_HOST", "user@pve")], "a host name or an address"),
            (&[("PROXMOX_HOST", "pve:0")], "from 1 to 65535"),
            (&[("PROXMOX_HOST", "pve:1"), ("PROXMOX_PORT", "2")], "leave one of them out"),
            (&[("PROXMOX_HOST", "[::1")], "closing bracket"),
            (&[("PROXMOX_TOKEN_VALUE", "")], "PROXMOX_TOKEN_VALUE is not set"),
            (&[("PROXMOX_TOKEN_VALUE", "a b")], "characters that no API token has"),
            (&[("PROXMOX_USER", "root")], "with its realm"),
            (&[("PROXMOX_TOKEN_NAME", "a=b")], "the name of an API token"),
            (&[("PROXMOX_GRANTS", "VM.Nope@/")], "PROXMOX_GRANTS"),
            (&[("PROXMOX_VMID_ALLOWLIST", "99")], "PROXMOX_VMID_ALLOWLIST"),
            (&[("PROXMOX_ALLOW_ELEVATED", "perhaps")], "true or false"),
            (&[("PROXMOX_BASIC", "no"), ("PROXMOX_ALLOW_ELEVATED", "yes")], "leave one of them out"),
            (&[("PROXMOX_TOOLS", "nope")], "no such tool"),
        ] {
            let error = with(pairs).unwrap_err();
            assert!(error.contains(expected), "{pairs:?}: {error}");
            assert!(!error.contains(SECRET), "{error}");
        }
    }

    #[test]
    fn what_only_the_host_can_keep_is_not_passed_over() {
        for (name, _) in OF_THE_HOST {
            let error = with(&[(name, "x")]).unwrap_err();
            assert!(error.contains(name) && error.contains("the host `proxmox-mcp`"), "{error}");
        }
        let error = with(&[("PROXMOX_VERIFY_TLS", "false")]).unwrap_err();
        assert!(error.contains("the runtime verifies"), "{error}");
    }

    #[test]
    fn the_token_does_not_cross_a_network_in_the_clear() {
        for host in ["http://pve.example.com", "http://192.168.1.100", "http://localhost.example.com"] {
            let error = with(&[("PROXMOX_HOST", host)]).unwrap_err();
            assert!(error.contains("in the clear"), "{host}: {error}");
            assert!(with(&[("PROXMOX_HOST", host), ("PROXMOX_VERIFY_TLS", "no")]).is_ok());
        }
        for host in ["http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"] {
            assert!(with(&[("PROXMOX_HOST", host)]).is_ok(), "{host}");
        }
    }
}
