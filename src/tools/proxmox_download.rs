//! `proxmox_download`: lets a node fetch an image or a template onto a storage.

use proxmox_api::methods;
use serde_json::Value;

use crate::change::{self, Change, How};
use crate::cx::{Call, Cx};
use crate::data::Data;
use crate::error::Error;
use crate::foreign;
use crate::missing::Missing;
use crate::nearest::nearest;
use crate::pve::ids::{NodeName, StorageId, Volume};
use crate::pve::resources::{self, Resource};
use crate::pve::volumes::{self, Place, Want};
use crate::tool::{Args, Argument, Hidden, Kind, Outcome, Tool, Toolset};

/// How many templates an error names.
const NAMED: usize = 8;

crate::words! {
    /// What is fetched.
    enum Content {
        /// An image of a CD or DVD.
        Iso = "iso",
        /// A template of containers.
        Template = "vztmpl",
        /// An image of a disk.
        Import = "import",
    }
}

crate::words! {
    /// How a checksum is made.
    enum Algorithm {
        /// 32 digits.
        Md5 = "md5",
        /// 40 digits.
        Sha1 = "sha1",
        /// 56 digits.
        Sha224 = "sha224",
        /// 64 digits.
        Sha256 = "sha256",
        /// 96 digits.
        Sha384 = "sha384",
        /// 128 digits.
        Sha512 = "sha512",
    }
}

crate::params! {
    /// Where to.
    storage: StorageId,
    /// Node, where each has its own such storage.
    node: Option<NodeName>,
    /// URL.
    url: Option<Url>,
    /// Template.
    template: Option<String>,
    /// Name of the file.
    filename: Hidden<String>,
    /// Checksum.
    checksum: Option<Checksum>,
    /// How the checksum is made.
    checksum_algorithm: Hidden<Algorithm>,
    /// What it is.
    content: Hidden<Content>,
    /// Follow the task to its end.
    wait: bool = true,
    /// Only show what would be done.
    dry_run: bool = false,
}

/// The tool.
pub static TOOL: Tool = Tool {
    name: "proxmox_download",
    title: "Download image",
    description: "Fetches an image from a URL, or a container template of Proxmox.",
    toolset: Toolset::Storage,
    params: PARAMS,
    unlisted: &["checksum"],
    output: change::SHAPE,
    calls: &[
        &methods::GET_CLUSTER_RESOURCES,
        &methods::GET_NODES_NODE_STORAGE_STORAGE_CONTENT,
        &methods::GET_NODES_NODE_APLINFO,
        &methods::POST_NODES_NODE_APLINFO,
        &methods::POST_NODES_NODE_STORAGE_STORAGE_DOWNLOAD_URL,
        &methods::GET_NODES_NODE_TASKS_UPID_STATUS,
        &methods::GET_NODES_NODE_TASKS_UPID_LOG,
    ],
    idempotent: Some(true),
    open_world: true,
    run,
    resume: Some(change::resume),
    ..Tool::PLAIN
};

fn run(cx: &Cx<'_>, args: &Args) -> Result<Outcome, Error> {
    let params = Params::read(args)?;
    let how = How { wait: params.wait, dry_run: params.dry_run };
    match (&params.url, &params.template) {
        (Some(url), None) => from_url(cx, &params, url, how),
        (None, Some(template)) => from_list(cx, &params, template, how),
        (Some(_), Some(_)) => Err(Error::Arguments("`url` and `template` exclude each other; give one.".to_owned())),
        (None, None) => Err(Error::Arguments(
            "`url` or `template` is needed: the address of a file, or the name of a container template of Proxmox."
                .to_owned(),
        )),
    }
}

fn from_url(cx: &Cx<'_>, params: &Params, url: &Url, how: How) -> Result<Outcome, Error> {
    let file = match params.filename.get() {
        Some(name) => name.clone(),
        None => url.file().to_owned(),
    };
    let content = content(&file, params.content.get().copied())?;
    let volume = volume(&params.storage, content, &file)?;
    let checksum = checksum(params)?;
    let (place, there) = look(cx, params, content, &volume)?;
    let change = described(&place, &volume, &foreign::code(&url.0, 300));
    if there {
        return Ok(change.unchanged());
    }
    let change = match &checksum {
        Some((algorithm, _)) => change.fact("Checksum", format_args!("{}, verified by Proxmox VE", algorithm.word())),
        None => change.warning("There is no `checksum`: what arrives is not verified."),
    };
    let call = place
        .call(&methods::POST_NODES_NODE_STORAGE_STORAGE_DOWNLOAD_URL)
        .with("url", url.0.as_str())
        .with("content", content.word())
        .with("filename", file)
        .with_some("checksum-algorithm", checksum.as_ref().map(|(algorithm, _)| algorithm.word()))
        .with_some("checksum", checksum.as_ref().map(|(_, digits)| digits.as_str()));
    change.make(cx, call, how)
}

