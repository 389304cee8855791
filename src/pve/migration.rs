//! What Proxmox VE says of a migration beforehand (`GET .../migrate`).

use serde_json::Value;

use crate::change::Change;
use crate::error::Error;
use crate::foreign;
use crate::pve::guests::{Guest, GuestKind};
use crate::pve::ids::NodeName;
use crate::pve::resources::Figure;
use crate::text;

/// How many names a line has at most.
const LISTED: usize = 8;

/// How a guest is to be moved.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    /// Whether the guest runs.
    pub running: bool,
    /// Whether local disks may be copied while it runs.
    pub local_disks: bool,
    /// Whether another storage is named for them.
    pub storage: bool,
}

/// What there is to know before a guest is moved. Containers have less of it.
#[derive(Debug, Default, PartialEq)]
pub struct Outlook {
    /// Disks that only its node has, with their size in bytes where it is known.
    local_disks: Vec<(String, Option<f64>)>,
    /// Images in its CD drives that only its node has.
    cds: Vec<String>,
    /// Devices of the node that it uses.
    devices: Vec<String>,
    /// Storages that the target lacks.
    missing_storages: Vec<String>,
}

impl Outlook {
    /// Reads an answer, as far as it is about this target.
    pub fn read(data: &Value, target: &NodeName) -> Outlook {
        let list = |key: &str| data.get(key).and_then(Value::as_array).into_iter().flatten();
        let disk = |row: &Value| {
            let name = row.get("drivename").or_else(|| row.get("volid"))?.as_str()?;
            Some((foreign::name(name), Figure::of(row.get("size")).value()))
        };
        // Since version 9 a container's answer has hyphens where a VM's has underscores.
        let refused = data.get("not_allowed_nodes").or_else(|| data.get("not-allowed-nodes"));
        let refused = refused.and_then(|nodes| nodes.get(target.as_str()));
        let storages = refused
            .and_then(|why| why.get("unavailable_storages").or_else(|| why.get("unavailable-storages")));
        let text = |value: &Value| value.as_str().map(foreign::name);
        let flag = |row: &Value, key: &str| Figure::of(row.get(key)).flag();
        // The cloud-init drive is made anew on the target.
        let is_cd = |row: &&Value| flag(row, "cdrom") && !flag(row, "is_cloudinit");
        let is_disk = |row: &&Value| !flag(row, "cdrom") && !flag(row, "is_cloudinit");
        let image =
            |row: &Value| row.get("volid").or_else(|| row.get("drivename"))?.as_str().map(foreign::name);
        Outlook {
            local_disks: list("local_disks").filter(is_disk).filter_map(disk).collect(),
            cds: list("local_disks").filter(is_cd).filter_map(image).collect(),
            devices: list("local_resources").filter_map(text).collect(),
            missing_storages: storages
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect(),
        }
    }

    /// The change with what is to be known of it.
    ///
    /// # Errors
    /// [`Error::Failed`] with what stands in the way, and what to do.
    pub fn check(&self, wish: Wish, guest: &Guest, change: Change) -> Result<Change, Error> {
        let no = |why: String| Err(Error::Failed(format!("{guest} {why} Nothing was sent.")));
        if !self.devices.is_empty() {
            return no(format!(
                "uses devices of its node: {}. Take them away first, or map them for all nodes.",
                listed(&self.devices)
            ));
        }
        if !self.cds.is_empty() {
            return no(format!(
                "has an image in its CD drive that only its node has: {}. Take it out first (`proxmox_configure`: set the \
                 drive to `none,media=cdrom`).",
                listed(&self.cds)
            ));
        }
        if !self.missing_storages.is_empty() && !wish.storage {
            return no(format!(
                "has disks on {}, which the target does not have. Name a storage there as `target_storage`.",
                listed(&self.missing_storages)
            ));
        }
        if self.local_disks.is_empty() {
            return Ok(change);
        }
        let disks: Vec<String> = self.local_disks.iter().map(|(name, size)| described(name, *size)).collect();
        if guest.kind == GuestKind::Vm && wish.running && !wish.local_disks {
            return no(format!(
                "has disks that only its node has: {}. `with_local_disks: true` copies them, which takes its time.",
                listed(&disks)
            ));
        }
        let bytes: f64 = self.local_disks.iter().filter_map(|(_, size)| *size).sum();
        Ok(change.fact("Copied", format!("{} ({} in all)", listed(&disks), text::bytes(bytes))))
    }
}

