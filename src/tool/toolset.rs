//! Groups of tools, which a host can turn on and off.

/// The group that a tool belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toolset {
    /// Nodes, the cluster, its health and its tasks.
    Overview,
    /// VMs and containers.
    Guests,
    /// Storages and what is in them.
    Storage,
    /// Backups.
    Backups,
    /// What the guest agent does inside a VM.
    Agent,
    /// The rest of the API.
    Api,
    /// Answers that need more than one look: places, histories, exports.
    Planning,
    /// What administrators of nodes and clusters look at.
    Admin,
    /// None that can be chosen: what is seldom needed, and done by the tools of [`Toolset::Api`] as well, is listed
    /// only where the tool itself is chosen.
    ByName,
}

impl Toolset {
    /// Its word in settings.
    pub const fn word(self) -> &'static str {
        match self {
            Toolset::Overview => "overview",
            Toolset::Guests => "guests",
            Toolset::Storage => "storage",
            Toolset::Backups => "backups",
            Toolset::Agent => "agent",
            Toolset::Api => "api",
            Toolset::Planning => "planning",
            Toolset::Admin => "admin",
            Toolset::ByName => "by-name",
        }
    }

    /// Whether its tools are listed where nobody chose.
    pub const fn by_default(self) -> bool {
        !matches!(self, Toolset::Planning | Toolset::Admin | Toolset::ByName)
    }
}
