//! Named profiles: permissions in a file, chosen at start by name.
//!
//! ```toml
//! [profiles.night]
//! grants = ["VM.PowerMgmt@/vms/100-199"]
//! nodes = ["pve1", "pve2"]
//! vmids = "100-199"
//! ```
//!
//! The whole file is checked, not only the profile that was chosen, and a mistake is shown with its
//! line and a caret under the character.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use proxmox_gate::{Grants, Walls};
use serde::Deserialize;
use toml::Spanned;

/// What a profile says. Nothing of it is in force by itself: `permissions` puts it together with the rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The file that it stands in.
    pub file: PathBuf,
    /// Grants, each entry as it was written.
    pub grants: Vec<String>,
    /// Grants that hold only after a person said yes, each entry as it was written.
    pub ask: Vec<String>,
    /// Nodes that may be touched at all, separated by commas.
    pub nodes: Option<String>,
    /// Guests that may be touched at all, separated by commas.
    pub vmids: Option<String>,
    /// Whether it grants everything that the API token may do.
    pub elevated: bool,
    /// Whether not even what the basic mode reads can be read.
    pub without_basic: bool,
    /// Toolsets to offer, separated by commas.
    pub toolsets: Option<String>,
    /// Tools to turn off, separated by commas.
    pub exclude_tools: Option<String>,
    /// Whether every tool that changes something is off.
    pub read_only: bool,
}

/// What is wrong with the file or the name. `Display` is the text for the operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ProfileError(String);

/// Reads the file and gives the profile of this name.
///
/// # Errors
/// Where the file cannot be read, holds a mistake, or has no such profile.
pub fn load(file: &Path, name: &str) -> Result<Profile, ProfileError> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| {
        ProfileError(match error.kind() {
            std::io::ErrorKind::NotFound => format!(
                "The profile `{name}` is asked for, but there is no file {shown}. Create it with a section \
                 [profiles.{name}], or name another file with --profiles-file."
            ),
            _ => format!("The profiles file {shown} cannot be read: {error}."),
        })
    })?;
    find(file, &text, name)
}

/// Where profiles stand unless told otherwise: `$XDG_CONFIG_HOME/proxmox-mcp/profiles.toml`, or the same
/// below `~/.config`. `None` where this user has no home.
pub fn default_file() -> Option<PathBuf> {
    let configured = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = configured.or_else(|| Some(std::env::home_dir()?.join(".config")))?;
    Some(folder.join("proxmox-mcp").join("profiles.toml"))
}

fn find(file: &Path, text: &str, name: &str) -> Result<Profile, ProfileError> {
    let source = Source { file, text };
    let parsed: Document = toml::from_str(text)
        .map_err(|error| source.wrong(error.span().map_or(0, |span| span.start), error.message()))?;
    for section in parsed.profiles.values() {
        section.check(&source)?;
    }
    match parsed.profiles.get(name) {
        Some(section) => Ok(section.profile(name, file)),
        None => Err(ProfileError(unknown(file, name, parsed.profiles.keys()))),
    }
}

fn unknown<'a>(file: &Path, name: &str, names: impl Iterator<Item = &'a String>) -> String {
    let names: Vec<&str> = names.map(String::as_str).collect();
    let nearest = names.iter().map(|near| (strsim::damerau_levenshtein(name, near), *near)).min();
    let hint = match nearest {
        None => "It has none: add a section such as [profiles.night].".to_owned(),
        Some((distance, near)) if distance <= 3.min(near.len() / 2 + 1) => {
            format!("Did you mean `{near}`?")
        }
        Some(_) => format!("It has: {}.", names.join(", ")),
    };
    format!("The profiles file {} has no profile `{name}`. {hint}", file.display())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    profiles: BTreeMap<String, Section>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    #[serde(default)]
    grants: Vec<Spanned<String>>,
    #[serde(default)]
    ask: Vec<Spanned<String>>,
    nodes: Option<Spanned<List>>,
    vmids: Option<Spanned<List>>,
    #[serde(default)]
    elevated: bool,
    basic: Option<bool>,
    toolsets: Option<List>,
    exclude_tools: Option<List>,
    #[serde(default)]
    read_only: bool,
}

