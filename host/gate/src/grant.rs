//! The threat: an operator who grants more than was meant. A grant is a privilege or role of Proxmox
//! on an ACL path (`VM.PowerMgmt@/vms/101`); every name is checked against Proxmox's own list, and
//! an unknown one is an error that points at the character and names the nearest right one.

use crate::acl::{AclPath, PathError};
use crate::{Pools, value};
use proxmox_api::privileges::{FORMER, PRIVILEGES, ROLES, role};
use std::{fmt, str::FromStr};

/// What the basic mode grants: reading guests, storages, pools and networks.
const BASIC: &[&str] = &["VM.Audit@/", "Datastore.Audit@/", "Pool.Audit@/", "SDN.Audit@/"];

/// Every privilege on every path.
const ELEVATED: &str = "Administrator@/";

/// A privilege, role or family of privileges (`VM.Config.*`) of Proxmox, on an ACL path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    privileges: Vec<&'static str>,
    path: AclPath,
    text: String,
}

impl Grant {
    /// The privileges that it gives, by the names of Proxmox VE 9.
    pub fn privileges(&self) -> &[&'static str] {
        &self.privileges
    }

    /// Where it gives them.
    pub fn path(&self) -> &AclPath {
        &self.path
    }

    fn gives(&self, privilege: &str) -> bool {
        self.privileges.contains(&privilege)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        parse(text).map_err(|fault| fault.within(text, 0))
    }
}

/// All grants in force. The default grants nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants {
    list: Vec<Grant>,
}

impl Grants {
    /// Reading only: `VM.Audit`, `Datastore.Audit`, `Pool.Audit` and `SDN.Audit` everywhere.
    pub fn basic() -> Self {
        Grants { list: BASIC.iter().filter_map(|text| text.parse().ok()).collect() }
    }

    /// Every privilege everywhere.
    pub fn elevated() -> Self {
        Grants { list: ELEVATED.parse().into_iter().collect() }
    }

    /// Reads a list of grants: separated by commas or white space, over any number of lines, with
    /// comments from a `#` to the end of the line.
    ///
    /// # Errors
    /// [`GrantError`] points at the line and character of the first fault.
    pub fn parse_list(text: &str) -> Result<Self, GrantError> {
        let mut grants = Grants::default();
        let blanked = without_comments(text);
        grants.add(&blanked).map_err(|error| GrantError { text: text.to_owned(), ..error })?;
        Ok(grants)
    }

    /// Adds the grants in `text`, separated by commas or white space.
    ///
    /// # Errors
    /// [`GrantError`] points at the first fault; then nothing was added.
    pub fn add(&mut self, text: &str) -> Result<(), GrantError> {
        let mut added = Vec::new();
        let mut at = 0;
        for entry in text.split(is_separator) {
            if !entry.is_empty() {
                added.push(parse(entry).map_err(|fault| fault.within(text, at))?);
            }
            at += entry.len();
            at += text.get(at..).and_then(|rest| rest.chars().next()).map_or(0, char::len_utf8);
        }
        self.list.append(&mut added);
        Ok(())
    }

    /// The grant that gives `privilege` on the ACL path `path`, directly, from above, as a range of
    /// guests or through a pool that the guest or storage is in.
    pub fn covers(&self, privilege: &str, path: &str, pools: &dyn Pools) -> Option<&Grant> {
        let holders = || self.list.iter().filter(|grant| grant.gives(privilege));
        if let Some(grant) = holders().find(|grant| grant.path.covers(path)) {
            return Some(grant);
        }
        pools_above(path, pools).into_iter().find_map(|pool| {
            let pool = format!("/pool/{pool}");
            holders().find(|grant| grant.path.covers(&pool))
        })
    }

    /// Whether `privilege` is granted on `/`, and so on every path.
    pub fn everywhere(&self, privilege: &str) -> bool {
        self.list.iter().any(|grant| grant.path.as_str() == "/" && grant.gives(privilege))
    }

    /// Whether every privilege is granted on `/`.
    pub fn is_elevated(&self) -> bool {
        PRIVILEGES.iter().all(|privilege| self.everywhere(privilege))
    }

    /// Whether some grant holds on part of the paths only.
    pub fn is_scoped(&self) -> bool {
        self.list.iter().any(|grant| grant.path.as_str() != "/")
    }

    /// The grants, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.list.iter()
    }

    /// Whether `privilege` may be granted on some path that `template` stands for.
    pub(crate) fn somewhere(&self, privilege: &str, template: &str) -> bool {
        self.list.iter().any(|grant| grant.gives(privilege) && grant.path.may_meet(template))
    }
}

/// The text with its comments blanked out, character by character, so that positions stay.
fn without_comments(text: &str) -> String {
    let mut commented = false;
    let blank = |c: char| {
        commented = c != '\n' && (commented || c == '#');
        if commented { ' ' } else { c }
    };
    text.chars().map(blank).collect()
}

