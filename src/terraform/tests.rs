use hcl::{Block, Body as Read, Expression};
use serde_json::json;

use super::*;
use crate::pve::ids::{NodeName, Vmid};
use crate::testing::HOSTILE;

fn of(kind: GuestKind, name: &str) -> Guest {
    Guest {
        vmid: Vmid::new(101).unwrap(),
        node: NodeName::parse("pve1").unwrap(),
        kind,
        name: name.to_owned(),
        template: false,
    }
}

fn written(kind: GuestKind, config: Value) -> String {
    let text = guest(&of(kind, "prod-web-01"), true, config.as_object().unwrap().clone()).written();
    hcl::from_str::<Read>(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    text
}

/// The resource of a text.
fn resource(text: &str) -> Block {
    let body: Read = hcl::from_str(text).unwrap();
    body.blocks().find(|block| block.identifier() == "resource").unwrap().clone()
}

fn value(body: &Read, name: &str) -> Expression {
    let found = body.attributes().find(|attribute| attribute.key() == name);
    found.unwrap_or_else(|| panic!("no {name} in {body:?}")).expr().clone()
}

fn block<'a>(body: &'a Read, name: &str) -> &'a Read {
    body.blocks().find(|block| block.identifier() == name).unwrap_or_else(|| panic!("no {name}")).body()
}

#[test]
fn a_vm_has_all_that_its_configuration_says() {
    let text = written(
        GuestKind::Vm,
        json!({
            "name": "prod-web-01", "cores": 4, "sockets": 1, "cpu": "host,flags=+aes;-pcid", "memory": "8192",
            "balloon": 4096, "bios": "ovmf", "machine": "q35", "scsihw": "virtio-scsi-single", "onboot": 1,
            "ostype": "l26", "agent": "1,fstrim_cloned_disks=1", "boot": "order=scsi0;net0", "tags": "prod;web",
            "scsi0": "ceph:vm-101-disk-0,size=80G,ssd=1,iothread=1,discard=on,mbps_rd=100,werror=stop",
            "efidisk0": "ceph:vm-101-disk-1,efitype=4m,pre-enrolled-keys=1,size=528K",
            "tpmstate0": "ceph:vm-101-disk-2,version=v2.0,size=4M",
            "ide2": "local:iso/debian.iso,media=cdrom,size=663M", "ide3": "ceph:vm-101-cloudinit,media=cdrom",
            "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20,firewall=1,rate=12.5",
            "hostpci0": "0000:01:00.0,pcie=1", "usb0": "host=1234:5678,usb3=1", "serial0": "socket", "vga": "serial0",
            "ciuser": "admin", "cipassword": "**********", "sshkeys": "ssh-ed25519%20AAAA%20me%40host%0A",
            "ipconfig0": "ip=10.0.0.5/24,gw=10.0.0.1,ip6=auto", "nameserver": "10.0.0.2 10.0.0.3", "smbios1": "uuid=x",
            "startup": "order=2,up=30", "description": "web ${x} %{if}", "unused0": "ceph:vm-101-disk-9",
            "digest": "d", "meta": "m", "vmgenid": "v", "localtime": 1, "hotplug": "disk,network",
        }),
    );
    let resource = resource(&text);
    assert_eq!(resource.labels()[0].as_str(), "proxmox_virtual_environment_vm");
    assert_eq!(resource.labels()[1].as_str(), "vm_101_prod_web_01");
    let body = resource.body();
    assert_eq!(value(body, "vm_id"), Expression::from(101));
    assert_eq!(value(block(body, "cpu"), "flags"), Expression::from(vec!["+aes", "-pcid"]));
    assert_eq!(value(block(body, "memory"), "floating"), Expression::from(4096));
    let disk = block(body, "disk");
    assert_eq!(value(disk, "size"), Expression::from(80));
    assert_eq!(value(block(disk, "speed"), "read"), Expression::from(100));
    assert_eq!(value(block(body, "network_device"), "mac_address"), Expression::from("BC:24:11:00:00:01"));
    assert_eq!(value(block(body, "cdrom"), "file_id"), Expression::from("local:iso/debian.iso"));
    let initialization = block(body, "initialization");
    assert_eq!(value(initialization, "interface"), Expression::from("ide3"));
    let user = block(initialization, "user_account");
    assert_eq!(value(user, "keys"), Expression::from(vec!["ssh-ed25519 AAAA me@host"]));
    let v4 = block(block(initialization, "ip_config"), "ipv4");
    assert_eq!(value(v4, "gateway"), Expression::from("10.0.0.1"));
    let left = text.lines().find(|line| line.contains("# Not in this export")).unwrap().trim();
    assert_eq!(
        left,
        "# Not in this export: scsi0 (werror), unused0 (a volume that is not in use), cipassword (a password is never \
         exported), localtime, hotplug."
    );
    assert!(
        text.contains("to = proxmox_virtual_environment_vm.vm_101_prod_web_01\n  id = \"pve1/101\""),
        "{text}"
    );
}

