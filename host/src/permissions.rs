//! What the operator permits: the mode, the profile, the variables and the flags put together, with
//! where each part came from.
//!
//! Grants add up, from whichever place. Allow-lists do not: where a profile has one and a setting has
//! another, only what stands in both may be touched.

use std::fmt;
use std::path::{Path, PathBuf};

use proxmox_gate::{Grant, Grants, Walls};

use crate::cli::Options;
use crate::profiles::{self, Profile};
use crate::settings::{SettingsError, Sources, boolean, wrong};

/// All that the operator permits.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    grants: Grants,
    /// One for each of `grants`, in their order.
    origins: Vec<Origin>,
    /// What holds only after a person said yes.
    ask: Grants,
    walls: Walls,
    nodes: Option<AllowList>,
    guests: Option<AllowList>,
    profile: Option<Profile>,
    /// What takes the basic grants away.
    narrowed_by: Option<Origin>,
}

/// Where a permission came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// What holds without any setting.
    Basic,
    /// A profile, by its name.
    Profile(String),
    /// A flag or a variable, by its name.
    Setting(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Basic => f.write_str("basic"),
            Origin::Profile(name) => write!(f, "profile {name}"),
            Origin::Setting(name) => f.write_str(name),
        }
    }
}

/// An allow-list as it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList {
    /// Its entries, separated by commas.
    pub text: String,
    /// Where it came from; two where it is what two lists have in common.
    pub origins: Vec<Origin>,
}

impl Permissions {
    /// Puts together what profile, variables and flags permit.
    ///
    /// # Errors
    /// Where one of them cannot be understood.
    pub fn gather(options: &Options, sources: &Sources) -> Result<Self, SettingsError> {
        let profile = profile(options, sources)?;
        let mut all = Self::of_mode(options, sources, profile.as_ref())?;
        for text in profile.iter().flat_map(|profile| &profile.grants) {
            let name = profile.as_ref().map(|profile| profile.name.clone()).unwrap_or_default();
            all.add(text, Origin::Profile(name))?;
        }
        if let Some(text) = sources.get("PROXMOX_GRANTS") {
            all.add(text, Origin::Setting("PROXMOX_GRANTS"))?;
        }
        for text in &options.grant {
            all.add(text, Origin::Setting("--grant"))?;
        }
        all.ask = ask(options, sources, profile.as_ref())?;
        all.nodes = nodes(options, sources, profile.as_ref())?;
        all.guests = guests(options, sources, profile.as_ref())?;
        let text = |list: &Option<AllowList>| list.as_ref().map(|list| list.text.clone());
        all.walls = parse_walls(text(&all.nodes).as_deref(), text(&all.guests).as_deref())?;
        all.profile = profile;
        Ok(all)
    }

    /// Basic or elevated mode alone. A variable that says no wins over a profile that says yes.
    fn of_mode(
        options: &Options,
        sources: &Sources,
        profile: Option<&Profile>,
    ) -> Result<Self, SettingsError> {
        let variable = sources.get("PROXMOX_ALLOW_ELEVATED");
        let variable = variable.map(|value| boolean("PROXMOX_ALLOW_ELEVATED", value)).transpose()?;
        let origin = match (options.allow_elevated, variable, profile) {
            (true, ..) => Some(Origin::Setting("--allow-elevated")),
            (false, Some(elevated), _) => elevated.then_some(Origin::Setting("PROXMOX_ALLOW_ELEVATED")),
            (false, None, Some(profile)) => profile.elevated.then(|| Origin::Profile(profile.name.clone())),
            (false, None, None) => None,
        };
        let narrowed_by = narrowed_by(options, sources, profile)?;
        let (grants, origin) = match (origin, &narrowed_by) {
            (Some(elevated), Some(narrow)) => {
                return wrong(format!(
                    "{elevated} grants everything, and {narrow} takes away even the reading that is granted without a \
                     word. Leave one of them out."
                ));
            }
            (Some(origin), None) => (Grants::elevated(), origin),
            (None, Some(_)) => (Grants::default(), Origin::Basic),
            (None, None) => (Grants::basic(), Origin::Basic),
        };
        let origins = vec![origin; grants.iter().count()];
        Ok(Self { grants, origins, narrowed_by, ..Self::default() })
    }

