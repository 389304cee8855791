//! Which of the tools there are: toolsets, names, and reading only, as our host takes them too.

use proxmox_gate::{Gate, Opening};

use crate::catalogue;
use crate::nearest::nearest;
use crate::tool::{Tool, Toolset};
use crate::tools;

/// What stands for all toolsets.
const ALL: &str = "all";

/// The operator's choice of tools. The default leaves all of them, and lists the usual ones.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    toolsets: Option<Vec<String>>,
    tools: Option<Vec<String>>,
    excluded: Vec<String>,
    read_only: bool,
}

impl Selection {
    /// Makes a choice of the values of `PROXMOX_TOOLSETS`, `PROXMOX_TOOLS` and `PROXMOX_EXCLUDE_TOOLS`.
    ///
    /// # Errors
    /// A sentence about a tool or toolset that there is not.
    pub fn read(
        toolsets: Option<&str>,
        names: Option<&str>,
        excluded: Option<&str>,
        read_only: bool,
    ) -> Result<Self, String> {
        let selection = Selection {
            toolsets: toolsets.map(words),
            tools: names.map(words),
            excluded: excluded.map(words).unwrap_or_default(),
            read_only,
        };
        let is_set = |tool: &Tool| tool.toolset != Toolset::ByName;
        let mut known: Vec<&str> =
            tools::ALL.iter().filter(|(_, tool)| is_set(tool)).map(|(_, tool)| tool.toolset.word()).collect();
        known.sort_unstable();
        known.dedup();
        for name in selection.toolsets.iter().flatten() {
            if name == Toolset::ByName.word() {
                let named = tools::ALL.iter().filter(|(_, tool)| !is_set(tool)).map(|(name, _)| *name);
                return Err(format!(
                    "PROXMOX_TOOLSETS names `{name}`, which is no toolset: these tools are listed each by its name, \
                     with PROXMOX_TOOLS. They are {}.",
                    named.collect::<Vec<_>>().join(", ")
                ));
            }
            if name != ALL && !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(format!("PROXMOX_TOOLSETS names `{name}`; it takes some of {known}, or {ALL}."));
            }
        }
        for name in selection.tools.iter().flatten().chain(&selection.excluded) {
            if catalogue::tool(name).is_none() {
                let meant = nearest(name, tools::ALL.iter().map(|(known, _)| *known));
                let meant = meant.map(|known| format!(" Did you mean `{known}`?")).unwrap_or_default();
                return Err(format!(
                    "PROXMOX_TOOLS or PROXMOX_EXCLUDE_TOOLS names `{name}`; there is no such tool.{meant}"
                ));
            }
        }
        Ok(selection)
    }

    /// Whether a tool may be called.
    ///
    /// # Errors
    /// A sentence for the user: which setting turns it off.
    pub fn admits(&self, tool: &Tool) -> Result<(), String> {
        let off = |why: &str| Err(format!("`{}` is turned off on this server ({why}).", tool.name));
        if self.read_only && !tool.read_only() {
            return off("PROXMOX_READ_ONLY is set, and this tool changes something");
        }
        if names(&self.excluded, tool) {
            return off("PROXMOX_EXCLUDE_TOOLS names it");
        }
        let all = self.toolsets.iter().flatten().any(|name| name == ALL);
        if self.is_chosen() && !all && !self.chooses(tool) {
            return off("PROXMOX_TOOLSETS and PROXMOX_TOOLS do not name it");
        }
        Ok(())
    }

    /// Whether a tool is listed, as far as the operator chose.
    pub fn lists(&self, tool: &Tool) -> bool {
        let chosen = if self.is_chosen() { self.chooses(tool) } else { tool.toolset.by_default() };
        chosen && self.admits(tool).is_ok()
    }

    fn is_chosen(&self) -> bool {
        self.toolsets.is_some() || self.tools.is_some()
    }

    fn chooses(&self, tool: &Tool) -> bool {
        let word = tool.toolset.word();
        let toolset = |name: &String| (name == ALL && tool.toolset != Toolset::ByName) || name == word;
        self.toolsets.iter().flatten().any(toolset)
            || self.tools.as_ref().is_some_and(|chosen| names(chosen, tool))
    }
}