#[test]
fn a_container_has_all_that_its_configuration_says() {
    let text = written(
        GuestKind::Container,
        json!({
            "hostname": "dns", "arch": "amd64", "cores": 2, "memory": 1024, "swap": 512, "ostype": "debian",
            "unprivileged": 1, "features": "nesting=1,mount=nfs;cifs", "rootfs": "local-zfs:subvol-101-disk-0,size=8G",
            "mp1": "/srv/data,mp=/data,ro=1", "mp2": "local-zfs:subvol-101-disk-1,mp=/var,size=500M,backup=1",
            "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp,ip6=auto,type=veth,link_down=1",
            "dev0": "/dev/net/tun,mode=0666", "nameserver": "1.1.1.1", "searchdomain": "example.org",
            "lxc": [["lxc.cap.drop", "x"]], "env": "SECRET=1",
        }),
    );
    let resource = resource(&text);
    let body = resource.body();
    assert_eq!(value(block(body, "features"), "mount"), Expression::from(vec!["nfs", "cifs"]));
    assert_eq!(value(block(body, "network_interface"), "enabled"), Expression::from(false));
    assert_eq!(value(block(body, "disk"), "datastore_id"), Expression::from("local-zfs"));
    assert_eq!(value(block(body, "mount_point"), "volume"), Expression::from("/srv/data"));
    assert_eq!(value(block(body, "device_passthrough"), "path"), Expression::from("/dev/net/tun"));
    let v4 = block(block(block(body, "initialization"), "ip_config"), "ipv4");
    assert_eq!(value(v4, "address"), Expression::from("dhcp"));
    assert!(value(block(body, "lifecycle"), "ignore_changes").to_string().contains("operating_system"));
    let left = text.lines().find(|line| line.contains("# Not in this export")).unwrap().trim();
    assert_eq!(
        left,
        "# Not in this export: mp1 (its number: it becomes mp0), mp2 (its number: it becomes mp1), lxc, env."
    );
    assert!(!text.contains("SECRET"), "{text}");
}

#[test]
fn nothing_that_others_wrote_leaves_its_place() {
    let evil = [
        "${var.proxmox_api_token}",
        "%{ for x in y }",
        "\"\n}\nresource \"a\" \"b\" {",
        "x\u{202e}y",
        "*/ # //",
    ];
    for text in evil.into_iter().chain(HOSTILE.iter().copied()) {
        for kind in [GuestKind::Vm, GuestKind::Container] {
            let config = json!({
                "name": text, "hostname": text, "description": text, "tags": text, "cores": text, "memory": text,
                "scsi0": text, "rootfs": text, "net0": text, "boot": text, "agent": text, "ostype": text, "cpu": text,
                "sshkeys": text, "hostpci0": text, "mp0": text, "startup": text, text: text,
            });
            let written = guest(&of(kind, text), false, config.as_object().unwrap().clone()).written();
            let body: Read = hcl::from_str(&written).unwrap_or_else(|error| panic!("{error}\n{written}"));
            let blocks: Vec<&str> = body.blocks().map(|block| block.identifier()).collect();
            assert_eq!(blocks, ["import", "resource"], "{written}");
            assert!(
                !written.contains(|c: char| c == '\u{202e}' || (c.is_control() && c != '\n')),
                "{written:?}"
            );
            let description = value(resource(&written).body(), "description");
            let read = hcl::eval::Evaluate::evaluate(&description, &hcl::eval::Context::new()).unwrap();
            assert_eq!(read, hcl::Value::from(text.trim_end()), "{written}");
        }
    }
}

#[test]
fn numbers_that_are_not_are_told() {
    let text = written(
        GuestKind::Vm,
        json!({"scsi0": "a:b,size=1536M", "scsi1": "a:c,size=huge", "net1": "virtio=AA"}),
    );
    for words in ["scsi0 (its exact size: rounded up to whole GB)", "scsi1 (its size)", "net1 (its number"] {
        assert!(text.contains(words), "{text}");
    }
    assert_eq!(value(block(resource(&text).body(), "disk"), "size"), Expression::from(2));
}

#[test]
fn the_provider_has_no_secret_and_parses() {
    let text = provider(">= 1.5").written();
    let body: Read = hcl::from_str(&text).unwrap();
    assert_eq!(body.blocks().count(), 4);
    assert!(
        text.contains("sensitive   = true") && text.contains("api_token = var.proxmox_api_token"),
        "{text}"
    );
}
