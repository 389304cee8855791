//! Temperatures of disks, from what SMART says of them.

use proxmox_api::methods::GET_NODES_NODE_DISKS_SMART;
use serde_json::Value;

use crate::cx::{Call, Cx};
use crate::error::Error;
use crate::pve::ids::NodeName;

/// The most disks that are asked; a node may have hundreds.
pub const MOST_DISKS: usize = 24;

/// A disk and how warm it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Disk {
    /// Its device, such as `/dev/sda`.
    pub device: String,
    /// Degrees Celsius; nothing if SMART does not tell.
    pub celsius: Option<i64>,
}

/// The devices of a disk list (`GET /nodes/{node}/disks/list`), at most [`MOST_DISKS`].
pub fn devices(list: &Value) -> Vec<String> {
    let plain = |device: &&str| {
        let rest = device.strip_prefix("/dev/").unwrap_or_default();
        !rest.is_empty() && rest.len() < 100 && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '/')
    };
    let rows = list.as_array().into_iter().flatten();
    let devices = rows.filter_map(|row| row.get("devpath")?.as_str()).filter(plain);
    devices.take(MOST_DISKS).map(str::to_owned).collect()
}

/// Asks all of these disks at once. A disk that does not answer is left out; if none does, the first
/// reason is the error.
pub fn temperatures(cx: &Cx<'_>, node: &NodeName, devices: Vec<String>) -> Result<Vec<Disk>, Error> {
    let ask = |device: &String| {
        Call::of(&GET_NODES_NODE_DISKS_SMART).at("node", node).with("disk", device.as_str())
    };
    let answers = cx.replies(devices.iter().map(ask).collect());
    let mut disks = Vec::new();
    let mut failure = None;
    for (device, answer) in devices.into_iter().zip(answers) {
        match answer.and_then(|reply| reply.data()) {
            Ok(smart) => disks.push(Disk { device, celsius: celsius(&smart) }),
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    match failure {
        Some(error) if disks.is_empty() => Err(error),
        _ => Ok(disks),
    }
}

/// The temperature: an attribute of an ATA disk, or a line of text of a SAS or NVMe disk.
fn celsius(smart: &Value) -> Option<i64> {
    let attributes = smart.get("attributes").and_then(Value::as_array).into_iter().flatten();
    let attribute = |wanted: &str| {
        let found = attributes.clone().find(|attribute| {
            attribute.get("name").and_then(Value::as_str).is_some_and(|name| name.starts_with(wanted))
        })?;
        match found.get("raw")? {
            Value::String(raw) => first_number(raw),
            raw => raw.as_i64(),
        }
    };
    let line = || {
        let text = smart.get("text")?.as_str()?;
        let labels = ["Temperature:", "Current Drive Temperature:"];
        text.lines().find_map(|line| {
            let line = line.trim();
            first_number(labels.iter().find_map(|label| line.strip_prefix(label))?)
        })
    };
    let found = attribute("Temperature_Celsius").or_else(|| attribute("Airflow_Temperature")).or_else(line);
    found.filter(|celsius| (-40..=150).contains(celsius))
}

/// The number that a text starts with, as in `38 (Min/Max 20/45)`.
fn first_number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(text.len());
    text.get(..end)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn temperatures_of_all_kinds_of_disks_are_found() {
        let attribute = |name: &str, raw: Value| {
            json!({"type": "ata", "attributes": [
            {"id": "  9", "name": "Power_On_Hours", "raw": "12345"}, {"id": "190", "name": name, "raw": raw}]})
        };
        for (smart, expected) in [
            (attribute("Temperature_Celsius", json!("38 (Min/Max 20/45)")), Some(38)),
            (attribute("Temperature_Celsius", json!(41)), Some(41)),
            (attribute("Airflow_Temperature_Cel", json!("29")), Some(29)),
            (attribute("Temperature_Celsius", json!("65535")), None),
            (attribute("Wear_Leveling_Count", json!("3")), None),
            (
                json!({"type": "text", "text": "\nTemperature Sensor 1: 50 Celsius\nTemperature:      38 Celsius\n"}),
                Some(38),
            ),
            (
                json!({"type": "text", "text": "Current Drive Temperature:     33 C\nDrive Trip Temperature: 65 C"}),
                Some(33),
            ),
            (json!({"health": "UNKNOWN"}), None),
        ] {
            assert_eq!(celsius(&smart), expected, "{smart}");
        }
    }

    #[test]
    fn only_devices_that_can_be_asked_for_are() {
        let list = json!([{"devpath": "/dev/sda"}, {"devpath": "/dev/nvme0n1"}, {"devpath": "/dev/../etc"},
            {"devpath": "/dev/"}, {"devpath": "sda"}, {"size": 1}, "x"]);
        assert_eq!(devices(&list), ["/dev/sda", "/dev/nvme0n1"]);
        let many: Value = (0..100).map(|n| json!({"devpath": format!("/dev/sd{n}")})).collect();
        assert_eq!(devices(&many).len(), MOST_DISKS);
        assert!(devices(&json!({"a": 1})).is_empty());
    }
}