    fn add(&mut self, text: &str, origin: Origin) -> Result<(), SettingsError> {
        if let Err(error) = self.grants.add(text) {
            return wrong(format!("{origin} cannot be understood.\n{error}"));
        }
        self.origins.resize(self.grants.iter().count(), origin);
        Ok(())
    }

    /// The grants in force.
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The grants that hold only after a person said yes.
    pub fn ask(&self) -> &Grants {
        &self.ask
    }

    /// The grants in force together with those to be asked for; `None` where nothing is to be asked for.
    pub fn with_asking(&self) -> Option<Grants> {
        let mut all = self.grants.clone();
        let mut added = false;
        for grant in self.ask.iter() {
            // It was understood once already.
            added |= all.add(&grant.to_string()).is_ok();
        }
        added.then_some(all)
    }

    /// The grants in force, each with where it came from.
    pub fn each(&self) -> impl Iterator<Item = (&Grant, &Origin)> {
        self.grants.iter().zip(&self.origins)
    }

    /// Where the first grant of this text came from.
    pub fn origin_of(&self, text: &str) -> Option<&Origin> {
        self.each().find(|(grant, _)| grant.to_string() == text).map(|(_, origin)| origin)
    }

    /// The allow-lists in force.
    pub fn walls(&self) -> &Walls {
        &self.walls
    }

    /// The allow-list of nodes.
    pub fn nodes(&self) -> Option<&AllowList> {
        self.nodes.as_ref()
    }

    /// The allow-list of guests.
    pub fn guests(&self) -> Option<&AllowList> {
        self.guests.as_ref()
    }

    /// What takes away the grants that hold without any setting, where something does.
    pub fn narrowed_by(&self) -> Option<&Origin> {
        self.narrowed_by.as_ref()
    }

    /// The profile that was chosen.
    pub fn profile(&self) -> Option<&Profile> {
        self.profile.as_ref()
    }
}

/// Which of flag, variable and profile takes the basic grants away. One is enough, as it narrows.
fn narrowed_by(
    options: &Options,
    sources: &Sources,
    profile: Option<&Profile>,
) -> Result<Option<Origin>, SettingsError> {
    let variable = sources.get("PROXMOX_BASIC").map(|value| boolean("PROXMOX_BASIC", value)).transpose()?;
    let by_profile = profile.filter(|profile| profile.without_basic).map(|p| Origin::Profile(p.name.clone()));
    Ok(match (options.no_basic, variable) {
        (true, _) => Some(Origin::Setting("--no-basic")),
        (false, Some(false)) => Some(Origin::Setting("PROXMOX_BASIC")),
        (false, _) => by_profile,
    })
}

/// The grants to be asked for, from profile, variable and flags.
fn ask(options: &Options, sources: &Sources, profile: Option<&Profile>) -> Result<Grants, SettingsError> {
    let mut all = Grants::default();
    let of_profile = profile
        .into_iter()
        .flat_map(|p| p.ask.iter().map(|text| (Origin::Profile(p.name.clone()), text.as_str())));
    let of_variable = sources.get("PROXMOX_ASK").map(|text| (Origin::Setting("PROXMOX_ASK"), text));
    let of_flags = options.ask.iter().map(|text| (Origin::Setting("--ask"), text.as_str()));
    for (origin, text) in of_profile.chain(of_variable).chain(of_flags) {
        if let Err(error) = all.add(text) {
            return wrong(format!("{origin} cannot be understood.\n{error}"));
        }
    }
    Ok(all)
}

/// The chosen profile, from `--profile` or `PROXMOX_PROFILE`.
fn profile(options: &Options, sources: &Sources) -> Result<Option<Profile>, SettingsError> {
    let name = sources.flag_or(&options.profile, "PROXMOX_PROFILE").filter(|name| !name.is_empty());
    let Some(name) = name else { return Ok(None) };
    let named = match &options.profiles_file {
        Some(path) => Some(path.clone()),
        None => sources.get("PROXMOX_PROFILES_FILE").map(PathBuf::from),
    };
    let Some(file) = named.or_else(profiles::default_file) else {
        return wrong(format!(
            "The profile `{name}` is asked for, but there is no home folder to look for profiles in. Name their file \
             with --profiles-file or PROXMOX_PROFILES_FILE."
        ));
    };
    warn_of_writers(&file);
    profiles::load(&file, name).map(Some).or_else(|error| wrong(error.to_string()))
}

