//! Images and templates: what there is to be had, and getting it.

use proxmox_api::methods as m;
use serde_json::{Value, json};

use super::storage::storage_of;
use super::{Row, on_node, tasks};
use crate::failure::Failure;
use crate::rest::{Call, Reply};
use crate::world::figures::{fraction, seed};
use crate::world::{Volume, World};

pub(super) const ROWS: &[Row] = &[
    on_node(&m::GET_NODES_NODE_APLINFO, available),
    on_node(&m::POST_NODES_NODE_APLINFO, fetch_template),
    on_node(&m::GET_NODES_NODE_QUERY_URL_METADATA, metadata),
    on_node(&m::POST_NODES_NODE_STORAGE_STORAGE_DOWNLOAD_URL, download),
    on_node(&m::POST_NODES_NODE_STORAGE_STORAGE_UPLOAD, upload),
];

/// Templates of the public list: file, operating system, version, section, headline, size in MiB.
const TEMPLATES: &[(&str, &str, &str, &str, &str, u64)] = &[
    ("alpine-3.22-default_20250617_amd64.tar.xz", "alpine", "20250617", "system", "Alpine 3.22", 3),
    (
        "debian-12-standard_12.12-1_amd64.tar.zst",
        "debian-12",
        "12.12-1",
        "system",
        "Debian 12 (standard)",
        120,
    ),
    ("debian-13-standard_13.1-2_amd64.tar.zst", "debian-13", "13.1-2", "system", "Debian 13 (standard)", 124),
    (
        "rockylinux-10-default_20251001_amd64.tar.xz",
        "rockylinux-10",
        "20251001",
        "system",
        "Rocky Linux 10",
        92,
    ),
    ("ubuntu-24.04-standard_24.04-2_amd64.tar.zst", "ubuntu-24.04", "24.04-2", "system", "Ubuntu 24.04", 135),
    (
        "debian-12-turnkey-gitea_18.1-1_amd64.tar.gz",
        "debian-12",
        "18.1-1",
        "turnkeylinux",
        "TurnKey Gitea",
        420,
    ),
];

fn available(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let path = format!("/nodes/{}", call.params.node());
    // The list is for whoever may use some storage; others see none of it.
    let may = ["/", path.as_str()].iter().any(|path| world.may(&call.caller, path, "Sys.Audit"))
        || world
            .storages
            .iter()
            .any(|s| world.may(&call.caller, &format!("/storage/{}", s.name), "Datastore.AllocateTemplate"));
    let shown = if may { TEMPLATES } else { &[] };
    let rows: Vec<Value> = shown
        .iter()
        .map(|(file, system, version, section, headline, _)| {
            let package = file.split('_').next().unwrap_or_default();
            let digest = format!("{:016x}", seed(file)).repeat(8);
            json!({
                "template": file, "package": package, "os": system, "version": version, "section": section,
                "headline": headline, "architecture": "amd64", "type": "lxc", "sha512sum": digest,
                "source": "http://download.proxmox.com/images", "location": format!("http://download.proxmox.com/images/{section}/{file}"),
                "infopage": "https://pve.proxmox.com/wiki/Linux_Container", "maintainer": "support@example.com",
                "description": format!("{headline}. A small system to start from."),
            })
        })
        .collect();
    Ok(json!(rows).into())
}

fn fetch_template(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, file) = (call.params.text("storage"), call.params.text("template"));
    let Some((.., size)) = TEMPLATES.iter().find(|(name, ..)| *name == file) else {
        return Err(Failure::parameter("template", "no such template"));
    };
    holds(world, storage, "vztmpl")?;
    let log = vec![
        format!("downloading http://download.proxmox.com/images/system/{file}"),
        "checksum verified".into(),
    ];
    keep(world, call, (storage, "vztmpl", file), size << 20, log, None)
}

/// Refuses where the storage may not hold such files.
fn holds(world: &World, storage: &str, content: &str) -> Result<(), Failure> {
    match storage_of(world, storage)?.content.contains(&content) {
        true => Ok(()),
        false => Err(Failure::internal(format!(
            "can't upload to storage type '{storage}', it does not hold {content}"
        ))),
    }
}

/// The last part of a URL's path, which a download is named after.
fn file_of(url: &str) -> &str {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').next().unwrap_or_default()
}

/// How large a file of the simulated internet is, in bytes. A host `missing...` has none.
fn size_of(url: &str) -> Result<u64, String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.unwrap_or_default().split(['/', ':']).next().unwrap_or_default();
    if host.starts_with("missing") || file_of(url).is_empty() {
        return Err("404 Not Found".to_owned());
    }
    Ok((200 << 20) + (fraction(seed(url), 1) * 1.5e9) as u64 / 4096 * 4096)
}

