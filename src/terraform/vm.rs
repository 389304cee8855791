//! A virtual machine as a resource.

use super::keys::{Keys, Properties};
use super::shared::{self, Address};
use super::writer::{Body, is_on};

/// The resource's body; what it has no place for stays in `keys` or is noted there.
pub fn body(keys: &mut Keys, head: Body) -> Body {
    let body = head
        .text("name", keys.take("name"))
        .text("description", keys.take("description").map(|text| text.trim_end().to_owned()))
        .list("tags", &shared::tags(keys))
        .flag("template", keys.take("template"))
        .raw("on_boot", keys.take("onboot").is_some_and(|text| is_on(&text)).to_string())
        .flag("protection", keys.take("protection"))
        .flag("acpi", keys.take("acpi"))
        .text("bios", keys.take("bios"))
        .text("machine", keys.take("machine"))
        .text("scsi_hardware", keys.take("scsihw"))
        .list("boot_order", &boot_order(keys))
        .flag("tablet_device", keys.take("tablet"))
        .text("keyboard_layout", keys.take("keyboard"))
        .text("kvm_arguments", keys.take("args"))
        .text("hook_script_file_id", keys.take("hookscript"))
        .some_block("operating_system", Body::new().text("type", keys.take("ostype")))
        .some_block("agent", agent(keys))
        .some_block("cpu", cpu(keys))
        .some_block("memory", memory(keys));
    let body = disks(keys, body);
    let body = networks(keys, body);
    let body = devices(keys, body);
    shared::startup(keys, body)
}

fn boot_order(keys: &mut Keys) -> Vec<String> {
    let Some(mut boot) = keys.properties("boot") else { return Vec::new() };
    let order =
        boot.take("order").map(|order| order.split(';').map(str::to_owned).collect()).unwrap_or_default();
    boot.done(keys);
    order
}

fn agent(keys: &mut Keys) -> Body {
    let Some(mut agent) = keys.properties("agent") else { return Body::new() };
    let body = Body::new()
        .flag("enabled", agent.first("enabled"))
        .flag("trim", agent.take("fstrim_cloned_disks"))
        .text("type", agent.take("type"));
    agent.done(keys);
    body
}

fn cpu(keys: &mut Keys) -> Body {
    let mut kind = keys.properties("cpu").unwrap_or_else(|| Properties::new("cpu", ""));
    let flags: Vec<String> =
        kind.take("flags").map(|flags| flags.split(';').map(str::to_owned).collect()).unwrap_or_default();
    let body = Body::new()
        .number("cores", keys.take("cores"))
        .number("sockets", keys.take("sockets"))
        .text("type", kind.first("cputype"))
        .list("flags", &flags)
        .number("hotplugged", keys.take("vcpus"))
        .number("limit", keys.take("cpulimit"))
        .number("units", keys.take("cpuunits"))
        .flag("numa", keys.take("numa"))
        .text("affinity", keys.take("affinity"))
        .text("architecture", keys.take("arch"));
    kind.done(keys);
    body
}

fn memory(keys: &mut Keys) -> Body {
    let mut memory = keys.properties("memory").unwrap_or_else(|| Properties::new("memory", ""));
    let body = Body::new()
        .number("dedicated", memory.first("current"))
        .number("floating", keys.take("balloon"))
        .text("hugepages", keys.take("hugepages"))
        .flag("keep_hugepages", keys.take("keephugepages"));
    memory.done(keys);
    body
}

fn disks(keys: &mut Keys, mut body: Body) -> Body {
    let mut drives = Vec::new();
    for bus in ["scsi", "virtio", "sata", "ide"] {
        drives.extend(keys.numbered(bus));
    }
    let (mut has_cdrom, mut cloud_init) = (false, None);
    for (key, text) in drives {
        let mut parts = Properties::new(&key, &text);
        let volume = parts.first("file").unwrap_or_default();
        let is_cdrom = parts.take("media").as_deref() == Some("cdrom");
        match (is_cdrom, volume.contains("cloudinit")) {
            (true, true) => {
                parts.take("size");
                cloud_init = Some((shared::storage(&volume), key));
                parts.done(keys);
            }
            (true, false) if has_cdrom => keys.note(format!("{key} (a second CD drive)")),
            (true, false) => {
                has_cdrom = true;
                parts.take("size");
                let file = Body::new().text("file_id", Some(volume)).text("interface", Some(&key));
                body = body.block("cdrom", file);
                parts.done(keys);
            }
            (false, _) => body = body.block("disk", disk(keys, &key, &volume, parts)),
        }
    }
    body = body.some_block("efi_disk", efi_disk(keys)).some_block("tpm_state", tpm_state(keys));
    for (key, _) in keys.numbered("unused") {
        keys.note(format!("{key} (a volume that is not in use)"));
    }
    body.some_block("initialization", initialization(keys, cloud_init))
}

