//! Disks of VMs and mount points of containers, as a guest's configuration has them.

use std::fmt;

use serde_json::Value;

use crate::error::Error;
use crate::pve::config::{Config, properties};
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::StorageId;
use crate::text;
use crate::tool::{Argument, Kind};

/// The buses of a VM's disks, with how many disks each has; the usual one first.
const BUSES: [(&str, u32); 4] = [("scsi", 31), ("virtio", 16), ("sata", 6), ("ide", 4)];
/// How many mount points a container has, and how many volumes a guest keeps that it does not use.
const MANY: u32 = 256;

/// The key of a disk: `scsi0`, `rootfs`, `mp1`, `unused0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskKey(String);

impl DiskKey {
    /// The key, if it is one of a disk.
    pub fn parse(text: &str) -> Option<DiskKey> {
        let stem = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: Option<u32> =
            text.strip_prefix(stem)?.parse().ok().filter(|n: &u32| text == format!("{stem}{n}"));
        let room =
            BUSES.iter().copied().chain([("mp", MANY), ("unused", MANY), ("efidisk", 1), ("tpmstate", 1)]);
        let valid = text == "rootfs"
            || room
                .into_iter()
                .any(|(name, many)| name == stem && number.is_some_and(|number| number < many));
        valid.then(|| DiskKey(text.to_owned()))
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it keeps a volume that is not used.
    pub fn is_unused(&self) -> bool {
        self.0.starts_with("unused")
    }

    /// Whether it is one of a container's: `rootfs` or `mpN`.
    pub fn is_mount(&self) -> bool {
        self.0 == "rootfs" || self.0.starts_with("mp")
    }

    /// Refuses a key that a guest of this kind does not have.
    ///
    /// # Errors
    /// [`Error::Arguments`], with those that it has.
    pub fn suits(&self, guest: &Guest) -> Result<(), Error> {
        if self.is_unused() || self.is_mount() == (guest.kind == GuestKind::Container) {
            return Ok(());
        }
        Err(Error::Arguments(match guest.kind {
            GuestKind::Vm => {
                format!(
                    "{guest} is a VM: its disks are called scsi0, virtio0, sata0 or ide0 and so on, not `{self}`."
                )
            }
            GuestKind::Container => {
                format!(
                    "{guest} is a container: its volumes are called rootfs, mp0, mp1 and so on, not `{self}`."
                )
            }
        }))
    }
}

impl fmt::Display for DiskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Argument for DiskKey {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "the key of a disk: scsi0 to scsi30, virtio0 to virtio15, sata0 to sata5, ide0 to ide3, rootfs, mp0, unused0";

    fn read(value: &Value) -> Option<Self> {
        DiskKey::parse(value.as_str()?)
    }
}

/// A disk, mount point, CD drive or unused volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its key.
    pub key: DiskKey,
    text: String,
}

impl Disk {
    /// Reads the value of a key.
    pub fn new(key: DiskKey, text: impl Into<String>) -> Disk {
        Disk { key, text: text.into() }
    }

    /// The disk under this key.
    ///
    /// # Errors
    /// [`Error::NotFound`], with those that there are.
    pub fn of(config: &Config, guest: &Guest, key: &DiskKey) -> Result<Disk, Error> {
        key.suits(guest)?;
        if let Some(text) = config.text(key.as_str()) {
            return Ok(Disk::new(key.clone(), text));
        }
        let there: Vec<String> = Disk::all(config).map(|disk| format!("`{}`", disk.key)).collect();
        Err(Error::NotFound(format!(
            "{guest} has no `{key}`. It has {}.",
            if there.is_empty() { "no disk at all".to_owned() } else { there.join(", ") }
        )))
    }

    /// All of a guest.
    pub fn all(config: &Config) -> impl Iterator<Item = Disk> {
        config.entries().filter_map(|(key, value)| Some(Disk::new(DiskKey::parse(key)?, value.as_str()?)))
    }

