//! A second, simple reading of a request that the gate let through. It knows no template and no type: it
//! takes the text apart and lists every node and guest that it can see.

use percent_encoding::percent_decode_str;

/// What a permitted request names.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) nodes: Vec<String>,
    pub(crate) guests: Vec<u32>,
}

/// Parameters that hold nodes, guests or volumes, alone or in lists.
const NODES: &[&str] = &["node", "nodes", "target", "target_node", "migratedfrom", "check-node"];
const GUESTS: &[&str] = &["vmid", "newid", "target-vmid", "vms", "exclude"];
const SIDS: &[&str] = &["sid", "resources"];
const VOLUMES: &[&str] = &[
    "archive",
    "cdrom",
    "cicustom",
    "efidisk",
    "hookscript",
    "ide",
    "mp",
    "ostemplate",
    "rootfs",
    "sata",
    "scsi",
    "tpmstate",
    "unused",
    "virtio",
    "volume",
];

/// Reads path, query and form; an error where the text is not in the one form that permits have.
pub(crate) fn read(target: &str, form: &[u8]) -> Result<Seen, String> {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(below) = path.strip_prefix("/api2/json/") else { return Err("another prefix".to_owned()) };
    let mut seen = Seen::default();
    read_path(below, &mut seen)?;
    let form = std::str::from_utf8(form).map_err(|_| "a form that is not text".to_owned())?;
    for pair in [query, form].into_iter().flat_map(|text| text.split('&')).filter(|pair| !pair.is_empty()) {
        if !pair.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%=".contains(&b)) {
            return Err(format!("a character outside the canonical form in {pair:?}"));
        }
        let (name, value) = pair.split_once('=').ok_or_else(|| format!("no = in {pair:?}"))?;
        read_parameter(&decode(name)?, &decode(value)?, &mut seen);
    }
    Ok(seen)
}

fn read_path(below: &str, seen: &mut Seen) -> Result<(), String> {
    let raw: Vec<&str> = below.split('/').collect();
    let segments = raw.iter().map(|segment| decode(segment)).collect::<Result<Vec<_>, _>>()?;
    for (i, segment) in segments.iter().enumerate() {
        let volume = i > 0 && segments.get(i - 1).is_some_and(|previous| previous == "content");
        if segment.is_empty() || segment == "." || segment == ".." || segment.contains(['\0', '\\', '?', '#'])
        {
            return Err(format!("an odd segment: {segment:?}"));
        }
        if segment.split('/').any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(format!("a path inside a segment: {segment:?}"));
        }
        if segment.contains('/') && !volume {
            return Err(format!("a slash inside a segment: {segment:?}"));
        }
        if volume {
            volumes(segment, &mut seen.guests);
        }
    }
    // `/nodes/{node}/...`, but not `/cluster/sdn/fabrics/node/...`.
    if let [first, node, rest @ ..] = segments.as_slice()
        && first == "nodes"
    {
        seen.nodes.push(node.clone());
        if let [kind, vmid, ..] = rest
            && (kind == "qemu" || kind == "lxc")
        {
            seen.guests.push(vmid.parse().map_err(|_| format!("{vmid:?} is no vmid"))?);
        }
        if let [tasks, upid, ..] = rest
            && tasks == "tasks"
        {
            let fields: Vec<&str> = upid.split(':').collect();
            seen.nodes.extend(fields.get(1).map(|node| (*node).to_owned()));
            seen.guests.extend(fields.get(6).and_then(|id| id.split('@').next()).and_then(vmid));
        }
    }
    Ok(())
}

fn read_parameter(name: &str, value: &str, seen: &mut Seen) {
    let words = || value.split([',', ';', ' ', '\0', '\t', '\n']).filter(|word| !word.is_empty());
    let number = |text: &str| text.parse::<u32>().ok();
    if NODES.contains(&name) {
        seen.nodes.extend(words().map(|word| word.split(':').next().unwrap_or(word).to_owned()));
    }
    if GUESTS.contains(&name) {
        seen.guests.extend(words().filter_map(number));
    }
    if SIDS.contains(&name) {
        seen.guests.extend(words().filter_map(|word| number(word.rsplit(':').next().unwrap_or(word))));
    }
    if VOLUMES.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit())) {
        value.split(',').for_each(|part| match part.split_once('=') {
            None => volumes(part, &mut seen.guests),
            // A property is a volume where a storage is named; a mount point inside a container is none.
            Some((_, more)) => {
                let has_storage = |text: &&str| text.contains(':');
                more.split('=').filter(has_storage).for_each(|text| volumes(text, &mut seen.guests));
            }
        });
    }
}