fn metadata(_: &mut World, call: &Call) -> Result<Reply, Failure> {
    let url = call.params.text("url");
    let size = size_of(url).map_err(|why| Failure::internal(format!("invalid server response: '{why}'")))?;
    let kind = if url.ends_with(".iso") { "application/x-iso9660-image" } else { "application/octet-stream" };
    Ok(json!({ "filename": file_of(url), "size": size, "mimetype": kind }).into())
}

/// Refuses a name that does not fit what it is the name of.
fn fitting(content: &str, file: &str) -> Result<(), Failure> {
    let endings: &[&str] = match content {
        "iso" => &[".iso", ".img"],
        "vztmpl" => &[".tar.gz", ".tar.xz", ".tar.zst", ".tar.bz2"],
        _ => &[".qcow2", ".raw", ".vmdk", ".ova"],
    };
    match endings.iter().any(|ending| file.ends_with(ending)) {
        true => Ok(()),
        false => Err(Failure::parameter("filename", "wrong file extension")),
    }
}

fn download(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, url) = (call.params.text("storage"), call.params.text("url"));
    let (content, file) = (call.params.text("content"), call.params.text("filename"));
    holds(world, storage, content)?;
    fitting(content, file)?;
    if call.params.has("checksum") != call.params.has("checksum-algorithm") {
        let (missing, given) = match call.params.has("checksum") {
            true => ("checksum-algorithm", "checksum"),
            false => ("checksum", "checksum-algorithm"),
        };
        return Err(Failure::parameter(missing, format!("missing property - '{given}'")));
    }
    let found = size_of(url);
    // What a file of the simulated internet hashes to is not known; a checksum of zeros is never right.
    let wrong = call.params.optional("checksum").is_some_and(|sum| sum.bytes().all(|b| b == b'0'));
    let failure = match &found {
        Err(why) => Some(format!("download failed: {why}")),
        Ok(_) if wrong => Some("checksum verification failed".to_owned()),
        Ok(_) => None,
    };
    let log =
        vec![format!("downloading {url} to {file}"), format!("download of '{url}' to '{file}' finished")];
    keep(world, call, (storage, content, file), found.unwrap_or_default(), log, failure)
}

/// Of the file that was sent only its size is left here, in the place of a temporary file's number.
fn upload(world: &mut World, call: &Call) -> Result<Reply, Failure> {
    let (storage, content) = (call.params.text("storage"), call.params.text("content"));
    let file = call.params.text("filename");
    holds(world, storage, content)?;
    fitting(content, file)?;
    let digits = call.params.text("tmpfilename").trim_start_matches("/var/tmp/pveupload-");
    let size = u64::from_str_radix(digits, 16).unwrap_or_default();
    let target = (storage, content, file);
    keep(
        world,
        call,
        target,
        size,
        vec!["starting file import".into(), "finished file import successfully".into()],
        None,
    )
}

fn keep(
    world: &mut World,
    call: &Call,
    (storage, content, file): (&str, &str, &str),
    size: u64,
    log: Vec<String>,
    failure: Option<String>,
) -> Result<Reply, Failure> {
    let found = storage_of(world, storage)?;
    let (content, format) = match content {
        "iso" => ("iso", "iso"),
        "vztmpl" => ("vztmpl", if file.ends_with("zst") { "tzst" } else { "tgz" }),
        _ => ("import", "raw"),
    };
    let name = format!("{content}/{file}");
    let uploads = call.method.path.ends_with("/upload");
    let node = (!found.shared).then(|| call.params.node().to_owned());
    if !uploads && found.volumes.iter().any(|v| v.name == name && v.node == node) {
        return Err(Failure::internal(format!("refusing to override existing file '{file}'")));
    }
    let volume = Volume { name, node, content, format, size, ctime: world.clock.unix(), ..Volume::default() };
    let place = storage.to_owned();
    let effect = Box::new(move |world: &mut World| {
        if let Some(failure) = failure {
            return Err(failure);
        }
        if let Some(storage) = world.storages.iter_mut().find(|s| s.name == place) {
            storage.remove(|v| v.name == volume.name && v.node == volume.node);
            storage.put(volume);
        }
        Ok(())
    });
    let (kind, id) = if uploads { ("imgcopy", String::new()) } else { ("download", file.to_owned()) };
    tasks::on_node_itself(world, call, (kind, id), 3.0, log, effect)
}