fn nodes(
    options: &Options,
    sources: &Sources,
    profile: Option<&Profile>,
) -> Result<Option<AllowList>, SettingsError> {
    let own = setting(&options.node_allowlist, "--node-allowlist", sources, "PROXMOX_NODE_ALLOWLIST");
    let common = |a: &str, b: &str| {
        let in_b: Vec<&str> = entries(b).collect();
        let both: Vec<&str> = entries(a).filter(|entry| in_b.contains(entry)).collect();
        both.join(",")
    };
    parse_walls(own.as_ref().map(|list| list.text.as_str()), None)?;
    joined("nodes", profile.and_then(|p| listed(p, &p.nodes)), own, common)
}

fn guests(
    options: &Options,
    sources: &Sources,
    profile: Option<&Profile>,
) -> Result<Option<AllowList>, SettingsError> {
    let own = setting(&options.vmid_allowlist, "--vmid-allowlist", sources, "PROXMOX_VMID_ALLOWLIST");
    parse_walls(None, own.as_ref().map(|list| list.text.as_str()))?;
    joined("guests", profile.and_then(|p| listed(p, &p.vmids)), own, common_ranges)
}

fn setting(
    flag: &Option<String>,
    flag_name: &'static str,
    sources: &Sources,
    variable: &'static str,
) -> Option<AllowList> {
    let text = sources.flag_or(flag, variable)?.to_owned();
    let origin = Origin::Setting(if flag.is_some() { flag_name } else { variable });
    Some(AllowList { text, origins: vec![origin] })
}

fn listed(profile: &Profile, text: &Option<String>) -> Option<AllowList> {
    let origins = vec![Origin::Profile(profile.name.clone())];
    text.clone().map(|text| AllowList { text, origins })
}

/// Both lists hold: what remains is what they have in common.
fn joined(
    kind: &str,
    profile: Option<AllowList>,
    own: Option<AllowList>,
    common: impl Fn(&str, &str) -> String,
) -> Result<Option<AllowList>, SettingsError> {
    let (profile, own) = match (profile, own) {
        (Some(profile), Some(own)) => (profile, own),
        (profile, own) => return Ok(profile.or(own)),
    };
    let text = common(&profile.text, &own.text);
    let origins = [profile.origins, own.origins].concat();
    if text.is_empty() {
        let places = origins.iter().map(Origin::to_string).collect::<Vec<_>>().join(" and ");
        return wrong(format!(
            "The lists of {kind} in {places} have nothing in common, so nothing could be touched. Both hold: let one \
             of them go, or make them overlap."
        ));
    }
    Ok(Some(AllowList { text, origins }))
}

/// The guests that are in both of two lists that were found to be in order.
fn common_ranges(a: &str, b: &str) -> String {
    let ranges = |text: &str| -> Vec<(u32, u32)> {
        let range = |entry: &str| {
            let (first, last) = entry.split_once('-').unwrap_or((entry, entry));
            Some((first.parse().ok()?, last.parse().ok()?))
        };
        entries(text).filter_map(range).collect()
    };
    let mut both = Vec::new();
    for (first, last) in ranges(a) {
        for (from, to) in ranges(b) {
            let (first, last) = (first.max(from), last.min(to));
            match first.cmp(&last) {
                std::cmp::Ordering::Less => both.push(format!("{first}-{last}")),
                std::cmp::Ordering::Equal => both.push(first.to_string()),
                std::cmp::Ordering::Greater => {}
            }
        }
    }
    both.join(",")
}

fn entries(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty())
}

fn parse_walls(nodes: Option<&str>, guests: Option<&str>) -> Result<Walls, SettingsError> {
    Walls::parse(nodes, guests).or_else(|error| wrong(error.to_string()))
}

/// Whoever can write the file can grant.
#[cfg(unix)]
fn warn_of_writers(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o022 != 0) {
        tracing::warn!(path = %path.display(), "other users of this machine can write the profiles file; run chmod go-w on it");
    }
}