/// The pools that a guest's or storage's path is in.
fn pools_above<'a>(path: &str, pools: &'a dyn Pools) -> Vec<&'a str> {
    if let Some(vmid) = path.strip_prefix("/vms/").and_then(value::vmid) {
        return pools.pool_of(vmid).into_iter().collect();
    }
    match path.strip_prefix("/storage/") {
        Some(storage) if value::is_storage(storage) => pools.pools_of_storage(storage),
        _ => Vec::new(),
    }
}

/// What is wrong with a grant. `Display` shows the line, a caret line under it, and the fix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrantError {
    text: String,
    at: usize,
    len: usize,
    why: String,
}

impl GrantError {
    /// Where the fault begins, in characters from the start of the text.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Line and column of the fault, each counted from 1, the column in characters.
    pub fn position(&self) -> (usize, usize) {
        let before: String = self.text.chars().take(self.at).collect();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        (line, column)
    }

    /// What is wrong and what would be right, without the text.
    pub fn reason(&self) -> &str {
        &self.why
    }
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.position();
        let whole = self.text.split('\n').nth(line - 1).unwrap_or_default();
        let shown: String = whole.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let (blank, carets) = (" ".repeat(column - 1), "^".repeat(self.len.max(1)));
        let place = if self.text.contains('\n') { format!(" (line {line})") } else { String::new() };
        write!(f, "{}{place}\n  {shown}\n  {blank}{carets}", self.why)
    }
}

impl std::error::Error for GrantError {}

/// A fault inside one entry, in bytes.
struct Fault {
    at: usize,
    len: usize,
    why: String,
}

impl Fault {
    /// The error for an entry that begins `offset` bytes into `text`.
    fn within(self, text: &str, offset: usize) -> GrantError {
        let characters = |from: usize, to: usize| text.get(from..to).map_or(0, |part| part.chars().count());
        let start = offset + self.at;
        GrantError {
            text: text.to_owned(),
            at: characters(0, start.min(text.len())),
            len: characters(start, (start + self.len).min(text.len())).max(1),
            why: self.why,
        }
    }
}

fn is_separator(c: char) -> bool {
    c == ',' || c.is_whitespace()
}

fn parse(text: &str) -> Result<Grant, Fault> {
    if let Some(at) = text.find(is_separator) {
        return Err(Fault { at, len: 1, why: "one grant has no commas and no white space in it".to_owned() });
    }
    let Some((rights, path)) = text.split_once('@') else {
        return Err(Fault { at: 0, len: text.len(), why: no_path(text) });
    };
    let privileges = expand(rights).map_err(|why| Fault { at: 0, len: rights.len(), why })?;
    let path = AclPath::parse(path).map_err(|PathError { at, len, why }| {
        let at = at + rights.len() + 1;
        Fault { at, len, why }
    })?;
    Ok(Grant { privileges, path, text: text.to_owned() })
}

fn no_path(text: &str) -> String {
    if text.is_empty() {
        return "a grant is a privilege and a path, such as VM.PowerMgmt@/vms/101".to_owned();
    }
    if text.starts_with('/') {
        return format!("no privilege: write VM.Audit@{text}, or another privilege");
    }
    format!("no path: write {text}@/vms/101 for one guest, {text}@/ for everything")
}

/// The privileges that a word stands for.
fn expand(word: &str) -> Result<Vec<&'static str>, String> {
    if let Some(name) = PRIVILEGES.iter().find(|name| **name == word) {
        return Ok(vec![name]);
    }
    if let Some(family) = word.strip_suffix('*') {
        return expand_family(word, family);
    }
    if let Some((_, meaning)) = FORMER.iter().find(|(name, _)| *name == word) {
        return Ok(meaning.to_vec());
    }
    match role(word) {
        Some(role) if role.privileges.is_empty() => Err(format!("{word} grants nothing: leave it out")),
        Some(role) => Ok(role.privileges.to_vec()),
        None => Err(unknown(word)),
    }
}

fn expand_family(word: &str, family: &str) -> Result<Vec<&'static str>, String> {
    if family.is_empty() {
        return Err("for every privilege write the role Administrator".to_owned());
    }
    let members: Vec<_> = PRIVILEGES.iter().copied().filter(|name| name.starts_with(family)).collect();
    if !family.ends_with('.') || members.is_empty() {
        return Err(format!(
            "{} is no family of privileges: write VM.*, VM.Config.*, Sys.* ...",
            value::quote(word)
        ));
    }
    Ok(members)
}

fn unknown(word: &str) -> String {
    if word.is_empty() {
        return "no privilege before the @: write VM.Audit@..., or another privilege".to_owned();
    }
    let names =
        PRIVILEGES.iter().copied().chain(ROLES.iter().map(|r| r.name)).chain(FORMER.iter().map(|f| f.0));
    let wrong = value::quote(word);
    match value::nearest(word, names) {
        Some(near) => format!("{wrong} is no privilege or role; did you mean \"{near}\"?"),
        None => format!(
            "{wrong} is no privilege or built-in role of Proxmox VE (a custom role's privileges are granted one by one)"
        ),
    }
}

#[cfg(test)]
mod tests;
