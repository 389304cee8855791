//! Which of the tools are listed, and which are turned off: toolsets, names, and reading only.
//!
//! Toolsets that nobody chose shorten the list; what was chosen by name or turned off is refused, too.

use crate::catalogue::{Catalogue, Entry};
use crate::cli::Options;
use crate::profiles::Profile;
use crate::settings::{SettingsError, Sources, boolean, wrong};

/// What stands for all toolsets.
const ALL: &str = "all";
/// What the component calls the group of tools that are chosen by their own names alone; it is no toolset.
const BY_NAME: &str = "by-name";

/// The operator's choice of tools.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names of toolsets; `None` for the usual ones.
    toolsets: Option<Vec<String>>,
    /// Names of tools beside them; `None` for none.
    tools: Option<Vec<String>>,
    /// Names of tools that are off.
    excluded: Vec<String>,
    /// Whether all that changes something is off.
    read_only: bool,
}

impl Selection {
    /// Reads the flags, or else the variables, or else the profile. What one place turns off stays off.
    ///
    /// # Errors
    /// Where one of them cannot be understood.
    pub fn gather(
        options: &Options,
        sources: &Sources,
        profile: Option<&Profile>,
    ) -> Result<Self, SettingsError> {
        let read_only = match sources.get("PROXMOX_READ_ONLY") {
            Some(text) if !options.read_only => boolean("PROXMOX_READ_ONLY", text)?,
            _ => options.read_only,
        };
        let list = |flag, name| sources.flag_or(flag, name).map(words);
        let toolsets = list(&options.toolsets, "PROXMOX_TOOLSETS");
        let tools = list(&options.tools, "PROXMOX_TOOLS");
        let of_profile = profile.and_then(|profile| profile.toolsets.as_deref()).map(words);
        let mut excluded = list(&options.exclude_tools, "PROXMOX_EXCLUDE_TOOLS").unwrap_or_default();
        excluded.extend(profile.and_then(|p| p.exclude_tools.as_deref()).map(words).unwrap_or_default());
        Ok(Self {
            toolsets: toolsets.or_else(|| of_profile.filter(|_| tools.is_none())),
            tools,
            excluded,
            read_only: read_only || profile.is_some_and(|profile| profile.read_only),
        })
    }

    /// Checks that there are such tools and toolsets.
    ///
    /// # Errors
    /// A sentence with the nearest name, or with all of them.
    pub fn check(&self, catalogue: &Catalogue) -> Result<(), SettingsError> {
        let known = toolsets(catalogue);
        for name in self.toolsets.iter().flatten() {
            if name == BY_NAME {
                return wrong(format!(
                    "`{BY_NAME}` is no toolset: these tools are listed each by its name, with --tools NAME. They are {}.",
                    chosen_by_name(catalogue).join(", ")
                ));
            }
            if name != ALL && !known.contains(&name.as_str()) {
                return wrong(format!(
                    "There is no toolset `{name}`. --toolsets takes some of {}, or {ALL}.",
                    known.join(", ")
                ));
            }
        }
        for name in self.tools.iter().flatten().chain(&self.excluded) {
            if catalogue.find(name).is_none() {
                return wrong(catalogue.unknown(name));
            }
        }
        Ok(())
    }

    /// Whether a tool may be called.
    ///
    /// # Errors
    /// A sentence for the user: which setting turns it off.
    pub fn admits(&self, entry: &Entry) -> Result<(), String> {
        let name = &entry.tool.name;
        let off = |why: &str| Err(format!("`{name}` is turned off on this server ({why})."));
        if self.read_only && !entry.tool.annotations.read_only {
            return off("it was started with --read-only, and this tool changes something");
        }
        if names(&self.excluded, entry) {
            return off("--exclude-tools names it");
        }
        let chosen = self.toolsets.is_some() || self.tools.is_some();
        // Whoever wants all toolsets turns none off.
        let all = self.toolsets.iter().flatten().any(|name| name == ALL);
        if chosen && !all && !self.chooses(entry) {
            return off("--toolsets and --tools do not name it");
        }
        Ok(())
    }

    /// Whether a tool is listed, as far as the operator chose.
    pub fn lists(&self, entry: &Entry) -> bool {
        let chosen = self.toolsets.is_some() || self.tools.is_some();
        self.admits(entry).is_ok() && if chosen { self.chooses(entry) } else { entry.tool.by_default }
    }

    fn chooses(&self, entry: &Entry) -> bool {
        let by_name = entry.tool.toolset == BY_NAME;
        let toolset = |name: &String| !by_name && name == ALL || *name == entry.tool.toolset;
        self.toolsets.iter().flatten().any(toolset)
            || self.tools.as_ref().is_some_and(|tools| names(tools, entry))
    }
}