fn described(name: &str, size: Option<f64>) -> String {
    size.map_or_else(|| name.to_owned(), |size| format!("{name} {}", text::bytes(size)))
}

fn listed(names: &[String]) -> String {
    let first: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    format!("{}{}", first.join(", "), if names.len() > LISTED { ", ..." } else { "" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::pve::ids::Vmid;

    fn guest(kind: GuestKind) -> Guest {
        Guest {
            vmid: Vmid::new(101).unwrap(),
            node: NodeName::parse("pve1").unwrap(),
            kind,
            name: "web".to_owned(),
            template: false,
        }
    }

    fn check(data: Value, wish: Wish, kind: GuestKind) -> Result<Change, String> {
        let outlook = Outlook::read(&data, &NodeName::parse("pve2").unwrap());
        outlook.check(wish, &guest(kind), Change::new("x")).map_err(|error| error.to_string())
    }

    const RUNNING: Wish = Wish { running: true, local_disks: false, storage: false };

    #[test]
    fn what_stands_in_the_way_is_named() {
        let disk = json!([{"drivename": "scsi0", "size": 1_073_741_824_u64, "cdrom": 0}]);
        let storages = json!({"pve2": {"unavailable_storages": ["vmdata"]}, "pve3": {}});
        for (data, expected) in [
            (json!({"local_resources": ["hostpci0"]}), "uses devices of its node: hostpci0"),
            (
                json!({"local_disks": [{"volid": "local:iso/a.iso", "drivename": "ide2", "cdrom": 1}]}),
                "has: local:iso/a.iso. Take",
            ),
            (json!({"local_disks": disk}), "only its node has: scsi0 1.0 GB. `with_local_disks: true`"),
            (json!({"not_allowed_nodes": storages}), "has disks on vmdata, which the target does not have"),
            (json!({"not-allowed-nodes": {"pve2": {"unavailable-storages": ["a1"]}}}), "has disks on a1"),
        ] {
            let error = check(data, RUNNING, GuestKind::Vm).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for data in
            [json!(null), json!([]), json!({"not_allowed_nodes": {"pve3": {"unavailable_storages": ["x1"]}}})]
        {
            assert_eq!(check(data, RUNNING, GuestKind::Vm), Ok(Change::new("x")));
        }
    }

    #[test]
    fn what_is_copied_is_said() {
        let data = json!({"local_disks": [{"drivename": "scsi0", "size": 1_073_741_824_u64},
                                          {"volid": "local-zfs:vm-101-disk-1"}, {"drivename": "ide2", "cdrom": 1, "is_cloudinit": 1}]});
        let copied = Change::new("x").fact("Copied", "scsi0 1.0 GB, local-zfs:vm-101-disk-1 (1.0 GB in all)");
        for wish in [Wish { local_disks: true, ..RUNNING }, Wish { running: false, ..RUNNING }] {
            assert_eq!(check(data.clone(), wish, GuestKind::Vm), Ok(copied.clone()));
        }
        assert_eq!(check(data, RUNNING, GuestKind::Container), Ok(copied));
        let elsewhere = json!({"not_allowed_nodes": {"pve2": {"unavailable_storages": ["vmdata"]}}});
        assert!(check(elsewhere, Wish { storage: true, ..RUNNING }, GuestKind::Vm).is_ok());
    }
}