    /// The volume, such as `local-lvm:vm-101-disk-0`; a path for a bind mount; `none` for an empty drive.
    pub fn volume(&self) -> &str {
        let named = |(key, value)| matches!(key, "" | "file" | "volume").then_some(value);
        properties(&self.text).into_iter().find_map(named).unwrap_or_default()
    }

    /// The storage that it is on; nothing for a bind mount or an empty drive.
    pub fn storage(&self) -> Option<StorageId> {
        StorageId::parse(self.volume().split_once(':')?.0)
    }

    /// Whether its volume is this guest's by its name, such as `vm-101-disk-0`.
    pub fn belongs_to(&self, guest: &Guest) -> bool {
        // Of a linked clone, the part before the slash is the template's.
        let name = self.volume().rsplit(['/', ':']).next().unwrap_or_default();
        self.storage().is_some() && name.contains(&format!("-{}-", guest.vmid))
    }

    /// An option such as `size`.
    pub fn option(&self, name: &str) -> Option<&str> {
        properties(&self.text).into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// Its size in bytes; nothing where the configuration does not say.
    pub fn bytes(&self) -> Option<u64> {
        let text = self.option("size")?;
        let unit = text.chars().last().filter(char::is_ascii_alphabetic).map_or(0, shift);
        let number: u64 = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).parse().ok()?;
        number.checked_mul(1 << unit)
    }

    /// Its size as text.
    pub fn size(&self) -> String {
        match self.bytes() {
            #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
            Some(bytes) => text::bytes(bytes as f64),
            None => "size not known".to_owned(),
        }
    }

    /// Whether it is a CD drive, which holds no data of the guest's own. The cloud-init drive is one.
    pub fn is_drive(&self) -> bool {
        self.option("media") == Some("cdrom") || is_cloud_init(self.volume())
    }
}

/// Whether a volume is a cloud-init drive, made or to be made.
pub fn is_cloud_init(volume: &str) -> bool {
    volume.ends_with(":cloudinit")
        || volume.rsplit(['/', ':']).next().is_some_and(|name| name.contains("-cloudinit"))
}

/// The binary exponent of a unit: `G` is 30.
fn shift(unit: char) -> u32 {
    match unit {
        'K' => 10,
        'M' => 20,
        'G' => 30,
        'T' => 40,
        _ => 0,
    }
}

/// The first free key for a new disk: on the bus of the disks that there are, or the next mount point.
///
/// # Errors
/// [`Error::Failed`] where all are taken.
pub fn free_key(config: &Config, guest: &Guest) -> Result<DiskKey, Error> {
    let used = |bus: &str| Disk::all(config).any(|disk| disk.key.0.starts_with(bus) && !disk.is_drive());
    let (bus, many) = match guest.kind {
        GuestKind::Container => ("mp", MANY),
        GuestKind::Vm => BUSES.into_iter().find(|(bus, _)| used(bus)).unwrap_or(("scsi", 31)),
    };
    first_free(config, bus, many).ok_or_else(|| {
        Error::Failed(format!("{guest} has no free key left on `{bus}`; name another one as `disk`."))
    })
}

/// The key that keeps a volume when its disk is detached.
pub fn unused_key(config: &Config) -> String {
    first_free(config, "unused", MANY).map_or("unused0".to_owned(), |key| key.0)
}

fn first_free(config: &Config, stem: &str, many: u32) -> Option<DiskKey> {
    (0..many).map(|number| format!("{stem}{number}")).find(|key| config.text(key).is_none()).map(DiskKey)
}

/// A size as people give it: `32G`, `512M`, `1.5T`, `+10G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How much, in MiB.
    pub mib: u64,
    /// Whether it comes on top of what is there.
    pub more: bool,
    /// Whether it was a number without a unit.
    pub bare: bool,
}