/// The tools that are in no toolset.
fn chosen_by_name(catalogue: &Catalogue) -> Vec<&str> {
    let all = catalogue.entries().iter().filter(|entry| entry.tool.toolset == BY_NAME);
    all.map(|entry| entry.tool.name.as_str()).collect()
}

/// The toolsets, in the order of their names.
pub fn toolsets(catalogue: &Catalogue) -> Vec<&str> {
    let mut known: Vec<&str> = Vec::new();
    for entry in catalogue.entries().iter().filter(|entry| entry.tool.toolset != BY_NAME) {
        if !known.contains(&entry.tool.toolset.as_str()) {
            known.push(&entry.tool.toolset);
        }
    }
    known.sort_unstable();
    known
}

fn names(list: &[String], entry: &Entry) -> bool {
    list.iter().any(|name| *name == entry.tool.name || entry.tool.aliases.contains(name))
}

fn words(text: &str) -> Vec<String> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Annotations, ApiMethod, Tool};

    fn tool(name: &str, toolset: &str, by_default: bool, read_only: bool) -> Tool {
        let verb = if read_only { "GET" } else { "POST" };
        Tool {
            name: name.to_owned(),
            title: String::new(),
            description: String::new(),
            input_schema: "{}".to_owned(),
            output_schema: "{}".to_owned(),
            annotations: Annotations { read_only, destructive: false, idempotent: true, open_world: false },
            toolset: toolset.to_owned(),
            by_default,
            aliases: vec![format!("old_{name}")],
            calls: vec![ApiMethod { verb: verb.to_owned(), path: "/pools".to_owned() }],
            names_its_call: false,
        }
    }

    fn catalogue() -> Catalogue {
        let tools = vec![
            tool("look", "overview", true, true),
            tool("change", "guests", true, false),
            tool("export", "planning", false, true),
            tool("rare", BY_NAME, false, true),
        ];
        Catalogue::new(tools).unwrap()
    }

    fn select(options: Options, variables: &[(&str, &str)]) -> Result<(Vec<String>, Vec<String>), String> {
        let catalogue = catalogue();
        let selection =
            Selection::gather(&options, &Sources::of(variables), None).map_err(|e| e.to_string())?;
        selection.check(&catalogue).map_err(|e| e.to_string())?;
        let those = |keep: &dyn Fn(&Entry) -> bool| {
            catalogue.entries().iter().filter(|e| keep(e)).map(|e| e.tool.name.clone()).collect::<Vec<_>>()
        };
        Ok((those(&|e| selection.lists(e)), those(&|e| selection.admits(e).is_ok())))
    }

    fn of(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        select(Options::default(), variables).unwrap()
    }

    #[test]
    fn what_nobody_chose_is_not_listed_and_works_by_name() {
        let (listed, admitted) = of(&[]);
        assert_eq!(listed, ["look", "change"]);
        assert_eq!(admitted, ["look", "change", "export", "rare"]);
    }

    #[test]
    fn what_was_chosen_is_all_there_is() {
        assert_eq!(of(&[("PROXMOX_TOOLSETS", "planning, overview")]).1, ["look", "export"]);
        assert_eq!(of(&[("PROXMOX_TOOLSETS", "all")]).0, ["look", "change", "export"]);
        assert_eq!(
            of(&[("PROXMOX_TOOLSETS", "all"), ("PROXMOX_TOOLS", "rare")]).0,
            ["look", "change", "export", "rare"]
        );
        assert_eq!(of(&[("PROXMOX_TOOLS", "old_export")]).1, ["export"]);
        assert_eq!(
            of(&[("PROXMOX_TOOLS", "change"), ("PROXMOX_TOOLSETS", "overview")]).1,
            ["look", "change"]
        );
        assert_eq!(of(&[("PROXMOX_EXCLUDE_TOOLS", "old_look change")]).1, ["export", "rare"]);
        assert_eq!(of(&[("PROXMOX_READ_ONLY", "true")]).1, ["look", "export", "rare"]);
        let flags = Options { read_only: true, toolsets: Some("guests".to_owned()), ..Options::default() };
        assert_eq!(
            select(flags, &[("PROXMOX_TOOLSETS", "all"), ("PROXMOX_READ_ONLY", "no")]).unwrap().1,
            [""; 0]
        );
    }

    #[test]
    fn a_name_that_there_is_not_is_said() {
        for (variable, value, expected) in [
            ("PROXMOX_TOOLSETS", "guest", "some of guests, overview, planning, or all"),
            (
                "PROXMOX_TOOLSETS",
                "all,by-name",
                "is no toolset: these tools are listed each by its name, with --tools NAME. They are rare.",
            ),
            ("PROXMOX_TOOLS", "chagne", "Did you mean `change`?"),
            ("PROXMOX_EXCLUDE_TOOLS", "lok", "Did you mean `look`?"),
            ("PROXMOX_READ_ONLY", "perhaps", "true or false"),
        ] {
            let error = select(Options::default(), &[(variable, value)]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