/// `"100,200-299"`, `[100, "200-299"]` or `100`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text such as \"100,200-299\", or a list of such texts")]
enum List {
    One(Entry),
    Many(Vec<Entry>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Number(u32),
    Text(String),
}

impl List {
    fn text(&self) -> String {
        let word = |entry: &Entry| match entry {
            Entry::Number(number) => number.to_string(),
            Entry::Text(text) => text.clone(),
        };
        match self {
            List::One(entry) => word(entry),
            List::Many(entries) => entries.iter().map(word).collect::<Vec<_>>().join(","),
        }
    }
}

impl Section {
    fn check(&self, source: &Source<'_>) -> Result<(), ProfileError> {
        for entry in self.grants.iter().chain(&self.ask) {
            if let Err(error) = Grants::default().add(entry.get_ref()) {
                return Err(source.wrong(source.offset_in(entry, error.at()), error.reason()));
            }
        }
        let text = |list: &Option<Spanned<List>>| list.as_ref().map(|list| list.get_ref().text());
        for (list, parsed) in [
            (&self.nodes, Walls::parse(text(&self.nodes).as_deref(), None)),
            (&self.vmids, Walls::parse(None, text(&self.vmids).as_deref())),
        ] {
            if let (Some(list), Err(error)) = (list, parsed) {
                let error = error.to_string();
                // It begins with the name of the variable, which is not where the mistake is.
                let reason = error.split_once(": ").map_or(error.as_str(), |(_, reason)| reason);
                return Err(source.wrong(list.span().start, reason));
            }
        }
        Ok(())
    }

    fn profile(&self, name: &str, file: &Path) -> Profile {
        let texts = |entries: &[Spanned<String>]| entries.iter().map(|e| e.get_ref().clone()).collect();
        Profile {
            name: name.to_owned(),
            file: file.to_owned(),
            grants: texts(&self.grants),
            ask: texts(&self.ask),
            nodes: self.nodes.as_ref().map(|list| list.get_ref().text()),
            vmids: self.vmids.as_ref().map(|list| list.get_ref().text()),
            elevated: self.elevated,
            without_basic: self.basic == Some(false),
            toolsets: self.toolsets.as_ref().map(List::text),
            exclude_tools: self.exclude_tools.as_ref().map(List::text),
            read_only: self.read_only,
        }
    }
}

/// The file, for pointing at what is wrong in it.
struct Source<'a> {
    file: &'a Path,
    text: &'a str,
}