#[cfg(not(unix))]
fn warn_of_writers(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn gather(options: Options, variables: &[(&str, &str)]) -> Result<Permissions, String> {
        Permissions::gather(&options, &Sources::of(variables)).map_err(|error| error.to_string())
    }

    /// Options with a profile of this content.
    fn with_profile(content: &str) -> (tempfile::NamedTempFile, Options) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("[profiles.night]\n{content}")).unwrap();
        let profiles_file = Some(file.path().to_owned());
        (file, Options { profile: Some("night".to_owned()), profiles_file, ..Options::default() })
    }

    fn shown(permissions: &Permissions) -> Vec<String> {
        permissions.each().skip(4).map(|(grant, origin)| format!("{grant} from {origin}")).collect()
    }

    #[test]
    fn grants_add_up_and_each_knows_where_it_came_from() {
        let (_file, options) = with_profile("grants = ['VM.PowerMgmt@/vms/101, VM.Console@/vms/101']");
        let options = Options { grant: vec!["VM.Snapshot@/vms/102".to_owned()], ..options };
        let all = gather(options, &[("PROXMOX_GRANTS", "Sys.Audit@/nodes/pve1 Sys.Audit@/")]).unwrap();
        assert_eq!(
            shown(&all),
            [
                "VM.PowerMgmt@/vms/101 from profile night",
                "VM.Console@/vms/101 from profile night",
                "Sys.Audit@/nodes/pve1 from PROXMOX_GRANTS",
                "Sys.Audit@/ from PROXMOX_GRANTS",
                "VM.Snapshot@/vms/102 from --grant",
            ]
        );
        assert!(all.each().take(4).all(|(_, origin)| *origin == Origin::Basic));
        assert_eq!(all.origin_of("Sys.Audit@/"), Some(&Origin::Setting("PROXMOX_GRANTS")));
        assert_eq!(all.origin_of("Sys.Modify@/"), None);
    }

    #[test]
    fn elevation_comes_from_any_place_and_a_variable_that_says_no_wins_over_the_profile() {
        let elevated = |options: &Options, variables: &[(&str, &str)]| {
            let all = gather(options.clone(), variables).unwrap();
            all.grants().is_elevated().then(|| all.each().next().unwrap().1.to_string())
        };
        let (_file, options) = with_profile("elevated = true");
        let flagged = Options { allow_elevated: true, ..Options::default() };
        assert_eq!(elevated(&Options::default(), &[]), None);
        assert_eq!(elevated(&options, &[]).as_deref(), Some("profile night"));
        assert_eq!(elevated(&options, &[("PROXMOX_ALLOW_ELEVATED", "false")]), None);
        let variable = elevated(&Options::default(), &[("PROXMOX_ALLOW_ELEVATED", "true")]);
        assert_eq!(variable.as_deref(), Some("PROXMOX_ALLOW_ELEVATED"));
        assert_eq!(
            elevated(&flagged, &[("PROXMOX_ALLOW_ELEVATED", "no")]).as_deref(),
            Some("--allow-elevated")
        );
    }

    #[test]
    fn without_the_basic_grants_only_what_is_granted_holds() {
        let narrowed = |options: &Options, variables: &[(&str, &str)]| {
            let options = Options { grant: vec!["VM.Audit@/vms/101".to_owned()], ..options.clone() };
            let all = gather(options, variables).unwrap();
            let granted: Vec<String> =
                all.each().map(|(grant, origin)| format!("{grant} from {origin}")).collect();
            (all.narrowed_by().map(ToString::to_string), granted)
        };
        let (_file, options) = with_profile("basic = false");
        let flagged = Options { no_basic: true, ..Options::default() };
        for (options, variables, by) in [
            (&flagged, &[][..], "--no-basic"),
            (&Options::default(), &[("PROXMOX_BASIC", "false")], "PROXMOX_BASIC"),
            (&options, &[], "profile night"),
            // What narrows holds, wherever it was said.
            (&options, &[("PROXMOX_BASIC", "true")], "profile night"),
        ] {
            let expected = (Some(by.to_owned()), vec!["VM.Audit@/vms/101 from --grant".to_owned()]);
            assert_eq!(narrowed(options, variables), expected);
        }
        let (by, granted) = narrowed(&Options::default(), &[("PROXMOX_BASIC", "true")]);
        assert_eq!((by, granted.len()), (None, 5));
        let both = gather(Options { allow_elevated: true, ..flagged }, &[]).unwrap_err();
        assert!(both.contains("--allow-elevated") && both.contains("--no-basic"), "{both}");
    }

    #[test]
    fn two_allow_lists_leave_what_they_have_in_common() {
        let (_file, options) = with_profile("nodes = ['pve1', 'pve2']\nvmids = '100-199,300'");
        let variables =
            [("PROXMOX_NODE_ALLOWLIST", "pve2 pve3"), ("PROXMOX_VMID_ALLOWLIST", "150-400,199,120")];
        let all = gather(options.clone(), &variables).unwrap();
        assert_eq!(all.nodes().unwrap().text, "pve2");
        assert_eq!(all.guests().unwrap().text, "150-199,199,120,300");
        let admitted =
            [119, 120, 121, 149, 150, 199, 200, 300, 301].map(|vmid| all.walls().admits_guest(vmid));
        assert_eq!(admitted, [false, true, false, false, true, true, false, true, false]);
        assert!(!all.walls().admits_node("pve1") && all.walls().admits_node("pve2"));
        let places: Vec<String> = all.nodes().unwrap().origins.iter().map(Origin::to_string).collect();
        assert_eq!(places, ["profile night", "PROXMOX_NODE_ALLOWLIST"]);

        let alone = gather(options.clone(), &[]).unwrap();
        assert_eq!(alone.guests().unwrap().text, "100-199,300");
        let apart = gather(options, &[("PROXMOX_VMID_ALLOWLIST", "500")]).unwrap_err();
        assert!(apart.contains("nothing in common") && apart.contains("profile night"), "{apart}");
    }

    #[test]
    fn a_mistake_among_several_grants_is_pointed_at() {
        let error = gather(
            Options::default(),
            &[("PROXMOX_GRANTS", "VM.PowerMgmt@/vms/101, Sys.Audit@/, VM.Cosnole@/vms/101 VM.Audit@/")],
        )
        .unwrap_err();
        assert!(error.starts_with("PROXMOX_GRANTS cannot be understood."), "{error}");
        assert!(error.contains("did you mean \"VM.Console\""), "{error}");
        let lines: Vec<&str> = error.lines().collect();
        let [.., text, carets] = lines.as_slice() else { panic!("{error}") };
        assert_eq!(text.get(carets.find('^').unwrap()..=carets.rfind('^').unwrap()), Some("VM.Cosnole"));
        let list = gather(Options::default(), &[("PROXMOX_VMID_ALLOWLIST", "all")]).unwrap_err();
        assert!(list.contains("PROXMOX_VMID_ALLOWLIST"), "{list}");
    }

    #[test]
    fn what_is_to_be_asked_for_adds_up_and_is_not_granted() {
        let (_file, options) = with_profile("ask = ['VM.PowerMgmt@/vms/101']");
        let options = Options { ask: vec!["VM.Console@/".to_owned()], ..options };
        let all = gather(options, &[("PROXMOX_ASK", "VM.Snapshot@/vms/102")]).unwrap();
        let asked: Vec<String> = all.ask().iter().map(ToString::to_string).collect();
        assert_eq!(asked, ["VM.PowerMgmt@/vms/101", "VM.Snapshot@/vms/102", "VM.Console@/"]);
        let covers =
            |grants: &Grants| grants.covers("VM.PowerMgmt", "/vms/101", &proxmox_gate::NoPools).is_some();
        assert!(!covers(all.grants()) && covers(&all.with_asking().unwrap()));
        assert!(gather(Options::default(), &[]).unwrap().with_asking().is_none());
        let wrong = gather(Options { ask: vec!["VM.PowerMgnt@/".to_owned()], ..Options::default() }, &[]);
        let wrong = wrong.unwrap_err();
        assert!(wrong.contains("--ask") && wrong.contains("VM.PowerMgmt"), "{wrong}");
    }

    #[test]
    fn a_profile_of_no_file_or_no_name_is_said() {
        let (_file, options) = with_profile("");
        let other = Options { profile: Some("nihgt".to_owned()), ..options.clone() };
        assert!(gather(other, &[]).unwrap_err().contains("Did you mean `night`?"));
        let file = options.profiles_file.clone().unwrap();
        let variables = [("PROXMOX_PROFILE", "night"), ("PROXMOX_PROFILES_FILE", file.to_str().unwrap())];
        assert_eq!(gather(Options::default(), &variables).unwrap().profile().unwrap().name, "night");
        let gone = [("PROXMOX_PROFILE", "night"), ("PROXMOX_PROFILES_FILE", "/no/such/file")];
        assert!(gather(Options::default(), &gone).unwrap_err().contains("/no/such/file"));
    }
}