fn from_list(cx: &Cx<'_>, params: &Params, template: &str, how: How) -> Result<Outcome, Error> {
    if params.checksum.is_some() {
        return Err(Error::Arguments(
            "`checksum` is for a `url`; Proxmox VE verifies its templates by itself. Leave it out.".to_owned(),
        ));
    }
    let mut place = place(cx, params, Content::Template)?;
    let list = cx.call(Call::of(&methods::GET_NODES_NODE_APLINFO).at("node", &place.node))?;
    let names: Vec<&str> =
        list.as_array().into_iter().flatten().filter_map(|row| row.get("template")?.as_str()).collect();
    let file = choose(&names, template)?;
    let volume = volume(&params.storage, Content::Template, file)?;
    let change = described(&place, &volume, "the templates of Proxmox");
    if is_there(cx, &mut place, Content::Template, &volume)? {
        return Ok(change.unchanged());
    }
    let call = Call::of(&methods::POST_NODES_NODE_APLINFO)
        .at("node", &place.node)
        .with("storage", params.storage.as_str())
        .with("template", file);
    change.make(cx, call, how)
}

fn described(place: &Place, volume: &Volume, from: &str) -> Change {
    let node = (!place.shared).then_some(place.node.as_str());
    let undo = Data::new().always("volume", volume.as_str()).known("node", node);
    Change::new(format!("📥 Download `{volume}`"))
        .node(&place.node)
        .fact("From", from)
        .fact("Volume", format_args!("`{volume}`"))
        .undo("proxmox_delete_volume", undo)
}

/// The place, and whether the volume is there already.
fn look(cx: &Cx<'_>, params: &Params, content: Content, volume: &Volume) -> Result<(Place, bool), Error> {
    let mut place = place(cx, params, content)?;
    let there = is_there(cx, &mut place, content, volume)?;
    Ok((place, there))
}

fn is_there(cx: &Cx<'_>, place: &mut Place, content: Content, volume: &Volume) -> Result<bool, Error> {
    let want = Want { content: Some(content.word()), ..Want::default() };
    let missing = || Error::Defect("no answer to a request".to_owned());
    let reply = volumes::ask(cx, std::slice::from_mut(place), want).pop().ok_or_else(missing)??;
    Ok(volumes::items(&reply)?.iter().any(|item| *item.volid == *volume.as_str()))
}

fn place(cx: &Cx<'_>, params: &Params, content: Content) -> Result<Place, Error> {
    let reply = resources::fetch(cx)?;
    let rows: Vec<Resource<'_>> = resources::rows(&reply)?;
    let mut missing = Missing::new();
    let want = Want {
        content: Some(content.word()),
        storage: Some(&params.storage),
        node: params.node.as_ref(),
        vmid: None,
    };
    let mut places = volumes::places(&rows, want, &mut missing)?;
    match (places.pop(), places.is_empty()) {
        (Some(place), true) => Ok(place),
        (None, _) => {
            Err(Error::Failed(format!("Storage `{}` cannot be used now.\n{}", params.storage, missing.lines())))
        }
        (Some(last), false) => {
            let nodes: Vec<&str> = places.iter().chain([&last]).map(|place| place.node.as_str()).collect();
            Err(Error::Arguments(format!(
                "`node` is needed: each node has its own `{}`: {}.",
                params.storage,
                nodes.join(", ")
            )))
        }
    }
}

/// The template that is meant: by its whole name, or the newest one that begins so.
fn choose<'a>(names: &[&'a str], wanted: &str) -> Result<&'a str, Error> {
    let begins = |name: &&&str| name.strip_prefix(wanted).is_some_and(|rest| rest.starts_with(['-', '_', '.']));
    let mut fit: Vec<&str> = names.iter().filter(begins).copied().collect();
    if let Some(whole) = names.iter().find(|name| **name == wanted) {
        return Ok(whole);
    }
    // Those of Proxmox itself come before appliances of others.
    if fit.iter().any(|name| name.contains("-standard_") || name.contains("-default_")) {
        fit.retain(|name| name.contains("-standard_") || name.contains("-default_"));
    }
    let package = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    fit.sort_by_cached_key(|name| numbers(name));
    if let Some(newest) = fit.last().filter(|last| fit.iter().all(|name| package(name) == package(last))) {
        return Ok(newest);
    }
    let shown = foreign::code(wanted, 80);
    if !fit.is_empty() {
        let named: Vec<String> = fit.iter().take(NAMED).map(|name| foreign::code(name, 120)).collect();
        return Err(Error::Arguments(format!("`template` {shown} may be one of {}.", named.join(", "))));
    }
    let meant = nearest(wanted, names.iter().map(|name| name.split('_').next().unwrap_or_default()));
    let meant = meant.map(|name| format!(" Did you mean {}?", foreign::code(name, 80))).unwrap_or_default();
    let parts: Vec<&str> = names.iter().filter(|name| name.contains(wanted)).take(NAMED).copied().collect();
    let parts = match parts.as_slice() {
        [] if names.is_empty() => " The node's list of templates is empty: `pveam update` on it fetches the list.",
        [] => "",
        some => return Err(not_listed(&shown, &format!("{meant} There is {}.", some.join(", ")))),
    };
    Err(not_listed(&shown, &format!("{meant}{parts}")))
}

