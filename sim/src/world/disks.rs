//! The disks and mount points of a guest, as its configuration has them.

use serde_json::json;

use super::guest::{Guest, GuestKind};
use super::storage::Storage;

/// A disk or mount point of a guest, attached or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestDisk {
    /// Its key in the configuration (`scsi0`, `mp1`, `unused0`).
    pub key: String,
    /// The storage.
    pub storage: String,
    /// The volume, below the storage.
    pub volume: String,
    /// Size in bytes; 0 where the configuration does not say.
    pub size: u64,
    /// Further options, as the configuration has them (`discard=on,ssd=1`).
    pub options: String,
}

impl GuestDisk {
    /// Reads the text of a configuration; `None` for what is no disk: a CD drive, a bind mount.
    pub fn parse(key: &str, text: &str) -> Option<GuestDisk> {
        if !is_disk_key(key) {
            return None;
        }
        let mut parts = text.split(',');
        let first = parts.next().unwrap_or_default();
        let (storage, volume) = first.strip_prefix("volume=").unwrap_or(first).split_once(':')?;
        let (mut size, mut options) = (0, Vec::new());
        for part in parts {
            match part.split_once('=') {
                Some(("size", text)) => size = size_of(text).unwrap_or_default(),
                Some(("media", "cdrom")) => return None,
                _ => options.push(part),
            }
        }
        let (storage, volume, options) = (storage.to_owned(), volume.to_owned(), options.join(","));
        Some(GuestDisk { key: key.to_owned(), storage, volume, size, options })
    }

    /// The text of the configuration.
    pub fn text(&self) -> String {
        let mut text = self.volid();
        if self.is_unused() {
            return text;
        }
        if !self.options.is_empty() {
            text = format!("{text},{}", self.options);
        }
        format!("{text},size={}", size_text(self.size))
    }

    /// Storage and volume: `local-zfs:vm-101-disk-0`.
    pub fn volid(&self) -> String {
        format!("{}:{}", self.storage, self.volume)
    }

    /// Whether the guest has the volume and does not use it.
    pub fn is_unused(&self) -> bool {
        self.key.starts_with("unused")
    }
}

impl Guest {
    /// Its disks, the main one first; those that it does not use come last.
    pub fn disks(&self) -> Vec<GuestDisk> {
        let main = (!self.disk_key.is_empty()).then(|| GuestDisk {
            key: self.disk_key.clone(),
            storage: self.storage.clone(),
            volume: self.volume.clone(),
            size: self.disk,
            options: self.disk_options.clone(),
        });
        let others = self.extra.iter().filter(|(key, _)| **key != self.disk_key);
        let others = others.filter_map(|(key, value)| GuestDisk::parse(key, value.as_str()?));
        let mut all: Vec<GuestDisk> = main.into_iter().chain(others).collect();
        all.sort_by_key(GuestDisk::is_unused);
        for disk in all.iter_mut().filter(|d| d.is_unused()) {
            disk.size = self.unused.get(&disk.volid()).copied().unwrap_or_default();
        }
        all
    }

    /// The disk of this key.
    pub fn disk_of(&self, key: &str) -> Option<GuestDisk> {
        self.disks().into_iter().find(|d| d.key == key)
    }

    /// Adds a disk or replaces the one of the same key. The first disk of a guest is its main one.
    pub fn set_disk(&mut self, disk: GuestDisk) {
        if disk.is_unused() {
            self.unused.insert(disk.volid(), disk.size);
            self.extra.insert(disk.key.clone(), json!(disk.text()));
        } else if (self.disk_key.is_empty() && can_be_main(&disk.key)) || self.disk_key == disk.key {
            let GuestDisk { key, storage, volume, size, options } = disk;
            (self.disk_key, self.storage, self.volume) = (key, storage, volume);
            (self.disk, self.disk_options) = (size, options);
        } else {
            self.extra.insert(disk.key.clone(), json!(disk.text()));
        }
    }

    /// Takes a disk out of the configuration. Where it was the main one, the next one becomes that.
    pub fn remove_disk(&mut self, key: &str) -> Option<GuestDisk> {
        let gone = self.disk_of(key)?;
        self.extra.remove(key);
        if gone.is_unused() {
            self.unused.remove(&gone.volid());
        }
        if key == self.disk_key {
            self.disk_key.clear();
            self.disk = 0;
            if let Some(next) = self.disks().into_iter().find(|d| can_be_main(&d.key)) {
                self.extra.remove(&next.key);
                self.set_disk(next);
            }
        }
        Some(gone)
    }

    /// Takes a disk out of use and keeps its volume.
    pub fn detach_disk(&mut self, key: &str) -> Option<GuestDisk> {
        let gone = self.remove_disk(key)?;
        self.keep_unused(gone.clone());
        Some(gone)
    }