impl Source<'_> {
    /// Bytes from the start of the file to the character `at` of a string in it; to the start of the
    /// string where escapes make the two differ.
    fn offset_in(&self, entry: &Spanned<String>, at: usize) -> usize {
        let Range { start, end } = entry.span();
        let written = self.text.get(start..end).unwrap_or_default();
        let value = entry.get_ref();
        let inside = value.char_indices().nth(at).map_or(value.len(), |(byte, _)| byte);
        written.find(value.as_str()).map_or(start, |quotes| start + quotes + inside)
    }

    /// The error at `offset` bytes from the start of the file.
    fn wrong(&self, offset: usize, reason: &str) -> ProfileError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let blank = before.get(line_start..).map_or(0, |part| part.chars().count());
        let shown = self.text.get(line_start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        let shown: String = shown.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        ProfileError(format!(
            "The profiles file {} has a mistake in line {line}, column {}: {}\n  {shown}\n  {}^",
            self.file.display(),
            blank + 1,
            reason.trim_end(),
            " ".repeat(blank),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn night(text: &str) -> Result<Profile, String> {
        find(Path::new("profiles.toml"), text, "night").map_err(|error| error.to_string())
    }

    /// What the caret stands under, to the end of the line.
    fn pointed_at(error: &str) -> &str {
        let lines: Vec<&str> = error.lines().collect();
        let [.., line, caret] = lines.as_slice() else { panic!("no caret: {error}") };
        line.get(caret.find('^').unwrap()..).unwrap()
    }

    #[test]
    fn a_profile_says_what_it_says() {
        let text = "[profiles.night]\ngrants = ['VM.PowerMgmt@/vms/100-199', 'Sys.Audit@/']\nnodes = ['pve1', 'pve2']\n\
                    vmids = [100, '110-120']\nask = ['VM.Snapshot@/']\n[profiles.all]\nelevated = true\n";
        let profile = night(text).unwrap();
        assert_eq!(profile.grants, ["VM.PowerMgmt@/vms/100-199", "Sys.Audit@/"]);
        assert_eq!(profile.ask, ["VM.Snapshot@/"]);
        assert_eq!(profile.nodes.as_deref(), Some("pve1,pve2"));
        assert_eq!(profile.vmids.as_deref(), Some("100,110-120"));
        assert!(!profile.elevated && !profile.without_basic);
        assert!(night("[profiles.night]\nbasic = false").unwrap().without_basic);
        assert_eq!(night("[profiles.night]\nvmids = 101").unwrap().vmids.as_deref(), Some("101"));
    }

    #[test]
    fn a_mistake_in_a_grant_is_pointed_at() {
        for (text, line, at) in [
            (
                "[profiles.night]\ngrants = [\n  \"Sys.Audit@/\",\n  \"VM.PowerMgnt@/vms/1\",\n]",
                4,
                "VM.PowerMgnt@",
            ),
            ("[profiles.night]\ngrants = ['Sys.Audit@/, VM.Audit@vms']", 2, "vms'"),
            ("[profiles.night]\ngrants = ['''\nSys.Audit@/\nVM.Odit@/''']", 4, "VM.Odit@/"),
            ("[profiles.night]\nask = [\"VM.Audit@/\\u0076ms/1x\"]", 2, "\"VM.Audit"),
            ("# é\n[profiles.other]\nask = ['é@/']", 3, "é@/"),
        ] {
            let error = night(text).unwrap_err();
            assert!(error.contains(&format!("in line {line}, ")), "{error}");
            assert!(pointed_at(&error).starts_with(at), "{error}");
        }
        let error = night("[profiles.night]\ngrants = ['VM.PowerMgnt@/']").unwrap_err();
        assert!(
            error.contains("profiles.toml") && error.contains("did you mean \"VM.PowerMgmt\""),
            "{error}"
        );
    }

    #[test]
    fn unknown_keys_wrong_kinds_and_wrong_lists_are_pointed_at() {
        for (text, line, at, words) in [
            ("[profiles.night]\ngrant = ['Sys.Audit@/']", 2, "grant", "grants"),
            ("[profile.night]\n", 1, "profile", "profiles"),
            ("[profiles.night]\ngrants = 'Sys.Audit@/'", 2, "'Sys", "sequence"),
            ("[profiles.night]\nelevated = 'yes'", 2, "'yes'", "boolean"),
            ("[profiles.night]\nvmids = '100,7'", 2, "'100,7'", "7"),
            ("[profiles.night]\nnodes = []", 2, "[]", ""),
            ("[profiles.night]\nvmids = true", 2, "true", "100,200-299"),
            ("[profiles.night]\ngrants = [", 2, "", ""),
        ] {
            let error = night(text).unwrap_err();
            assert!(error.contains(&format!("in line {line}, ")), "{text}: {error}");
            assert!(pointed_at(&error).starts_with(at), "{text}: {error}");
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn an_unknown_name_is_met_with_the_nearest() {
        let text = "[profiles.nights]\n[profiles.maintenance]\n";
        assert!(night(text).unwrap_err().contains("Did you mean `nights`?"));
        let far = night("[profiles.maintenance]\n[profiles.observe]\n").unwrap_err();
        assert!(far.contains("It has: maintenance, observe."), "{far}");
        assert!(night("").unwrap_err().contains("[profiles.night]"));
        let missing = load(Path::new("/no/such/profiles.toml"), "night").unwrap_err().to_string();
        assert!(
            missing.contains("/no/such/profiles.toml") && missing.contains("--profiles-file"),
            "{missing}"
        );
    }
}