/// Whether the grants open nothing of what a tool is for, so that it is not worth listing. It decides nothing:
/// every request is checked by itself.
pub fn is_shut(tool: &Tool, gate: &Gate) -> bool {
    let shut = |method: &&'static proxmox_api::Method| matches!(gate.opens(method), Opening::Shut { .. });
    if tool.names_its_call {
        let changes = || proxmox_api::methods::ALL.iter().filter(|method| !method.verb.reads());
        let basic = Gate::new(Default::default(), Default::default(), "");
        let is_granted = |method: &&'static proxmox_api::Method| {
            !shut(method) && matches!(basic.opens(method), Opening::Shut { .. })
        };
        return !tool.read_only() && !changes().any(is_granted);
    }
    // A tool that changes something needs one of its changes, and one that works inside a guest a way in; one
    // that reads shows what it may.
    let changes: Vec<_> = tool.calls.iter().filter(|method| !method.verb.reads()).collect();
    let inside: Vec<_> =
        tool.calls.iter().filter(|method| tool.open_world && method.path.contains("/agent/")).collect();
    let all_shut = |calls: &[&&'static proxmox_api::Method]| {
        !calls.is_empty() && calls.iter().all(|method| shut(method))
    };
    all_shut(&changes) || all_shut(&inside) || all_shut(&tool.calls.iter().collect::<Vec<_>>())
}

fn names(list: &[String], tool: &Tool) -> bool {
    list.iter().any(|name| name == tool.name || tool.aliases.iter().any(|alias| alias.name == name))
}

fn words(text: &str) -> Vec<String> {
    let separates = |c: char| c == ',' || c.is_whitespace();
    text.split(separates).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proxmox_gate::{Grants, Walls};

    use super::*;

    fn listed(selection: &Selection) -> Vec<&'static str> {
        tools::ALL.iter().filter(|(_, tool)| selection.lists(tool)).map(|(name, _)| *name).collect()
    }

    #[test]
    fn the_operator_chooses() {
        let usual = Selection::default();
        assert!(listed(&usual).contains(&"proxmox_get_nodes"));
        assert!(!listed(&usual).contains(&"proxmox_history"), "planning is listed when chosen");
        assert!(usual.admits(catalogue::tool("proxmox_history").unwrap()).is_ok());

        let one = Selection::read(None, Some("proxmox_start_vm"), None, false).unwrap();
        assert_eq!(listed(&one), ["proxmox_power"], "an older name means the tool behind it");
        let error = one.admits(catalogue::tool("proxmox_get_vms").unwrap()).unwrap_err();
        assert!(error.contains("do not name it"), "{error}");

        let reading = Selection::read(Some("guests"), None, None, true).unwrap();
        assert!(listed(&reading).contains(&"proxmox_get_vms"));
        assert!(
            reading.admits(catalogue::tool("proxmox_delete").unwrap()).unwrap_err().contains("READ_ONLY")
        );

        let without = Selection::read(Some("all"), None, Some("proxmox_delete"), false).unwrap();
        assert!(
            !listed(&without).contains(&"proxmox_delete") && listed(&without).contains(&"proxmox_history")
        );
        assert!(!listed(&without).contains(&"proxmox_pool"), "it is in no toolset, and chosen by its name");
    }

    #[test]
    fn what_there_is_not_is_said() {
        let error = Selection::read(Some("guest"), None, None, false).unwrap_err();
        assert!(error.contains("guests, overview") && error.contains("or all"), "{error}");
        let error = Selection::read(Some("all,by-name"), None, None, false).unwrap_err();
        assert!(
            error.contains("is no toolset") && error.contains("proxmox_agent, proxmox_backup_coverage"),
            "{error}"
        );
        let error = Selection::read(None, None, Some("proxmox_delet"), false).unwrap_err();
        assert!(error.contains("Did you mean `proxmox_delete`?"), "{error}");
    }

    #[test]
    fn what_is_not_granted_is_not_worth_listing() {
        let shut = |grants: Grants, name: &str| {
            is_shut(catalogue::tool(name).unwrap(), &Gate::new(grants, Walls::default(), "root@pam!mcp"))
        };
        for name in ["proxmox_get_vms", "proxmox_health", "proxmox_find_api", "proxmox_read_api"] {
            assert!(!shut(Grants::basic(), name), "{name}");
        }
        for name in ["proxmox_power", "proxmox_delete", "proxmox_execute_vm_command", "proxmox_change_api"] {
            assert!(shut(Grants::basic(), name), "{name}");
            assert!(!shut(Grants::elevated(), name), "{name}");
        }
        assert!(!shut(Grants::parse_list("VM.PowerMgmt@/vms/101").unwrap(), "proxmox_power"));
    }
}