    /// Keeps a volume as one that is not used.
    pub fn keep_unused(&mut self, disk: GuestDisk) {
        let free = (0..256).map(|n| format!("unused{n}")).find(|key| !self.extra.contains_key(key));
        self.set_disk(GuestDisk { key: free.unwrap_or_default(), options: String::new(), ..disk });
    }

    /// The name of a further volume of this guest on a storage.
    pub fn next_volume(&self, storage: &Storage, format: &str) -> String {
        let here = self.disks().into_iter().filter(|d| d.storage == storage.name);
        let taken: Vec<String> = here.map(|d| d.volume).collect();
        (0..1000)
            .map(|number| volume_name(self.kind, self.vmid, number, storage.kind, format))
            .find(|name| !taken.contains(name))
            .unwrap_or_default()
    }
}

/// What a storage of this type calls a volume.
fn volume_name(kind: GuestKind, vmid: u32, number: u32, storage_kind: &str, format: &str) -> String {
    match (storage_kind, kind) {
        ("dir" | "nfs" | "cifs", _) => {
            let format = if format.is_empty() { "raw" } else { format };
            format!("{vmid}/vm-{vmid}-disk-{number}.{format}")
        }
        ("zfspool", GuestKind::Lxc) => format!("subvol-{vmid}-disk-{number}"),
        _ => format!("vm-{vmid}-disk-{number}"),
    }
}

/// Whether a disk of this key is one that a guest starts from.
fn can_be_main(key: &str) -> bool {
    !["efidisk", "tpmstate", "mp", "unused"].iter().any(|stem| key.starts_with(stem))
}

/// Whether a key of a configuration stands for a disk or a mount point.
pub fn is_disk_key(key: &str) -> bool {
    let stem = key.trim_end_matches(|c: char| c.is_ascii_digit());
    let kinds = ["scsi", "virtio", "sata", "ide", "efidisk", "tpmstate", "mp", "unused"];
    key == "rootfs" || (stem.len() < key.len() && kinds.contains(&stem))
}

/// A size as a volume's option has it: `32G`.
pub(crate) fn size_text(bytes: u64) -> String {
    match bytes >> 20 {
        mib if mib >= 1024 && mib % 1024 == 0 => format!("{}G", mib / 1024),
        mib => format!("{mib}M"),
    }
}

/// The bytes of a size such as `32G` or `1.5T`; a plain number counts bytes.
pub(crate) fn size_of(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(['K', 'M', 'G', 'T']);
    let unit: u64 = match text.strip_prefix(digits)? {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    match digits.parse::<u64>() {
        Ok(whole) => Some(whole.saturating_mul(unit)),
        Err(_) => digits.parse::<f64>().ok().filter(|n| *n >= 0.0).map(|n| (n * unit as f64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_read_as_it_is_written() {
        let disk = GuestDisk::parse("scsi1", "local-zfs:vm-101-disk-1,discard=on,size=8G").unwrap();
        assert_eq!((disk.storage.as_str(), disk.size), ("local-zfs", 8 << 30));
        assert_eq!(disk.text(), "local-zfs:vm-101-disk-1,discard=on,size=8G");
        for (key, text) in [("ide2", "local:iso/x.iso,media=cdrom"), ("mp0", "/srv,mp=/x"), ("net0", "a:b")] {
            assert_eq!(GuestDisk::parse(key, text), None, "{key} {text}");
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size_of("1.5G"), Some(3 << 29));
        assert_eq!(size_of("512"), Some(512));
        assert_eq!(size_of("8X"), None);
        assert_eq!(size_text(3 << 29), "1536M");
    }

    #[test]
    fn a_detached_disk_is_kept_and_the_next_becomes_the_main_one() {
        let mut guest = Guest::new(101, GuestKind::Qemu, "x", "pve1");
        let second = GuestDisk::parse("scsi1", "ceph:vm-101-disk-1,size=8G").unwrap();
        guest.set_disk(second);
        let first = guest.detach_disk("scsi0").unwrap();
        assert_eq!((guest.disk_key.as_str(), guest.disk), ("scsi1", 8 << 30));
        let unused = guest.disk_of("unused0").unwrap();
        assert_eq!((unused.volid(), unused.size), (first.volid(), 32 << 30));
        guest.remove_disk("unused0");
        assert_eq!(guest.disks().len(), 1);
    }

    #[test]
    fn variables_of_the_firmware_are_not_what_a_guest_starts_from() {
        let mut guest = Guest::new(101, GuestKind::Qemu, "x", "pve1");
        guest.set_disk(GuestDisk::parse("efidisk0", "ceph:vm-101-disk-1,size=4M").unwrap());
        let kept = guest.config(true);
        guest.restore(&kept);
        assert_eq!((guest.disk_key.as_str(), guest.disk), ("scsi0", 32 << 30));
        guest.remove_disk("scsi0");
        assert_eq!((guest.disk_key.as_str(), guest.disks().len()), ("", 1));
    }
}