impl Size {
    /// Reads it; a number without a unit counts GiB.
    pub fn parse(text: &str) -> Option<Size> {
        let (more, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let digits = rest.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let unit: u64 = match rest.strip_prefix(digits)? {
            "M" | "MB" | "MiB" => 1,
            "" | "G" | "GB" | "GiB" => 1 << 10,
            "T" | "TB" | "TiB" => 1 << 20,
            _ => return None,
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
        let number = |text: &str, most: usize| -> Option<u64> {
            let plain = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            if plain { text.parse().ok() } else { None }
        };
        let tens = 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
        let part = number(part, 3)?.checked_mul(unit)?;
        let mib = number(whole, 7)?.checked_mul(unit)?.checked_add(part / tens)?;
        (mib > 0 && part % tens == 0).then_some(Size { mib, more, bare: digits == rest })
    }

    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.mib.saturating_mul(1 << 20)
    }

    /// In GiB, as a new volume's size is written: `32`, `0.5`.
    pub fn gib(self) -> String {
        if self.mib.is_multiple_of(1024) {
            return (self.mib / 1024).to_string();
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let gib = self.mib as f64 / 1024.0;
        gib.to_string()
    }
}

/// As Proxmox takes it: `32G`, `+512M`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.more { "+" } else { "" };
        match self.mib {
            mib if mib.is_multiple_of(1024) => write!(f, "{sign}{}G", mib / 1024),
            mib => write!(f, "{sign}{mib}M"),
        }
    }
}

impl Argument for Size {
    const KIND: Kind = Kind::Text;
    const TAKES: &'static str = "a size with its unit M, G or T, such as 32G, or +10G for more than there is";

    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Size::parse(&number.to_string()),
            value => Size::parse(value.as_str()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_strictly() {
        for (text, written, gib) in [
            ("32G", "32G", "32"),
            ("32", "32G", "32"),
            ("512M", "512M", "0.5"),
            ("1.5T", "1536G", "1536"),
            ("+10G", "+10G", "10"),
            ("0.5G", "512M", "0.5"),
            ("100M", "100M", "0.09765625"),
        ] {
            let size = Size::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((size.to_string().as_str(), size.gib().as_str()), (written, gib), "{text}");
        }
        for bad in [
            "",
            "G",
            "+",
            "-1G",
            "0",
            "0G",
            "1,5G",
            "32G,ssd=1",
            "32 G",
            "1e3",
            "vm-101-disk-0",
            "1.0001G",
            "++1G",
            "32K",
            "99999999999G",
            "١G",
            "1.G",
            ".5G",
            "0.3G",
        ] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn keys_have_their_limits() {
        for good in ["scsi0", "scsi30", "virtio15", "sata5", "ide3", "rootfs", "mp255", "unused0", "efidisk0"]
        {
            assert!(DiskKey::parse(good).is_some(), "{good}");
        }
        for bad in [
            "scsi31",
            "virtio16",
            "sata6",
            "ide4",
            "mp256",
            "scsi",
            "scsi00",
            "rootfs0",
            "net0",
            "scsi0,ide0",
            "",
        ] {
            assert_eq!(DiskKey::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_value_is_taken_apart() {
        let disk = |text: &str| Disk::new(DiskKey::parse("scsi1").unwrap(), text);
        let plain = disk("local-lvm:vm-101-disk-1,discard=on,size=32G");
        assert_eq!((plain.volume(), plain.size().as_str()), ("local-lvm:vm-101-disk-1", "32.0 GB"));
        assert_eq!(plain.storage().unwrap().as_str(), "local-lvm");
        assert!(!plain.is_drive());
        let named = disk("ssd=1,file=nfs:101/vm-101-disk-1.qcow2,size=512M");
        assert_eq!((named.volume(), named.bytes()), ("nfs:101/vm-101-disk-1.qcow2", Some(512 << 20)));
        for drive in [
            "none,media=cdrom",
            "local:iso/x.iso,media=cdrom,size=1M",
            "local-lvm:vm-101-cloudinit",
            "a1:cloudinit",
        ] {
            assert!(disk(drive).is_drive(), "{drive}");
        }
        assert_eq!(
            (disk("/srv/data,mp=/data").storage(), disk("none").size().as_str()),
            (None, "size not known")
        );
    }
}
