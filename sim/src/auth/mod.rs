//! Who calls: users, API tokens, tickets.

pub mod access;
pub mod permission;

pub use access::{Access, ApiToken, Entry, Subject, User};

use crate::failure::Failure;
use crate::server::Head;
use crate::world::World;

/// The caller of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// `root@pam`.
    pub user: String,
    /// The token's name, for a call with an API token.
    pub token: Option<String>,
}

impl Caller {
    /// A user that logged in.
    pub fn user(user: &str) -> Caller {
        Caller { user: user.into(), token: None }
    }

    /// As Proxmox writes it: `root@pam` or `root@pam!mcp`.
    pub fn id(&self) -> String {
        match &self.token {
            Some(token) => format!("{}!{token}", self.user),
            None => self.user.clone(),
        }
    }

    /// root@pam itself, which no token is.
    pub fn is_root(&self) -> bool {
        self.user == "root@pam" && self.token.is_none()
    }
}

/// The caller of a request by its headers. The real server tells no reasons beyond these texts.
pub(crate) fn identify(world: &World, head: &Head) -> Result<Caller, Failure> {
    let failed = || Failure::unauthorized("Authentication failed!");
    let header = head.header("authorization").and_then(|v| {
        let rest = v.strip_prefix("PVEAPIToken")?;
        rest.strip_prefix('=').or_else(|| rest.strip_prefix(' '))
    });
    if let Some(token) = header {
        let (id, secret) = token.split_once('=').ok_or_else(failed)?;
        let (user, name) = id.split_once('!').ok_or_else(failed)?;
        let now = world.clock.unix();
        return match world.access.token_is_valid(user, name, secret, now) {
            true => Ok(Caller { user: user.into(), token: Some(name.into()) }),
            false => Err(failed()),
        };
    }
    let Some(ticket) = head.header("cookie").and_then(cookie) else {
        return Err(Failure::unauthorized("No ticket"));
    };
    let user = world.access.tickets.get(&ticket).ok_or_else(failed)?;
    let reads = head.verb == "GET";
    let csrf = head.header("csrfpreventiontoken").unwrap_or_default();
    if !reads && csrf != csrf_token(&ticket) {
        return Err(Failure::unauthorized("Permission denied - invalid csrf token"));
    }
    Ok(Caller::user(user))
}

/// The token that a ticket's changing requests carry.
pub(crate) fn csrf_token(ticket: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, ticket.as_bytes());
    let hex: String = digest.as_ref().iter().map(|b| format!("{b:02x}")).collect();
    format!("6B02B92D:{hex}")
}

fn cookie(header: &str) -> Option<String> {
    let value = header.split(';').find_map(|c| c.trim().strip_prefix("PVEAuthCookie="))?;
    let raw = crate::request::form(&format!("c={}", value.replace('=', "%3D").replace('+', "%2B")));
    raw.get("c")?.as_str().map(str::to_owned)
}