fn disk(keys: &mut Keys, key: &str, volume: &str, mut parts: Properties) -> Body {
    let size = shared::gigabytes(keys, key, parts.take("size"));
    let speed = Body::new()
        .number("iops_read", parts.take("iops_rd"))
        .number("iops_read_burstable", parts.take("iops_rd_max"))
        .number("iops_write", parts.take("iops_wr"))
        .number("iops_write_burstable", parts.take("iops_wr_max"))
        .number("read", parts.take("mbps_rd"))
        .number("read_burstable", parts.take("mbps_rd_max"))
        .number("write", parts.take("mbps_wr"))
        .number("write_burstable", parts.take("mbps_wr_max"));
    let body = Body::new()
        .text("interface", Some(key))
        .text("datastore_id", shared::storage(volume))
        .number("size", size)
        .text("file_format", parts.take("format"))
        .text("aio", parts.take("aio"))
        .flag("backup", parts.take("backup"))
        .text("cache", parts.take("cache"))
        .text("discard", parts.take("discard"))
        .flag("iothread", parts.take("iothread"))
        .flag("replicate", parts.take("replicate"))
        .text("serial", parts.take("serial"))
        .flag("ssd", parts.take("ssd"))
        .some_block("speed", speed);
    if shared::storage(volume).is_none() {
        keys.note(format!("{key} (a device or file of the node)"));
    }
    parts.done(keys);
    body
}

fn efi_disk(keys: &mut Keys) -> Body {
    let Some(mut parts) = keys.properties("efidisk0") else { return Body::new() };
    let volume = parts.first("file").unwrap_or_default();
    parts.take("size");
    let body = Body::new()
        .text("datastore_id", shared::storage(&volume))
        .text("file_format", parts.take("format"))
        .text("type", parts.take("efitype"))
        .flag("pre_enrolled_keys", parts.take("pre-enrolled-keys"));
    parts.done(keys);
    body
}

fn tpm_state(keys: &mut Keys) -> Body {
    let Some(mut parts) = keys.properties("tpmstate0") else { return Body::new() };
    let volume = parts.first("file").unwrap_or_default();
    parts.take("size");
    let body =
        Body::new().text("datastore_id", shared::storage(&volume)).text("version", parts.take("version"));
    parts.done(keys);
    body
}

fn networks(keys: &mut Keys, mut body: Body) -> Body {
    for (index, (key, text)) in keys.numbered("net").into_iter().enumerate() {
        if key != format!("net{index}") {
            keys.note(format!("{key} (its number: it becomes net{index})"));
        }
        let mut parts = Properties::new(&key, &text);
        let (model, mac) = model(&mut parts);
        let device = Body::new()
            .text("bridge", parts.take("bridge"))
            .text("model", model)
            .text("mac_address", mac)
            .number("vlan_id", parts.take("tag"))
            .text("trunks", parts.take("trunks"))
            .flag("firewall", parts.take("firewall"))
            .number("mtu", parts.take("mtu"))
            .number("queues", parts.take("queues"))
            .number("rate_limit", parts.take("rate"))
            .flag("disconnected", parts.take("link_down"));
        parts.done(keys);
        body = body.block("network_device", device);
    }
    body
}

/// Model and MAC address, which stand as `virtio=BC:24:11:...`, or apart.
fn model(parts: &mut Properties) -> (Option<String>, Option<String>) {
    let models = ["virtio", "e1000", "e1000e", "rtl8139", "vmxnet3"];
    let named = models.into_iter().find_map(|model| Some((model.to_owned(), parts.take(model)?)));
    match named {
        Some((model, mac)) => (Some(model), Some(mac)),
        None => (parts.first("model"), parts.take("macaddr")),
    }
}