/// The numbers of a name, which sort 12.7 before 12.12.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse().ok()).collect()
}

fn not_listed(shown: &str, more: &str) -> Error {
    Error::NotFound(format!("Proxmox has no container template {shown}.{more}"))
}

/// What a file is by the end of its name, unless it is said.
fn content(file: &str, said: Option<Content>) -> Result<Content, Error> {
    let lower = file.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
    let by_name = if ends(&[".iso", ".img"]) {
        Some(Content::Iso)
    } else if ends(&[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".tgz"]) {
        Some(Content::Template)
    } else if ends(&[".qcow2", ".raw", ".vmdk", ".ova"]) {
        Some(Content::Import)
    } else {
        None
    };
    said.or(by_name).ok_or_else(|| {
        Error::Arguments(format!(
            "The file's name {} does not say what it is: an ISO image ends in .iso or .img, a container template in \
             .tar.zst, .tar.gz or .tar.xz, a disk image in .qcow2, .raw, .vmdk or .ova. Give such a name as `filename`.",
            foreign::code(file, 120)
        ))
    })
}

fn volume(storage: &StorageId, content: Content, file: &str) -> Result<Volume, Error> {
    let plain = !file.contains('/') && file.len() <= 255;
    let volume = Volume::parse(&format!("{storage}:{}/{file}", content.word())).filter(|_| plain);
    volume.ok_or_else(|| {
        Error::Arguments(format!(
            "`filename` {} cannot be a file's name on a storage: it takes letters, digits and `-_.+`. Give another one.",
            foreign::code(file, 120)
        ))
    })
}

/// An address that a node may fetch; without a password, which would end up in logs.
#[derive(Debug)]
struct Url(String);

impl Url {
    /// The last part of its path.
    fn file(&self) -> &str {
        let path = self.0.split(['?', '#']).next().unwrap_or_default();
        path.rsplit('/').next().unwrap_or_default()
    }
}

impl Argument for Url {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "an address that begins with https:// or http://, without a password in it";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?;
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let printable = text.chars().all(|c| c.is_ascii_graphic());
        (!host.is_empty() && !host.contains('@') && printable && text.len() <= 2000).then(|| Url(text.to_owned()))
    }
}

/// The digits of a checksum, perhaps with the algorithm before them: `sha256:...`.
#[derive(Debug)]
struct Checksum {
    algorithm: Algorithm,
    digits: String,
}

impl Argument for Checksum {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the hexadecimal digits of an MD5 or SHA checksum, such as sha256:9f86d0...";

    fn read(value: &Value) -> Option<Self> {
        let text = value.as_str()?.trim().to_ascii_lowercase();
        let (said, digits) = text.split_once(':').map_or((None, text.as_str()), |(said, rest)| (Some(said), rest));
        let algorithm = match digits.len() {
            32 => Algorithm::Md5,
            40 => Algorithm::Sha1,
            56 => Algorithm::Sha224,
            64 => Algorithm::Sha256,
            96 => Algorithm::Sha384,
            128 => Algorithm::Sha512,
            _ => return None,
        };
        let valid = digits.bytes().all(|byte| byte.is_ascii_hexdigit())
            && said.is_none_or(|said| said.replace('-', "") == algorithm.word());
        valid.then(|| Checksum { algorithm, digits: digits.to_owned() })
    }
}

/// The checksum with its algorithm, which follows from its length.
fn checksum(params: &Params) -> Result<Option<(Algorithm, String)>, Error> {
    match (&params.checksum, params.checksum_algorithm.get()) {
        (Some(sum), Some(said)) if *said != sum.algorithm => Err(Error::Arguments(format!(
            "`checksum` has the length of {}, not of {}.",
            sum.algorithm.word(),
            said.word()
        ))),
        (Some(sum), _) => Ok(Some((sum.algorithm, sum.digits.clone()))),
        (None, Some(_)) => Err(Error::Arguments("`checksum_algorithm` needs a `checksum`.".to_owned())),
        (None, None) => Ok(None),
    }
}

#[cfg(test)]
#[path = "tests/proxmox_download.rs"]
mod tests;
