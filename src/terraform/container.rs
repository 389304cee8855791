//! A container as a resource.

use super::keys::{Keys, Properties};
use super::shared::{self, Address};
use super::writer::{Body, is_on};

/// The resource's body; what it has no place for stays in `keys` or is noted there.
pub fn body(keys: &mut Keys, head: Body) -> Body {
    let hostname = keys.take("hostname");
    let body = head
        .text("description", keys.take("description").map(|text| text.trim_end().to_owned()))
        .list("tags", &shared::tags(keys))
        .flag("template", keys.take("template"))
        .raw("unprivileged", keys.take("unprivileged").is_some_and(|text| is_on(&text)).to_string())
        .raw("start_on_boot", keys.take("onboot").is_some_and(|text| is_on(&text)).to_string())
        .flag("protection", keys.take("protection"))
        .text("hook_script_file_id", keys.take("hookscript"))
        .block("operating_system", operating_system(keys))
        .some_block("features", features(keys))
        .some_block("cpu", cpu(keys))
        .some_block("memory", memory(keys))
        .some_block("console", console(keys));
    let body = disks(keys, body);
    let (body, addresses) = networks(keys, body);
    let mut initialization = Body::new().text("hostname", hostname).some_block("dns", shared::dns(keys));
    for address in addresses {
        initialization = initialization.block("ip_config", address.body());
    }
    let body = devices(keys, body.some_block("initialization", initialization));
    shared::startup(keys, body).block("lifecycle", Body::new().raw("ignore_changes", "[operating_system]"))
}

/// The template is only used to make a container, and Proxmox does not remember it.
fn operating_system(keys: &mut Keys) -> Body {
    Body::new()
        .comment("The template that it was made of is not known.")
        .text("template_file_id", Some("local:vztmpl/unknown.tar.zst"))
        .text("type", keys.take("ostype"))
}

fn features(keys: &mut Keys) -> Body {
    let Some(mut parts) = keys.properties("features") else { return Body::new() };
    let mounts: Vec<String> =
        parts.take("mount").map(|text| text.split(';').map(str::to_owned).collect()).unwrap_or_default();
    let body = Body::new()
        .flag("nesting", parts.take("nesting"))
        .flag("fuse", parts.take("fuse"))
        .flag("keyctl", parts.take("keyctl"))
        .list("mount", &mounts);
    parts.done(keys);
    body
}

fn cpu(keys: &mut Keys) -> Body {
    Body::new()
        .text("architecture", keys.take("arch"))
        .number("cores", keys.take("cores"))
        .number("units", keys.take("cpuunits"))
}

fn memory(keys: &mut Keys) -> Body {
    Body::new().number("dedicated", keys.take("memory")).number("swap", keys.take("swap"))
}

fn console(keys: &mut Keys) -> Body {
    Body::new()
        .flag("enabled", keys.take("console"))
        .number("tty_count", keys.take("tty"))
        .text("type", keys.take("cmode"))
}

fn disks(keys: &mut Keys, mut body: Body) -> Body {
    if let Some(mut parts) = keys.properties("rootfs") {
        let volume = parts.first("volume").unwrap_or_default();
        let size = shared::gigabytes(keys, "rootfs", parts.take("size"));
        let block = Body::new()
            .text("datastore_id", shared::storage(&volume))
            .number("size", size)
            .list("mount_options", &options(&mut parts))
            .flag("acl", parts.take("acl"))
            .flag("quota", parts.take("quota"))
            .flag("replicate", parts.take("replicate"));
        parts.done(keys);
        body = body.block("disk", block);
    }
    for (index, (key, text)) in keys.numbered("mp").into_iter().enumerate() {
        if key != format!("mp{index}") {
            keys.note(format!("{key} (its number: it becomes mp{index})"));
        }
        let mut parts = Properties::new(&key, &text);
        let volume = parts.first("volume").unwrap_or_default();
        let block = Body::new()
            .text("volume", shared::storage(&volume).or(Some(volume)))
            .text("path", parts.take("mp"))
            .text("size", parts.take("size"))
            .list("mount_options", &options(&mut parts))
            .flag("acl", parts.take("acl"))
            .flag("backup", parts.take("backup"))
            .flag("quota", parts.take("quota"))
            .flag("read_only", parts.take("ro"))
            .flag("replicate", parts.take("replicate"))
            .flag("shared", parts.take("shared"));
        parts.done(keys);
        body = body.block("mount_point", block);
    }
    for (key, _) in keys.numbered("unused") {
        keys.note(format!("{key} (a volume that is not in use)"));
    }
    body
}

fn options(parts: &mut Properties) -> Vec<String> {
    parts.take("mountoptions").map(|text| text.split(';').map(str::to_owned).collect()).unwrap_or_default()
}

fn networks(keys: &mut Keys, mut body: Body) -> (Body, Vec<Address>) {
    let mut addresses = Vec::new();
    for (index, (key, text)) in keys.numbered("net").into_iter().enumerate() {
        if key != format!("net{index}") {
            keys.note(format!("{key} (its number: it becomes net{index})"));
        }
        let mut parts = Properties::new(&key, &text);
        addresses.push(Address::take(&mut parts));
        parts.take("type");
        let down = parts.take("link_down").is_some_and(|text| is_on(&text));
        let mut block = Body::new()
            .text("name", parts.take("name"))
            .text("bridge", parts.take("bridge"))
            .text("mac_address", parts.take("hwaddr"))
            .number("vlan_id", parts.take("tag"))
            .flag("firewall", parts.take("firewall"))
            .number("mtu", parts.take("mtu"))
            .number("rate_limit", parts.take("rate"));
        if down {
            block = block.raw("enabled", "false");
        }
        parts.done(keys);
        body = body.block("network_interface", block);
    }
    (body, addresses)
}

fn devices(keys: &mut Keys, mut body: Body) -> Body {
    for (key, text) in keys.numbered("dev") {
        let mut parts = Properties::new(&key, &text);
        let block = Body::new()
            .text("path", parts.first("path"))
            .text("mode", parts.take("mode"))
            .number("uid", parts.take("uid"))
            .number("gid", parts.take("gid"))
            .flag("deny_write", parts.take("deny-write"));
        parts.done(keys);
        body = body.block("device_passthrough", block);
    }
    body
}
