//! Which privilege each option of a guest needs. A test holds the tables against the API's: an option
//! that a new version of Proxmox VE brings is refused until it is written down here.

/// How an option is judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Key {
    /// All of these privileges on the guest.
    Guest(&'static [&'static str]),
    /// A disk or CD drive of a virtual machine.
    Drive,
    /// A volume that is kept but not attached.
    Unused,
    /// The root or a mount point of a container.
    Mount,
    /// A network card.
    Network,
    /// A serial port.
    Serial,
    /// A USB device.
    Usb,
    /// A PCI device.
    HostPci,
    /// A source of random numbers.
    Random,
    /// A directory of the node, shared with the guest.
    Directory,
    /// The model of processor.
    Cpu,
    /// Files for cloud-init.
    Snippets,
    /// Where the memory of a snapshot goes.
    StateStorage,
    /// Features of a container.
    Features,
    /// The server takes it from root@pam only.
    RootOnly(&'static str),
}

const OPTIONS: Key = Key::Guest(&["VM.Config.Options"]);
const HARDWARE: Key = Key::Guest(&["VM.Config.HWType"]);
const NETWORK: Key = Key::Guest(&["VM.Config.Network"]);
const CPU: Key = Key::Guest(&["VM.Config.CPU"]);
const MEMORY: Key = Key::Guest(&["VM.Config.Memory"]);
const CLOUD_INIT: Key = Key::Guest(&["VM.Config.Cloudinit"]);
const CLOUD_INIT_NETWORK: Key = Key::Guest(&["VM.Config.Cloudinit", "VM.Config.Network"]);
/// Turning a guest into a template is for who may make guests.
const TEMPLATE: Key = Key::Guest(&["VM.Config.Options", "VM.Allocate"]);
const INTERNAL: Key = Key::RootOnly("it reaches the hypervisor or the node itself");

/// An option of a virtual machine, by its name in the API's table (`scsi[n]`).
pub(super) fn qemu(name: &str) -> Option<Key> {
    Some(match name {
        "cpu" => Key::Cpu,
        "cores" | "cpulimit" | "cpuunits" | "numa" | "numa[n]" | "smp" | "sockets" | "vcpus" => CPU,
        "memory" | "balloon" | "shares" | "allow-ksm" => MEMORY,
        "acpi" | "audio0" | "hotplug" | "kvm" | "machine" | "scsihw" | "smbios1" | "tablet" | "vga"
        | "watchdog" => HARDWARE,
        "agent" | "autostart" | "bios" | "description" | "keyboard" | "localtime" | "migrate_downtime"
        | "migrate_speed" | "name" | "onboot" | "ostype" | "protection" | "reboot" | "startdate" | "tags"
        | "tdf" | "startup" => OPTIONS,
        "template" => TEMPLATE,
        "freeze" => Key::Guest(&["VM.PowerMgmt"]),
        "boot" | "bootdisk" => Key::Guest(&["VM.Config.Disk"]),
        "vmstatestorage" => Key::StateStorage,
        "net[n]" => Key::Network,
        "cipassword" | "citype" | "ciupgrade" | "ciuser" | "sshkeys" => CLOUD_INIT,
        "ipconfig[n]" | "nameserver" | "searchdomain" => CLOUD_INIT_NETWORK,
        "cicustom" => Key::Snippets,
        "ide[n]" | "sata[n]" | "scsi[n]" | "virtio[n]" | "efidisk0" | "tpmstate0" | "cdrom" => Key::Drive,
        "unused[n]" => Key::Unused,
        "serial[n]" => Key::Serial,
        "usb[n]" => Key::Usb,
        "hostpci[n]" => Key::HostPci,
        "rng0" => Key::Random,
        "virtiofs[n]" => Key::Directory,
        "affinity" | "amd-sev" | "arch" | "args" | "hookscript" | "hugepages" | "intel-tdx" | "ivshmem"
        | "keephugepages" | "lock" | "parallel[n]" | "spice_enhancements" | "vmgenid" => INTERNAL,
        _ => return None,
    })
}

/// An option of a container, by its name in the API's table (`mp[n]`).
pub(super) fn lxc(name: &str) -> Option<Key> {
    Some(match name {
        "cores" | "cpulimit" | "cpuunits" => CPU,
        "memory" | "swap" => MEMORY,
        "hostname" | "nameserver" | "searchdomain" => NETWORK,
        "net[n]" => Key::Network,
        "rootfs" | "mp[n]" => Key::Mount,
        "unused[n]" => Key::Unused,
        "arch" | "cmode" | "console" | "debug" | "description" | "entrypoint" | "env" | "onboot"
        | "ostype" | "protection" | "startup" | "tags" | "timezone" | "tty" | "unprivileged" => OPTIONS,
        "template" => TEMPLATE,
        "features" => Key::Features,
        "dev[n]" | "hookscript" | "lock" => INTERNAL,
        _ => return None,
    })
}

/// Whether the option reaches beyond the guest, so that it needs Sys.Modify on / besides: the order in
/// which the node starts its guests, and a container with the node's own user ids.
pub(super) fn reaches_node(name: &str) -> bool {
    matches!(name, "startup" | "unprivileged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{guest, options};
    use proxmox_api::{methods, privileges};

    #[test]
    fn every_option_of_the_api_is_in_the_tables() {
        for (method, key) in [
            (&methods::PUT_NODES_NODE_QEMU_VMID_CONFIG, qemu as fn(&str) -> Option<Key>),
            (&methods::POST_NODES_NODE_QEMU_VMID_CONFIG, qemu),
            (&methods::POST_NODES_NODE_QEMU, qemu),
            (&methods::PUT_NODES_NODE_LXC_VMID_CONFIG, lxc),
            (&methods::POST_NODES_NODE_LXC, lxc),
        ] {
            for param in method.params {
                let steers = method.path_params().any(|name| name == param.name)
                    || options::STEERING.contains(&param.name)
                    || guest::STEERING.contains(&param.name)
                    || proxmox_api::rules::is_root_only(method, param.name);
                assert_ne!(key(param.name).is_some(), steers, "{method}: {}", param.name);
            }
        }
    }

    #[test]
    fn the_tables_name_known_privileges() {
        for method in [&methods::PUT_NODES_NODE_QEMU_VMID_CONFIG, &methods::PUT_NODES_NODE_LXC_VMID_CONFIG] {
            for key in method.params.iter().flat_map(|p| [qemu(p.name), lxc(p.name)]).flatten() {
                if let Key::Guest(names) = key {
                    assert!(!names.is_empty() && names.iter().all(|name| privileges::is_known(name)));
                }
            }
        }
    }
}
