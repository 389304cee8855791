//! The threat: a disk that belongs to somebody else. Proxmox writes the owner into a volume's name
//! (`vm-101-disk-0`, `backup/vzdump-qemu-101-...`); a request that names such a volume is a request
//! about its owner, wherever the name stands.

use crate::value;

/// What stands where a volume is expected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Volume<'a> {
    /// A new volume, of this many GiB; without a storage it goes to the request's default storage.
    New {
        /// The storage.
        storage: Option<&'a str>,
    },
    /// A new cloud-init image.
    CloudInit {
        /// The storage.
        storage: Option<&'a str>,
    },
    /// A volume that is there.
    Existing {
        /// The storage.
        storage: &'a str,
        /// Its name on the storage.
        name: &'a str,
    },
    /// No medium.
    Empty,
    /// The node's own CD drive.
    HostDrive,
    /// A path in the node's file system.
    Path,
}

/// What an existing volume holds, as far as its name tells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An ISO image, a container template or a disk to be imported.
    Image,
    /// A backup of these guests; of none where the name does not tell.
    Backup(Vec<u32>),
    /// Disks of these guests.
    Disk(Vec<u32>),
    /// Anything else.
    Other,
}

impl<'a> Volume<'a> {
    /// Reads `local-lvm:32`, `local:iso/debian.iso`, `none`, `cdrom`, `/dev/sda` and the like.
    pub(crate) fn read(text: &'a str) -> Result<Self, String> {
        match text {
            "none" => return Ok(Volume::Empty),
            "cdrom" => return Ok(Volume::HostDrive),
            "cloudinit" => return Ok(Volume::CloudInit { storage: None }),
            _ if is_size(text) => return Ok(Volume::New { storage: None }),
            _ => {}
        }
        let Some((storage, name)) = text.split_once(':').filter(|(storage, _)| value::is_storage(storage))
        else {
            return Ok(Volume::Path);
        };
        match name {
            "cloudinit" => Ok(Volume::CloudInit { storage: Some(storage) }),
            _ if is_size(name) => Ok(Volume::New { storage: Some(storage) }),
            _ if value::is_volume(name) => Ok(Volume::Existing { storage, name }),
            _ => Err(format!("{} is not the name of a volume", value::quote(text))),
        }
    }
}

/// A size in GiB: `32`, `0.5`.
fn is_size(text: &str) -> bool {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits(whole) && digits(part)
}

/// What a volume of this name holds.
pub(crate) fn kind(name: &str) -> Kind {
    let owners = owners(name);
    match name.split('/').next() {
        Some("iso" | "vztmpl" | "import") => Kind::Image,
        Some("backup") => Kind::Backup(owners),
        Some(file) if file.starts_with("vzdump-") => Kind::Backup(owners),
        _ if owners.is_empty() => Kind::Other,
        _ => Kind::Disk(owners),
    }
}

/// Whether it is the cloud-init image that Proxmox made for a guest.
pub(crate) fn is_cloud_init(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    let file = file.split('.').next().unwrap_or(file);
    file.starts_with("vm-") && file.ends_with("-cloudinit")
}

/// The guests that a volume belongs to, by its name, with or without its storage in front. A linked
/// clone's name begins with the template's image that it stands on; that one it only refers to.
pub(crate) fn owners(volume: &str) -> Vec<u32> {
    let name = match volume.split_once(':') {
        Some((storage, name)) if !storage.contains('/') => name,
        _ => volume,
    };
    let parts: Vec<&str> = name.split('/').collect();
    let own = match parts.as_slice() {
        [base, own @ ..] if own.len() == 1 && is_base(base) => own,
        [_, base, own @ ..] if own.len() == 2 && is_base(base) => own,
        all => all,
    };
    let mut owners: Vec<u32> = own.iter().filter_map(|part| owner(part)).collect();
    if owners.is_empty() {
        owners = parts.iter().filter_map(|part| owner(part)).collect();
    }
    owners.sort_unstable();
    owners.dedup();
    owners
}

/// The guests that are named by the volumes in a property string or list, whatever its properties are.
pub(crate) fn owners_in(text: &str) -> Vec<u32> {
    // Behind any `=`: a part with two of them is read both ways.
    let values = text.split(',').flat_map(|part| {
        let ends = part.match_indices('=').filter_map(|(at, _)| part.get(at + 1..));
        std::iter::once(part).chain(ends)
    });
    values
        .filter(|value| matches!(Volume::read(value), Ok(Volume::Existing { .. }) | Err(_)))
        .flat_map(owners)
        .collect()
}

fn is_base(part: &str) -> bool {
    (part.starts_with("base-") || part.starts_with("basevol-")) && owner(part).is_some()
}

