//! The keys of a guest's configuration, checked against the API table before anything is sent.

use proxmox_api::methods::{PUT_NODES_NODE_LXC_VMID_CONFIG, PUT_NODES_NODE_QEMU_VMID_CONFIG};
use proxmox_api::{Kind, Param};
use serde_json::{Map, Value};

use crate::error::Error;
use crate::foreign;
use crate::nearest::nearest;
use crate::pve::config::Config;
use crate::pve::disks::{Disk, DiskKey, is_cloud_init};
use crate::pve::guests::{Guest, GuestKind};
use crate::tool::quoted;

/// Parameters of the method that say how to change, not what.
const STEERING: &[&str] =
    &["node", "vmid", "digest", "skiplock", "force", "revert", "delete", "background_delay"];
/// Keys that are called otherwise for the other kind of guest: for VMs, for containers.
const TWINS: &[(&str, &str)] = &[("name", "hostname")];
/// What SSH public keys begin with.
const KEY_TYPES: &[&str] = &["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"];

/// The parameter of the API that a key is.
///
/// # Errors
/// [`Error::Arguments`] with the nearest key.
pub fn known(guest: &Guest, key: &str) -> Result<&'static Param, Error> {
    let method = match guest.kind {
        GuestKind::Vm => &PUT_NODES_NODE_QEMU_VMID_CONFIG,
        GuestKind::Container => &PUT_NODES_NODE_LXC_VMID_CONFIG,
    };
    if let Some(param) = method.param(key).filter(|param| !STEERING.contains(&param.name)) {
        return Ok(param);
    }
    let twin = TWINS.iter().find_map(|(vm, container)| match guest.kind {
        GuestKind::Vm => (key == *container).then_some(*vm),
        GuestKind::Container => (key == *vm).then_some(*container),
    });
    let names = method.params.iter().map(|param| param.name).filter(|name| !STEERING.contains(name));
    let numbered = |name: &'static str| name.strip_suffix("[n]").unwrap_or(name);
    let meant = twin.or_else(|| nearest(key, names.map(numbered)));
    let meant = meant.map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default();
    let kind = if guest.kind == GuestKind::Vm { "VMs" } else { "containers" };
    Err(Error::Arguments(format!(
        "There is no configuration key {} for {kind}.{meant} `proxmox_get_guest` with `show` = `config` lists those \
         that are set; the rest is in `proxmox_find_api`.",
        foreign::code(key, 40)
    )))
}

/// The values of `set` as the API takes them, each key checked.
///
/// # Errors
/// [`Error::Arguments`] for an unknown key, a value that is none, and a disk that would be replaced.
pub fn to_set(
    guest: &Guest,
    config: &Config,
    set: &Map<String, Value>,
) -> Result<Vec<(String, String)>, Error> {
    let checked = |(key, value): (&String, &Value)| {
        let param = known(guest, key)?;
        let text = written(key, param, value)?;
        if let Some(disk) = DiskKey::parse(key) {
            keeps_data(guest, config, &Disk::new(disk, text.clone()))?;
        }
        Ok((key.clone(), text))
    };
    set.iter().map(checked).collect()
}

/// The keys of `delete`, each checked.
///
/// # Errors
/// [`Error::Arguments`] for an unknown key, and for a disk.
pub fn to_delete(guest: &Guest, config: &Config, keys: &[String]) -> Result<(), Error> {
    for key in keys {
        known(guest, key)?;
        let Some(disk) = DiskKey::parse(key) else { continue };
        let there = config.text(key).map(|text| Disk::new(disk, text));
        if there.is_some_and(|disk| !disk.is_drive()) {
            return Err(Error::Arguments(format!(
                "`{key}` is a disk. `proxmox_disk` with `action` = `detach` takes it off {guest} and keeps its data; \
                 `proxmox_remove_disk` destroys it."
            )));
        }
    }
    Ok(())
}

fn written(key: &str, param: &Param, value: &Value) -> Result<String, Error> {
    let odd = |c: char| c.is_control() && c != '\n' && c != '\t';
    let flag = matches!(param.kind, Kind::Boolean);
    match value {
        Value::Bool(flag) => Ok(u8::from(*flag).to_string()),
        Value::Number(number) => Ok(number.to_string()),
        Value::String(text) if key == "sshkeys" && text.contains(' ') => ssh_keys(text),
        Value::String(text) if flag && matches!(text.as_str(), "true" | "false") => {
            Ok(u8::from(text == "true").to_string())
        }
        Value::String(text) if !text.is_empty() && text.len() <= 16_384 && !text.contains(odd) => {
            Ok(text.clone())
        }
        _ if key == "cipassword" => {
            Err(Error::Arguments("`cipassword` takes text; it is not valid.".to_owned()))
        }
        other => Err(Error::Arguments(format!(
            "`{key}` takes text, a number, true or false, and got {}. To reset a key, name it in `delete`.",
            quoted(other)
        ))),
    }
}