fn devices(keys: &mut Keys, mut body: Body) -> Body {
    if let Some(mut vga) = keys.properties("vga") {
        let block = Body::new()
            .text("type", vga.first("type"))
            .number("memory", vga.take("memory"))
            .text("clipboard", vga.take("clipboard"));
        vga.done(keys);
        body = body.some_block("vga", block);
    }
    for (key, text) in keys.numbered("hostpci") {
        let mut parts = Properties::new(&key, &text);
        let block = Body::new()
            .text("device", Some(&key))
            .text("id", parts.first("host"))
            .text("mapping", parts.take("mapping"))
            .text("mdev", parts.take("mdev"))
            .flag("pcie", parts.take("pcie"))
            .flag("rombar", parts.take("rombar"))
            .text("rom_file", parts.take("romfile"))
            .flag("xvga", parts.take("x-vga"));
        parts.done(keys);
        body = body.block("hostpci", block);
    }
    for (key, text) in keys.numbered("usb") {
        let mut parts = Properties::new(&key, &text);
        let block = Body::new()
            .text("host", parts.first("host"))
            .text("mapping", parts.take("mapping"))
            .flag("usb3", parts.take("usb3"));
        parts.done(keys);
        body = body.block("usb", block);
    }
    for (_, text) in keys.numbered("serial") {
        body = body.block("serial_device", Body::new().text("device", Some(text)));
    }
    for (key, text) in keys.numbered("numa") {
        let mut parts = Properties::new(&key, &text);
        let block = Body::new()
            .text("device", Some(&key))
            .text("cpus", parts.take("cpus"))
            .text("hostnodes", parts.take("hostnodes"))
            .number("memory", parts.take("memory"))
            .text("policy", parts.take("policy"));
        parts.done(keys);
        body = body.block("numa", block);
    }
    small_devices(keys, body)
}

fn small_devices(keys: &mut Keys, body: Body) -> Body {
    let mut blocks = Vec::new();
    if let Some(mut parts) = keys.properties("audio0") {
        let block = Body::new().text("device", parts.take("device")).text("driver", parts.take("driver"));
        blocks.push(("audio_device", block, parts));
    }
    if let Some(mut parts) = keys.properties("rng0") {
        let block = Body::new()
            .text("source", parts.first("source"))
            .number("max_bytes", parts.take("max_bytes"))
            .number("period", parts.take("period"));
        blocks.push(("rng", block, parts));
    }
    if let Some(mut parts) = keys.properties("watchdog") {
        let block = Body::new()
            .raw("enabled", "true")
            .text("model", parts.first("model"))
            .text("action", parts.take("action"));
        blocks.push(("watchdog", block, parts));
    }
    if let Some(mut parts) = keys.properties("smbios1") {
        // With base64=1 the texts are encoded, and the provider encodes them itself.
        let names = ["family", "manufacturer", "product", "serial", "sku", "version"];
        let encoded = parts.take("base64").is_some_and(|text| is_on(&text));
        let mut block = Body::new().text("uuid", parts.take("uuid"));
        for name in names.into_iter().filter(|_| !encoded) {
            block = block.text(name, parts.take(name));
        }
        blocks.push(("smbios", block, parts));
    }
    blocks.into_iter().fold(body, |body, (head, block, parts)| {
        parts.done(keys);
        body.some_block(head, block)
    })
}

/// What cloud-init sets up. A password is never exported.
fn initialization(keys: &mut Keys, drive: Option<(Option<String>, String)>) -> Body {
    if keys.take("cipassword").is_some() {
        keys.note("cipassword (a password is never exported)");
    }
    let ssh = keys.take("sshkeys").map(|text| shared::decoded(&text)).unwrap_or_default();
    let ssh: Vec<&str> = ssh.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let user = Body::new().text("username", keys.take("ciuser")).list("keys", &ssh);
    let mut addresses = Vec::new();
    for (key, text) in keys.numbered("ipconfig") {
        let mut parts = Properties::new(&key, &text);
        addresses.push(Address::take(&mut parts));
        parts.done(keys);
    }
    let mut custom = keys.properties("cicustom").unwrap_or_else(|| Properties::new("cicustom", ""));
    let (storage, interface) = drive.map_or((None, None), |(storage, key)| (storage, Some(key)));
    let mut body = Body::new()
        .text("datastore_id", storage)
        .text("interface", interface)
        .text("type", keys.take("citype"))
        .flag("upgrade", keys.take("ciupgrade"))
        .text("user_data_file_id", custom.take("user"))
        .text("network_data_file_id", custom.take("network"))
        .text("vendor_data_file_id", custom.take("vendor"))
        .text("meta_data_file_id", custom.take("meta"))
        .some_block("dns", shared::dns(keys));
    for address in addresses {
        body = body.block("ip_config", address.body());
    }
    custom.done(keys);
    body.some_block("user_account", user)
}