fn owner(part: &str) -> Option<u32> {
    if let Some(id) = value::vmid_in_a_name(part) {
        return Some(id);
    }
    let mut words = part.split('-');
    match words.next()? {
        "vm" | "base" | "subvol" | "basevol" => words.next().and_then(value::vmid_in_a_name),
        "vzdump" => words.nth(1).and_then(value::vmid_in_a_name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_volume_names_its_owner() {
        assert_eq!(owners("local:vm-0101-disk-0"), [101]);
        for (volume, expected) in [
            ("local-zfs:vm-101-disk-0", &[101][..]),
            ("vm-101-disk-0", &[101]),
            ("local:101/vm-101-disk-0.qcow2", &[101]),
            ("local:101/vm-102-disk-0.qcow2", &[101, 102]),
            ("base-9000-disk-0", &[9000]),
            ("zfs:base-9000-disk-0/vm-101-disk-0", &[101]),
            ("zfs:basevol-9000-disk-0/subvol-101-disk-0", &[101]),
            ("zfs:base-9000-disk-0/odd", &[9000]),
            ("zfs:vm-102-disk-0/vm-101-disk-0", &[101, 102]),
            ("zfs:base-9000-a/base-9001-b/vm-101-c", &[101, 9000, 9001]),
            ("dir:9000/base-9000-disk-0.qcow2/101/vm-101-disk-0.qcow2", &[101]),
            ("dir:102/vm-102-disk-0.qcow2/101/vm-101-disk-0.qcow2", &[101, 102]),
            ("b:backup/vzdump-qemu-101-2026_11_22-09_00_00.vma.zst", &[101]),
            ("pbs:backup/vm/101/2026-11-22T09:00:00Z", &[101]),
            ("pbs:backup/ct/200/2026-11-22T09:00:00Z", &[200]),
            ("local:iso/debian.iso", &[]),
            ("local:import/vm-101.ova/disk.vmdk", &[]),
            ("local:snippets/hook.pl", &[]),
        ] {
            assert_eq!(owners(volume), expected, "{volume}");
        }
    }

    #[test]
    fn what_stands_for_a_volume_is_told_apart() {
        let existing = |storage, name| Volume::Existing { storage, name };
        for (text, expected) in [
            ("none", Volume::Empty),
            ("cdrom", Volume::HostDrive),
            ("32", Volume::New { storage: None }),
            ("local-lvm:101", Volume::New { storage: Some("local-lvm") }),
            ("local-lvm:0.5", Volume::New { storage: Some("local-lvm") }),
            ("local:cloudinit", Volume::CloudInit { storage: Some("local") }),
            ("local:iso/a.iso", existing("local", "iso/a.iso")),
            ("local:101/vm-101-disk-0.qcow2", existing("local", "101/vm-101-disk-0.qcow2")),
            ("/dev/sda", Volume::Path),
            ("/dev/disk/by-id/x:y", Volume::Path),
            ("vm-101-disk-0", Volume::Path),
            ("a/b:c", Volume::Path),
            ("-", Volume::Path),
        ] {
            assert_eq!(Volume::read(text), Ok(expected), "{text}");
        }
        for odd in
            ["local:", "local:../x", "local:/etc/passwd", "local:iso/a b.iso", "local:iso//a", "local:.5 "]
        {
            assert!(Volume::read(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn kinds() {
        assert_eq!(kind("iso/vm-101-a.iso"), Kind::Image);
        assert_eq!(kind("backup/vzdump-lxc-200-x.tar"), Kind::Backup(vec![200]));
        assert_eq!(kind("backup/odd"), Kind::Backup(vec![]));
        assert_eq!(kind("vm-101-disk-0"), Kind::Disk(vec![101]));
        assert_eq!(kind("snippets/a.yaml"), Kind::Other);
        assert!(is_cloud_init("101/vm-101-cloudinit.qcow2") && is_cloud_init("vm-101-cloudinit"));
        assert!(!is_cloud_init("vm-101-disk-0"));
    }

    #[test]
    fn guests_in_property_strings() {
        assert_eq!(owners_in("local-lvm:vm-102-disk-0,size=8G"), [102]);
        assert_eq!(owners_in("local-lvm:0,import-from=local:102/vm-102-disk-0.raw"), [102]);
        assert_eq!(owners_in("file=local-lvm:vm-102-disk-0"), [102]);
        assert_eq!(owners_in("local-lvm:0,odd=x=local-lvm:vm-102-disk-0"), [102]);
        assert_eq!(owners_in("local:../102/vm-102-disk-0.raw"), [102]);
        assert_eq!(owners_in("local-lvm:101,media=disk"), [0_u32; 0]);
        assert_eq!(owners_in("virtio=BC:24:11:00:00:01,bridge=vmbr0"), [0_u32; 0]);
        assert_eq!(owners_in("user=local:snippets/vm-102.yaml,meta=local:vm-103-x"), [103]);
    }
}