/// Lets a disk key be set only where no volume is lost or made: other options of the same disk, a volume of
/// this guest that it does not use, a CD or cloud-init drive, and the small disks that only the configuration makes.
fn keeps_data(guest: &Guest, config: &Config, new: &Disk) -> Result<(), Error> {
    new.key.suits(guest)?;
    let old = config.text(new.key.as_str()).map(|text| Disk::new(new.key.clone(), text));
    // A volume that was detached just now may wait for a restart before it is listed as unused.
    let in_use = Disk::all(config).any(|disk| !disk.key.is_unused() && disk.volume() == new.volume());
    let own = new.belongs_to(guest) && !in_use;
    let small = new.key.as_str().starts_with("efidisk") || new.key.as_str().starts_with("tpmstate");
    let fits = match &old {
        Some(old) => old.volume() == new.volume() || (old.is_drive() && new.is_drive()),
        None => own || new.is_drive() || small || is_cloud_init(new.volume()),
    };
    if fits {
        return Ok(());
    }
    Err(Error::Arguments(match old {
        Some(old) => format!(
            "`{}` of {guest} is the disk {}; setting it to another volume would take that disk away. Keep the volume and \
             change only options, or use `proxmox_disk` (`detach`, `add`, `move`).",
            new.key,
            foreign::code(old.volume(), 80)
        ),
        None => format!(
            "`{}` would be a new disk: use `proxmox_disk` with `action` = `add` or `attach`.",
            new.key
        ),
    }))
}

/// SSH public keys, one on each line, as the API takes them: percent-encoded.
///
/// # Errors
/// [`Error::Arguments`] for what is no public key.
pub fn ssh_keys(text: &str) -> Result<String, Error> {
    if text.contains("PRIVATE KEY") {
        return Err(Error::Arguments(
            "`sshkeys` holds a private key. Give the public one, which begins with ssh-ed25519 or the like; a private key \
             never leaves its owner's machine."
                .to_owned(),
        ));
    }
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_key = |line: &&str| {
        let mut words = line.split_whitespace();
        let kind = words.find(|word| KEY_TYPES.iter().any(|start| word.starts_with(start)));
        kind.is_some() && words.next().is_some_and(|key| key.len() >= 32)
    };
    match lines.iter().find(|line| !line.starts_with('#') && !is_key(line)) {
        Some(wrong) => Err(Error::Arguments(format!(
            "`sshkeys` takes SSH public keys, one on each line, such as `ssh-ed25519 AAAA... name`; {} is none.",
            foreign::code(wrong, 40)
        ))),
        None if lines.is_empty() => Err(Error::Arguments("`sshkeys` is empty.".to_owned())),
        None => Ok(percent_encoded(&lines.join("\n"))),
    }
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-._~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Tags as they will be: set anew, or with some more and some less; in Proxmox's order.
///
/// # Errors
/// [`Error::Arguments`] for what cannot be a tag.
pub fn tags(
    now: &str,
    set: Option<&[String]>,
    add: &[String],
    remove: &[String],
) -> Result<Vec<String>, Error> {
    let valid = |tag: &str| {
        tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
            && tag.chars().all(|c| c.is_ascii_alphanumeric() || "-_+.".contains(c))
    };
    let given = set.unwrap_or_default().iter().chain(add).chain(remove);
    if let Some(wrong) = given.into_iter().find(|tag| !valid(tag)) {
        return Err(Error::Arguments(format!(
            "{} cannot be a tag: tags are of letters, digits and - _ + . and begin with a letter, digit or _.",
            foreign::code(wrong, 40)
        )));
    }
    let split = |text: &str| -> Vec<String> {
        text.split([';', ',', ' ']).filter(|tag| !tag.is_empty()).map(str::to_lowercase).collect()
    };
    let mut tags = set.map_or_else(|| split(now), |set| split(&set.join(";")));
    tags.extend(split(&add.join(";")));
    let gone = split(&remove.join(";"));
    tags.retain(|tag| !gone.contains(tag));
    tags.sort_unstable();
    tags.dedup();
    Ok(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_added_and_taken_away() {
        let of = |words: &[&str]| -> Vec<String> { words.iter().map(ToString::to_string).collect() };
        assert_eq!(tags("web;prod", None, &of(&["New"]), &of(&["WEB"])).unwrap(), ["new", "prod"]);
        assert_eq!(tags("web;prod", Some(&of(&["b", "a", "b"])), &[], &[]).unwrap(), ["a", "b"]);
        for bad in ["", "-x", "a b", "a;b", "ä", "a=b"] {
            let error = tags("", None, &of(&[bad]), &[]).unwrap_err().to_string();
            assert!(error.contains("cannot be a tag"), "{bad}: {error}");
        }
    }

    #[test]
    fn public_keys_are_encoded_and_others_refused() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJqfakekeyfakekeyfakekeyfakekeyfake a@b";
        let encoded = ssh_keys(&format!("{key}\n\n{key}\n")).unwrap();
        assert!(encoded.starts_with("ssh-ed25519%20AAAA") && encoded.contains("a%40b%0Assh-"), "{encoded}");
        for (bad, expected) in [
            ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
            ("hello world", "is none"),
            ("ssh-rsa short", "is none"),
            ("\n", "empty"),
        ] {
            let error = ssh_keys(bad).unwrap_err().to_string();
            assert!(error.contains(expected), "{bad}: {error}");
        }
    }
}