/// The owners in a volume's name: the number behind `vm-`, `base-` and the like, and a number that stands
/// for a folder. A base image in front of another image is what that one stands on, not what is used.
fn volumes(text: &str, guests: &mut Vec<u32>) {
    let name = match text.split_once(':') {
        Some((storage, name)) if is_storage(storage) => name,
        // Not a volume's name but a path, which is root's alone, or text.
        Some(_) => return,
        None => text,
    };
    let parts: Vec<&str> = name.split('/').collect();
    let last = parts.len() - 1;
    for (i, part) in parts.iter().enumerate() {
        let mut words = part.split('-');
        let number = match words.next() {
            Some("vm" | "subvol") => words.next(),
            Some("base" | "basevol") if i == last => words.next(),
            Some("vzdump") => words.nth(1),
            Some(folder) if last == 1 && i == 0 => Some(folder).filter(|_| !part.contains('-')),
            Some(folder) if last == 3 && i == 2 => Some(folder).filter(|_| !part.contains('-')),
            _ => None,
        };
        guests.extend(number.and_then(vmid));
    }
}

/// The name of a storage as Proxmox takes it: a letter first, a letter or digit last, and `-_.` between.
fn is_storage(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.ends_with(|c: char| c.is_ascii_alphanumeric())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

/// A guest's number; zeros in front change nothing. Numbers below and above are no guests': tasks and
/// files may carry them.
fn vmid(digits: &str) -> Option<u32> {
    let number = digits.chars().all(|c| c.is_ascii_digit()).then(|| digits.parse::<u32>().ok())?;
    number.filter(|number| (100..=999_999_999).contains(number))
}

fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| format!("{text:?} is not UTF-8"))?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests(target: &str, form: &str) -> Vec<u32> {
        read(target, form.as_bytes()).unwrap().guests
    }

    #[test]
    fn it_sees_nodes_and_guests() {
        let seen =
            read("/api2/json/nodes/pve1/qemu/101/config?target=pve2", b"scsi1=a1%3Avm-102-disk-0").unwrap();
        assert_eq!((seen.nodes, seen.guests), (vec!["pve1".to_owned(), "pve2".to_owned()], vec![101, 102]));
        assert_eq!(guests("/api2/json/nodes/pve1/vzdump", "vmid=103%2C104"), [103, 104]);
        assert_eq!(guests("/api2/json/nodes/pve1/storage/a1/content/a1%3A105%2Fx.raw", ""), [105]);
        assert_eq!(
            guests(
                "/api2/json/x",
                "scsi0=z1%3Abase-900-d%2Fvm-106-d&archive=b1%3Abackup%2Fvzdump-qemu-107-x"
            ),
            [107, 106].map(|n| if n == 107 { 106 } else { 107 })
        );
        assert_eq!(guests("/api2/json/x", "scsi0=a1%3A200"), [0_u32; 0]);
        assert_eq!(guests("/api2/json/x", "scsi0=a1%3A0%2Cx%3Da1%3Avm-0103-d"), [103]);
        assert_eq!(guests("/api2/json/x", "scsi0=a1%3A0%2Cx%3Dto%20a1%3Avm-103-d"), [0_u32; 0]);
    }

    #[test]
    fn it_knows_odd_texts() {
        for target in [
            "/api2/extjs/x",
            "/api2/json//x",
            "/api2/json/..",
            "/api2/json/a%2Fb",
            "/api2/json/a%00",
            "/api2/json/x?a",
            "/api2/json/x?a=b;c",
        ] {
            assert!(read(target, b"").is_err(), "{target}");
        }
    }
}
